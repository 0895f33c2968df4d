"""A plan in the making: the book as it will be once the writes so far are written, and the calls so far.

The steps of `decide` read and change jobs, attempts and machines through this one object, so that each sees
what the step before it decided. It lives inside one call of `decide`, which therefore stays a function.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from typing import Any

from spotlaunch.core.book import Attempt, Event, Job, Machine, Outcome, Refusal
from spotlaunch.core.facts import Listing, Pool, Refused, SeenMachine
from spotlaunch.core.ledger import machine_cost_usd, machine_seconds
from spotlaunch.core.plan import (
    AddAttempt,
    AddEvent,
    AddMachine,
    Call,
    Mail,
    Plan,
    PutRefusal,
    SetAttempt,
    SetJob,
    SetMachine,
    Terminate,
    World,
    Write,
)
from spotlaunch.core.refusals import refuse

# With nothing to wait for, look this often: a stray machine must not bill for long.
IDLE_S = 60.0

NO_MAIL = Mail(ok=False, error="not read in this look")


class Draft:
    """See the module. ``world`` is what was seen; everything else is what will be."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = world.now
        self.writes: list[Write] = []
        self.calls: list[Call] = []
        self.wake_at = world.now + IDLE_S
        book = world.book
        self._jobs = {j.name: j for j in book.jobs}
        self._attempts: dict[str, dict[int, Attempt]] = defaultdict(dict)
        for a in book.attempts:
            self._attempts[a.job][a.number] = a
        self._machines = {m.launch_key: m for m in book.machines}
        # These are in the book's sums already.
        self._billed = {m.launch_key for m in book.machines if m.state == "ended"}
        self._of_job: dict[str, list[str]] = defaultdict(list)
        for m in book.machines:
            self._of_job[m.job].append(m.launch_key)
        self._refusals = {(r.scope, r.job): r for r in book.refusals}
        self._listings = {li.provider: li for li in world.listings}
        self._seen: dict[str, list[SeenMachine]] = defaultdict(list)
        for li in world.listings:
            for s in li.machines:
                self._seen[s.launch_key].append(s)
        self._ended: dict[str, list[str]] = defaultdict(list)

    # -- reading -----------------------------------------------------------------------------------------

    def job(self, name: str) -> Job:
        return self._jobs[name]

    def attempts(self, job: str) -> list[Attempt]:
        """Those that the book brought along (all live ones among them), in order."""
        return [a for _, a in sorted(self._attempts[job].items())]

    def live(self, job: str) -> list[Attempt]:
        return [a for a in self.attempts(job) if a.live]

    def machines(self, job: str) -> list[Machine]:
        """A job's machines which the book knows, with those that ended in this very look."""
        return [self._machines[k] for k in self._of_job[job]]

    def machine_of(self, attempt: Attempt) -> Machine | None:
        """The attempt's machine: the newest, where it has had several."""
        own = [m for m in self.machines(attempt.job) if m.attempt == attempt.number]
        return own[-1] if own else None

    def machine(self, launch_key: str) -> Machine | None:
        return self._machines.get(launch_key)

    def mail(self, job: str) -> Mail:
        return self.world.mail.get(job, NO_MAIL)

    def listing(self, provider: str) -> Listing | None:
        """This look's listing, if there is a good one."""
        listing = self._listings.get(provider)
        return listing if listing is not None and listing.ok else None

    def seen(self, machine: Machine) -> SeenMachine | None:
        """The machine in this look's listing, if it exists. Of several with its key, the one whose id we know."""
        return self._found(machine, gone=False)

    def gone(self, machine: Machine) -> SeenMachine | None:
        """What its provider still tells of the machine after its end."""
        return self._found(machine, gone=True)

    def _found(self, machine: Machine, *, gone: bool) -> SeenMachine | None:
        found = [s for s in self._seen.get(machine.launch_key, ()) if (s.phase == "gone") == gone]
        if machine.instance_id:
            return next((s for s in found if s.instance_id == machine.instance_id), None)
        # Of an unanswered launch the one that runs; what outlived a machine (a disk) bears its key as well.
        return min(found, key=lambda s: s.phase == "stopped", default=None)

    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(self._refusals.values())

    def spent_usd(self, job: str) -> Decimal:
        """What the job has cost up to now, machines still up included."""
        return self.world.book.spent_usd.get(job, Decimal(0)) + sum(
            (machine_cost_usd(m, self.now) for m in self._unbilled(job)), Decimal(0)
        )

    def ran_s(self, job: str) -> float:
        """For how long machines have been up for the job."""
        return self.world.book.ran_s.get(job, 0.0) + sum(machine_seconds(m, self.now) for m in self._unbilled(job))

    def _unbilled(self, job: str) -> list[Machine]:
        return [m for m in self.machines(job) if m.launch_key not in self._billed]

    # -- changing ----------------------------------------------------------------------------------------

    def wake(self, at: float) -> None:
        """Look again at ``at`` at the latest; what is past means at once."""
        self.wake_at = min(self.wake_at, max(self.now, at))

    def tell(self, job: str, kind: str, text: str, **data: Any) -> None:
        """Add a sentence to the job's story."""
        self.writes.append(AddEvent(event=Event(job=job, at=self.now, kind=kind, text=text, data=data)))

    def set_job(self, job: Job, **changes: Any) -> Job:
        """Write what differs; writes nothing when all is as it was."""
        changes = _different(job, changes)
        if not changes:
            return job
        self.writes.append(SetJob(name=job.name, frm=job.state, changes=changes))
        self._jobs[job.name] = replace(job, **changes)
        return self._jobs[job.name]

    def set_attempt(self, attempt: Attempt, **changes: Any) -> Attempt:
        changes = _different(attempt, changes)
        if not changes:
            return attempt
        self.writes.append(SetAttempt(job=attempt.job, number=attempt.number, changes=changes))
        new = replace(attempt, **changes)
        self._attempts[attempt.job][attempt.number] = new
        return new

    def set_machine(self, machine: Machine, **changes: Any) -> Machine:
        changes = _different(machine, changes)
        if not changes:
            return machine
        self.writes.append(SetMachine(launch_key=machine.launch_key, frm=machine.state, changes=changes))
        new = replace(machine, **changes)
        self._machines[machine.launch_key] = new
        return new

    def add(self, attempt: Attempt, machine: Machine) -> None:
        """A new attempt with its machine, both only intended."""
        self.writes += [AddAttempt(attempt=attempt), AddMachine(machine=machine)]
        self._attempts[attempt.job][attempt.number] = attempt
        self._machines[machine.launch_key] = machine
        self._of_job[machine.job].append(machine.launch_key)

    def put_refusal(self, refused: Refused, *, job: str, key: str) -> None:
        """Let a scope rest; ``key`` (a launch key) draws the jitter."""
        traits = self.world.traits.get(refused.scope.provider)
        if traits is None:
            return
        refusal = refuse(self.refusals(), refused, now=self.now, traits=traits, job=job, key=key)
        self._refusals[(refusal.scope, refusal.job)] = refusal
        self.writes.append(PutRefusal(refusal=refusal))

    def lift(self, pool: Pool, errors: Collection[str]) -> None:
        """What refused ``pool`` by one of ``errors`` rests no longer; it still counts should it refuse again."""
        for refusal in self.refusals():
            if refusal.until > self.now and refusal.error in errors and refusal.scope.covers(pool):
                self._refusals[(refusal.scope, refusal.job)] = replace(refusal, until=self.now)
                self.writes.append(PutRefusal(refusal=self._refusals[(refusal.scope, refusal.job)]))

    def end(self, machine: Machine, outcome: Outcome, reason: str) -> Machine:
        """Ask for a machine's end. It is `ended` only when a listing no longer shows it."""
        if machine.state in ("ending", "ended"):
            return machine
        if machine.state == "intended":
            # Also with its call under way: that marks the machine `launching` first, and will now find that it
            # may not. (As `ending` it would wait for ever: no listing can tell of what was never tried.)
            return self.set_machine(machine, state="ended", ended_at=self.now, outcome=outcome, reason=reason)
        new = self.set_machine(
            machine, state="ending", ending_at=self.now, asked_at=self.now, outcome=outcome, reason=reason
        )
        self.terminate(machine.pool.provider, machine.instance_id)
        self.wake(self.now)
        return new

    def terminate(self, provider: str, instance_id: str) -> None:
        """Call for the end of an instance; all of a provider go in one call."""
        if instance_id and instance_id not in self._ended[provider]:
            self._ended[provider].append(instance_id)

    def plan(self) -> Plan:
        ends = [Terminate(provider=p, instance_ids=tuple(ids)) for p, ids in sorted(self._ended.items()) if ids]
        return Plan(writes=tuple(self.writes), calls=(*ends, *self.calls), wake_at=self.wake_at)


def _different(row: Any, changes: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in changes.items() if getattr(row, k) != v}
