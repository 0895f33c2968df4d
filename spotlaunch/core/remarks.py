"""One thing to say about a rehearsed job, and what several of them are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from spotlaunch.core.observed import Seen, SeenAttempt

Level = Literal["ok", "note", "bad"]

# Moments are known to about so much: a report takes its time, and so does a commit.
BLUR_S = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """One finding: what was looked at, how it is, what was seen, where, and what to do about it.

    ``note``: nothing is wrong, but it is worth knowing. Only ``bad`` makes the verdict one.
    """

    check: str
    level: Level
    text: str
    where: str = ""
    hint: str = ""


def redone_s(attempt: SeenAttempt) -> float:
    """Seconds of work that an attempt whose machine was taken had not saved."""
    if attempt.taken is None or attempt.running_at is None or attempt.when_told:
        return 0.0
    since = attempt.commits[-1].at if attempt.commits else attempt.running_at
    stopped_at = attempt.notice_at if attempt.notice_at is not None else attempt.taken.at
    return max(0.0, stopped_at - since)


def failed_to_resume(seen: Seen, attempt: SeenAttempt) -> bool:
    """Whether it was given a checkpoint and ended by itself with a code that means failure, before it saved."""
    bad_code = attempt.exit_code not in (None, 0, *seen.restart_on_exit)
    return attempt.left_why == "exited" and bad_code and bool(attempt.restored) and not attempt.calm


def quoted(attempts: Iterable[SeenAttempt]) -> str:
    """What the last of them printed last."""
    tail = [a.tail for a in attempts][-1:]
    lines = [line for lines in tail for line in lines]
    return "; it printed last:" + "".join(f"\n    {line}" for line in lines) if lines else ""


def middle(values: Sequence[float]) -> float:
    """The median (of an even number the higher one of the two)."""
    return sorted(values)[len(values) // 2]
