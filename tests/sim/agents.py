"""Simulated agents: the protocol of the real one (claim, then read, work, commit, report) on simulated time.

Register and mailbox are the real ones, over object storage that partitions can cut off for one machine.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from spotlaunch.agent.leave import PATIENCE_S, Limit, first_limit
from spotlaunch.core.wire import Entry, OrderDoc, Status
from spotlaunch.errors import BlobsUnavailable, Superseded
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.register import Register
from tests.fakes.blobs import MemoryBlobs
from tests.sim.clock import SimClock

TICK_S = 60.0
COMMIT_EVERY = 5
RESTORE_S = 300.0


@dataclass
class Habits:
    """What agents do to be safe. A test takes one away to see the simulation fail."""

    claim_before_read: bool = True
    fence: bool = True


class CutOff:
    """The store as one machine sees it: unreachable while that machine is partitioned."""

    def __init__(self, blobs: MemoryBlobs, cut: Callable[[], bool]) -> None:
        self._blobs = blobs
        self._cut = cut
        self.url = blobs.url

    def __getattr__(self, name: str) -> object:
        if self._cut():
            raise BlobsUnavailable("partitioned")
        return getattr(self._blobs, name)


@dataclass
class SimAgent:
    """One agent on one machine. ``alive`` and ``shut_down`` are the machine's."""

    clock: SimClock
    random: Random
    mailbox: Mailbox
    register: Register
    job: str
    attempt: int
    total: int
    habits: Habits
    alive: Callable[[], bool]
    shut_down: Callable[[], None]
    by: str = ""
    doc: OrderDoc | None = None
    limit: Limit | None = None
    head: Entry | None = None
    phase: str = "starting"
    step: int = 0
    resumed: int | None = None
    committed: int = 0
    running_at: float | None = None
    committed_at: float | None = None
    commits: int = 0
    waited_s: float = 0.0
    began_at: float = 0.0
    notice_at: float | None = None
    deadline_at: float | None = None
    left_why: str = ""
    exit_code: int | None = None
    error: str = ""
    read_step: int | None = None
    notes: list[dict[str, object]] = field(default_factory=list)

    def boot(self) -> None:
        self.began_at = self.clock.now()
        self.tick()

    def notice(self, deadline_at: float) -> None:
        """The machine will be taken: say so at once, save what there is, leave."""
        if not self.alive() or self.phase == "left":
            return
        self.notice_at, self.deadline_at = self.clock.now(), deadline_at
        self._report()
        self.clock.after(20.0, lambda: self._leave("notice"))

    def tick(self) -> None:
        """One turn. Whatever the store does, the next turn comes."""
        if not self.alive() or self.phase == "left":
            return
        try:
            self._turn()
        except BlobsUnavailable:
            pass  # keep training, keep trying
        except Superseded:
            self._gone("superseded")
        if self.phase != "left":
            self._report()
            self.clock.after(TICK_S * self.random.uniform(0.9, 1.1), self.tick)

    def _turn(self) -> None:
        if self.phase in ("starting", "waiting"):
            self._prepare()
        elif self.phase == "leaving":
            self._farewell()
        else:
            self._work()

    def _prepare(self) -> None:
        self.doc = self.doc or self._order()
        if self.doc is None:
            return
        if self.doc.predecessor and not self._may_claim(self.doc):
            self.phase = "waiting"
            self.waited_s += TICK_S
            return
        if not self.habits.claim_before_read and self.read_step is None:
            head = self.register.head()
            self.read_step = head.step if head else 0
            self.waited_s = 0.0
        if self.read_step is not None and self.waited_s < RESTORE_S:
            self.waited_s += TICK_S
            return  # bringing a large checkpoint takes its time, and only then comes the claim
        self.head = self.register.claim(self.attempt, self.by, self.clock.now())
        self.step = self.head.step if self.read_step is None else self.read_step
        self.resumed = self.committed = self.step
        self.phase, self.running_at = "running", self.clock.now()

    def _order(self) -> OrderDoc | None:
        doc = self.mailbox.order(self.attempt)
        self.limit = limit = _limit_of(doc, self.began_at) if doc is not None else None
        if limit is not None:
            self.clock.at(limit.leave_at, lambda: self._leave(limit.why))
        return doc

    def _may_claim(self, doc: OrderDoc) -> bool:
        before = self.mailbox.status(doc.predecessor)
        ask = self.mailbox.ask(self.attempt)
        left = before is not None and before.phase == "left"
        return left or (ask is not None and ask.kind == "proceed") or self.waited_s >= doc.predecessor_wait_s

    def _work(self) -> None:
        self.step = min(self.total, self.step + 1)
        if self.step == self.total:
            self._leave("exited", 0)
        else:
            ask = self.mailbox.ask(self.attempt)
            if ask is not None and ask.kind == "leave":
                self._leave("asked")
            elif self.step - self.committed >= COMMIT_EVERY:
                self._commit()

    def _commit(self) -> None:
        if self.head is None or self.step <= self.committed:
            return
        manifest = f"{self.attempt}-{self.step}"
        if self.habits.fence:
            self.head = self.register.commit(self.head, self.step, manifest, self.clock.now())
        else:
            # What a store without a compare-and-swap would do: the last writer wins.
            newest = self.register.head()
            assert newest is not None
            self.head = self.register.commit(
                Entry(newest.number, self.attempt, newest.step, newest.manifest, self.by, newest.at),
                self.step,
                manifest,
                self.clock.now(),
            )
        self.committed, self.committed_at = self.step, self.clock.now()
        self.commits += 1

    def _leave(self, why: str, exit_code: int | None = None) -> None:
        if not self.alive() or self.phase in ("leaving", "left"):
            return
        self.left_why, self.exit_code, self.phase = why, exit_code, "leaving"
        # Like the real one: with the store away it does not wait for it for ever, at the owner's cost, and not
        # at all past a limit.
        self.clock.after(PATIENCE_S[why], self._give_up)
        if self.limit is not None:
            self.clock.at(self.limit.end_at, self._give_up)
        try:
            self._farewell()
        except BlobsUnavailable:
            pass  # tried again at the next turn, for as long as the machine lives
        except Superseded:
            self._gone("superseded")

    def _farewell(self) -> None:
        self._commit()
        status = self._status("left")
        self.mailbox.put_status(status)
        self.phase = "left"
        self.clock.after(1.0, self.shut_down)

    def _give_up(self) -> None:
        if not self.alive() or self.phase == "left":
            return
        why = self.left_why
        if why == "exited" and self.exit_code == 0 and self.committed < self.step:
            # Called finished, the job would end here without its result.
            spent = self.limit is not None and self.clock.now() >= self.limit.end_at
            why = self.limit.why if self.limit is not None and spent else "error"
        self._gone(why)

    def _gone(self, why: str) -> None:
        self.left_why, self.phase = why, "left"
        self._report()
        self.clock.after(1.0, self.shut_down)

    def _status(self, phase: str) -> Status:
        return Status(
            attempt=self.attempt,
            at=self.clock.now(),
            phase=phase,
            started_at=self.began_at,
            resumed_step=self.resumed,
            step=self.committed,
            committed_at=self.committed_at,
            phases={} if self.running_at is None else {"running": self.running_at},
            commits=self.commits,
            progress={"step": self.step, "total": self.total},
            notice_at=self.notice_at,
            notice_deadline_at=self.deadline_at,
            left_why=self.left_why,
            exit_code=self.exit_code,
            error=self.error,
        )

    def _report(self) -> None:
        with suppress(BlobsUnavailable):
            self.mailbox.put_status(self._status(self.phase))


def _limit_of(doc: OrderDoc, began_at: float) -> Limit | None:
    left_s = {"runtime": doc.runtime_left_s, "budget": doc.budget_left_s, "ttl": doc.ttl_left_s}
    return first_limit(left_s, dict.fromkeys(left_s, began_at), doc.grace_s)
