"""One launch: a pod from the first alternative that can be had, or every refusal on the way to none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from spotlaunch.core.facts import Launched, Offer, Order, Refused
from spotlaunch.errors import InvalidOrder, NoCapacity, OutcomeUnknown, ProviderError, Transient
from spotlaunch_providers.runpod import errors, pods
from spotlaunch_providers.runpod.asking import Asking
from spotlaunch_providers.runpod.offers import instance_type
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.refused import as_error, ends_the_call

# A whole launch. A create that is begun late would be cut off, and nobody knew what came of it.
LAUNCH_S = 60.0
LATE = 1 / 6

# A pod may cost so much more than its offer said, for rounding.
DEARER = Decimal("1.05")

# So many creates that are forbidden say that it is the key, and not what was asked for.
FORBIDDEN_MOST = 2


class Launching:
    """One call."""

    def __init__(self, order: Order, asking: Asking, *, container: pods.Container, deadline: Deadline) -> None:
        self.order, self.asking, self.container, self.deadline = order, asking, container, deadline
        self.refused: list[Refused] = []
        self.forbidden = 0
        self.may_create = False  # whether RunPod has shown that this key may make pods

    def run(self) -> Launched:
        """The machine. Raises the last refusal with all of them, or `OutcomeUnknown`."""
        if not self.order.alternatives:
            raise InvalidOrder("an order without alternatives")
        for offer in self.order.alternatives:
            if any(r.scope.covers(offer.pool) for r in self.refused):
                continue
            if self.refused and self.deadline.left_s() < self.deadline.seconds * LATE:
                break
            got = self.unfit(offer) or self.ask(offer)
            if isinstance(got, Launched):
                return got
            self.refused.append(got)
            if ends_the_call(got) or (self.forbidden >= FORBIDDEN_MOST and not self.may_create):
                break
        if self.forbidden and not self.may_create:
            # It is the key then, and says nothing of these pools.
            self.refused = [r for r in self.refused if r.error != errors.FORBIDDEN.error.__name__]
            self.refused.append(errors.own("key", self.order.alternatives[0].pool))
        raise as_error(self.refused)

    def unfit(self, offer: Offer) -> Refused | None:
        """Why no call is made for this one."""
        pool, cap = offer.pool, self.order.price_cap_usd_hour
        gpu_id, count = offer.extra.get("gpu_id", ""), offer.extra.get("count", "")
        if pool.market != "on-demand":
            return errors.own("spot", pool)
        if (
            not count.isdecimal()
            or not offer.extra.get("cloud")
            or pool.instance_type != instance_type(gpu_id, int(count))
        ):
            return errors.own("no-such-type", pool)
        if cap is not None and offer.price_usd_hour > cap:
            return errors.own("over-cap", pool, price=offer.price_usd_hour, cap=cap)
        return None

    def ask(self, offer: Offer) -> Launched | Refused:
        """One create. Raises `OutcomeUnknown`, after which nothing else may be tried: the pod may be there."""
        try:
            pod = self.create(offer)
        except errors.Denied as e:
            self.forbidden += e.code is errors.FORBIDDEN
            self.may_create |= e.code.error is NoCapacity
            return errors.refusal(e.code, offer.pool, e.message, retry_after_s=e.retry_after_s)
        except Transient as e:
            return errors.refusal(errors.OWN["not-reached"], offer.pool, e.message)
        except OutcomeUnknown as e:
            raise OutcomeUnknown(e.message, hint=e.hint, refused=self.refused) from e
        self.may_create = True
        if (wrong := self.wrong(pod, offer)) is not None:
            # Should this fail: it bears our key, is listed, and nobody keeps it.
            with suppress(ProviderError):
                self.asking.end(pod["id"], deadline=self.deadline)
            return wrong
        return Launched(instance_id=pod["id"], offer=self.taken(pod, offer), refused=tuple(self.refused))

    def create(self, offer: Offer) -> Mapping[str, Any]:
        body = pods.description(self.order, offer, endpoint=self.asking.endpoint, container=self.container)
        try:
            return self.asking.create(body, deadline=self.deadline)
        except errors.Denied as e:
            # The description of August 2026 has no such fields, and a strict schema: nothing was made.
            if "cmd" not in body or not any(f"'{k}'" in e.message for k in ("entrypoint", "cmd")):
                raise
        return self.asking.create(pods.with_args(body), deadline=self.deadline)

    def wrong(self, pod: Mapping[str, Any], offer: Offer) -> Refused | None:
        """Why the pod is not what was ordered, as far as RunPod tells."""
        if pods.differs(pod, offer):
            return errors.own("another", offer.pool, got=pods.what(pod))
        paid = pods.paid_usd_hour(pod, offer, disk=pods.disk_gb(self.order))
        cap = self.order.price_cap_usd_hour
        if paid > offer.price_usd_hour * DEARER or (cap is not None and paid > cap):
            return errors.own("dearer", offer.pool, price=offer.price_usd_hour, paid=paid)
        return None

    def taken(self, pod: Mapping[str, Any], offer: Offer) -> Offer:
        """The offer as it was had: at the price it bills, in the data center where it stands."""
        paid = pods.paid_usd_hour(pod, offer, disk=pods.disk_gb(self.order))
        region = pods.region_of(pod)
        same = region.lower() in ("", offer.pool.region.lower())
        pool = offer.pool if same else replace(offer.pool, region=region)
        if (paid, pool) == (offer.price_usd_hour, offer.pool):
            return offer
        return replace(offer, price_usd_hour=paid, pool=pool)
