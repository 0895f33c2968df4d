"""Markets of a size, as `prices` finds them remembered; and what the command costs there, in time and memory."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from spotlaunch.cli.market import whom_to_ask
from spotlaunch.config import settings_of
from spotlaunch.core.answers import Answer
from spotlaunch.core.facts import Offer, Pool, Want
from spotlaunch.home import Home
from spotlaunch.storage.market import open_market
from tests.bench.commands import SPOTLAUNCH, environment

GPUS = ("H100-SXM", "H100-PCIe", "A100-80GB-SXM", "A100-40GB-SXM", "L40S", "L4", "T4", "V100-16GB", "B200", "A10G")
COUNTS = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a command took: milliseconds (median), and megabytes at most."""

    ms: float
    mb: float


def offers(provider: str, count: int, now: float) -> list[Offer]:
    """So many, no two of one pool, of many prices and rates; a tenth of them of each GPU."""
    return [_offer(provider, n, now) for n in range(count)]


def _offer(provider: str, n: int, now: float) -> Offer:
    spot = n % 3 != 0
    gpus = COUNTS[n // 10 % 4]
    price = Decimal(n * 7919 % 40_000 + 1000).scaleb(-4) * gpus
    pool = Pool(
        provider=provider,
        region=f"region-{n % 30}",
        zone=f"region-{n % 30}{'abc'[n // 30 % 3]}" if spot else "",
        instance_type=f"type-{n // 90}.{gpus}xlarge",
        market="spot" if spot else "on-demand",
    )
    return Offer(
        pool=pool,
        gpu=GPUS[n % len(GPUS)],
        gpu_count=gpus,
        gpu_memory_gb=80.0,
        vcpus=float(gpus * 24),
        memory_gb=gpus * 240.0,
        price_usd_hour=price,
        on_demand_usd_hour=price * 3 if spot else price,
        egress_usd_gb=Decimal("0.09"),
        available=("yes", "unknown", "no")[n // 7 % 3],
        interruptions_per_hour=n % 997 / 5000 if spot else None,
        seen_at=now - n % 60,
    )


def remember(home: Home, count: int, want: Want) -> None:
    """As if all providers that `prices` asks had just answered ``want`` with ``count`` offers together."""
    now = time.time()
    names = whom_to_ask([])
    market = open_market(home)
    for name in names:
        answer = Answer(
            provider=name, asked_at=now, offers=tuple(offers(name, count // len(names), now)), start_s=300.0
        )
        market.remember(answer, want, settings=settings_of(home, name, {}).fingerprint)
    market.close()


@contextmanager
def market_of(count: int, want: Want) -> Iterator[Home]:
    """A home which remembers a market of that size."""
    with tempfile.TemporaryDirectory(prefix="spotlaunch-bench-") as folder:
        home = Home(Path(folder)).prepare()
        remember(home, count, want)
        yield home


def cost(home: Home, arguments: Sequence[str], *, turns: int) -> Cost:
    """What ``spotlaunch`` with these arguments costs in ``home``, as whole processes."""
    # Settings of this shell would make another question of it than the one that is remembered.
    alien = ("SPOTLAUNCH_", "AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "RUNPOD_", "VAST_")
    env = {k: v for k, v in environment(home).items() if k == "SPOTLAUNCH_HOME" or not k.startswith(alien)}
    return measured([*SPOTLAUNCH, *arguments], env, turns=turns)


# A small process of its own, because the memory of a child is reckoned from that of its parent on.
LAUNCH = """
import os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - began, used.ru_maxrss)
"""


def measured(command: Sequence[str], env: Mapping[str, str], *, turns: int) -> Cost:
    """The median time and the largest memory of a command that is run so often, and once before."""
    took: list[float] = []
    most: list[float] = []
    for _ in range(turns + 1):
        launched = [sys.executable, "-I", "-S", "-c", LAUNCH, *command]
        told = subprocess.run(launched, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
        code, seconds, size = told.split()
        if code != "0":
            raise subprocess.CalledProcessError(int(code), command)
        took.append(float(seconds) * 1000)
        # In kilobytes on Linux, in bytes on a Mac.
        most.append(float(size) / (1e6 if sys.platform == "darwin" else 1e3))
    return Cost(ms=statistics.median(took[1:]), mb=max(most))
