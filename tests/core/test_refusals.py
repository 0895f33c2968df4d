from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spotlaunch.core.book import Refusal
from spotlaunch.core.facts import Refused, Scope
from spotlaunch.core.refusals import FOR_EVER_S, refuse
from tests.core.worlds import CLOUD, NOW, a_pool

HERE = Scope.of(a_pool())


def no(error: str = "NoCapacity", *, known: tuple[Refusal, ...] = (), now: float = NOW, **changes: Any) -> Refusal:
    refused = replace(Refused(scope=HERE, error=error, reason="no", hint="do"), **changes)
    return refuse(known, refused, now=now, traits=CLOUD, job="digits", key="key")


def in_row(times: int, *, pause_s: float = 0.0) -> list[Refusal]:
    """As many noes in a row, each ``pause_s`` after the rest of the one before."""
    found = [no()]
    while len(found) < times:
        found.append(no(known=(found[-1],), now=found[-1].until + pause_s))
    return found


def rest_s(refusal: Refusal) -> float:
    return refusal.until - refusal.since


def test_a_dry_pool_rests_for_about_the_providers_usual_time() -> None:
    refusal = no()
    assert CLOUD.rest_s / 2 <= rest_s(refusal) <= CLOUD.rest_s
    assert (refusal.scope, refusal.job, refusal.reason, refusal.hint, refusal.count) == (HERE, "", "no", "do", 1)


def test_rests_double_with_each_no_up_to_the_longest() -> None:
    found = in_row(9)
    assert [r.count for r in found] == list(range(1, 10))
    for r in found:
        most = min(CLOUD.max_rest_s, CLOUD.rest_s * 2 ** (r.count - 1))
        assert most / 2 <= rest_s(r) <= most


def test_a_very_long_row_of_noes_still_rests_no_longer_than_the_longest() -> None:
    known = replace(no(), count=10_000)
    assert rest_s(no(known=(known,), now=known.until)) <= CLOUD.max_rest_s


def test_a_pool_that_has_been_quiet_begins_anew() -> None:
    assert in_row(5)[-1].count == 5
    long_ago = in_row(5)[-1]
    assert no(known=(long_ago,), now=long_ago.until + CLOUD.max_rest_s).count == 3  # half of five, and one
    assert no(known=(long_ago,), now=long_ago.until + 10 * CLOUD.max_rest_s).count == 1


def test_only_the_very_same_scope_makes_a_rest_grow() -> None:
    other = replace(no(), scope=Scope(provider="cloud", zone="elsewhere"), count=7)
    assert no(known=(other,)).count == 1


@pytest.mark.parametrize("error", ["NotAuthorized", "OutOfFunds", "Throttled", "Transient"])
def test_what_says_nothing_of_a_pool_lets_the_whole_provider_rest(error: str) -> None:
    assert no(error).scope == Scope(provider="cloud")


@pytest.mark.parametrize("error", ["NoCapacity", "QuotaExceeded", "PriceTooLow", "Preempted", "Lost", "InvalidOrder"])
def test_what_is_said_of_a_scope_stays_with_that_scope(error: str) -> None:
    wide = Scope(provider="cloud", region="us-1")
    assert no(error, scope=wide).scope == wide


def test_rests_are_as_long_as_their_cause_lasts() -> None:
    rests = {e: rest_s(no(e)) for e in ("Transient", "Throttled", "NoCapacity", "NotAuthorized", "QuotaExceeded")}
    assert list(rests.values()) == sorted(rests.values())
    assert rests["QuotaExceeded"] == 6 * 3600
    assert rests["NotAuthorized"] == 3600


@pytest.mark.parametrize("error", ["Throttled", "NoCapacity", "QuotaExceeded"])
def test_a_provider_that_says_when_to_come_back_is_believed(error: str) -> None:
    assert rest_s(no(error, retry_after_s=7.0)) == 7.0


def test_an_invalid_order_is_one_jobs_own_and_for_ever() -> None:
    refusal = no("InvalidOrder", retry_after_s=7.0)
    assert (refusal.job, rest_s(refusal)) == ("digits", FOR_EVER_S)


def test_pools_refused_together_do_not_wake_together() -> None:
    scopes = [Scope.of(a_pool(zone=f"z{n}")) for n in range(20)]
    assert len({no(scope=s).until for s in scopes}) == 20
