"""How a machine ends itself: by the command of its cloud, again and again, until it is no more."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat

from spotlaunch.agent.console import say

COMMAND_TIMEOUT_S = 120.0
# A machine that shuts down takes a while, and a cloud's API that does not answer comes back. It costs money meanwhile.
PAUSES_S = (10.0, 20.0, 30.0, 60.0)


def end_machine(command: str, *, who: str, sleep: Callable[[float], None] = time.sleep, tries: int = 0) -> None:
    """Run ``command`` in a shell until this machine is gone; never returns (but after ``tries``, where that is not 0).

    Its own words go to the console. What it says about success is not believed: being here still is the proof.
    """
    for n, pause_s in enumerate(_pauses(), start=1):
        say(who, "ending this machine" + (f" (try {n})" if n > 1 else ""))
        try:
            subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, timeout=COMMAND_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as e:
            say(who, f"the end command cannot be run: {type(e).__name__}")
        if n == tries:
            return
        sleep(pause_s)


def _pauses() -> Iterator[float]:
    return chain(PAUSES_S, repeat(PAUSES_S[-1]))
