"""What a rehearsed job saved: whether at all, whether whole, and what was lost between two checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from spotlaunch.core.observed import Commit, SavedEntry, Seen, SeenAttempt
from spotlaunch.core.remarks import BLUR_S, Remark, failed_to_resume, redone_s

# An entry without a number is written again and again. It was caught half-written if it was by so much smaller than
# both before and after.
DIP = 0.9

RENAME = "write under another name first (one that begins with a point), then rename it into the checkpoint folder"


def saved(seen: Seen) -> Iterator[Remark]:
    """Whether there were checkpoints to come back to, while it ran."""
    if not seen.taken:
        return
    calm = sum(len(a.calm) for a in seen.interrupted)
    told = sum(len(a.when_told) for a in seen.taken)
    if not any(a.commits for a in seen.taken):
        ran_s = max((a.taken.at - a.running_at for a in seen.taken if a.taken and a.running_at), default=0.0)
        by_notice = any(a.notice_at is not None for a in seen.taken)
        text = f"no checkpoint was seen, though it ran for up to {ran_s:.1f} s" + (
            " and was told to stop" if by_notice else ""
        )
        hint = (
            f"save into $SPOTLAUNCH_CHECKPOINT_DIR (here {seen.checkpoint_dir!r} in the working directory), also on"
            " SIGTERM; if it saves more rarely than that, give more --minutes or have it save sooner"
        )
        if not by_notice:
            hint += "; one that saves only on SIGTERM cannot do without a notice"
        yield Remark(check="checkpoints", level="bad", text=text, where=seen.taken[-1].place, hint=hint)
    elif not any(a.calm for a in seen.taken):
        text = f"it saves only when it is told to stop ({told} times)"
        hint = "where machines are taken without a notice it would begin anew: save every few minutes as well"
        yield Remark(check="checkpoints", level="note", text=text, hint=hint)
    else:
        gap_s = seen.usual_gap_s
        text = f"{calm + told} checkpoints" + (f", at most {gap_s:.1f} s between two" if gap_s is not None else "")
        yield Remark(check="checkpoints", level="ok", text=text)
        if seen.every_s and gap_s is not None and gap_s > 2 * seen.every_s + BLUR_S:
            text = f"the job file says every {seen.every_s:g} s, the program saves every {gap_s:.0f} s"
            hint = "a machine taken without a notice costs the longer of the two"
            yield Remark(check="checkpoints", level="note", text=text, hint=hint)


def whole(seen: Seen) -> Iterator[Remark]:
    """Whether what was committed was ever half-written, or did not come back as it was."""
    for attempt in seen.attempts:
        found = half_written(attempt)
        if found is not None:
            commit, entry, later = found
            text = f"{entry.name} was taken for complete while it was being written"
            text += f": {_amount(entry)}, later {_amount(later)}"
            where = f"{attempt.place}, step {commit.step}, file {entry.name}"
            yield Remark(check="whole", level="bad", text=text, where=where, hint=RENAME)
            return
    for before, after in seen.successions:
        if failed_to_resume(seen, after) and after.restored in before.guessed:
            text = f"{after.restored} was restored as it had been saved, but the program could not use it"
            text += "; nobody had touched it for a second when it was taken for complete: it was probably half-written"
            where = f"{after.place}, step {after.resumed_step}, file {after.restored}"
            yield Remark(check="whole", level="bad", text=text, where=where, hint=RENAME)
            return
    troubled = [a for a in seen.attempts if a.troubles]
    if troubled:
        yield Remark(check="whole", level="bad", text="; ".join(troubled[0].troubles), where=troubled[0].place)
    elif any(a.guessed for a in seen.attempts):
        name = next(sorted(a.guessed)[0] for a in seen.attempts if a.guessed)
        text = f"{name} was taken for complete only because nobody had touched it for a second"
        yield Remark(check="whole", level="note", text=text, hint=f"to be sure, {RENAME}")
    elif any(a.commits for a in seen.attempts):
        yield Remark(check="whole", level="ok", text="no checkpoint was half-written")


def half_written(attempt: SeenAttempt) -> tuple[Commit, SavedEntry, SavedEntry] | None:
    """A commit whose newest entry turned out to be a part only: the commit, the part, and what it became.

    With a number in its name an entry is written once, so it has no reason to grow. Without one it is written again
    each time, and must have been smaller than before, too.
    """
    previous: Commit | None = None
    for commit, later in pairwise(attempt.commits):
        part = commit.newest
        grown = next((e for e in later.entries if part is not None and e.name == part.name), None)
        if part is not None and grown is not None:
            if part.number is not None and (grown.size > part.size or grown.files > part.files):
                return commit, part, grown
            before = next((e for e in previous.entries if e.name == part.name), None) if previous else None
            if part.number is None and before and part.size < DIP * min(before.size, grown.size):
                return commit, part, grown
        previous = commit
    return None


def redone(seen: Seen) -> Iterator[Remark]:
    """How much work a kill cost, against the interval between two checkpoints."""
    kept = [a for a in seen.taken if a.calm]
    gap_s = max(filter(None, (seen.usual_gap_s, seen.every_s)), default=None)
    if not kept:
        return
    worst = max(kept, key=redone_s)
    text = f"at most {max(map(redone_s, seen.taken)):.1f} s of work were done again"
    steps = [a.last_said - b.resumed_step for a, b in seen.successions if _counts(a, b)]  # type: ignore[operator]
    if steps and max(steps) > 0:
        text += f" ({max(steps)} steps)"
    if gap_s is not None and redone_s(worst) > 2 * gap_s + BLUR_S:
        text = f"{redone_s(worst):.1f} s of work were done again, though it saves every {gap_s:.1f} s"
        hint = "has it stopped saving after a while, say because it saves only what is the best so far?"
        yield Remark(check="redone", level="bad", text=text, where=worst.place, hint=hint)
    else:
        yield Remark(check="redone", level="ok", text=text)


def _counts(before: SeenAttempt, after: SeenAttempt) -> bool:
    """Whether steps said and steps saved are the same kind of steps there."""
    if before.last_said is None or after.resumed_step is None or not before.commits:
        return False
    last = before.commits[-1]
    return last.said is not None and last.step <= before.last_said <= 2 * last.step + 10


def _amount(entry: SavedEntry) -> str:
    files = f" in {entry.files} files" if entry.files > 1 else ""
    return f"{entry.size} bytes{files}"
