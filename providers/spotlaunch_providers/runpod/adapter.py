"""The four methods of RunPod. Without a key it tells prices only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from spotlaunch.core.facts import Launched, Offer, Offers, Order, SeenMachine, Traits, Want
from spotlaunch.errors import NotAuthorized, ProviderError
from spotlaunch_providers.runpod import figures
from spotlaunch_providers.runpod.asking import Asking
from spotlaunch_providers.runpod.credentials import HINT
from spotlaunch_providers.runpod.ending import END_COMMAND
from spotlaunch_providers.runpod.feed import SOURCE, feed_lots, query
from spotlaunch_providers.runpod.launching import LAUNCH_S, Launching
from spotlaunch_providers.runpod.machines import Machines
from spotlaunch_providers.runpod.offers import CLOUDS, catalog_lots, counts, offer
from spotlaunch_providers.runpod.pods import Container
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

NO_KEY = f"no credentials: prices only; {HINT}"


def traits(*, prices_only: str, image: str) -> Traits:
    """RunPod's ways. It has no idempotency key; a container that ends is started again and billed on.

    Its community cloud stands with people, but with such as RunPod vouches for, so they count as no strangers.
    """
    return Traits(
        settle_s=60.0,
        idempotent_launch=False,
        notice_s=0.0,
        has_spot=False,
        bids=False,
        stopped_still_bills=True,
        shutdown_ends_billing=False,
        server_side_ttl=False,
        list_interval_s=15.0,
        prices_only=prices_only,
        container_image=image,
        end_command=END_COMMAND,
        disk_gb=figures.DISK_GB,
    )


class RunpodProvider:
    """A `Provider`. Without a key all but `offers` raise `NotAuthorized`.

    ``container``: what holds where a job's order does not say. ``now``, ``ask_s`` and ``launch_s`` (seconds for a whole
    question, and a whole launch) are for tests.
    """

    name = "runpod"

    def __init__(
        self,
        asking: Asking,
        *,
        owner: str = "",
        container: Container | None = None,
        now: Callable[[], float] = time.time,
        ask_s: float = ASK_S,
        launch_s: float = LAUNCH_S,
    ) -> None:
        found = asking.credentials.key
        self._container = container or Container()
        self.traits = traits(prices_only="" if found else NO_KEY, image=self._container.image)
        self._asking = asking
        self._machines = Machines(asking, owner=owner, now=now)
        self._now, self._ask_s, self._launch_s = now, ask_s, launch_s

    def launch(self, order: Order) -> Launched:
        """A pod named after the launch key. A name is no token: a second call makes a second pod."""
        self._needs_key()
        deadline = Deadline(self._launch_s)
        return Launching(order, self._asking, container=self._container, deadline=deadline).run()

    def list_machines(self) -> Sequence[SeenMachine]:
        """The pods whose names begin with ``sl-<owner>-``, in pages of a thousand."""
        self._needs_key()
        return self._machines.seen()

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """Deletes the pods, and with them their disks: a pod that is only stopped bills on."""
        self._needs_key()
        return self._machines.end(instance_ids)

    def _needs_key(self) -> None:
        if self.traits.prices_only:
            raise NotAuthorized(self.traits.prices_only, hint=HINT)

    def offers(self, want: Want) -> Sequence[Offer]:
        """Every GPU of the catalog that is wanted, in each size, data center and cloud. None of them is spot.

        Raises the first error when no question was answered; a size that could not be asked for is missing.
        """
        if "on-demand" not in want.markets:
            return ()
        deadline, asked_at = Deadline(self._ask_s), self._now()
        ask = self._from_catalog if self._asking.credentials.key else self._from_feed
        calls = ask(want, asked_at, deadline)
        outcomes = dict(zip(calls, side_by_side([*calls.values()], deadline=deadline, name="runpod"), strict=True))
        errors = {what: o for what, o in outcomes.items() if isinstance(o, ProviderError)}
        if errors and len(errors) == len(outcomes):
            raise next(iter(errors.values()))
        found = (offer for o in outcomes.values() if not isinstance(o, ProviderError) for offer in o)
        return Offers(found, missing=(f"{what}: {e.message}" for what, e in errors.items()))

    def _from_catalog(self, want: Want, now: float, deadline: Deadline) -> dict[str, Callable[[], list[Offer]]]:
        def ask(count: int, cloud: str) -> list[Offer]:
            rows = self._asking.catalog(count=count, cloud=cloud, deadline=deadline)
            return [offer(lot, want=want, now=now) for lot in catalog_lots(rows, count=count, cloud=cloud, want=want)]

        return {f"{n} GPUs, {cloud.lower()}": partial(ask, n, cloud) for n in counts(want) for cloud in CLOUDS}

    def _from_feed(self, want: Want, now: float, deadline: Deadline) -> dict[str, Callable[[], list[Offer]]]:
        def ask(count: int) -> list[Offer]:
            data = self._asking.graphql(query(count), deadline=deadline)
            return [offer(lot, want=want, now=now, source=SOURCE) for lot in feed_lots(data, count=count, want=want)]

        return {f"{count} GPUs": partial(ask, count) for count in counts(want)}
