from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.bands import Costed
from spotlaunch.core.chance import draw
from spotlaunch.core.effective import Work, effective_usd_hour
from spotlaunch.core.facts import Offer
from spotlaunch.core.rules import (
    BACKOFF_CAP,
    USUAL_REST_S,
    backoff_s,
    markets_now,
    remaining_s,
    repays_move,
    shortest_rest_s,
)
from spotlaunch.core.spec import Fallback, Where
from tests.core.worlds import CLOUD, NOW, PAID_OFFER, a_job, a_spec, an_offer


def costed(offer: Offer, rate_per_hour: float) -> Costed:
    """With a minute to write a checkpoint and five minutes to restart."""
    usd_hour = effective_usd_hour(offer, rate_per_hour=rate_per_hour, restart_s=300.0, work=Work(), disk_gb=0)
    return Costed(usd_hour, rate_per_hour, offer)


def moves(spot: str = "1.00", rate: float = 0.0, **changes: Any) -> bool:
    """From a machine at $3.00/h that is never lost."""
    usual: dict[str, Any] = {
        "spot": costed(an_offer(spot), rate),
        "running": costed(PAID_OFFER, 0.0),
        "remaining_s": 3600.0,
        "start_s": 300.0,
    }
    return repays_move(**{**usual, **changes})


def test_auto_is_spot_alone_until_patience_is_over_and_then_both() -> None:
    job = a_job(spec=a_spec(fallback=Fallback(patience_s=600)), waiting_since=NOW - 599)
    early = markets_now(job, now=NOW, spot_possible=True)
    assert (early.allowed, early.changes_at) == (("spot",), NOW + 1)
    assert "on-demand in 1 s" in early.why_not
    late = markets_now(job, now=NOW + 1, spot_possible=True)
    assert (late.allowed, late.changes_at) == (("spot", "on-demand"), None)


def test_a_job_that_has_not_begun_to_wait_has_all_its_patience() -> None:
    job = a_job(spec=a_spec(fallback=Fallback(patience_s=600)), waiting_since=None)
    assert markets_now(job, now=NOW, spot_possible=True).changes_at == NOW + 600


def test_no_patience_is_spent_where_no_spot_offer_could_ever_fit() -> None:
    assert markets_now(a_job(waiting_since=NOW), now=NOW, spot_possible=False).allowed == ("spot", "on-demand")


def test_a_market_that_was_asked_for_is_the_only_one_however_long_it_takes() -> None:
    for wish in ("spot", "on-demand"):
        job = a_job(spec=a_spec(market=wish), waiting_since=0.0)
        found = markets_now(job, now=NOW, spot_possible=False)
        assert (found.allowed, found.why_not) == ((wish,), f"market: {wish} in the job file")


@given(st.integers(0, 10_000), st.floats(0.1, 1000), st.text(max_size=8))
def test_backoff_stays_between_a_quarter_of_its_base_and_its_cap(rounds: int, base_s: float, key: str) -> None:
    assert base_s / 4 <= backoff_s(rounds, base_s, key) <= base_s * BACKOFF_CAP


def test_backoff_grows_on_average_and_spreads_with_its_key() -> None:
    means = [sum(backoff_s(rounds, 10.0, n) for n in range(200)) / 200 for rounds in range(4)]
    assert means == sorted(means)
    assert len({backoff_s(3, 10.0, n) for n in range(20)}) == 20
    assert backoff_s(3, 10.0, "a") == backoff_s(3, 10.0, "a")


def test_a_move_to_spot_pays_when_the_saving_outlasts_its_cost() -> None:
    assert moves(remaining_s=600.0 + 1)  # saves $2.00 an hour, costs 300 s of $4.00/h: $0.33
    assert not moves(remaining_s=600.0 - 1)
    assert not moves("3.00")
    assert not moves("3.50")


def test_a_pool_that_takes_machines_away_often_does_not_repay_a_move() -> None:
    assert moves(rate=0.5, remaining_s=None)
    assert not moves(rate=4.0, remaining_s=None)


def test_a_cheaper_price_that_buys_fewer_useful_hours_is_no_saving() -> None:
    assert moves("2.50", 0.1, remaining_s=None)
    flaky = costed(an_offer("2.50"), 1.5)
    assert flaky.usd_hour > 3
    assert not repays_move(spot=flaky, running=costed(PAID_OFFER, 0.0), start_s=0.0, remaining_s=None)


def test_a_pool_that_is_never_interrupted_is_counted_on_for_half_a_day_at_most() -> None:
    assert not moves("2.999", remaining_s=None, start_s=10.0)  # saves $0.012 in 12 h
    assert moves("2.999", remaining_s=12 * 3600.0, start_s=5.0)


def test_the_shortest_rest_of_all_providers_counts_and_there_is_one_without_any() -> None:
    quick = replace(CLOUD, rest_s=90.0)
    assert shortest_rest_s(a_spec(), {"quick": quick, "cloud": CLOUD}) == 90.0
    assert shortest_rest_s(a_spec(), {}) == USUAL_REST_S


def test_the_rest_of_a_rehearsal_is_no_pace_for_real_clouds() -> None:
    traits = {"toy": replace(CLOUD, rest_s=2.0, rehearsal=True), "cloud": replace(CLOUD, rest_s=90.0)}
    assert shortest_rest_s(a_spec(), traits) == 90.0
    assert shortest_rest_s(a_spec(where=Where(providers=("toy",))), traits) == 2.0


def test_what_remains_follows_the_pace_so_far() -> None:
    job = a_job(total_steps=100)
    assert remaining_s(job, step_now=40, step_then=20, seconds=100.0) == 300.0
    assert remaining_s(job, step_now=120, step_then=20, seconds=100.0) == 0.0


def test_what_remains_is_unknown_without_a_goal_or_without_a_pace() -> None:
    assert remaining_s(a_job(), step_now=40, step_then=20, seconds=100.0) is None
    job = a_job(total_steps=100)
    assert remaining_s(job, step_now=20, step_then=20, seconds=100.0) is None
    assert remaining_s(job, step_now=40, step_then=20, seconds=0.0) is None


@given(st.lists(st.text(max_size=4), max_size=4))
def test_chance_is_a_hash_in_the_unit_interval(parts: list[str]) -> None:
    assert 0.0 <= draw(*parts) < 1.0
    assert draw(*parts) == draw(*parts)


def test_chance_tells_its_parts_apart() -> None:
    assert draw("ab", "c") != draw("a", "bc")
