"""`python -m tests.sim --seed 7` replays one world; `--worlds 1000` runs many, on all cores."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.sim.world import Report, run_world


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int)
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    seeds = [args.seed] if args.seed is not None else list(range(args.first, args.first + args.worlds))
    began = time.monotonic()
    with ProcessPoolExecutor() as pool:
        reports = list(pool.map(run_world, seeds)) if len(seeds) > 1 else [run_world(seeds[0])]
    return show(reports, time.monotonic() - began)


def show(reports: list[Report], took_s: float) -> int:
    bad = [r for r in reports if r.broken]
    for r in bad:
        print(f"seed {r.seed}: " + "; ".join(r.broken))
    n = len(reports)
    print(
        f"{n} worlds in {took_s:.0f} s, {len(bad)} broken; per world: {sum(r.crashes for r in reports) / n:.1f} crashes,"
        f" {sum(r.attempts for r in reports) / n:.1f} attempts, {sum(r.looks for r in reports) / n:.0f} looks,"
        f" {sum(r.machine_s for r in reports) / n / 3600:.2f} machine hours,"
        f" {sum(r.doubled_s for r in reports) / n / 60:.1f} minutes doubled"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
