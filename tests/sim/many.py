"""Many worlds on all cores, and what they may cost together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from tests.sim.habits import without
from tests.sim.world import Report, run_world

# Means per world of honest clouds. Safety comes from the sweep and the fence; the other habits keep it cheap,
# and without one of them a world costs more than this.
ATTEMPTS_MOST = 36.0
REFUSALS_MOST = 30.0
DOUBLED_MOST_S = 300.0


def run_worlds(seeds: Sequence[int], *, missing: str = "nothing", **options: Any) -> list[Report]:
    """The reports of all worlds, in order of seeds. ``missing`` is the habit to take away."""
    if len(seeds) == 1:
        return [_one(missing, options, seeds[0])]
    with ProcessPoolExecutor() as pool:
        return list(pool.map(partial(_one, missing, options), seeds))


def _one(missing: str, options: dict[str, Any], seed: int) -> Report:
    with without(missing) as changed:
        return run_world(seed, **options, **changed)


def waste(reports: Sequence[Report]) -> list[str]:
    """A sentence for each cost that is too high, over the worlds whose clouds keep their word."""
    honest = [r for r in reports if not r.liars]
    n = max(1, len(honest))
    found = []
    for name, most, total in (
        ("attempts", ATTEMPTS_MOST, sum(r.attempts for r in honest)),
        ("refused launches", REFUSALS_MOST, sum(r.refusals for r in honest)),
        ("doubled machine seconds", DOUBLED_MOST_S, sum(r.doubled_s for r in honest)),
    ):
        if total / n > most:
            found.append(f"{total / n:.1f} {name} per world, at most {most:.0f} are right")
    return found
