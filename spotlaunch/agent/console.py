"""The machine's console: where words go that nobody can be told through the store. Nothing secret, ever."""

from __future__ import annotations

import sys


def say(who: str, text: str) -> None:
    """One or more lines, for whoever looks at the machine's console."""
    try:
        sys.stderr.write(f"spotlaunch {who}: {text}\n")
        sys.stderr.flush()
    except (OSError, ValueError):  # the console is closed or full: the work goes on
        return
