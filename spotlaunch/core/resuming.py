"""Whether a rehearsed job goes on from its checkpoint: by the steps it tells, else by those in names that it saves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from spotlaunch.core.observed import Commit, SavedEntry, Seen, SeenAttempt
from spotlaunch.core.remarks import Remark, failed_to_resume, middle, quoted

RESUME = "$SPOTLAUNCH_RESUME is the checkpoint to load; it is empty only for a first start"


def resumed(seen: Seen) -> Iterator[Remark]:
    """One remark: the first thing that is wrong, else what was seen."""
    pairs = [(a, b, last_commit(seen, b)) for a, b in seen.successions if b.restored]
    if not pairs:
        if any(a.commits for a in seen.taken):
            text = "no attempt was seen that began with a checkpoint"
            hint = "there was no time left for one: give more --minutes"
            yield Remark(check="resume", level="bad", text=text, hint=hint)
        return
    for _, after, _ in pairs:
        if failed_to_resume(seen, after):
            text = f"given the checkpoint of step {after.resumed_step}, it ended with exit code {after.exit_code}"
            hint = f"try it alone: SPOTLAUNCH_RESUME={after.restored} and the same command"
            where = f"{after.place}, step {after.resumed_step}, file {after.restored}"
            yield Remark(check="resume", level="bad", text=text + quoted([after]), where=where, hint=hint)
            return
    wrong = [remark for _, after, commit in pairs for remark in _wrong(seen, after, commit)]
    known = [b for _, b, commit in pairs if first_step(b, commit) is not None]
    if wrong:
        yield wrong[0]
    elif known:
        yield Remark(
            check="resume", level="ok", text=f"it went on from its checkpoint, {len(known)} of {len(pairs)} times seen"
        )
    elif seen.comparisons and all(c.equal for c in seen.comparisons):
        yield Remark(check="resume", level="ok", text="it tells no steps, but what it made is as undisturbed")
    else:
        text = "whether it goes on from its checkpoint could not be seen: it tells no steps"
        hint = (
            'append {"step": N} lines to $SPOTLAUNCH_PROGRESS_FILE, or save under names with the step in them'
            " (step-000400.pt); or compare what it makes, with --compare"
        )
        yield Remark(check="resume", level="bad", text=text, where=pairs[0][1].place, hint=hint)


def last_commit(seen: Seen, attempt: SeenAttempt) -> Commit | None:
    """The commit that an attempt restored: the newest one before it in its run."""
    before = [c for a in seen.attempts if a.run == attempt.run and a.number < attempt.number for c in a.commits]
    return before[-1] if before else None


def first_step(attempt: SeenAttempt, restored: Commit | None) -> int | None:
    """The first step that an attempt told; else the lowest number in a name that it saved anew. None: not known."""
    if attempt.first_said is not None and (attempt.first_said > 0 or not attempt.restored):
        return attempt.first_said
    if attempt.first_said is not None:
        return attempt.second_said  # many say 0 before they have looked at what they were given
    had = {e.name: e.written_at for e in restored.entries} if restored is not None else {}
    for commit in attempt.commits:
        fresh = [e.number for e in commit.entries if e.number is not None and _is_fresh(e, had)]
        if fresh:
            return min(fresh)
    return None


def _is_fresh(entry: SavedEntry, had: Mapping[str, float]) -> bool:
    """Whether it was written since: what was restored has its old time, up to the last digits."""
    return abs(entry.written_at - had.get(entry.name, 0.0)) > 0.001


def _wrong(seen: Seen, after: SeenAttempt, restored: Commit | None) -> Iterator[Remark]:
    """Nothing, or the remark on a first step that does not follow from what was restored."""
    first = first_step(after, restored)
    least = _least(seen, after, restored)
    if first is None or least is None:
        return
    where = f"{after.place}, step {first}, file {after.restored}"
    if first >= least:
        most = _most(seen, after, restored)
        if most is not None and first > most:
            text = f"given the checkpoint of step {after.resumed_step}, it went on with step {first}: it left some out"
            hint = f"what it counts and what it loads must come from the same checkpoint; {RESUME}"
            yield Remark(check="resume", level="bad", text=text, where=where, hint=hint)
        return
    if first <= _beginning(seen):
        text = f"given the checkpoint of step {after.resumed_step}, it began anew with step {first}"
        yield Remark(check="resume", level="bad", text=text, where=where, hint=f"load it: {RESUME}")
    else:
        text = f"given the checkpoint of step {after.resumed_step}, it went on with step {first}"
        hint = (
            f"{RESUME}. Does it look for one itself, and take the last by name (step-9 comes after step-10), or the"
            " best so far? Does it count from another checkpoint than it loads?"
        )
        yield Remark(check="resume", level="bad", text=text, where=where, hint=hint)


def _least(seen: Seen, after: SeenAttempt, restored: Commit | None) -> int | None:
    """The lowest first step that follows from what was restored.

    Where the program tells other steps than are in its names (epochs in one, batches in the other), it is what had
    been told by the commit before: then it is not known any better.
    """
    if after.resumed_step is None:
        return None
    if after.first_said is None or _same_steps(seen):
        # One that counts the step it does goes on with the next, one that saves in the middle does the same again.
        return after.resumed_step
    commits = [c for a in seen.attempts if a.run == after.run and a.number < after.number for c in a.commits]
    older = [c.said for c in commits if restored is not None and c.at < restored.at and c.said is not None]
    return older[-1] if older else _beginning(seen) + 1


def _most(seen: Seen, after: SeenAttempt, restored: Commit | None) -> int | None:
    """The highest first step that is believable, from the pace of all attempts; None where that cannot be told."""
    if after.first_said is None or after.resumed_step is None or not _same_steps(seen):
        return None
    if after.first_said_at is None or after.running_at is None or restored is None:
        return None
    paces = [p for a in seen.attempts for p in [pace(a)] if p is not None]
    fresh = [a.first_said for a in seen.attempts if a.first_said is not None and not a.restored]
    if not paces or not fresh:
        return None
    done = max(paces) * (after.first_said_at - after.running_at)
    return after.resumed_step + round(2 * done) + 2 * max(fresh) + 2


def pace(attempt: SeenAttempt) -> float | None:
    """Steps a second."""
    if attempt.first_said is None or attempt.last_said is None or not attempt.first_said_at or not attempt.last_said_at:
        return None
    seconds = attempt.last_said_at - attempt.first_said_at
    return (attempt.last_said - attempt.first_said) / seconds if seconds > 0 else None


def _same_steps(seen: Seen) -> bool:
    """Whether the steps in names are those that the program tells."""
    ratios = [
        (c.said + 1) / (c.step + 1) for a in seen.attempts if not a.restored for c in a.commits if c.said is not None
    ]
    return not ratios or 0.5 <= middle(ratios) <= 2.0


def _beginning(seen: Seen) -> int:
    """What the program tells (or saves) first when it begins with nothing."""
    firsts = [f for a in seen.attempts if not a.restored for f in [first_step(a, None)] if f is not None]
    return max(firsts, default=0)
