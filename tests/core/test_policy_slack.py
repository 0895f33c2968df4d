"""Ours: what slack buys."""

from __future__ import annotations

from spotlaunch.core.hazard import expected_lease_s
from spotlaunch.core.policy_slack import slack
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Memory, Situation
from tests.core.policyworlds import HOUR, pool, situation

DOWN = pool(up=False)


def chosen(s: Situation, memory: Memory = ()) -> Action:
    return slack(s, memory)[0]


def with_slack(hours: float, *pools: object, **more: object) -> Situation:
    """24 hours of work left."""
    times = {"left_s": (24 + hours) * HOUR, "work_left_s": 24 * HOUR}
    return situation(**{"pools": pools, **times, **more})  # type: ignore[arg-type]


def test_spot_is_taken_as_soon_as_there_is_room_for_a_start_there_and_one_back() -> None:
    assert chosen(with_slack(1200 / 3600, pool())) == 0
    assert chosen(with_slack(1199 / 3600, pool())) == ON_DEMAND
    # Also where one looks more often, and the guard would see later that it leads nowhere.
    assert chosen(with_slack(1199 / 3600, pool(), tick_s=60.0)) == ON_DEMAND


def test_waiting_is_for_those_with_much_slack() -> None:
    waits = [chosen(with_slack(h, DOWN)) for h in (0.5, 1, 2, 4, 8, 16)]
    assert waits == [ON_DEMAND] * 3 + [IDLE] * 3


def test_how_much_slack_waiting_takes_beside_the_start_that_comes_in_any_case() -> None:
    least_s = 0.185 * (1 / 6) ** (1 / 4) * 30 * HOUR
    enough, short = (situation([DOWN], left_s=30 * HOUR, work_left_s=30 * HOUR - 600 - least_s + s) for s in (-1, 1))
    assert chosen(enough) == IDLE
    assert chosen(short) == ON_DEMAND
    # After an hour without any: times the cube root of two.
    assert chosen(enough, (31 * HOUR,)) == ON_DEMAND
    more = enough._replace(work_left_s=30 * HOUR - 600 - 1.26 * least_s)
    assert chosen(more, (31 * HOUR,)) == IDLE


def test_the_longer_all_is_down_the_sooner_it_pays() -> None:
    dry = with_slack(6, DOWN)
    since, memory = slack(dry, ())
    assert (since, memory) == (IDLE, (30 * HOUR,))
    # As if looked at hours later, with the same share of slack.
    assert slack(dry, (30 * HOUR + 2 * HOUR,)) == (IDLE, (32 * HOUR,))
    assert slack(dry, (30 * HOUR + 9 * HOUR,)) == (ON_DEMAND, (39 * HOUR,))


def test_a_pool_that_comes_back_makes_it_forget_how_long_all_was_down() -> None:
    assert slack(with_slack(6, pool()), (36 * HOUR,)) == (0, ())
    assert slack(with_slack(6, pool(), running=0), (36 * HOUR,)) == (0, ())


def test_a_long_start_is_worth_waiting_longer_to_save_but_needs_more_slack() -> None:
    quick, slow = (with_slack(3, DOWN, start_s=s) for s in (72.0, 1800.0))
    assert chosen(quick) == IDLE
    assert chosen(slow) == ON_DEMAND


def test_on_demand_is_left_for_spot_that_has_stayed_up_the_longer_the_less_slack_there_is() -> None:
    def first_hop(slack_hours: float) -> float:
        for age in (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0):
            if chosen(with_slack(slack_hours, pool(up_for_s=age * HOUR), running=ON_DEMAND)) == 0:
                return age
        return 99.0

    hops = [first_hop(h) for h in (12, 3, 1.5, 1, 0.3)]
    assert hops == sorted(hops)
    assert hops[0] == 0
    assert hops[-1] == 99
    assert len(set(hops)) >= 4


def test_a_changeover_is_paid_by_the_slack_that_goes_with_the_lease() -> None:
    spot = pool(up_for_s=2 * HOUR)
    paying = situation([spot], running=ON_DEMAND, left_s=30 * HOUR)
    # Four tenths of two starts of ten minutes.
    share = 0.4 * 1200 / (expected_lease_s(spot) - 600)
    enough, short = ((1 - share * part) * 30 * HOUR for part in (1.001, 0.999))
    assert chosen(paying._replace(work_left_s=enough)) == 0
    assert chosen(paying._replace(work_left_s=short)) == ON_DEMAND


def test_a_pool_that_was_lost_often_is_hopped_to_later() -> None:
    steady = pool(up_for_s=HOUR, interruptions=1.0, expected=8.0)
    flaky = pool(up_for_s=HOUR, interruptions=20.0, expected=8.0)
    assert chosen(with_slack(2, steady, running=ON_DEMAND)) == 0
    assert chosen(with_slack(2, flaky, running=ON_DEMAND)) == ON_DEMAND


def test_on_demand_is_not_left_for_nothing_nor_for_the_last_hour() -> None:
    assert chosen(with_slack(12, DOWN, running=ON_DEMAND)) == ON_DEMAND
    short = with_slack(12, pool(), running=ON_DEMAND, work_left_s=900.0, left_s=12 * HOUR)
    assert chosen(short) == ON_DEMAND


def test_spot_that_runs_is_kept_down_to_the_last_second_of_slack() -> None:
    assert chosen(with_slack(600 / 3600, pool(), running=0)) == 0


def test_a_dear_pool_is_taken_when_slack_runs_short() -> None:
    dear, cheap = pool(usd=2.5), pool(up=False, usd=1.0)
    assert [chosen(with_slack(h, dear, cheap)) for h in (2, 12)] == [0, IDLE]
    # A little dearer is never worth the waiting.
    assert chosen(with_slack(40, pool(usd=1.2), cheap)) == 0


def test_one_dearer_than_on_demand_never_is() -> None:
    assert chosen(with_slack(2, pool(usd=3.5), pool(up=False, usd=1.0))) == ON_DEMAND


def test_live_pools_are_changed_only_where_the_saving_repays_both_moves() -> None:
    assert chosen(with_slack(8, pool(usd=2.0), pool(usd=1.0), running=0)) == 1
    assert chosen(with_slack(8, pool(usd=1.2), pool(usd=1.0), running=0)) == 0
    assert chosen(with_slack(8, pool(usd=2.0), pool(usd=1.0, move_usd=5.0), running=0)) == 0
    # And where slack allows for losing it again.
    assert chosen(with_slack(0.4, pool(usd=2.0), pool(usd=1.0), running=0)) == 0


def test_how_often_one_looks_makes_no_difference_to_what_is_done() -> None:
    for s in (with_slack(6, DOWN), with_slack(2, pool(up_for_s=HOUR), running=ON_DEMAND), with_slack(1, pool())):
        assert {chosen(s._replace(tick_s=t)) for t in (1.0, 60.0, 600.0)} == {chosen(s)}
