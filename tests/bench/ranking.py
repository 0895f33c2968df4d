"""What ranking a whole market costs in CPU, beside a plain sort of the same offers by price."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from spotlaunch.core.availability import Try
from spotlaunch.core.facts import Offer, Pool
from spotlaunch.core.lessons import Learned
from spotlaunch.core.rank import Terms, rank
from spotlaunch.core.rates import Lived
from spotlaunch.core.seasons import WEEK_H, Place, Week
from spotlaunch.core.spec import Resources, Spec
from tests.bench.looks import TRAITS

GPUS = ("H100-SXM", "A100-80GB", "L4")
PROVIDERS = tuple(f"cloud-{n}" for n in range(5))


def a_market(count: int, seed: int = 1) -> list[Offer]:
    """So many offers of five providers at hardly ever the same price, with and without a signal, disk and egress."""
    chance = random.Random(seed)
    return [
        Offer(
            pool=Pool(
                provider=PROVIDERS[n % 5],
                region=f"region-{n % 37}",
                zone=f"region-{n % 37}{'abc'[n % 3]}",
                instance_type=f"type-{n % 997}",
                market="spot" if n % 2 else "on-demand",
            ),
            gpu=GPUS[n % 3],
            gpu_count=8,
            vcpus=96,
            memory_gb=500,
            price_usd_hour=Decimal(chance.randrange(5_000, 200_000)) / 10_000,
            storage_usd_gb_month=Decimal("0.08"),
            egress_usd_gb=Decimal("0.09"),
            available=chance.choice(("yes", "unknown")),
            interruptions_per_hour=chance.choice((None, 0.01, 0.05, 0.2, round(chance.random(), 4))),
            seen_at=0.0,
        )
        for n in range(count)
    ]


def terms(offers: list[Offer]) -> Terms:
    """Of a job that may take any of them, in a book that has lived in five hundred pools and asked for as many."""
    pools = [o.pool for o in offers[:500]]
    lived = {pool: Lived(interruptions=1, hours=20.0) for pool in pools}
    learned = Learned(lived, tries={pool: (Try(0, n % 3, n % 2),) for n, pool in enumerate(pools)}, weeks=_weeks(pools))
    wish = Resources(gpus=tuple((gpu, 8) for gpu in GPUS), cpus=8, memory_gb=64, disk_gb=200)
    return Terms(
        spec=Spec(name="bench", run="true", resources=wish),
        job="bench",
        now=0.0,
        markets=("spot", "on-demand"),
        market_why="",
        refusals=(),
        traits=dict.fromkeys(PROVIDERS, TRAITS),
        file_store=False,
        max_age_s=300.0,
        rates=learned.rates,
        availability=learned.availability,
        boots=learned.boots,
    )


def _weeks(pools: Sequence[Pool]) -> dict[Place, Week]:
    """Every region takes most in the afternoon."""
    taken = [2.0 if 12 <= hour % 24 < 18 else 1.0 for hour in range(WEEK_H)]
    return {(p.provider, p.region, p.market): Week(hours=[20.0] * WEEK_H, interruptions=taken) for p in pools}


def rank_and_sort_s(count: int, *, turns: int = 5) -> tuple[float, float]:
    """CPU seconds of ranking ``count`` offers that were never seen before, and of sorting them by price; medians."""
    ranked, sorted_ = [], []
    for turn in range(turns):
        offers = a_market(count, seed=turn)
        those = terms(offers)
        ranked.append(_cpu_s(lambda o=offers, t=those: rank(o, t, launch_key="sl-bench")))  # type: ignore[misc]
        sorted_.append(_cpu_s(lambda o=offers: sorted(o, key=lambda offer: offer.price_usd_hour)))  # type: ignore[misc]
    return statistics.median(ranked), statistics.median(sorted_)


def _cpu_s(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began
