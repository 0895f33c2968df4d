"""One launch: the machine that bears the key already, a new one, or every refusal on the way to none.

    the key, by its label ──> insert ──> wait for the operation ──> look at the machine
                                │             │ until it is placed, or refused
                                └── no answer ┴──> look for it by its name

A name is unique in its zone only, so before anything is made the project is asked for the key. That a zone has nothing
to give is told by the operation, some seconds after the insert was accepted; a machine that has been placed (STAGING)
cannot be refused for that any more, and is not waited for. Waiting is Google's: `operations.wait` answers when there is
something to say, and no call here sleeps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spotlaunch import errors
from spotlaunch.core.facts import Launched, Offer, Order, Pool, Refused, Scope
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.answers import mapping, understood
from spotlaunch_providers.gcp.blueprint import KEY, body
from spotlaunch_providers.gcp.ending import end
from spotlaunch_providers.gcp.errors import SERVICE
from spotlaunch_providers.gcp.errors import judge as judge_read
from spotlaunch_providers.gcp.listing import every
from spotlaunch_providers.gcp.machines import PLACED, is_mine, pool
from spotlaunch_providers.gcp.names import insert_token, instance_id, machine_name
from spotlaunch_providers.gcp.refusing import left, refusals, too_dear
from spotlaunch_providers.gcp.verdicts import Verdict, verdict
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Reply
from spotlaunch_providers.shared.refused import as_error, of_error

LAUNCH_S = 60.0  # for the whole launch, with all its alternatives
INSERT_S = 30.0  # Google accepts an insert within seconds
LOOK_S = 5.0
WAIT_S = 40.0  # a refusal comes within a few seconds as a rule; later ones show in the listing
STATES = ("PENDING", "RUNNING", "DONE")  # of an operation
SLICE_S = 3.0  # so long between two looks at the machine


class LongNotice:
    """Whether this project gives the long notice before a machine is taken: unknown, until it says no."""

    granted = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A machine as Google tells of it now, as far as a launch needs it.

    ``gpus``: 0 where they are not counted. ``whole``: whether all is told that an offer is held against.
    """

    where: Pool
    name: str
    number: str
    placed: bool
    mine: bool
    gpus: int
    whole: bool

    def is_of(self, offer: Offer) -> bool:
        """Whether nothing says that it is another machine than was offered."""
        return not self.whole or (self.where == offer.pool and self.gpus in (0, offer.gpu_count))


@dataclass(kw_only=True)
class Launching:
    """One call. Afterwards ``number`` is Google's own number of the machine that was made, where it told."""

    order: Order
    owner: str
    account: Account
    notice: LongNotice
    now: Callable[[], float]
    deadline: Deadline
    number: str = ""
    _path: str = ""
    _refused: list[Refused] = field(default_factory=list)

    def run(self) -> Launched:
        """Raises the last refusal with all of them, or `OutcomeUnknown`."""
        if not self.order.alternatives:
            raise errors.InvalidOrder("an order without alternatives")
        self._path = self.account.project_path()
        if (found := self._bearing_the_key()) is not None:
            return found
        rest = list(self.order.alternatives)
        while rest:
            offer, rest = rest[0], rest[1:]
            made, said = self._ask(offer, rest)
            if made is not None:
                return made
            rest = left(rest, self._refused, said, offer)
            if self.deadline.left_s() < LOOK_S:
                break  # too late for another: those that are left have not been refused
        raise as_error(self._refused)

    # -- one alternative ---------------------------------------------------------------------------------

    def _ask(self, offer: Offer, rest: list[Offer]) -> tuple[Launched | None, Verdict | None]:
        """The machine; or None, with Google's no where it is Google who said it."""
        cap = self.order.price_cap_usd_hour
        if cap is not None and offer.price_usd_hour > cap:
            self._refused.append(too_dear(offer, cap))
            return None, None
        try:
            said = self._make(offer)
        except errors.OutcomeUnknown as e:
            return self._after_a_lost_answer(offer.pool.zone, e), None
        except errors.ProviderError as e:
            # Said by nobody at Google: the sign-in, or the network before the call. It is so for all of them.
            self._refused.append(of_error(e, Scope(provider=offer.pool.provider)))
            return None, None
        if said is None:
            return self._got(offer), None
        self._refused += refusals(said, offer, rest, redact=self.account.redactor(), now=self.now())
        return None, said

    def _make(self, offer: Offer) -> Verdict | None:
        """Ask for the machine; None when it is accepted, and not refused for as long as is worth waiting.

        Raises `OutcomeUnknown`, and what happened before the call could be made.
        """
        answer = self._insert(offer, notice=self.notice.granted)
        spot = offer.pool.market == "spot"
        if isinstance(answer, Verdict) and answer.status == 400 and spot and self.notice.granted:
            # A project that may not have the long notice is told so with a 400, by which nothing is made.
            answer = self._insert(offer, notice=False)
            self.notice.granted = isinstance(answer, Verdict) and answer.status == 400
        if isinstance(answer, Verdict):
            return self._unless_lost(answer)
        self.number = str(answer.get("targetId") or "")
        return self._unless_lost(self._waited(offer, answer))

    def _insert(self, offer: Offer, *, notice: bool) -> Mapping[str, Any] | Verdict:
        """The operation that was begun, or the no."""
        said: list[Verdict] = []

        def judge(reply: Reply) -> errors.ProviderError | None:
            if reply.status < 300:
                return None
            error = reply.body.get("error") if isinstance(reply.body, Mapping) else None
            if not isinstance(error, Mapping):
                return None
            said.append(verdict(error, status=reply.status))
            return said[0].error()

        pool = offer.pool
        token = insert_token(self.order.launch_key, pool.zone, pool.instance_type, pool.market, str(notice))
        asked = body(self.order, offer, owner=self.owner, choices=self.account.choices, notice=notice)
        path = f"{self._path}/zones/{pool.zone}/instances"
        deadline = Deadline(min(INSERT_S, self.deadline.left_s()))
        try:
            answer = self.account.changes(judge).once(
                "POST", path, body=asked, params={"requestId": token}, deadline=deadline
            )
        except errors.ProviderError as e:
            if said:
                return replace(said[0], retry_after_s=e.retry_after_s)
            raise
        if not isinstance(answer, Mapping) or not answer.get("name") or answer.get("status") not in STATES:
            raise errors.OutcomeUnknown("answered with no operation", hint="the listing will tell")
        return answer

    def _unless_lost(self, said: Verdict | None) -> Verdict | None:
        if said is not None and said.code.error is errors.OutcomeUnknown:
            raise errors.OutcomeUnknown(self.account.redactor()(said.message), hint=said.hint)
        return said

    # -- what became of it -------------------------------------------------------------------------------

    def _waited(self, offer: Offer, operation: Mapping[str, Any]) -> Verdict | None:
        """The refusal that the operation ends in. None: it went well, or it is still under way.

        An error while waiting refuses nothing: the insert was accepted, and the listing tells what became of it.
        """
        path = f"{self._path}/zones/{offer.pool.zone}/operations/{operation['name']}"
        until = Deadline(min(WAIT_S, self.deadline.left_s() - LOOK_S))
        blocks = True  # a small server has no `wait`, or one that answers at once
        while operation.get("status") != "DONE":
            if until.left_s() <= 0 or self._placed(offer.pool.zone):
                return None
            turn = Deadline(min(SLICE_S, until.left_s()))
            try:
                if blocks:
                    operation = mapping(self.account.compute().once("POST", f"{path}/wait", deadline=turn))
                else:
                    operation = self._looked(path, operation, turn)
            except errors.ProviderError:
                if turn.left_s() > 0.1 and not blocks:
                    return None  # refused or broken, and it would be so at once again
            blocks = blocks and turn.left_s() < turn.seconds / 2
        failed = operation.get("error")
        if not isinstance(failed, Mapping):
            return None
        return verdict(failed)

    def _looked(self, path: str, operation: Mapping[str, Any], deadline: Deadline) -> Mapping[str, Any]:
        """The operation, looked at a few times with the pauses of repeated reads. Raises as a read does."""
        pending = False

        def judged(reply: Reply) -> errors.ProviderError | None:
            nonlocal pending
            error = judge_read(reply, service=SERVICE)
            status = reply.body.get("status") if isinstance(reply.body, Mapping) else None
            pending = error is None and reply.status < 300 and status in STATES[:2]
            return errors.Transient("not done yet") if pending else error

        try:
            return mapping(self.account.changes(judged).get(path, deadline=deadline))
        except errors.Transient:
            if pending:
                return operation
            raise

    def _placed(self, zone: str) -> bool:
        found = self._instance(zone)
        return found is not None and found.placed

    def _instance(self, zone: str) -> Seen | None:
        """The machine as it is now; None where it cannot be seen, or the answer cannot be read."""
        path = f"{self._path}/zones/{zone}/instances/{machine_name(self.order.launch_key)}"
        deadline = Deadline(min(LOOK_S, self.deadline.left_s()))
        try:
            found = mapping(self.account.compute().once("GET", path, deadline=deadline))
            return understood(lambda: self._read(zone, found))
        except errors.ProviderError:
            return None

    def _read(self, zone: str, instance: Mapping[str, Any]) -> Seen:
        return Seen(
            where=pool(zone, instance),
            name=str(instance.get("name", "")),
            number=str(instance.get("id") or ""),
            placed=instance.get("status") in PLACED,
            mine=is_mine(instance, self.owner),
            gpus=sum(int(gpu.get("acceleratorCount") or 0) for gpu in instance.get("guestAccelerators") or ()),
            whole=bool(instance.get("machineType") and (instance.get("scheduling") or {}).get("provisioningModel")),
        )

    def _got(self, offer: Offer) -> Launched | None:
        """The machine was accepted. What Google tells of it is held against the offer, and ended if it is another."""
        found = self._instance(offer.pool.zone)
        made = instance_id(offer.pool.zone, machine_name(self.order.launch_key))
        if found is None or found.is_of(offer):
            return Launched(instance_id=made, offer=offer, refused=tuple(self._refused))
        other = f"Google made a {found.where} with {found.gpus} GPUs where {offer.pool} was asked for"
        self._refused.append(Refused(scope=Scope.of(offer.pool), error="NoCapacity", reason=other))
        if end(self.account, self.owner, [made], self.deadline):
            raise as_error(self._refused)  # the sweep will end it; a second one must not stand beside it
        return None

    def _after_a_lost_answer(self, zone: str, error: errors.OutcomeUnknown) -> Launched:
        """The machine, where it can be seen. Else nobody knows, and nothing else may be tried."""
        found = self._instance(zone)
        if found is not None and found.mine:
            return self._known(found)
        raise errors.OutcomeUnknown(error.message, hint=error.hint, refused=self._refused)

    def _bearing_the_key(self) -> Launched | None:
        """The machine of this owner that bears the launch key, wherever it is."""
        name = machine_name(self.order.launch_key)
        rows = every(self.account, self._path, "instances", f'labels.{KEY} = "{name}"', self.deadline)
        found = understood(lambda: [self._read(zone, instance) for zone, instance in rows])
        return next((self._known(seen) for seen in found if seen.mine and seen.name == name), None)

    def _known(self, seen: Seen) -> Launched:
        """A machine that bears the key, with the offer that it came from; the dearest, where it is none of them."""
        self.number = seen.number
        dearest = max(self.order.alternatives, key=lambda o: o.price_usd_hour)
        known = (o for o in self.order.alternatives if o.pool == seen.where)
        return Launched(
            instance_id=instance_id(seen.where.zone, seen.name),
            offer=next(known, replace(dearest, pool=seen.where)),
            refused=tuple(self._refused),
        )
