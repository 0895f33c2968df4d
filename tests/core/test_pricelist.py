from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.answers import serves
from spotlaunch.core.boottimes import BootTimes
from spotlaunch.core.effective import Work, effective_usd_hour
from spotlaunch.core.facts import Offer
from spotlaunch.core.pricelist import Row, Sort, Terms, Wish, cheapest, price_list
from spotlaunch.core.rates import Lived, Rates
from tests.storage.offers import an_offer

TERMS = Terms(start_s={"one": 300.0, "two": 900.0})


def usd(text: str) -> Decimal:
    return Decimal(text)


def listed(*offers: Offer, sort: Sort = "effective", terms: Terms = TERMS, **wish: Any) -> list[Offer]:
    return [row.offer for row in price_list(offers, Wish(**wish), terms, sort=sort)]


def the_row(offer: Offer, terms: Terms = TERMS) -> Row:
    (row,) = price_list([offer], Wish(), terms)
    return row


# -- which ------------------------------------------------------------------------------------------------

SPOT = an_offer()
ON_DEMAND = an_offer(market="on-demand", zone="", price_usd_hour=usd("55.04"))


@pytest.mark.parametrize(
    ("wish", "yes", "no"),
    [
        ({"gpus": (("H100", 0),)}, [SPOT, an_offer(gpu="H100-NVL", gpu_count=1)], [an_offer(gpu="L4")]),
        ({"gpus": (("h100", 8),)}, [SPOT], [an_offer(gpu_count=4)]),
        ({"gpus": (("H100", 4), ("L4", 0))}, [an_offer(gpu="L4", gpu_count=1)], [SPOT]),
        ({}, [SPOT], [an_offer(gpu="", gpu_count=0)]),  # every GPU, and only GPUs
        ({"providers": ("one",)}, [SPOT], [an_offer(provider="two")]),
        ({"regions": ("R*",)}, [SPOT, ON_DEMAND], [an_offer(region="eu", zone="eu-1")]),
        ({"regions": ("x", "*a")}, [SPOT], [an_offer(zone="r1b"), ON_DEMAND]),
        ({"market": "spot"}, [SPOT], [ON_DEMAND]),
        ({"market": "on-demand"}, [ON_DEMAND], [SPOT]),
        # The cap is held against what is paid, not against the on-demand price beside it.
        ({"max_price_usd_hour": usd("12.5")}, [SPOT], [ON_DEMAND, an_offer(price_usd_hour=usd("12.51"))]),
        ({"min_gpu_memory_gb": 80}, [SPOT], [an_offer(gpu_memory_gb=40.0), an_offer(gpu="X1", gpu_memory_gb=None)]),
        # A person means the size on the box, of which a card keeps some for itself.
        ({"min_gpu_memory_gb": 80}, [an_offer(gpu_memory_gb=79.6)], [an_offer(gpu="A40", gpu_memory_gb=45.0)]),
        ({"min_gpu_memory_gb": 24}, [an_offer(gpu="L4", gpu_memory_gb=22.5)], [an_offer(gpu="X1", gpu_memory_gb=22.5)]),
        (
            {"min_gpu_memory_gb": 24},
            [an_offer(gpu="L4", gpu_memory_gb=None)],
            [an_offer(gpu="L4-1of2", gpu_memory_gb=11.2)],
        ),
    ],
)
def test_a_wish_keeps_these_and_leaves_out_those(wish: dict[str, Any], yes: list[Offer], no: list[Offer]) -> None:
    assert {o.pool for o in listed(*no, *yes, **wish)} == {o.pool for o in yes}
    assert listed(*no, **wish) == []


# -- in which order -----------------------------------------------------------------------------------------

FLAKY = an_offer(zone="a", price_usd_hour=usd("10"), interruptions_per_hour=0.9, obtainability=0.2)
STEADY = an_offer(zone="b", price_usd_hour=usd("11"), interruptions_per_hour=0.01, obtainability=0.9)
GONE = an_offer(zone="c", price_usd_hour=usd("1"), interruptions_per_hour=0.0, available="no", why="sold out")


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("effective", [STEADY, FLAKY, GONE]),
        ("price", [FLAKY, STEADY, GONE]),
        ("availability", [STEADY, FLAKY, GONE]),
    ],
)
def test_an_order_is_what_it_is_called_and_what_cannot_be_had_comes_last(sort: Sort, order: list[Offer]) -> None:
    assert listed(GONE, FLAKY, STEADY, sort=sort) == order


def test_without_a_chance_yes_goes_before_unknown() -> None:
    yes, likely = an_offer(zone="a"), an_offer(zone="b", available="unknown", obtainability=0.8)
    unknown = an_offer(zone="c", available="unknown", price_usd_hour=usd("1"))
    unlikely = an_offer(zone="d", obtainability=0.1, price_usd_hour=usd("1"))
    assert listed(unlikely, unknown, likely, yes, sort="availability") == [yes, likely, unknown, unlikely]


def test_what_cannot_be_had_is_not_the_cheapest() -> None:
    rows = price_list([GONE, FLAKY, STEADY], Wish(), TERMS, sort="price")
    best = cheapest(rows)
    assert best is not None
    assert best.offer == STEADY
    assert cheapest(price_list([GONE], Wish(), TERMS)) is None


# -- what a row says ------------------------------------------------------------------------------------------


def test_a_row_says_what_each_gpu_costs_and_what_is_saved() -> None:
    row = the_row(an_offer(price_usd_hour=usd("12"), on_demand_usd_hour=usd("48")))
    assert row.price_usd_gpu_hour == usd("1.5")
    assert row.effective_usd_gpu_hour == row.effective_usd_hour / 8
    assert row.saving_percent == 75.0
    assert row.age_s(1060.0) == 60.0
    assert row.age_s(900.0) == 0.0, "the clock was set back"


@pytest.mark.parametrize(
    ("offer", "saving"),
    [
        (an_offer(on_demand_usd_hour=None), None),
        (an_offer(on_demand_usd_hour=usd("0")), None),
        (ON_DEMAND, None),
        (an_offer(on_demand_usd_hour=usd("10")), -25.0),
    ],
)
def test_a_saving_is_told_only_where_there_is_something_to_compare(offer: Offer, saving: float | None) -> None:
    assert the_row(offer).saving_percent == saving


def test_the_effective_cost_is_of_its_provider_and_of_what_we_lived_through() -> None:
    offer = an_offer(interruptions_per_hour=0.1, storage_usd_gb_month=usd("0.073"), egress_usd_gb=usd("0.09"))
    rates = Rates({offer.pool: Lived(interruptions=6, hours=12.0)})
    terms = replace(TERMS, rates=rates, work=Work(checkpoint_gb=50), disk_gb=100)
    row = the_row(offer, terms)
    assert row.interruptions_per_hour == rates.of(offer) > 0.1
    assert (row.restart_s, row.storage_usd_hour) == (300.0, usd("0.01"))
    told = {"rate_per_hour": row.interruptions_per_hour, "work": terms.work, "disk_gb": 100}
    assert row.effective_usd_hour == effective_usd_hour(offer, restart_s=300.0, **told)  # type: ignore[arg-type]
    slower = the_row(replace(offer, pool=replace(offer.pool, provider="two")), replace(terms, rates=Rates()))
    assert slower.restart_s == 900.0
    seen = the_row(offer, replace(terms, boots=BootTimes({("one", offer.pool.instance_type): (900.0,) * 3})))
    assert seen.restart_s == pytest.approx(520, abs=1)
    assert seen.effective_usd_hour > row.effective_usd_hour


# -- what must never come out ---------------------------------------------------------------------------------

offers_ = st.builds(
    an_offer,
    provider=st.sampled_from(["one", "two"]),
    zone=st.sampled_from(["a", "b", "c"]),
    market=st.sampled_from(["spot", "on-demand"]),
    instance_type=st.sampled_from(["t1", "t2", "t3"]),
    gpu=st.sampled_from(["H100-SXM", "H100-NVL", "L4", ""]),
    gpu_count=st.sampled_from([0, 1, 8]),
    gpu_memory_gb=st.none() | st.sampled_from([24.0, 80.0]),
    price_usd_hour=st.decimals(min_value=0, max_value=30, places=1),
    on_demand_usd_hour=st.none() | st.decimals(min_value=0, max_value=30, places=1),
    available=st.sampled_from(["yes", "no", "unknown"]),
    obtainability=st.none() | st.floats(0, 1),
    interruptions_per_hour=st.none() | st.floats(0, 5),
)
wishes = st.builds(
    Wish,
    gpus=st.sampled_from([(), (("H100", 0),), (("H100", 8), ("L4", 1))]),
    regions=st.sampled_from([(), ("a",), ("r*",), ("[ab]",)]),
    market=st.sampled_from([None, "spot", "on-demand"]),
    max_price_usd_hour=st.none() | st.decimals(min_value=0, max_value=30, places=1),
    min_gpu_memory_gb=st.sampled_from([0, 80]),
)
sorts: st.SearchStrategy[Sort] = st.sampled_from(["effective", "price", "availability"])
many = st.lists(offers_, max_size=12)


@given(many, wishes, sorts)
def test_nothing_above_the_cap_nothing_unasked_and_nothing_twice(given_: list[Offer], wish: Wish, sort: Sort) -> None:
    rows = price_list(given_, wish, TERMS, sort=sort)
    most = wish.max_price_usd_hour
    for row in rows:
        offer = row.offer
        assert most is None or offer.price_usd_hour <= most
        assert wish.market in (None, offer.pool.market)
        assert serves(wish.gpus, offer.gpu, offer.gpu_count)
        assert row.effective_usd_hour >= offer.price_usd_hour
    assert len({id(r.offer) for r in rows}) == len(rows)
    assert {id(r.offer) for r in rows} <= {id(o) for o in given_}


@given(many, sorts)
def test_with_no_wish_every_gpu_offer_is_there(given_: list[Offer], sort: Sort) -> None:
    rows = price_list(given_, Wish(), TERMS, sort=sort)
    assert sorted(map(id, (r.offer for r in rows))) == sorted(id(o) for o in given_ if o.gpu and o.gpu_count)


@given(st.lists(offers_, max_size=12, unique_by=lambda o: (o.pool, o.gpu)), sorts, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_who_answered_first(given_: list[Offer], sort: Sort, chance: Any) -> None:
    before = listed(*given_, sort=sort)
    chance.shuffle(given_)
    assert listed(*given_, sort=sort) == before


@given(many, sorts)
def test_what_cannot_be_had_never_stands_before_what_can(given_: list[Offer], sort: Sort) -> None:
    gone = [o.available == "no" for o in listed(*given_, sort=sort)]
    assert gone == sorted(gone)


@given(many)
def test_each_order_is_ascending_in_what_it_is_called(given_: list[Offer]) -> None:
    for sort, value in (
        ("effective", lambda r: r.effective_usd_hour),
        ("price", lambda r: r.offer.price_usd_hour),
    ):
        rows = [r for r in price_list(given_, Wish(), TERMS, sort=sort) if r.offer.available != "no"]  # type: ignore[arg-type]
        assert all(value(a) <= value(b) for a, b in pairwise(rows))


@given(offers_, st.floats(0, 5), st.floats(0, 5))
def test_at_the_same_price_more_interruptions_are_never_better(offer: Offer, one: float, other: float) -> None:
    same = {"gpu": "L4", "gpu_count": 1, "available": "yes"}
    better = replace(offer, interruptions_per_hour=min(one, other), **same)  # type: ignore[arg-type]
    worse = replace(offer, interruptions_per_hour=max(one, other), **same)  # type: ignore[arg-type]
    assert the_row(better).effective_usd_hour <= the_row(worse).effective_usd_hour


@pytest.mark.parametrize("sort", ["effective", "price", "availability"])
def test_equals_stand_in_the_order_of_their_pools(sort: Sort) -> None:
    equals = [an_offer(provider=p, zone=z, obtainability=0.5) for p in ("a", "b") for z in ("x", "y", "z")]
    assert listed(*reversed(equals), sort=sort, terms=Terms()) == equals
