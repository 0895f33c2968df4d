"""What must never come out of ranking, held against thousands of markets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.availability import Availability, Try
from spotlaunch.core.bands import NEAR_EQUAL
from spotlaunch.core.facts import Offer
from spotlaunch.core.rank import Ranking, Terms, rank
from spotlaunch.core.rates import Lived, Rates
from spotlaunch.core.spec import Limits, Resources
from tests.core.worlds import CLOUD, NOW, a_pool, a_spec, an_offer

SLOW = replace(CLOUD, start_s=2000.0)
many = settings(deadline=None, max_examples=300)

USUAL = st.sampled_from([None, 0.01, 0.01, 0.0101, 0.05])
RATES = st.one_of(USUAL, st.floats(0, 5), st.sampled_from([0.0, 1e-12, 0.4, 120.0, 1e6]))
# Few prices close together, so that bands have several members and several prices.
PRICES = st.one_of(st.sampled_from(["1", "1.0", "1.00", "1.01", "1.02", "1.03", "1.0301", "1.06"]), st.just("0"))


def build(price: str, zone: str, provider: str, rate: float | None, sure: bool, dear: bool, age_s: float) -> Offer:
    return an_offer(
        price,
        a_pool(provider=provider, zone=zone),
        interruptions_per_hour=rate,
        seen_at=NOW - age_s,
        available="yes" if sure else "unknown",
        egress_usd_gb=Decimal("0.09") if dear else Decimal(0),
        storage_usd_gb_month=Decimal("0.10") if dear else Decimal(0),
    )


OFFER: st.SearchStrategy[Offer] = st.builds(
    build,
    PRICES,
    st.sampled_from("abc"),
    st.sampled_from(["cloud", "slow"]),
    RATES,
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 9.0]),
)
LIKE: st.SearchStrategy[Offer] = st.builds(
    build,
    PRICES,
    st.sampled_from("ab"),
    st.just("cloud"),
    st.just(0.01),
    st.just(True),
    st.just(False),
    st.sampled_from([0.0, 9.0]),
)
OFFERS = st.one_of(st.lists(OFFER, max_size=14), st.lists(LIKE, max_size=8))
KEYS = st.text(max_size=3)


def ranked(offers: list[Offer], key: str, **changes: Any) -> Ranking:
    terms = Terms(
        spec=a_spec(resources=Resources(disk_gb=100)),
        job="digits",
        now=NOW,
        markets=("spot", "on-demand"),
        market_why="",
        refusals=(),
        traits={"cloud": CLOUD, "slow": SLOW},
        file_store=False,
        max_age_s=300.0,
        rates=Rates({a_pool(zone="a"): Lived(interruptions=2, hours=30.0)}),
    )
    return rank(offers, replace(terms, **changes), launch_key=key)


@many
@given(OFFERS, KEYS, st.randoms(use_true_random=False))
def test_the_order_is_the_same_however_the_offers_come(offers: list[Offer], key: str, random: Any) -> None:
    shuffled = list(offers)
    random.shuffle(shuffled)
    one, other = ranked(offers, key), ranked(shuffled, key)
    # By what they say, not by what they equal: 1.0 and 1.00 are equal, and two offers all the same.
    assert list(map(repr, one.candidates)) == list(map(repr, other.candidates))
    assert one.effective_usd_hour == other.effective_usd_hour


@many
@given(OFFERS, OFFER, RATES, RATES, KEYS)
def test_of_two_offers_alike_the_one_taken_more_often_never_comes_first(
    others: list[Offer], offer: Offer, rate: float | None, other_rate: float | None, key: str
) -> None:
    one, two = sorted((rate or 0.0, other_rate or 0.0))
    if one == two:
        return
    # Places that nobody has lived in, so that the signal alone tells.
    steady = replace(offer, pool=a_pool(instance_type="new", zone="s"), interruptions_per_hour=one)
    flaky = replace(offer, pool=a_pool(instance_type="new", zone="f"), interruptions_per_hour=two)
    order = ranked([*others, flaky, steady], key).candidates
    assert order.index(steady) < order.index(flaky)


@many
@given(OFFERS, OFFER, st.floats(0, 5), st.floats(0, 5), KEYS)
def test_an_offer_never_gains_by_being_taken_more_often(
    others: list[Offer], offer: Offer, rate: float, more: float, key: str
) -> None:
    here = a_pool(provider=offer.pool.provider, zone="here", instance_type="new")

    def place(interruptions_per_hour: float) -> int:
        mine = replace(offer, pool=here, interruptions_per_hour=interruptions_per_hour)
        return ranked([*others, mine], key).candidates.index(mine)

    assert place(rate) <= place(rate + more)


@many
@given(OFFERS, KEYS, st.sampled_from(["0", "1.00", "1.02"]))
def test_no_candidate_is_above_the_cap_and_none_at_it_is_lost(offers: list[Offer], key: str, cap: str) -> None:
    spec = a_spec(limits=Limits(price_usd_hour=Decimal(cap)))
    found = ranked(offers, key, spec=spec)
    assert sorted(map(repr, found.candidates)) == sorted(repr(o) for o in offers if o.price_usd_hour <= Decimal(cap))


ASKED = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda n: (Try(int(NOW // 3600), *n),))
TRIES = st.dictionaries(st.sampled_from("abc").map(lambda zone: a_pool(zone=zone)), ASKED).map(Availability)


@many
@given(OFFERS, KEYS, TRIES)
def test_neither_jitter_nor_chances_put_anything_before_what_is_cheaper_by_more_than_the_band(
    offers: list[Offer], key: str, tries: Availability
) -> None:
    costs = ranked(offers, key, availability=tries).effective_usd_hour
    for n, before in enumerate(costs):
        assert all(before <= after * NEAR_EQUAL for after in costs[n + 1 :])


@many
@given(OFFERS, KEYS)
def test_at_one_price_the_effective_cost_decides_among_equally_sure_ones(offers: list[Offer], key: str) -> None:
    found = ranked(offers, key)
    last: dict[tuple[Decimal, bool], Decimal] = {}
    for offer, cost in zip(found.candidates, found.effective_usd_hour, strict=True):
        # Across bands everything is in order anyway; a sure offer may only overtake inside its band.
        kind = (offer.price_usd_hour, offer.available == "yes")
        assert cost >= last.get(kind, cost)
        last[kind] = cost


@many
@given(OFFERS, KEYS)
def test_every_offer_comes_out_exactly_once(offers: list[Offer], key: str) -> None:
    found = ranked(offers, key)
    assert sorted(map(repr, found.candidates)) == sorted(map(repr, offers))
    assert found.turned_down == ()


def test_the_draw_spreads_keys_over_prices_of_one_band_about_evenly() -> None:
    offers = [an_offer(price, a_pool(zone=price)) for price in ("1.00", "1.01", "1.02")]
    draws: Callable[[int], str] = lambda n: ranked(offers, f"key-{n}").candidates[0].pool.zone  # noqa: E731
    firsts = [draws(n) for n in range(300)]
    assert all(70 <= firsts.count(price) <= 130 for price in ("1.00", "1.01", "1.02"))
