"""Checkpoints on their way to the store, in a thread of its own, while the program trains."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from spotlaunch.agent.progress import Progress
from spotlaunch.agent.report import Report
from spotlaunch.agent.settle import Look, Settle
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.checkpoints import Saver
from spotlaunch.storage.snapshot import Changed, hold

# Left to itself, a sync may take a tenth of the time: the next begins nine times its length later.
REST = 9.0
FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 30.0
TELL_AFTER_TRIES, MANY_TRIES = 3, 60
# Looking may take a twentieth of the time, however many files there are.
LOOK_SHARE = 20.0


# Who saves by the clock is a little early at times.
LEEWAY = 0.8


class Clockwork(Protocol):
    """Who tells the program how often to save (`agent.cadence`), and hears what that takes."""

    @property
    def every_s(self) -> float: ...

    def least_gap_s(self) -> float: ...

    def saved(self, *, wrote_s: float | None, copied_s: float, sent_bytes: int) -> None: ...


@dataclass
class Pace:
    """When the next checkpoint may be taken. ``every_s`` 0: as they appear, as fast as is fair.

    ``told_s``: how often the program was told to save. So often, one that did is heard. ``least_s``: what lies between
    two at least, for copying costs money.
    """

    every_s: float
    told_s: float = 0.0
    least_s: float = 0.0
    began_at: float | None = None
    ended_at: float = 0.0

    def due(self, now: float) -> bool:
        """The first of an attempt at once: until there is one, everything is at risk."""
        if self.began_at is None:
            return True
        if self.every_s > 0:
            return now >= self.began_at + self.every_s
        fair_at = self.ended_at + REST * (self.ended_at - self.began_at)
        if self.told_s > 0:
            fair_at = min(fair_at, self.began_at + LEEWAY * self.told_s)
        return now >= max(fair_at, self.began_at + LEEWAY * self.least_s)

    @property
    def took_s(self) -> float:
        """How long the last one took."""
        return self.ended_at - self.began_at if self.began_at is not None else 0.0


def step_of(look: Look, said: int | None, committed: int) -> int:
    """The step of a checkpoint: from the newest name, else as the program says, else one more. Never less."""
    named = look.newest_number()
    if named is not None and named > committed:
        return named
    if said is not None and said > committed:
        return said
    # A name without meaning, such as "model-v2", must not look like a step that was reached again and again.
    return committed if named is not None or said is not None else committed + 1


def staging_for(folder: Path, scratch: Path) -> Path:
    """Where files are held by links: these do not reach from one file system to another."""
    same = folder.stat().st_dev == scratch.stat().st_dev
    return scratch / "staging" if same else folder / ".spotlaunch-staging"


class Sync:
    """Watches the checkpoint folder and saves what is complete.

    ``work`` is for a `Task`; it ends when `finish` was asked and the last checkpoint is committed, or with
    `Superseded`. ``now`` is the wall clock, ``mono`` the one that never jumps.
    """

    def __init__(
        self,
        *,
        saver: Saver,
        settle: Settle,
        root: Path,
        staging: Path,
        progress: Progress,
        report: Report,
        every_s: float,
        look_s: float,
        cadence: Clockwork | None = None,
        now: Callable[[], float] = time.time,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pace = Pace(every_s)
        self._saver = saver
        self._settle = settle
        self._root = root
        self._staging = staging
        self._progress = progress
        self._report = report
        self._look_s = look_s
        self._cadence = cadence
        self._now = now
        self._mono = mono
        self._saved: dict[str, object] = {}
        self._step = 0
        self._bell = threading.Event()
        self._finishing = False
        self._everything = False
        self._hurry = False
        self._soon = False
        self._died_at: float | None = None
        self._retry_s = FIRST_RETRY_S
        self._retry_at = 0.0
        self._failures = 0
        self._looked_s = 0.0
        self._told: set[str] = set()

    def begin(self, *, step: int, saved: bool) -> None:
        """Before the program starts. ``step`` was restored; ``saved``: what is in the folder is in the store."""
        look = self._settle.baseline(self._now())
        self._step = step
        if saved:
            self._saved = dict(look.complete)

    def save_soon(self) -> None:
        """The machine is in danger: what is complete is saved without waiting for its turn. From any thread."""
        self._soon = True
        self._bell.set()

    def stopped_writing(self) -> None:
        """The program is dead: that a file has not changed since tells nothing about it any more."""
        if self._died_at is None:
            self._died_at = self._now()

    def finish(self, *, everything: bool, hurry: bool) -> None:
        """The program has ended: take a last checkpoint if there is something new, then end.

        ``everything``: it ended by itself, so nothing is half-written. Else only what was complete before.
        ``hurry``: leave the tidying up of old checkpoints to the next attempt.
        """
        self.stopped_writing()
        self._everything = everything
        self._hurry = hurry
        self._finishing = True
        self._bell.set()

    def work(self) -> None:
        """Until finished, however often the store must be asked."""
        while True:
            finishing = self._finishing
            up_to_date = self._turn(finishing)
            if finishing and up_to_date:
                self._settle.close()
                return
            pause_s = self._retry_at - self._mono() if finishing else LOOK_SHARE * self._looked_s
            self._bell.wait(max(self._look_s, pause_s))
            self._bell.clear()

    def _turn(self, finishing: bool) -> bool:
        """Look, and save if it is time to. True: all that is complete is in the store."""
        began_at = self._mono()
        try:
            look = self._look(finishing)
        except OSError as e:
            self._failed(f"the checkpoint folder cannot be read: {e.strerror or e}")
            return False
        self._looked_s = self._mono() - began_at
        if all(self._saved.get(name) == entry for name, entry in look.complete.items()):
            return True
        if self._cadence is not None and self.pace.every_s <= 0:
            self.pace.told_s, self.pace.least_s = self._cadence.every_s, self._cadence.least_gap_s()
        due = self._soon or self.pace.due(self._mono())
        if finishing or (due and self._mono() >= self._retry_at):
            return self._save(look, finishing)
        return False

    def _look(self, finishing: bool) -> Look:
        self._settle.tell(self._progress.read())
        if self._progress.latest:
            self._report.progress(self._progress.latest, first=self._progress.first)
        now = self._now() if self._died_at is None else self._died_at
        return self._settle.all(now) if finishing and self._everything else self._settle.look(now)

    def _save(self, look: Look, finishing: bool) -> bool:
        began_at = self._mono()
        step = step_of(look, self._progress.step, self._step)
        try:
            with hold(self._root, look.files, self._staging) as snapshot:
                entry = self._saver.save(snapshot, step, self._now, carry=look.in_flux)
        except Changed as e:
            # The program is busy there, as it should be: soon again.
            self._failed(f"the checkpoint of step {step} could not be read: {e.message}", tell_after=MANY_TRIES)
            self._retry_s = FIRST_RETRY_S
            return False
        except BlobsUnavailable as e:
            self._failed(f"the checkpoint of step {step} could not be saved: {e.message}")
            return False
        except OSError as e:
            self._failed(f"the checkpoint of step {step} could not be held still: {e.strerror or e}")
            return False
        self._soon = False
        self._retry_s, self._retry_at, self._failures = FIRST_RETRY_S, 0.0, 0
        self._saved, self._step = dict(look.complete), step
        sent_bytes, copied_s = self._saver.take_sent_bytes(), self._mono() - began_at
        self._report.committed(entry, guessed=look.guessed, uploaded_bytes=sent_bytes)
        if self._cadence is not None:
            said_s, seen_s = self._progress.write_s, self._settle.take_wrote_s()
            self._cadence.saved(wrote_s=seen_s if said_s is None else said_s, copied_s=copied_s, sent_bytes=sent_bytes)
        if not self._hurry:
            self._prune()
        self.pace.began_at, self.pace.ended_at = began_at, self._mono()
        return True

    def _prune(self) -> None:
        try:
            self._saver.prune()
        except BlobsUnavailable:
            return  # what is too much now is deleted after the next one

    def _failed(self, text: str, tell_after: int = TELL_AFTER_TRIES) -> None:
        """Try again later, ever more seldom; tell when it goes on, each reason once."""
        self._retry_at = self._mono() + self._retry_s
        self._retry_s = min(LONGEST_RETRY_S, 2 * self._retry_s)
        self._failures += 1
        if self._failures >= tell_after and text not in self._told and len(self._told) < 10:
            self._told.add(text)
            self._report.note("checkpoint_trouble", f"{text}; it is tried again")
