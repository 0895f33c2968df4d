"""How often the program should save: reckoned here, where it is measured what a checkpoint takes, and told to it.

Told in a file that is replaced whole, in its environment to begin with, and by a signal if the job asks for one.
"""

from __future__ import annotations

import signal
import statistics
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from spotlaunch.agent.report import Report
from spotlaunch.core.intervals import Interval, Risk, about, interval, markedly
from spotlaunch.core.wire import Ask, OrderDoc

# So many checkpoints are remembered: what they took in the middle is what the next will take.
REMEMBERED = 5
# The program is told when the interval differs by a fifth, the story when it has doubled or halved.
TELL_FROM, STORY_FROM = 1.2, 2.0


class Cadence:
    """The interval of one attempt. From any thread, but `look`, which is for one.

    ``file``: where the program reads it. ``left_s``: seconds until a limit ends this attempt. Where the job file has an
    interval of its own, that is told and stays.
    """

    def __init__(self, order: OrderDoc, *, file: Path, report: Report, left_s: Callable[[], float]) -> None:
        self.every_s = order.checkpoint_every_s
        self._order = order
        self._file = file
        self._report = report
        self._left_s = left_s
        self._lock = threading.Lock()
        self._rate_per_hour = order.rate_per_hour
        self._price_share = order.price_share
        self._danger = False
        known = [order.write_s] if order.write_s > 0 else []
        self._writes_s: deque[float] = deque(known, REMEMBERED)
        self._copies: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)
        self._kind = ""
        self._told: tuple[float, float] | None = None
        self._story: tuple[float, str] | None = None

    def begin(self) -> float:
        """Before the program starts: the file is there, and what it says is returned."""
        if self._order.every_auto:
            self._reckon(begin=True)
        else:
            self._report.set(every_s=self.every_s, every_why="the job file says so" if self.every_s else "")
            self._write()
        return self.every_s

    def look(self, tell: Callable[[int], None]) -> None:
        """Again, for limits come nearer by themselves. ``tell`` sends the program a signal, if it asked for one."""
        name = self._order.checkpoint_signal
        if self._order.every_auto and self._reckon() and name:
            tell(getattr(signal, f"SIG{name}"))

    def saved(self, *, wrote_s: float | None, copied_s: float, sent_bytes: int) -> None:
        """A checkpoint is stored: how long the program wrote it (None: nobody saw), and how long copying it took."""
        with self._lock:
            if wrote_s is not None:
                self._writes_s.append(wrote_s)
                self._report.set(write_s=statistics.median(self._writes_s))
            self._copies.append((copied_s, sent_bytes))

    def risk(self, ask: Ask) -> None:
        """The watchdog knows more of the danger."""
        with self._lock:
            if ask.rate_per_hour is not None:
                self._rate_per_hour, self._price_share = ask.rate_per_hour, ask.price_share

    def danger(self) -> None:
        """The machine's cloud has warned. It takes no warning back."""
        self._danger = True

    def least_gap_s(self) -> float:
        """Between two copies to the store, where these cost money; else 0."""
        return self.every_s if self._order.every_auto and self._order.gb_cost_s > 0 else 0.0

    def _reckon(self, *, begin: bool = False) -> bool:
        """Whether there is a new interval, which is then in the file."""
        with self._lock:
            risk, told = self._risk(), (self._rate_per_hour, self._price_share)
        found = interval(risk)
        if told != self._told:
            # Said back, so that the watchdog need not say it again.
            self._told = told
            self._report.set(rate_per_hour=told[0], price_share=told[1])
        before, self._kind = self._kind, found.kind
        if not begin and not markedly(found.seconds, self.every_s, TELL_FROM):
            if found.kind != before:
                self._report.set(every_why=found.why)
            return False
        self.every_s = float(f"{found.seconds:.3g}")
        self._report.set(every_s=self.every_s, every_why=found.why)
        self._tell_story(found)
        self._write()
        return True

    def _risk(self) -> Risk:
        order = self._order
        write_s = statistics.median(self._writes_s) if self._writes_s else None
        copy_s = statistics.median(s for s, _ in self._copies) if self._copies else 0.0
        sent = statistics.median(sent for _, sent in self._copies) if self._copies else 0
        cost_s = sent / 1e9 * order.gb_cost_s
        return Risk(
            rate_per_hour=self._rate_per_hour,
            write_s=None if write_s is None else write_s + cost_s,
            copy_s=copy_s,
            save_s=(write_s or 0.0) + copy_s,
            notice_s=order.notice_s,
            left_s=self._left_s(),
            price_share=self._price_share,
            danger=self._danger,
        )

    def _tell_story(self, found: Interval) -> None:
        """One sentence when it changes markedly; of a limit that comes nearer, which halves it again and again, one."""
        before, now = self._story, (self.every_s, found.kind)
        if before is None and found.kind == "first":
            return
        if before is None:
            text = f"to be saved every {about(self.every_s)}: {found.why}"
        elif found.kind == before[1] == "limit" or not markedly(self.every_s, before[0], STORY_FROM):
            return
        else:
            text = f"to be saved every {about(self.every_s)} instead of {about(before[0])}: {found.why}"
        self._story = now
        self._report.note("interval", text, every_s=self.every_s)

    def _write(self) -> None:
        """Whole or not at all: the program may read at any moment. On a full disk it keeps what it knows."""
        part = self._file.with_name(self._file.name + ".part")
        with suppress(OSError):
            part.write_text(f"{self.every_s:g}\n")
            part.replace(self._file)
