"""The verdict on a rehearsed job: a list of findings from what was seen, and what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spotlaunch.core.intervals import best_interval_s
from spotlaunch.core.observed import KILLED, Seen, SeenAttempt
from spotlaunch.core.remarks import Remark, failed_to_resume, middle, quoted, redone_s
from spotlaunch.core.resuming import resumed
from spotlaunch.core.saving import redone, saved, whole

# A pool that takes machines this often is one to be ready for: about the worst that people still rent.
BAD_RATE_HOUR = 0.4


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """Seconds, and None where nothing was seen: to save when told, to restore, to write a checkpoint at all.

    ``redone_s`` is the most work that one kill cost. ``interval_s`` is the interval that costs the least at
    ``rate_per_hour`` interruptions, ``bad_interval_s`` that at `BAD_RATE_HOUR`.
    """

    save_s: float | None = None
    restore_s: float | None = None
    write_s: float | None = None
    redone_s: float | None = None
    checkpoint_bytes: int = 0
    rate_per_hour: float = 0.0
    interval_s: float | None = None
    bad_interval_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """``good`` only when nothing is bad."""

    remarks: tuple[Remark, ...]
    measures: Measures

    @property
    def good(self) -> bool:
        return all(r.level != "bad" for r in self.remarks)


def verdict(seen: Seen, *, rate_per_hour: float) -> Verdict:
    """What is to be said of ``seen``, and the interval for pools that interrupt ``rate_per_hour`` times."""
    remarks: list[Remark] = [*_started(seen)]
    if not any(r.level == "bad" for r in remarks):
        for look in (_taken, saved, whole, resumed, redone, _told, _ended, _compared):
            remarks += look(seen)
    return Verdict(remarks=tuple(remarks), measures=measure(seen, rate_per_hour))


def measure(seen: Seen, rate_per_hour: float) -> Measures:
    """The figures alone."""
    told = [a for a in seen.taken if a.exit_code != KILLED]
    saves = [a.when_told[-1].at - a.notice_at for a in told if a.notice_at is not None and a.when_told]
    restores = [s for a in seen.attempts if a.resumed_step for s in [_restore_s(a)] if s is not None]
    writes = [c.at - c.newest.written_at for a in seen.attempts for c in a.calm if c.newest and c.newest.written_at]
    write_s = min(saves, default=None) if saves else min((w for w in writes if w > 0), default=None)
    sizes = [c.size for a in seen.attempts for c in a.commits]
    return Measures(
        save_s=middle(saves) if saves else None,
        restore_s=middle(restores) if restores else None,
        write_s=write_s,
        redone_s=max(map(redone_s, seen.taken), default=None),
        checkpoint_bytes=max(sizes, default=0),
        rate_per_hour=rate_per_hour,
        interval_s=None if write_s is None else best_interval_s(rate_per_hour, write_s),
        bad_interval_s=None if write_s is None else best_interval_s(BAD_RATE_HOUR, write_s),
    )


def _restore_s(attempt: SeenAttempt) -> float | None:
    """From the claim until its own commands were started."""
    begun = attempt.phases.get("setup", attempt.running_at)
    return None if begun is None or attempt.claimed_at is None else max(0.0, begun - attempt.claimed_at)


def _started(seen: Seen) -> Iterator[Remark]:
    ran = [a for a in seen.attempts if a.running_at is not None]
    if ran:
        return
    if not seen.attempts:
        text, where = f"no machine came up in {seen.longest_s:.0f} s", ""
        hint = "see whether `spotlaunch submit` with `where: {providers: [local]}` works here"
    else:
        last = seen.attempts[-1]
        text, where = "the program was never started" + (f": {last.error}" if last.error else ""), last.place
        hint = "setup must succeed on this computer, too; leave it out of the rehearsal with --no-setup"
        if not last.error:
            hint = f"getting ready took longer than the rehearsal ({seen.longest_s:.0f} s): give it more --minutes"
    yield Remark(check="start", level="bad", text=text + quoted(seen.attempts), where=where, hint=hint)


def _taken(seen: Seen) -> Iterator[Remark]:
    told = sum(1 for a in seen.taken if a.taken is not None and a.taken.notice_s > 0)
    made = len(seen.taken)
    if not made:
        failed = any(r.state == "failed" for r in seen.runs)
        text = "no machine was taken away: the program ended too soon"
        hint = "let it run longer, say with --env EPOCHS=..., or give more --minutes"
        if failed:
            yield Remark(check="kills", level="note", text="no machine was taken away before it failed")
        else:
            yield Remark(check="kills", level="bad", text=text, hint=hint)
        return
    text = f"{made} of {seen.kills} machines taken away, {told} with a notice"
    if made < seen.kills and all(r.state != "failed" for r in seen.runs):
        hint = "more --minutes would have room for all"
        yield Remark(check="kills", level="note", text=text, hint=hint)
    else:
        yield Remark(check="kills", level="ok", text=text)


def _told(seen: Seen) -> Iterator[Remark]:
    """How it takes SIGTERM."""
    told = [a for a in seen.taken if a.notice_at is not None]
    if not told:
        if seen.notices and seen.taken:
            yield Remark(
                check="stop", level="note", text="it was never told to stop: how it takes SIGTERM was not seen"
            )
        return
    killed = [a for a in told if a.exit_code == KILLED]
    if killed:
        a = killed[0]
        text = f"it still ran {seen.grace_s:g} s after SIGTERM, and was killed ({len(killed)} of {len(told)} times)"
        hint = (
            "on SIGTERM save and end within checkpoint.grace; a program that does neither handles the signal somewhere"
            " (a framework, a wrapper script?), or needs a longer `checkpoint: {grace: ...}`"
        )
        # Once in a while it may be this computer, which has other things to do.
        mostly = 2 * len(killed) > len(told)
        yield Remark(check="stop", level="bad" if mostly else "note", text=text, where=a.place, hint=hint)
        return
    late = [a for a in told if not a.left_why]
    if late:
        text = "the last checkpoint was not in the store when the machine went"
        hint = "make checkpoints smaller or quicker to write, or take them more often"
        yield Remark(check="stop", level="bad", text=text, where=late[0].place, hint=hint)
        return
    longest_s = max((a.left_at or 0.0) - (a.notice_at or 0.0) for a in told)
    text = f"told to stop, it ended within {max(0.0, longest_s):.1f} s"
    text += ", with all saved" if all(a.when_told for a in told) else ""
    yield Remark(check="stop", level="ok", text=text)


def _ended(seen: Seen) -> Iterator[Remark]:
    """The exit code. A failure right after a resume is told there."""
    for run in seen.runs:
        if run.state == "failed":
            mine = [a for a in seen.attempts if a.run == run.number]
            if mine and not run.alone and failed_to_resume(seen, mine[-1]):
                continue
            code = f"exit code {run.exit_code}" if run.exit_code is not None else run.reason
            text = f"it failed: {code}" + quoted(mine)
            hint = "it fails without any interruption: mend that first"
            if len(mine) > 1:
                hint = "the whole output of a run like this one: `spotlaunch submit` it, and see `spotlaunch logs`"
            yield Remark(check="exit", level="bad", text=text, where=mine[-1].place if mine else "", hint=hint)
            return
    finished = [r for r in seen.runs if r.state == "finished" and not r.alone]
    if finished:
        yield Remark(check="exit", level="ok", text="it ended with exit code 0")
    elif not any(r.state == "failed" for r in seen.runs):
        text = f"it was stopped by the rehearsal before its end (--minutes: {seen.longest_s / 60:g})"
        hint = "to see its exit code make it shorter, say with --env EPOCHS=2, or give more --minutes"
        yield Remark(check="exit", level="note", text=text, hint=hint)


def _compared(seen: Seen) -> Iterator[Remark]:
    for c in seen.comparisons:
        if c.equal:
            yield Remark(check="compare", level="ok", text=f"{c.what}: as after an undisturbed run")
        elif c.equal is None:
            yield Remark(
                check="compare",
                level="bad",
                text=f"{c.what}: could not be compared" + (f": {c.detail}" if c.detail else ""),
                hint="both runs must come to their end: make it shorter, say with --env EPOCHS=2, or more --minutes",
            )
        else:
            hint = (
                "all that the next step depends on must be in the checkpoint: also optimizer, schedule, random numbers"
                " and the order of the data; and what it saves must not hold times or names of machines"
            )
            text = f"{c.what}: not as after an undisturbed run" + (f": {c.detail}" if c.detail else "")
            yield Remark(check="compare", level="bad", text=text, hint=hint)
