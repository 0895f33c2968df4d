"""How long whole commands take, each a new process; in turns, so that all meet the same weather."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore
from tests.bench.books import fill

ROOT = Path(__file__).resolve().parents[2]
NOTHING = "python -c pass"
SPOTLAUNCH = [sys.executable, "-P", "-m", "spotlaunch"]
COMMANDS: dict[str, Sequence[str]] = {
    NOTHING: [sys.executable, "-c", "pass"],
    "spotlaunch --help": [*SPOTLAUNCH, "--help"],
    "spotlaunch status": [*SPOTLAUNCH, "status"],
    "spotlaunch status --json": [*SPOTLAUNCH, "status", "--json"],
}

# What people were promised, in milliseconds, as medians.
PROMISED_MS = {"spotlaunch --help": 200.0, "spotlaunch status": 400.0, "spotlaunch status --json": 400.0}


def medians_ms(*, turns: int, jobs: int) -> dict[str, float]:
    """The median wall time of each command in milliseconds, in a home with ``jobs`` jobs."""
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory(prefix="spotlaunch-bench-") as folder:
        home = Home(Path(folder)).prepare()
        store = SqliteStore(home.database, owner_seed="bench")
        fill(store, over=jobs - 10, live=10, now=time.time())
        store.close()
        env = environment(home)
        for turn in range(turns + 1):
            for name, command in COMMANDS.items():
                began = time.perf_counter()
                subprocess.run(
                    command, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
                )
                if turn:  # the first one of each only warms the disk's cache
                    took[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(times) for name, times in took.items()}


def environment(home: Home) -> Mapping[str, str]:
    """Of this shell, with another home; our two packages are found also where they are not installed."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "providers")])
    return {**os.environ, "SPOTLAUNCH_HOME": str(home.path), "PYTHONPATH": path}
