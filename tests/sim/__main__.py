"""`python -m tests.sim --seed 7` replays one world; `--worlds 1000` runs many, on all cores."""

from __future__ import annotations

import argparse
import sys
import time

from tests.sim.many import run_worlds, waste
from tests.sim.world import Report


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--deadlines", action="store_true", help="jobs with deadlines, and on-demand that works")
    args = parser.parse_args()
    seeds = [args.seed] if args.seed is not None else list(range(args.first, args.first + args.worlds))
    began = time.monotonic()
    options = {"deadlines": True, "liars": False} if args.deadlines else {}
    return show(run_worlds(seeds, **options), time.monotonic() - began)


def show(reports: list[Report], took_s: float) -> int:
    bad = [r for r in reports if r.broken]
    for r in bad:
        print(f"seed {r.seed}: " + "; ".join(r.broken))
    n = len(reports)
    means = {
        "crashes": sum(r.crashes for r in reports) / n,
        "attempts": sum(r.attempts for r in reports) / n,
        "refusals": sum(r.refusals for r in reports) / n,
        "looks": sum(r.looks for r in reports) / n,
        "machine hours": sum(r.machine_s for r in reports) / n / 3600,
        "minutes doubled": sum(r.doubled_s for r in reports) / n / 60,
    }
    told = ", ".join(f"{value:.1f} {name}" for name, value in means.items())
    print(f"{n} worlds in {took_s:.0f} s, {len(bad)} broken; per world: {told}")
    wasted = waste(reports) if n >= 40 else []
    for line in wasted:
        print(line)
    return 1 if bad or wasted else 0


if __name__ == "__main__":
    sys.exit(main())
