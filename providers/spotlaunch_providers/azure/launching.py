"""One launch: the machine that bears the key already, a new one, or every refusal on the way to none.

Each alternative is one PUT, made once. Azure may accept a machine and say a little later that there is no room for
it, so the operation is followed for a while. After an answer that was lost no other alternative is tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from spotlaunch import errors
from spotlaunch.core.facts import Launched, Offer, Order, Pool, Refused, Scope
from spotlaunch_providers.azure import machine
from spotlaunch_providers.azure.arm import Arm, No
from spotlaunch_providers.azure.constants import ALLOCATION_S, COMPUTE_VERSION, GROUPS_VERSION, LAUNCH_S, PUT_S
from spotlaunch_providers.azure.ending import FORCED
from spotlaunch_providers.azure.errors import words
from spotlaunch_providers.azure.images import reference, why_none
from spotlaunch_providers.azure.machine import Choices
from spotlaunch_providers.azure.machines import pool_of
from spotlaunch_providers.azure.memory import Memory
from spotlaunch_providers.azure.names import MADE_AT, MARKET, SIZE, is_key, machine_name, tags
from spotlaunch_providers.azure.network import Network, Networks
from spotlaunch_providers.azure.refusals import Refusal, plain, refusal
from spotlaunch_providers.azure.sizes import size_of
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.refused import as_error, of_error

# Less than this left is not begun on: the answer would be lost.
_LEAST_S = 5.0
_NOT_THERE = frozenset({"failed", "deleting", "canceled"})
# The network was taken away behind our back. [MEM]
_STALE = frozenset({"invalidresourcereference", "resourcenotfound", "notfound", "resourcegroupnotfound"})


class Launching:
    """One call of `Provider.launch`."""

    def __init__(
        self,
        order: Order,
        *,
        owner: str,
        arm: Callable[[], Arm],
        networks: Networks,
        choices: Choices,
        memory: Memory,
        now: Callable[[], float],
        launch_s: float = LAUNCH_S,
    ) -> None:
        """``arm`` logs in, when it is first needed."""
        self.order, self.owner, self.networks, self.choices = order, owner, networks, choices
        self.memory, self.now = memory, now
        self.deadline = Deadline(launch_s)
        self.refusals: list[Refusal] = []
        self.refused: list[Refused] = []
        self.group = f"resourceGroups/{order.launch_key}"
        self.grouped = False
        self.empty = False  # the group is known to hold no machine that lives
        self.first = 0  # the number of the first name that is free in the group
        self._login = arm
        self._arm: Arm | None = None

    @property
    def arm(self) -> Arm:
        if self._arm is None:
            self._arm = self._login()
        return self._arm

    def launch(self) -> Launched:
        """The machine. Raises the last refusal with all of them, or `OutcomeUnknown`."""
        if not self.order.alternatives:
            raise errors.InvalidOrder("an order without alternatives")
        if not is_key(self.order.launch_key):
            raise errors.InvalidOrder(f"{self.order.launch_key[:80]!r} cannot be the name of a resource group")
        for number, offer in enumerate(self.order.alternatives):
            if self.refused and self.deadline.left_s() < _LEAST_S:
                break
            if self.covered(offer):
                continue
            answer = self.turned_down(offer) or self.asked(number, offer)
            if isinstance(answer, Launched):
                return answer
            self.refusals.append(answer)
            self.refused.append(answer.refused)
            if answer.ends_the_call:
                break
        self.leave_nothing()
        raise as_error(self.refused)

    def covered(self, offer: Offer) -> bool:
        """Whether an earlier refusal reaches this alternative, so that Azure need not be asked."""
        if any(r.scope.covers(offer.pool) for r in self.refused):
            return True
        also = next((again for r in self.refusals if (again := r.also(offer)) is not None), None)
        if also is not None:
            self.refused.append(also)
        return also is not None

    def turned_down(self, offer: Offer) -> Refusal | None:
        """What is known without Azure: sizes, images, the cap."""
        pool, cap, size = offer.pool, self.order.price_cap_usd_hour, size_of(offer.pool.instance_type)
        if size is None:
            return plain(errors.InvalidOrder, Scope.of(pool), f"{pool.instance_type} is no size that we know")
        if cap is not None and offer.price_usd_hour > cap:
            reason = f"{pool} costs ${offer.price_usd_hour} an hour, more than the cap of ${cap}"
            return plain(errors.PriceTooLow, Scope.of(pool), reason)
        # A person who names an image for this job knows what is in it.
        grid_image = self.order.vm_image or self.choices.grid_image
        if why := why_none(size, grid_image=grid_image):
            return plain(errors.InvalidOrder, Scope(provider=pool.provider, instance_type=pool.instance_type), why)
        if reference(self.image(offer)) is None:
            reason = f"{self.image(offer)[:60]!r} is no image"
            hint = "write publisher:offer:sku:version, or the id of an image in your subscription"
            return plain(errors.InvalidOrder, Scope(provider=pool.provider), reason, hint)
        return None

    def image(self, offer: Offer) -> str:
        size = size_of(offer.pool.instance_type)
        usual = self.choices.grid_image if size is not None and size.driver == "grid" else self.choices.image
        return self.order.vm_image or usual

    # -- asking ------------------------------------------------------------------------------------------

    def asked(self, number: int, offer: Offer) -> Launched | Refusal:
        """What Azure answers to one alternative. Raises `OutcomeUnknown`."""
        for again in (True, False):
            pool = offer.pool
            ssh = bool(self.order.ssh_key)
            remembered = self.networks.known(pool.region, ssh=ssh) is not None
            try:
                network = self.networks.of(pool.region, ssh=ssh, arm=self.arm, deadline=self.deadline)
                if (found := self.in_group(offer)) is not None:
                    return found
            except errors.ProviderError as e:
                return self.not_prepared(e, offer)
            try:
                return self.put(number, offer, network)
            except No as no:
                if not (again and remembered and no.code.lower() in _STALE):
                    return self.said_no(no, number, offer)
                self.networks.forget(pool.region)
        raise AssertionError("the second time answers")

    def not_prepared(self, error: errors.ProviderError, offer: Offer) -> Refusal:
        """The network or the group could not be had. Nothing that bills was made, whatever became of the call."""
        if isinstance(error, No):
            redact = self.arm.redact
            # Broken calls are as good as "no" here. But one code means "too many calls" by its status alone.
            status = error.status if error.status == 429 else 0
            known = refusal(
                error.code, error.said, offer, status=status, redact=redact, retry_after_s=error.retry_after_s
            )
            if known is not None:
                return known
        kind = type(error) if isinstance(error, errors.NotAuthorized | errors.Throttled) else errors.Transient
        scope = Scope(provider=offer.pool.provider)
        reason = f"{offer.pool}: its network and group: {error.message}"
        return plain(kind, scope, reason, error.hint)

    def in_group(self, offer: Offer) -> Launched | None:
        """Make the group. If it was there before, so may be the machine."""
        if self.grouped:
            return None
        marks = tags(self.order, self.owner)
        marks |= {MADE_AT: f"{self.now():.3f}", SIZE: offer.pool.instance_type, MARKET: offer.pool.market}
        body = {"location": offer.pool.region, "tags": marks}
        self.memory.launching(self.order.launch_key, now=self.now())
        try:
            reply = self.arm.do("PUT", self.group, GROUPS_VERSION, deadline=self.deadline, body=body)
            new = reply.status == 201
        except No as no:
            if no.code != "InvalidResourceGroupLocation":  # it was made for an alternative elsewhere
                raise
            new = False
        self.grouped = True
        found = None if new else self.there_before()
        self.empty = found is None
        return found

    def there_before(self) -> Launched | None:
        path = f"{self.group}/providers/Microsoft.Compute/virtualMachines"
        answer = self.arm.get(path, COMPUTE_VERSION, deadline=self.deadline)
        rows = answer.get("value") or [] if isinstance(answer, dict) else []
        self.first = len(rows)
        states = [str((r.get("properties") or {}).get("provisioningState")).lower() for r in rows]
        row = next((r for r, state in zip(rows, states, strict=True) if state not in _NOT_THERE), None)
        return None if row is None else self.is_there(row, str(row.get("name") or ""))

    def path(self, name: str) -> str:
        return f"{self.group}/providers/Microsoft.Compute/virtualMachines/{name}"

    def put(self, number: int, offer: Offer, network: Network) -> Launched | Refusal:
        """The machine's own PUT. Raises `No`, if Azure gave a reason, and `OutcomeUnknown`."""
        name = machine_name(self.first + number)
        self.memory.launching(self.order.launch_key, now=self.now())
        image = reference(self.image(offer))
        assert image is not None
        body = machine.body(
            self.order,
            offer,
            name=name,
            owner=self.owner,
            network=network,
            image=image,
            disk_type=self.choices.disk_type,
        )
        deadline = Deadline(min(PUT_S, self.deadline.left_s()))
        try:
            reply = self.arm.do("PUT", self.path(name), COMPUTE_VERSION, deadline=deadline, body=body, new=True)
        except errors.OutcomeUnknown as e:
            return self.looked_up(name, e)
        except (errors.Transient, errors.Throttled) as e:
            no = of_error(e, Scope(provider=offer.pool.provider))
            return Refusal(refused=replace(no, reason=f"{offer.pool}: {e.message}"))
        if not isinstance(reply.body, dict) or not isinstance(reply.body.get("properties"), dict):
            return self.looked_up(name, errors.OutcomeUnknown("answered with something that is no machine"))
        return self.followed(name, offer, reply.body, str(reply.headers.get("Azure-AsyncOperation") or ""))

    def said_no(self, no: No, number: int, offer: Offer) -> Launched | Refusal:
        redact, name = self.arm.redact, machine_name(self.first + number)
        if no.status == 412:  # somebody has made it: our own call, whose answer was lost below us
            return self.looked_up(name, errors.OutcomeUnknown("it was there before"))
        known = refusal(no.code, no.said, offer, status=no.status, redact=redact, retry_after_s=no.retry_after_s)
        return known or self.looked_up(name, errors.OutcomeUnknown(redact(no.message)))

    def looked_up(self, name: str, error: errors.ProviderError) -> Launched:
        """Nobody knows what came of the PUT, but the name tells: one look. Raises `OutcomeUnknown` if it does not."""
        try:
            row = self.arm.get(self.path(name), COMPUTE_VERSION, deadline=self.deadline)
        except errors.ProviderError:
            row = None
        if not isinstance(row, dict):
            raise errors.OutcomeUnknown(error.message, hint=error.hint, refused=self.refused) from error
        return self.is_there(row, name)

    def followed(self, name: str, offer: Offer, row: dict[str, Any], operation: str) -> Launched | Refusal:
        """Accepted; whether there is room for it comes later. Still under way in the end, the listing will tell."""
        self.memory.launching(self.order.launch_key, now=self.now())
        self.memory.machine(self.order.launch_key, name)
        if not _is_what_was_asked_for(row, offer):
            self.end(name)
            return plain(errors.NoCapacity, Scope.of(offer.pool), f"{offer.pool}: Azure made another machine")
        done: Any = None
        if operation:
            try:
                deadline = Deadline(min(ALLOCATION_S, self.deadline.left_s()))
                done = self.arm.settled(operation, deadline=deadline)
            except errors.ProviderError:
                done = None  # the machine was accepted, and it is listed
        if isinstance(done, dict) and str(done.get("status")).lower() in ("failed", "canceled"):
            code, said = words(done)
            redact = self.arm.redact
            known = refusal(code, said, offer, status=200, redact=redact, retry_after_s=None)
            if known is None:
                raise errors.OutcomeUnknown(redact(f"{code}: {said}"), refused=self.refused)
            # Its address and disk bill on beside the next one.
            self.end(name)
            return known
        return Launched(instance_id=self.order.launch_key, offer=offer, refused=tuple(self.refused))

    def is_there(self, row: dict[str, Any], name: str) -> Launched:
        """The machine was there before this call, or was found after it."""
        self.memory.machine(self.order.launch_key, name)
        return Launched(instance_id=self.order.launch_key, offer=self.offer_of(row), refused=tuple(self.refused))

    def offer_of(self, row: dict[str, Any]) -> Offer:
        """The alternative that a machine came from; where it is none of them, what the machine tells."""
        pool = pool_of(row)
        told = Offer(pool=pool, price_usd_hour=Decimal(0), seen_at=self.now())
        return next((o for o in self.order.alternatives if _same(o.pool, pool)), told)

    # -- ending ------------------------------------------------------------------------------------------

    def end(self, name: str) -> None:
        """Ask for the end of one that failed. Should this fail too, the listing shows it, and the sweep ends it."""
        try:
            self.arm.do("DELETE", self.path(name), COMPUTE_VERSION, deadline=self.deadline, params=FORCED)
        except errors.ProviderError:
            return

    def leave_nothing(self) -> None:
        """No machine came of it: the group goes too. It is empty and free, so a "no" to this is left to the sweep."""
        if not self.empty:
            return
        try:
            self.arm.do("DELETE", self.group, GROUPS_VERSION, deadline=self.deadline)
        except errors.ProviderError:
            return


def _is_what_was_asked_for(row: dict[str, Any], offer: Offer) -> bool:
    """Size and market, which decide GPU, count and price. Azure says them again in its answer; what it does not say
    is no reason to end the machine."""
    got, asked = pool_of(row), offer.pool
    if not got.instance_type and "priority" not in row["properties"]:
        return True
    return got.instance_type.lower() in ("", asked.instance_type.lower()) and got.market == asked.market


def _same(one: Pool, other: Pool) -> bool:
    """Azure spells sizes now so, now so."""
    return replace(one, instance_type="") == replace(other, instance_type="") and (
        one.instance_type.lower() == other.instance_type.lower()
    )
