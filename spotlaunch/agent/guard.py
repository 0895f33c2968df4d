"""The guard: a process beside the agent that ends the machine when nobody else does.

It outlives the agent and whoever started it, and knows nothing secret. It ends the machine after its time to live,
when the agent has not reached the store for too long (nobody knows then what this machine is worth), and when the
agent and its starter are gone and the machine is still there. It is told that they are gone by the end of a pipe
which both hold: the kernel closes it, however they die.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from spotlaunch.agent.console import say
from spotlaunch.agent.ending import end_machine

LOOK_S = 5.0
# So long after the agent and its starter are gone: the boot script ends the machine itself, if it lives.
GONE_S = 30.0
# So long after the time to live: the agent has left by then, with a last checkpoint.
LATE_S = 30.0


@dataclass(frozen=True)
class Rules:
    """``ttl_s`` and ``silent_s`` as in `core.wire.StartDoc`; ``lived_s`` of the time to live is over already.

    ``sign``: a file that the agent touches whenever the store answers. ``up``: to be made when the guard is awake.
    """

    end_command: str
    sign: str
    up: str
    ttl_s: float = 0.0
    lived_s: float = 0.0
    silent_s: float = 0.0


class Guard:
    """Watches until there is a reason to end the machine. ``gone(s)`` waits so long, and tells of the pipe's end."""

    def __init__(
        self, rules: Rules, *, gone: Callable[[float], bool], mono: Callable[[], float] = time.monotonic
    ) -> None:
        self._rules = rules
        self._gone = gone
        self._mono = mono
        self._began_at = mono()
        self._sign: tuple[int, int] | None = None
        self._heard_at = mono()
        self._gone_at: float | None = None

    def watch(self) -> str:
        """Returns why the machine must end."""
        while True:
            why = self._look()
            if why:
                return why
            if self._gone_at is None:
                self._gone_at = self._mono() if self._gone(LOOK_S) else None
            else:
                time.sleep(min(LOOK_S, GONE_S))

    def _look(self) -> str:
        now, rules = self._mono(), self._rules
        if rules.ttl_s > 0 and now - self._began_at + rules.lived_s >= rules.ttl_s + LATE_S:
            return f"it has lived for {rules.ttl_s:.0f} s, which is its time"
        if self._gone_at is not None and now - self._gone_at >= GONE_S:
            return "its agent is gone"
        sign = self._read_sign()
        if sign != self._sign:
            self._sign, self._heard_at = sign, now
        if rules.silent_s > 0 and now - self._heard_at >= rules.silent_s:
            return f"its agent could not reach the store for {rules.silent_s:.0f} s"
        return ""

    def _read_sign(self) -> tuple[int, int] | None:
        """Only whether it changes counts: a clock that is set right meanwhile must not end the machine."""
        try:
            info = Path(self._rules.sign).stat()
        except OSError:
            return None
        return info.st_mtime_ns, info.st_ino


def encode(rules: Rules) -> bytes:
    """The line by which the guard is told its rules; after it, the pipe stays open."""
    return json.dumps(asdict(rules)).encode() + b"\n"


def gone_on(fd: int) -> Callable[[float], bool]:
    """Waits for the end of the pipe ``fd``, for at most so many seconds."""

    def gone(seconds: float) -> bool:
        ready, _, _ = select.select([fd], [], [], seconds)
        return bool(ready) and os.read(fd, 4096) == b""

    return gone


def read_line(fd: int) -> bytes:
    """The first line that comes through ``fd``; not a byte more is taken."""
    with os.fdopen(fd, "rb", buffering=0, closefd=False) as pipe:
        return pipe.readline()


def main() -> None:
    """Standard input: the rules in one line, then a pipe that ends with the agent."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    fd = sys.stdin.fileno()
    rules = Rules(**json.loads(read_line(fd)))
    guard = Guard(rules, gone=gone_on(fd))
    Path(rules.up).touch()
    say("guard", "this machine must end: " + guard.watch())
    end_machine(rules.end_command, who="guard")


if __name__ == "__main__":
    main()
