"""What watchers have in common: whom they tell, how often they ask, and that they never spin."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spotlaunch.agent.console import say

# Between two questions, whatever a service answers: a hanging request that does not hang must not become a hot loop.
LEAST_PAUSE_S = 0.2
# A service that is there but fails is asked again soon, for a notice may be as short as half a minute.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 2.0
# One that has never answered, not even by a refusal, is not there: not this cloud, switched off, or not yet up.
ABSENT_PAUSE_S = 15.0


@dataclass(frozen=True)
class Ears:
    """Whom a watcher tells. ``notice(deadline_at)``: the machine will be taken, at a wall clock time or at once
    (None). ``danger(words)``: it may be taken soon; a sentence for the story."""

    notice: Callable[[float | None], None]
    danger: Callable[[str], None]


@dataclass
class Pace:
    """How long to wait after a question that failed: ever longer, and long where nobody ever answered."""

    answered: bool = False
    pause_s: float = FIRST_PAUSE_S

    def after_failure(self, status: int = 0) -> float:
        """``status``: of the answer; 0 where there was none."""
        self.answered = self.answered or status > 0
        pause_s = min(self.pause_s, LONGEST_PAUSE_S) if self.answered else self.pause_s
        self.pause_s = min(2 * pause_s, LONGEST_PAUSE_S if self.answered else ABSENT_PAUSE_S)
        return pause_s

    def after_answer(self) -> None:
        self.answered, self.pause_s = True, FIRST_PAUSE_S


class Question:
    """One thing that is asked again and again. ``turn`` asks once, and returns how many seconds to wait."""

    def __init__(self, turn: Callable[[], float], name: str) -> None:
        self._turn = turn
        self._name = name

    def work(self, stop: threading.Event) -> None:
        """Until stopped."""
        while not stop.is_set():
            began_at = time.monotonic()
            try:
                pause_s = self._turn()
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError) as e:
                # An answer of a shape that nobody foresaw: the watcher must outlive it, and say so.
                say("agent", f"the answer of {self._name} cannot be understood: {type(e).__name__}")
                pause_s = LONGEST_PAUSE_S
            spent_s = time.monotonic() - began_at
            stop.wait(max(pause_s, LEAST_PAUSE_S - spent_s))


class Watcher:
    """The questions to one service. ``acknowledge``: the machine may go now; where the service wants to know."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def questions(self) -> Sequence[Question]:
        raise NotImplementedError

    def acknowledge(self) -> None:
        return

    def start(self) -> None:
        """Ask, in threads that never keep the agent from leaving."""
        for question in self.questions():
            threading.Thread(target=question.work, args=(self._stop,), name="watcher", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()
