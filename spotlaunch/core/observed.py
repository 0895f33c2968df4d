"""What was seen of a job while it was rehearsed: its attempts, what each of them saved, how each of them ended.

Times are seconds since the epoch. A *step* is what the program says, or the number in a name; which of them, is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

# What the shell says of a program that was killed: 128 + SIGKILL.
KILLED = 137


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedEntry:
    """A file or folder right in the checkpoint folder, as it was committed. ``number``: the last one in its name."""

    name: str
    number: int | None
    files: int
    size: int
    written_at: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """A checkpoint in the store. ``said``: the step that the program had said last by then."""

    step: int
    at: float
    entries: tuple[SavedEntry, ...] = ()
    said: int | None = None

    @property
    def newest(self) -> SavedEntry | None:
        """What an attempt after it is given to resume from; None where that is the folder as a whole."""
        numbered = [e for e in self.entries if e.number is not None]
        if numbered:
            return max(numbered, key=lambda e: (e.number or 0, e.name))
        return self.entries[0] if len(self.entries) == 1 else None

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(e.size for e in self.entries)


@dataclass(frozen=True, kw_only=True, slots=True)
class Taking:
    """A machine was taken away, with a notice of so many seconds (0: none)."""

    at: float
    notice_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenAttempt:
    """One attempt. ``resumed_step``: what it restored (None: nothing); ``restored``: the name it was to resume from.

    ``first_said``, ``second_said`` and ``last_said`` are steps that the program told. ``phases`` tells when each phase
    of the agent began. ``guessed``: what was committed last and taken for complete only because nobody touched it.
    ``troubles``: the agent's own words. ``tail``: the last lines of its output.
    """

    run: int
    number: int
    phases: Mapping[str, float] = field(default_factory=dict)
    claimed_at: float | None = None
    resumed_step: int | None = None
    restored: str = ""
    first_said: int | None = None
    first_said_at: float | None = None
    second_said: int | None = None
    last_said: int | None = None
    last_said_at: float | None = None
    commits: tuple[Commit, ...] = ()
    guessed: frozenset[str] = frozenset()
    taken: Taking | None = None
    notice_at: float | None = None
    left_why: str = ""
    left_at: float | None = None
    exit_code: int | None = None
    error: str = ""
    troubles: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()

    @property
    def running_at(self) -> float | None:
        """When its program was started."""
        return self.phases.get("running")

    @property
    def place(self) -> str:
        """For a person: which one it is."""
        return f"attempt {self.number}" + (f" of run {self.run}" if self.run > 1 else "")

    @property
    def was_taken(self) -> bool:
        """Whether its machine was taken while its program ran, and not a moment after that had ended by itself."""
        return self.taken is not None and self.running_at is not None and self.left_why != "exited"

    @property
    def calm(self) -> tuple[Commit, ...]:
        """What it saved by itself, before it was told to stop."""
        return tuple(c for c in self.commits if self.notice_at is None or c.at < self.notice_at)

    @property
    def when_told(self) -> tuple[Commit, ...]:
        """What it saved after it was told to stop."""
        return self.commits[len(self.calm) :]


RunState = Literal["finished", "failed", "stopped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenRun:
    """The job once, from its submission on. ``stopped``: by the rehearsal, before its end.

    ``alone``: nothing was taken from it. ``ran_s``: from the start of its first program to the end of its last.
    """

    number: int
    state: RunState
    alone: bool = False
    exit_code: int | None = None
    reason: str = ""
    ran_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What the interrupted run made, held against the undisturbed one. ``equal`` None: it could not be."""

    what: str
    equal: bool | None
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """All of a rehearsal. ``every_s``: what the job file says (None: auto). ``longest_s``: a run got so much time."""

    kills: int
    notices: bool
    grace_s: float
    longest_s: float
    checkpoint_dir: str = "checkpoints"
    every_s: float | None = None
    restart_on_exit: tuple[int, ...] = ()
    attempts: tuple[SeenAttempt, ...] = ()
    runs: tuple[SeenRun, ...] = ()
    comparisons: tuple[Comparison, ...] = ()

    @property
    def interrupted(self) -> tuple[SeenAttempt, ...]:
        """Attempts of the runs from which machines were taken."""
        alone = {r.number for r in self.runs if r.alone}
        return tuple(a for a in self.attempts if a.run not in alone)

    @property
    def taken(self) -> tuple[SeenAttempt, ...]:
        """Attempts whose machine was taken while their program ran."""
        return tuple(a for a in self.attempts if a.was_taken)

    @property
    def successions(self) -> tuple[tuple[SeenAttempt, SeenAttempt], ...]:
        """Each attempt with the one after it, of the same run, whose program was started."""
        ran = [a for a in self.interrupted if a.running_at is not None]
        return tuple((a, b) for a, b in pairwise(ran) if a.run == b.run)

    @property
    def usual_gap_s(self) -> float | None:
        """The longest time between two checkpoints that a program took by itself; None where there were no two."""
        gaps = [b.at - a.at for attempt in self.attempts for a, b in pairwise(attempt.calm)]
        return max(gaps, default=None)
