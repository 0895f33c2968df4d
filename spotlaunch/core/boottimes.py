"""Boot times: how long after its launch a machine does useful work, as its kind was seen to take."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from spotlaunch.core.facts import Pool

# How many boots of our own the provider's usual time (`Traits.start_s`), or that of its other machines, is worth.
USUAL_BOOTS = 3.0

# A boot so many times longer or shorter than usual tells of an accident, and counts as this.
MOST_TIMES = 20.0

Kind = tuple[str, str]  # provider, instance type

NO_BOOTS: Mapping[Kind, tuple[float, ...]] = MappingProxyType({})


class BootTimes:
    """Seconds from a launch to useful work, from ``boots`` seen by kind.

    Times of starting are skewed, so their logarithms are averaged: the prior is the provider's usual time, then the
    provider's other kinds, then the kind itself, each step's outcome being worth `USUAL_BOOTS` in the next::

        log start = (USUAL_BOOTS * log prior + sum of log seen) / (USUAL_BOOTS + count)
    """

    def __init__(self, boots: Mapping[Kind, tuple[float, ...]] = NO_BOOTS) -> None:
        self._boots = {kind: each for kind, each in boots.items() if each}
        self._providers = {provider for provider, _ in self._boots}
        self._found: dict[tuple[str, str, float], float] = {}

    def of(self, pool: Pool, usual_s: float) -> float:
        """Seconds, for a machine of this pool. Where its provider was never seen to boot one: ``usual_s`` exactly."""
        if pool.provider not in self._providers or usual_s <= 0:
            return usual_s
        key = (pool.provider, pool.instance_type, usual_s)
        found = self._found.get(key)
        if found is None:
            own = self._boots.get(key[:2], ())
            others = [s for kind, each in self._boots.items() if kind[0] == key[0] and kind != key[:2] for s in each]
            learned_s = _step(_step(usual_s, others, usual_s), own, usual_s)
            # Three digits: more is not known, and fewer different numbers are quicker to reckon with.
            found = self._found[key] = float(f"{learned_s:.3g}")
        return found


def _step(prior_s: float, seen_s: Iterable[float], usual_s: float) -> float:
    logs = [math.log(min(max(s, usual_s / MOST_TIMES), usual_s * MOST_TIMES)) for s in seen_s]
    return math.exp((USUAL_BOOTS * math.log(prior_s) + sum(logs)) / (USUAL_BOOTS + len(logs)))
