"""Runs the job on a stage, takes its machines away, and watches what becomes of it. Never waits for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from spotlaunch.core.book import Event, Job
from spotlaunch.core.observed import Seen, SeenAttempt, SeenRun, Taking
from spotlaunch.core.resuming import pace
from spotlaunch.core.spec import Spec
from spotlaunch.errors import StaleWrite
from spotlaunch.rehearsing.moments import Moments
from spotlaunch.rehearsing.observer import Observer
from spotlaunch.rehearsing.stage import Stage
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.submission import submit
from spotlaunch.watchdog.serve import SystemClock
from spotlaunch.watchdog.wake import poke

LOOK_S = 0.1

# An agent tells within so long of what it has committed; a kill waits for that.
REPORT_S = 2.0

# A program that saves nothing, not even when told to, will not save anything later.
HOPELESS = 2

# A quick program is run so often at most, to find room for all kills.
MOST_RUNS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is asked of a rehearsal. ``longest_s``: each run gets so much time, and the repeated runs together."""

    kills: int
    longest_s: float
    seed: int
    notices: bool
    notice_s: float
    alone: bool


class Conductor:
    """``tell`` is called with a sentence for a person whenever something happens."""

    def __init__(
        self,
        stage: Stage,
        spec: Spec,
        wish: Wish,
        *,
        secret_values: Mapping[str, str],
        stay: tuple[Path, ...],
        tell: Callable[[str], None],
    ) -> None:
        self._stage, self._spec, self._wish, self._tell = stage, spec, wish, tell
        self._secrets, self._stay = secret_values, stay
        self._attempts: tuple[SeenAttempt, ...] = ()
        self._runs: list[SeenRun] = []
        self._told: set[tuple[int, int]] = set()
        self.jobs: dict[int, Job] = {}
        self.observers: dict[int, Observer] = {}

    def perform(self) -> Seen:
        """Undisturbed first, if that is wished; then interrupted, again and again until all kills were made."""
        wish = self._wish
        short_s = None
        if wish.alone:
            self._tell("once undisturbed, to compare with")
            run = self._run(0, time.time() + wish.longest_s, short_s=None)
            if run.state == "failed":
                return self.seen
            short_s = run.ran_s if run.state == "finished" else None
        ends_at = time.time() + wish.longest_s
        while self._room_for_more(ends_at):
            run = self._run(wish.kills, ends_at, short_s=short_s)
            if run.state != "finished":
                break
            short_s = min(s for s in (short_s, run.ran_s) if s is not None)
        return self.seen

    @property
    def seen(self) -> Seen:
        """All so far."""
        spec, wish = self._spec, self._wish
        return Seen(
            kills=wish.kills,
            notices=wish.notices,
            grace_s=spec.checkpoint.grace_s,
            longest_s=wish.longest_s,
            checkpoint_dir=spec.checkpoint.dir,
            every_s=spec.checkpoint.every_s,
            restart_on_exit=spec.restart_on_exit,
            attempts=self._attempts,
            runs=tuple(self._runs),
        )

    @property
    def _made(self) -> int:
        """Kills so far, as far as they have been looked at."""
        return sum(1 for a in self._attempts if a.was_taken)

    def _room_for_more(self, ends_at: float) -> bool:
        if self._made >= self._wish.kills or time.time() >= ends_at or len(self._runs) >= MOST_RUNS:
            return False
        if any(not r.alone for r in self._runs):
            self._tell(f"it is done, and {self._wish.kills - self._made} kills are left: once more")
        return True

    # -- one run -----------------------------------------------------------------------------------------------

    def _run(self, kills: int, ends_at: float, *, short_s: float | None) -> SeenRun:
        """The job once, until it is over, or all is seen, or ``ends_at``. Its machines are gone when this returns."""
        number = len(self._runs) + 1
        observer = self._begin(number)
        name = self.jobs[number].name
        moments = self._moments(kills, ends_at, short_s)
        earlier, store = self._attempts, self._stage.store
        reason = ""
        while not (job := store.job(name)).over:
            mine = observer.look()
            self._attempts = (*earlier, *mine)
            now = time.time()
            self._tell_begun(mine)
            if now >= ends_at:
                reason = "the time is over"
            elif kills and self._hopeless():
                reason = "nothing was saved, whatever was done"
            elif kills and self._made >= kills and _goes_on(mine) and _needs_longer(mine, job, ends_at):
                reason = "all was seen, and its end is far"
            if reason:
                break
            self._perhaps_take(observer, mine, earlier, moments, now)
            time.sleep(LOOK_S)
        else:
            time.sleep(LOOK_S)  # the last words of the agent
        mine = observer.look()
        self._attempts = (*earlier, *mine)
        run = _result(number, store.job(name), mine, alone=not kills, reason=reason)
        self._runs.append(run)
        if not job.over:
            self._end_job(name)
        return run

    def _begin(self, number: int) -> Observer:
        stage = self._stage
        self.jobs[number] = job = submit(
            stage.home,
            stage.store,
            replace(self._spec, name=f"{self._spec.name[:28].rstrip('-')}-{number}" if number > 1 else self._spec.name),
            secret_values=self._secrets,
            clock=SystemClock(),
            owner=stage.store.owner,
            exact_name=True,
            exclude=self._stay,
        )
        poke(stage.home.wake)
        blobs = open_blobs(job.store_url)
        directory = self._spec.checkpoint.dir
        self.observers[number] = Observer(stage.store, blobs, job.name, run=number, checkpoint_dir=directory)
        return self.observers[number]

    def _moments(self, kills: int, ends_at: float, short_s: float | None) -> Moments:
        wish, now = self._wish, time.time()
        return Moments(
            seed=wish.seed,
            kills=kills,
            notices=wish.notices,
            notice_s=wish.notice_s,
            began_at=now,
            longest_s=ends_at - now,
            short_s=short_s,
        )

    def _perhaps_take(
        self,
        observer: Observer,
        mine: tuple[SeenAttempt, ...],
        earlier: tuple[SeenAttempt, ...],
        moments: Moments,
        now: float,
    ) -> None:
        """Take the machine of the newest attempt, when its moment has come."""
        if not mine or mine[-1].taken is not None or mine[-1].left_why or "leaving" in mine[-1].phases:
            return
        last = mine[-1]
        at = moments.at(last, (*earlier, *mine[:-1]), made=self._made)
        if at is None or now < at or (observer.behind(last.number) and now < at + REPORT_S):
            return
        notice_s = moments.warning_s(made=self._made, saved=any(a.commits for a in mine))
        if not self._stage.cloud.take_away(observer.machine(last.number), notice_s=notice_s):
            return
        observer.taken[last.number] = Taking(at=now, notice_s=notice_s)
        how = "with a notice" if notice_s else "without a notice"
        ran_s = now - (last.running_at or now)
        self._tell(
            f"kill {self._made + 1} of {moments.kills}, {how}: {last.place}, after {ran_s:.1f} s{_how_far(last)}"
        )

    def _tell_begun(self, mine: tuple[SeenAttempt, ...]) -> None:
        if not mine or mine[-1].running_at is None or (mine[-1].run, mine[-1].number) in self._told:
            return
        last = mine[-1]
        self._told.add((last.run, last.number))
        given = f"with the checkpoint of step {last.resumed_step}" if last.restored else "from the beginning"
        self._tell(f"{last.place} begins {given}")

    def _hopeless(self) -> bool:
        taken = [a for a in self._attempts if a.taken is not None]
        gone = [a for a in taken if a.left_why or (a.taken and not a.taken.notice_s)]
        return len(gone) >= HOPELESS and not any(a.commits for a in taken)

    def _end_job(self, name: str) -> None:
        """As `cancel --now`: it must not disturb the next run. The stage waits for its machines."""
        with suppress(StaleWrite):  # it was over a moment later
            event = Event(job=name, at=time.time(), kind="wanted", text="all was seen", data={"wanted": "cancel-now"})
            self._stage.store.want(name, "cancel-now", at=event.at, event=event)
        poke(self._stage.home.wake)


def _how_far(attempt: SeenAttempt) -> str:
    said = f", at step {attempt.last_said}" if attempt.last_said is not None else ""
    return said + (f", step {attempt.commits[-1].step} saved" if attempt.commits else ", nothing saved by it")


def _goes_on(mine: tuple[SeenAttempt, ...]) -> bool:
    """Whether the attempt after the last kill has been seen to go on."""
    last = mine[-1]
    return last.taken is None and last.running_at is not None and (last.first_said is not None or bool(last.commits))


def _needs_longer(mine: tuple[SeenAttempt, ...], job: Job, ends_at: float) -> bool:
    """Whether the program tells that its end will not come in time."""
    last = mine[-1]
    steps_s = pace(last)
    if job.total_steps is None or last.last_said is None or not steps_s:
        return False
    return time.time() + (job.total_steps - last.last_said) / steps_s > ends_at


def _result(number: int, job: Job, mine: tuple[SeenAttempt, ...], *, alone: bool, reason: str) -> SeenRun:
    began = [a.running_at for a in mine if a.running_at is not None]
    ended = [a.left_at for a in mine if a.left_at is not None]
    ran_s = max(0.0, ended[-1] - began[0]) if began and ended else 0.0
    return SeenRun(
        number=number,
        state="finished" if job.state == "finished" else "failed" if job.state == "failed" else "stopped",
        alone=alone,
        exit_code=job.exit_code,
        reason=reason or job.reason,
        ran_s=ran_s,
    )
