"""What `prices` costs when nothing is remembered: each cloud alone, and all side by side, against slow fakes."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spotlaunch.home import Home
from tests.bench.commands import ROOT, SPOTLAUNCH, environment
from tests.fakes.clouds.all import FAKES
from tests.fakes.clouds.server import CALLS

ALL = "all five"
TURNS = 3


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one question took: seconds (median), and HTTP calls."""

    seconds: float
    calls: int


def measured(latency_s: float) -> dict[str, Cost]:
    """By cloud, and for `ALL`: the whole command, with every answer of every fake ``latency_s`` late."""
    with _fakes(latency_s) as variables:
        urls = {v for v in variables.values() if v.startswith("http")}
        _ask([], variables, urls)  # the fakes make their data when they are first asked
        return {name: _ask([] if name == ALL else ["--provider", name], variables, urls) for name in (*FAKES, ALL)}


def _ask(arguments: Sequence[str], variables: Mapping[str, str], urls: set[str]) -> Cost:
    times, before = [], _calls(urls)
    for _ in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            env = {**environment(Home(Path(folder))), **variables}
            began = time.perf_counter()
            subprocess.run(
                [*SPOTLAUNCH, "prices", "--gpu", "H100", *arguments], env=env, capture_output=True, check=True
            )
            times.append(time.perf_counter() - began)
    return Cost(seconds=statistics.median(times), calls=(_calls(urls) - before) // TURNS)


def _calls(urls: set[str]) -> int:
    total = 0
    for url in urls:
        with urllib.request.urlopen(url + CALLS) as answer:
            total += int(answer.read())
    return total


@contextmanager
def _fakes(latency_s: float) -> Iterator[dict[str, str]]:
    """The five in a process of their own, so that what they do is not counted as ours; gives their variables."""
    command = [sys.executable, "-m", "tests.fakes.clouds", "--port", "0", "--latency", str(latency_s)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "providers")])}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=pipe, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            variables = {}
            for line in process.stdout:
                if line.startswith("#"):
                    break
                if found := re.fullmatch(r"export (\w+)=(.*)", line.strip()):
                    variables[found[1]] = found[2]
            yield variables
        finally:
            process.terminate()
