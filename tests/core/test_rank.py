from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.availability import Availability, Try
from spotlaunch.core.boottimes import BootTimes
from spotlaunch.core.effective import Work
from spotlaunch.core.facts import Offer, Scope
from spotlaunch.core.rank import Ranking, Terms, TurnedDown, rank
from spotlaunch.core.rates import Lived, Rates
from spotlaunch.core.seasons import WEEK_H, Season, Week, hour_of_week
from spotlaunch.core.spec import Limits, Resources, Where
from tests.core.worlds import CLOUD, NOW, PAID, a_pool, a_refusal, a_spec, an_offer

REHEARSAL = replace(CLOUD, rehearsal=True, shares_disk=True)


def terms(**changes: Any) -> Terms:
    usual = Terms(
        spec=a_spec(),
        job="digits",
        now=NOW,
        markets=("spot", "on-demand"),
        market_why="",
        refusals=(),
        traits={"cloud": CLOUD},
        file_store=False,
        max_age_s=300.0,
    )
    return replace(usual, **changes)


def ranked(*offers: Offer, key: str = "sl-abc123-digits-1-0", **changes: Any) -> Ranking:
    return rank(offers, terms(**changes), launch_key=key)


def no_to(offer: Offer, **changes: Any) -> TurnedDown:
    """Why this one offer is turned down."""
    found = ranked(offer, **changes)
    assert found.candidates == ()
    return found.turned_down[0]


def wish(**changes: Any) -> dict[str, Any]:
    return {"spec": a_spec(**changes)}


@pytest.mark.parametrize(
    ("offer", "given_", "filter_", "words"),
    [
        (an_offer(), wish(where=Where(providers=("aws",))), "provider", "where.providers leaves it out"),
        (an_offer(), wish(where=Where(regions=("eu-*",))), "region", "us-1 is not in where.regions"),
        (an_offer(), wish(where=Where(exclude=("cloud:us-*",))), "exclude", "where.exclude has cloud:us-*"),
        (an_offer(), wish(where=Where(exclude=("cloud",))), "exclude", "where.exclude has cloud"),
        (an_offer(), {"file_store": True}, "store", "cannot see the checkpoint store"),
        (an_offer(), wish(resources=Resources(gpus=(("H100", 8),))), "gpu", "has V100:1, wanted H100:8"),
        (an_offer(), wish(resources=Resources(gpus=(("V100", 2),))), "gpu", "has V100:1, wanted V100:2"),
        (an_offer(gpu="", gpu_count=0), wish(resources=Resources(gpus=(("V100", 1),))), "gpu", "has no GPU"),
        (an_offer(), wish(resources=Resources(cpus=16)), "cpus", "has 8 CPUs, wanted 16"),
        (an_offer(), wish(resources=Resources(memory_gb=65)), "memory", "has 64 GB of memory, wanted 65"),
        (an_offer(disk_gb=50), wish(resources=Resources(disk_gb=60)), "disk", "has 50 GB of disk, wanted 60"),
        (an_offer(), wish(market="on-demand"), "wish", "market: on-demand in the job file"),
        (an_offer("1.01"), wish(limits=Limits(price_usd_hour=Decimal("1"))), "price", "$1.01/h is above"),
        (an_offer(pool=PAID), {"markets": ("spot",), "market_why": "patience"}, "market", "patience"),
        (an_offer(available="no", why="sold out"), {}, "availability", "sold out"),
        (an_offer(available="no"), {}, "availability", "not available now"),
        (an_offer(seen_at=NOW - 301), {}, "age", "seen 301 s ago"),
        (an_offer(), {"refusals": (a_refusal(),)}, "refusal", "rests for 120 s: dry"),
    ],
)
def test_each_filter_says_its_name_and_a_reason_for_people(
    offer: Offer, given_: dict[str, Any], filter_: str, words: str
) -> None:
    said = no_to(offer, **given_)
    assert (said.filter, said.offer) == (filter_, offer)
    assert words in said.reason


@pytest.mark.parametrize(
    "given_",
    [
        wish(where=Where(providers=("cloud", "aws"))),
        wish(where=Where(regions=("us-1",))),
        wish(where=Where(regions=("us-1a",))),  # a zone is as good as its region
        wish(where=Where(exclude=("aws", "cloud:eu-*", "other:us-*"))),
        wish(resources=Resources(gpus=(("H100", 8), ("V100", 1)), cpus=8, memory_gb=64, disk_gb=1000)),
        wish(market="spot"),
        wish(limits=Limits(price_usd_hour=Decimal("1.00"))),
        {"refusals": (a_refusal(until=NOW),)},
        {"refusals": (a_refusal(job="another"),)},
        {"refusals": (a_refusal(Scope(provider="cloud", region="us-2")),)},
        {"file_store": True, "traits": {"cloud": replace(CLOUD, shares_disk=True)}},
    ],
)
def test_an_offer_at_the_very_edge_of_each_filter_is_taken(given_: dict[str, Any]) -> None:
    offer = an_offer(seen_at=NOW - 300)
    assert ranked(offer, **given_).candidates == (offer,)


@pytest.mark.parametrize(
    "scope",
    [
        Scope(provider="cloud"),
        Scope(provider="cloud", region="us-1"),
        Scope(provider="cloud", zone="us-1a"),
        Scope(provider="cloud", instance_type="big"),
        Scope(provider="cloud", market="spot"),
    ],
)
def test_a_refusal_covers_all_that_its_scope_does(scope: Scope) -> None:
    assert no_to(an_offer(), refusals=(a_refusal(scope),)).filter == "refusal"


def test_a_rehearsal_stands_aside_where_a_real_cloud_is_set_up() -> None:
    said = no_to(an_offer(pool=a_pool(provider="local")), traits={"cloud": CLOUD, "local": REHEARSAL})
    assert (said.filter, said.reason) == ("provider", "a rehearsal, used only when where.providers names it")


def test_a_rehearsal_is_used_when_it_is_named_or_alone() -> None:
    offer = an_offer(pool=a_pool(provider="local"))
    named = wish(where=Where(providers=("local",)))
    assert ranked(offer, traits={"cloud": CLOUD, "local": REHEARSAL}, **named).candidates == (offer,)
    assert ranked(offer, traits={"local": REHEARSAL}).candidates == (offer,)


def test_a_rehearsal_stands_aside_only_for_clouds_that_can_launch() -> None:
    offer = an_offer(pool=a_pool(provider="local"))
    window = replace(CLOUD, prices_only="no credentials")
    assert ranked(offer, traits={"cloud": window, "local": REHEARSAL}).candidates == (offer,)


def test_where_nothing_can_be_launched_the_account_says_no_for_good() -> None:
    window = {"cloud": replace(CLOUD, prices_only="no credentials were found")}
    said = no_to(an_offer(), traits=window)
    assert (said.filter, said.reason) == ("account", "no credentials were found")
    assert not ranked(an_offer(), traits=window).possible("spot")


def test_a_cap_is_held_against_the_price_paid_not_against_what_it_amounts_to() -> None:
    cap = Limits(price_usd_hour=Decimal("1.50"))
    flaky = an_offer("1.50", interruptions_per_hour=2.0)
    found = ranked(flaky, **wish(limits=cap))
    assert found.candidates == (flaky,)
    assert found.effective_usd_hour[0] > Decimal("2")
    assert no_to(an_offer("1.51", interruptions_per_hour=0.0), **wish(limits=cap)).filter == "price"


def test_a_cap_does_not_look_at_what_the_same_machine_costs_in_another_market() -> None:
    cap = wish(limits=Limits(price_usd_hour=Decimal("2.00")))
    assert ranked(an_offer("1.00", on_demand_usd_hour=Decimal("9")), **cap).candidates
    assert no_to(an_offer("3.00", PAID), **cap).filter == "price"


def test_a_steady_machine_comes_before_a_cheaper_one_that_is_taken_all_the_time() -> None:
    flaky = an_offer("0.90", a_pool(zone="flaky"), interruptions_per_hour=0.7)
    steady = an_offer("1.00", a_pool(zone="steady"), interruptions_per_hour=0.1)
    traits = {"cloud": replace(CLOUD, start_s=720.0)}
    found = ranked(flaky, steady, traits=traits, work=Work(checkpoint_gb=100.0))
    assert found.candidates == (steady, flaky)
    assert [f"{usd:.2f}" for usd in found.effective_usd_hour] == ["1.08", "1.21"]


def test_what_was_lived_changes_the_order() -> None:
    burnt, fresh = an_offer("1.00", a_pool(zone="b")), an_offer("1.04", a_pool(zone="f", region="us-2"))
    assert ranked(burnt, fresh).candidates == (burnt, fresh)
    rates = Rates({burnt.pool: Lived(interruptions=12, hours=10.0)})
    assert ranked(burnt, fresh, rates=rates).candidates == (fresh, burnt)


def test_the_cheapest_comes_first_whatever_the_launch_key() -> None:
    offers = [an_offer(price, a_pool(zone=price)) for price in ("3.00", "1.00", "2.00", "1.50")]
    for n in range(20):
        prices = [str(o.price_usd_hour) for o in ranked(*offers, key=f"key-{n}").candidates]
        assert prices == ["1.00", "1.50", "2.00", "3.00"]


def test_near_equals_change_places_with_the_launch_key_and_only_with_it() -> None:
    offers = [an_offer("1.00", a_pool(zone=f"z{n}")) for n in range(4)] + [an_offer("1.02", a_pool(zone="z9"))]
    firsts = {ranked(*offers, key=f"key-{n}").candidates[0].pool.zone for n in range(60)}
    assert firsts == {"z0", "z1", "z2", "z3", "z9"}
    assert ranked(*offers, key="k").candidates == ranked(*reversed(offers), key="k").candidates


def test_a_price_has_its_place_however_it_is_written() -> None:
    short, long, other = (an_offer(price, a_pool(zone=price)) for price in ("1.0", "1.00", "1.01"))
    for n in range(40):
        key = f"key-{n}"
        assert ranked(short, long, other, key=key).candidates == ranked(long, short, other, key=key).candidates


def test_among_near_equals_what_surely_is_there_comes_before_what_may_be() -> None:
    sure, maybe = an_offer("1.02", a_pool(zone="s")), an_offer("1.00", a_pool(zone="m"), available="unknown")
    assert all(ranked(maybe, sure, key=f"key-{n}").candidates == (sure, maybe) for n in range(20))


HOUR = int(NOW // 3600)


def test_among_near_equals_a_pool_that_keeps_refusing_comes_last_and_among_others_it_does_not() -> None:
    refusing, granting = an_offer("1.00", a_pool(zone="r")), an_offer("1.02", a_pool(zone="g", region="us-2"))
    dear = an_offer("1.10", a_pool(zone="d", region="us-3"))
    tries = Availability({refusing.pool: (Try(HOUR, 0, 5),), granting.pool: (Try(HOUR, 3, 0),)})
    for n in range(20):
        found = ranked(refusing, granting, dear, key=f"key-{n}", availability=tries).candidates
        assert found == (granting, refusing, dear)


def test_what_a_provider_thinks_likely_counts_as_available() -> None:
    likely = an_offer("1.02", a_pool(zone="l"), available="unknown", obtainability=0.95)
    unlikely = an_offer("1.00", a_pool(zone="u"), available="yes", obtainability=0.1)
    assert all(ranked(unlikely, likely, key=f"key-{n}").candidates == (likely, unlikely) for n in range(20))


def test_a_kind_that_was_seen_to_start_slowly_costs_more_than_its_provider_says() -> None:
    slow = an_offer("1.00", a_pool(instance_type="slow"), interruptions_per_hour=0.2)
    quick = an_offer("1.04", a_pool(instance_type="quick"), interruptions_per_hour=0.2)
    assert ranked(slow, quick).candidates == (slow, quick)
    boots = BootTimes({("cloud", "slow"): (3600.0,) * 30, ("cloud", "quick"): (120.0,) * 30})
    assert ranked(slow, quick, boots=boots).candidates == (quick, slow)


def test_a_region_that_takes_machines_at_this_hour_is_left_for_one_that_does_not() -> None:
    stormy = an_offer("1.00", a_pool(zone="s"), interruptions_per_hour=0.6)
    calm = an_offer("1.05", a_pool(zone="c", region="us-2"), interruptions_per_hour=0.6)
    now = hour_of_week(NOW)
    taken = [60.0 if (hour - now) % 24 < 6 else 0.0 for hour in range(WEEK_H)]
    up, always = [100.0] * WEEK_H, [15.0] * WEEK_H
    weeks = {"us-1": Week(hours=up, interruptions=taken), "us-2": Week(hours=up, interruptions=always)}
    rates = Rates(season=Season({("cloud", region, "spot"): week for region, week in weeks.items()}))
    assert ranked(stormy, calm, rates=rates).candidates == (calm, stormy)
    later = {"now": NOW + 12 * 3600, "max_age_s": 1e6}
    assert ranked(stormy, calm, rates=rates, **later).candidates == (stormy, calm)


def test_a_market_stays_possible_while_its_offers_are_only_turned_down_for_now() -> None:
    assert ranked(an_offer(available="no")).possible("spot")
    assert not ranked(an_offer()).possible("on-demand")
    too_small = wish(resources=Resources(cpus=64))
    assert not ranked(an_offer(available="no"), **too_small).possible("spot")


OFFERS = st.lists(
    st.builds(
        lambda cents, zone, market, available, age, cpus: an_offer(
            str(Decimal(cents) / 100),
            a_pool(zone=zone, market=market),
            available=available,
            seen_at=NOW - age,
            vcpus=cpus,
        ),
        st.integers(0, 400),
        st.sampled_from("abcdef"),
        st.sampled_from(["spot", "on-demand"]),
        st.sampled_from(["yes", "no", "unknown"]),
        st.sampled_from([0, 299, 301]),
        st.sampled_from([2, 8, 64]),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=150)
@given(OFFERS, st.text(max_size=5), st.sampled_from(["auto", "spot", "on-demand"]))
def test_every_offer_comes_out_exactly_once(offers: list[Offer], key: str, market: Any) -> None:
    found = ranked(
        *offers,
        key=key,
        refusals=(a_refusal(Scope(provider="cloud", zone="a")),),
        spec=a_spec(market=market, resources=Resources(cpus=4), limits=Limits(price_usd_hour=Decimal("3"))),
    )
    out = [*found.candidates, *(t.offer for t in found.turned_down)]
    assert sorted(map(repr, out)) == sorted(map(repr, offers))
    assert all(t.reason for t in found.turned_down)
    assert len(found.effective_usd_hour) == len(found.candidates)
