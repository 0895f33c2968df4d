"""`python -m tests.evaluation`: policies over the published traces beside the optimum. Asserts nothing."""

from __future__ import annotations

import argparse
import sys
import time

from spotlaunch.core.policy import POLICIES
from tests.evaluation.sets import SETS, there
from tests.evaluation.table import measured, row


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation", description=__doc__)
    parser.add_argument("--set", action="append", choices=sorted(SETS), help="one of the sets; repeatable")
    parser.add_argument("--policy", action="append", choices=sorted(POLICIES), help="repeatable; all if left out")
    parser.add_argument(
        "--starts", type=int, default=5, help="random starts for each trace and setting (40 in the facts)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the starts")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--by", choices=["deadline", "overhead", "pools"], help="a line for each value as well")
    args = parser.parse_args()
    if not there():
        sys.exit("there are no traces beside the checkout: nothing to measure with")
    policies = args.policy or list(POLICIES)
    for name in args.set or SETS:
        began = time.perf_counter()
        found = measured(SETS[name](), policies, starts=args.starts, seed=args.seed, processes=args.processes)
        took_s = time.perf_counter() - began
        print(f"\n{name}: {len(found)} runs a policy, {took_s:.0f} s; optimum / on-demand {found.optimum_share():.3f}")
        print(
            f"{'policy':<20}{'over the optimum':>18}{'of the mean':>13}{'worst':>8}{'late':>6}{'lost':>7}{'starts':>8}"
        )
        for policy in policies:
            print(row(found, policy))
        if args.by:
            _split(found, policies, args.by)


def _split(found, policies, by) -> None:  # type: ignore[no-untyped-def]
    for value in sorted({getattr(c, by) for c in found.cases}):
        part = found.only(by, value)
        told = "".join(f"{100 * part.over(p):>+17.1f}%" for p in policies)
        print(f"  {by} {value:<8}{told}   optimum {part.optimum_share():.3f}")


if __name__ == "__main__":
    main()
