"""`spotlaunch watch --background`, measured: CPU seconds from each look to the next, all threads included.

Writes a JSON list into the file that is its argument, anew after every look.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from spotlaunch.home import Home
from spotlaunch.watchdog.loop import Watchdog
from spotlaunch.watchdog.serve import serve_until_idle


def main() -> None:
    to = Path(sys.argv[1])
    took: list[tuple[float, float]] = []
    look = Watchdog.look
    # From the beginning of one look to the beginning of the next: what calls cost meanwhile counts too.
    last: list[tuple[float, float]] = []

    def measured(self: Watchdog) -> tuple[float, bool]:
        now = (time.process_time(), time.monotonic())
        if last:
            took.append((now[0] - last[0][0], now[1] - last[0][1]))
        last[:] = [now]
        Path(f"{to}.new").write_text(json.dumps(took))
        Path(f"{to}.new").replace(to)
        return look(self)

    Watchdog.look = measured  # type: ignore[method-assign]
    serve_until_idle(Home.find(), told=lambda event: None)


if __name__ == "__main__":
    main()
