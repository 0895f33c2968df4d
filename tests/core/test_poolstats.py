from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spotlaunch.core.facts import Offer, Pool
from spotlaunch.core.lessons import Lesson, learned_from
from spotlaunch.core.poolstats import OnSale, PoolStats, on_sale_of, place_stats, pool_stats
from spotlaunch.core.pricehistory import PoolPrices, PriceChange
from spotlaunch.core.rates import SIGNAL_HOURS
from spotlaunch.core.seasons import WEEK_H, hour_of_week
from tests.core.worlds import NOW, a_pool, an_offer

HOUR = int(NOW // 3600)
OTHER = a_pool(zone="us-1b")
SEEN = Lesson(
    pool=a_pool(),
    gpu="V100",
    gpu_count=1,
    week={5: (30.0, 1.0), 6: (18.0, 2.0)},
    tries={HOUR: (1.0, 2.0), HOUR - 5: (3.0, 0.0)},
    boots_s=(50.0, 90.0, 400.0, 70.0),
)


def stats(
    own: list[Lesson], imported: list[Lesson] | None = None, offers: dict[Pool, Offer] | None = None, **more: Any
) -> list[PoolStats]:
    theirs = imported or []
    learned = learned_from(own, theirs)
    return pool_stats(own, theirs, learned, now=NOW, offers=offers or {}, **{"on_sale": {}, **more})


def test_what_was_seen_stands_beside_what_is_believed() -> None:
    (found,) = stats([SEEN])
    assert (found.hours, found.interruptions, found.granted, found.refused) == (48, 3, 4, 2)
    assert found.rate == pytest.approx((0.008 * SIGNAL_HOURS + 3) / (SIGNAL_HOURS + 48))
    assert 0 < found.low < found.rate < found.high
    assert (found.boots, found.start_s) == (4, 80.0)
    assert 0.4 < found.availability < 0.9


def test_the_providers_word_is_the_prior_where_it_is_remembered() -> None:
    said = an_offer(interruptions_per_hour=0.2, obtainability=0.3, gpu="V100-32GB")
    (without,), (found,) = stats([SEEN]), stats([SEEN], offers={a_pool(): said})
    assert (without.prior, found.prior, found.gpu) == (0.008, 0.2, "V100-32GB")
    assert found.rate > without.rate
    assert found.availability < without.availability


def test_more_hours_make_it_surer() -> None:
    long = replace(SEEN, week=dict.fromkeys(range(WEEK_H), (100.0, 1.0)))
    (short,), (sure,) = stats([SEEN]), stats([long])
    assert (sure.high - sure.low) / sure.rate < (short.high - short.low) / short.rate / 3


def test_where_nothing_was_lived_the_prior_is_all_and_the_range_is_wide() -> None:
    (found,) = stats([Lesson(pool=a_pool(), gpu="V100", gpu_count=1, tries={HOUR: (0.0, 1.0)})])
    assert found.rate == found.prior == 0.008
    assert found.high > 5 * found.prior
    assert (found.start_s, found.boots, found.hours) == (None, 0, 0)


def test_what_others_saw_is_told_apart_and_believed_in_part() -> None:
    (found,) = stats([], [SEEN])
    assert (found.hours, found.granted, found.imported_hours, found.imported_interruptions) == (0, 0, 48, 3)
    assert found.rate == pytest.approx((0.008 * SIGNAL_HOURS + 1.5) / (SIGNAL_HOURS + 24))
    assert found.gpu == "V100"


def test_the_pools_of_which_most_was_seen_come_first() -> None:
    asked = Lesson(pool=a_pool(zone="us-1c"), tries={HOUR: (0.0, 1.0)})
    theirs = replace(SEEN, pool=a_pool(zone="us-1d"), week={1: (20.0, 0.0)})
    found = stats([Lesson(pool=a_pool(zone="us-1e")), asked, SEEN], [theirs])
    assert [s.pool.zone for s in found] == ["us-1a", "us-1d", "us-1c", "us-1e"]


def test_a_region_is_told_by_hour_of_the_week() -> None:
    (place,) = place_stats([SEEN, replace(SEEN, pool=OTHER)], learned_from([SEEN, replace(SEEN, pool=OTHER)]))
    assert place.place == ("cloud", "us-1", "spot")
    assert (place.hours[5], place.hours[6], sum(place.hours)) == (60, 36, 96)
    assert (place.interruptions[5], place.interruptions[6]) == (2, 4)
    assert (place.granted[hour_of_week(NOW)], place.refused[hour_of_week(NOW)]) == (2, 4)
    assert place.factors[6] > 1 > place.factors[20]
    calm = Lesson(pool=a_pool(), week={5: (30.0, 0.0)})
    assert set(place_stats([calm], learned_from([calm]))[0].factors) == {1.0}


def prices(*on_sale: bool, seen_at: float = NOW, step_s: float = 3600.0) -> PoolPrices:
    """A change each hour until now."""
    changes = tuple(
        PriceChange(at=NOW - step_s * (len(on_sale) - n), price_usd_hour=Decimal(1), on_sale=now)
        for n, now in enumerate(on_sale)
    )
    return PoolPrices(pool=a_pool(), gpu="V100", gpu_count=1, changes=changes, seen_at=seen_at)


def test_how_long_a_pool_was_on_sale_is_counted_as_far_as_anybody_looked() -> None:
    assert on_sale_of(prices(True, False, True, False), since=0.0, until=NOW) == OnSale(hours=2, gone_hours=2, went=2)
    later = on_sale_of(prices(True, False, True, False), since=NOW - 1.5 * 3600, until=NOW)
    assert later == OnSale(hours=0.5, gone_hours=1, went=1)
    unseen = on_sale_of(prices(True, False, seen_at=NOW - 1800), since=0.0, until=NOW)
    assert unseen == OnSale(hours=1, gone_hours=0.5, went=1)
    assert unseen.percent == pytest.approx(66.7, abs=0.1)


def test_a_provider_that_never_says_no_tells_nothing() -> None:
    assert on_sale_of(prices(True, True), since=0.0, until=NOW) is None
