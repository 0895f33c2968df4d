from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.lessons import BOOTS_KEPT, IMPORTED, Lesson, Source, learned_from, newer
from spotlaunch.core.rates import Lived, Rates
from spotlaunch.core.seasons import DAY_H, WEEK_H
from tests.core.worlds import NOW, a_pool, an_offer

HOUR = int(NOW // 3600)
NINE = 9
BUSY = Lesson(
    pool=a_pool(),
    week={day * DAY_H + NINE: (10.0, 3.0) for day in range(7)},
    tries={HOUR: (0.0, 4.0)},
    boots_s=(60.0, 60.0, 60.0),
)


def test_nothing_seen_leaves_every_prior_as_it_is() -> None:
    learned, offer = learned_from([]), an_offer()
    assert learned.rates.of(offer, NOW) == Rates().of(offer)
    assert learned.availability.of(offer, NOW) == 0.9
    assert learned.boots.of(offer.pool, 300.0) == 300.0


def test_what_was_seen_here_is_learned_whole() -> None:
    learned, offer = learned_from([BUSY]), an_offer(interruptions_per_hour=0.01)
    assert learned.lived == {a_pool(): Lived(interruptions=21, hours=70)}
    assert learned.rates.of(offer) == Rates({a_pool(): Lived(interruptions=21, hours=70)}).of(offer)
    assert learned.availability.of(offer, NOW) == pytest.approx(0.3)
    assert learned.boots.of(offer.pool, 240.0) == pytest.approx(120.0)
    assert len(learned.season.factors(("cloud", "us-1", "spot"))) == WEEK_H


def test_what_others_saw_counts_half() -> None:
    learned = learned_from([], [BUSY])
    assert learned.lived == {a_pool(): Lived(interruptions=21 * IMPORTED, hours=70 * IMPORTED)}
    assert learned.availability.of(an_offer(), NOW) == pytest.approx(0.45)
    both = learned_from([BUSY], [BUSY])
    assert both.lived == {a_pool(): Lived(interruptions=21 * 1.5, hours=70 * 1.5)}


def test_hours_that_are_known_newer_take_the_place_of_our_own_and_not_of_imported_ones() -> None:
    newer_hours = {a_pool(): Lived(interruptions=22, hours=71)}
    assert learned_from([BUSY], lived=newer_hours).lived == newer_hours
    assert learned_from([BUSY], [BUSY], lived=newer_hours).lived == {
        a_pool(): Lived(interruptions=22 + 21 * IMPORTED, hours=71 + 70 * IMPORTED)
    }


def test_our_own_boots_are_the_last_to_be_forgotten() -> None:
    others = replace(BUSY, boots_s=(900.0,) * BOOTS_KEPT)
    learned = learned_from([replace(BUSY, boots_s=(60.0,) * BOOTS_KEPT)], [others])
    assert learned.boots.of(a_pool(), 60.0) == 60.0


SOURCES = st.builds(
    lambda as_of, hours: Source(id="one", as_of=as_of, lessons=(Lesson(pool=a_pool(), week={1: (hours, 0.0)}),)),
    st.sampled_from([1.0, 2.0]),
    st.sampled_from([5.0, 6.0, 7.0]),
)


@given(SOURCES, SOURCES, SOURCES)
def test_the_later_word_stands_in_whatever_order_they_come(one: Source, two: Source, three: Source) -> None:
    assert newer(one, one) == one
    assert newer(one, two) == newer(two, one)
    assert newer(newer(one, two), three) == newer(one, newer(two, three))
    assert newer(one, two).as_of == max(one.as_of, two.as_of)
