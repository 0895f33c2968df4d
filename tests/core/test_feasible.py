"""Limits that cannot be met are found out with exact figures; what the loop itself would take is never refused."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.choosing import affordable
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Offer
from spotlaunch.core.feasible import CannotBeMet, impossible_limit
from spotlaunch.core.rank import Ranking, TurnedDown
from spotlaunch.core.spec import CheckpointSpec, Limits, Spec
from tests.core.worlds import CLOUD, a_new_job, a_pool, a_spec, a_world, an_offer

SLOW = replace(CLOUD, start_s=300.0)
TRAITS = {"cloud": SLOW, "quick": replace(CLOUD, start_s=5.0)}
CHEAP, DEAR = an_offer("1.00"), an_offer("2.00", a_pool(zone="us-1b"))


def spec(**limits: Any) -> Spec:
    return a_spec(limits=Limits(**limits), checkpoint=CheckpointSpec(grace_s=25.0))


def found(wish: Spec, *offers: Offer, turned_down: tuple[tuple[Offer, str], ...] = ()) -> CannotBeMet | None:
    no = tuple(TurnedDown(offer=o, filter=name, reason="no") for o, name in turned_down)
    return impossible_limit(wish, Ranking(candidates=offers, turned_down=no), TRAITS)


def test_a_job_without_limits_has_none_that_cannot_be_met() -> None:
    assert found(spec(), CHEAP) is None


def test_money_that_is_spent_before_the_start_is_over_is_refused_with_the_figures() -> None:
    # 300 s to start, 25 s of grace, 30 s to be asked: 355 s at $1/h are $0.0986.
    no = found(spec(cost_usd=Decimal("0.05")), DEAR, CHEAP)
    assert no is not None
    assert "limits.cost_usd ($0.05) would carry none of 2 offers" in no.message
    assert f"{CHEAP.pool} at $1.00/h needs $0.10 for 300 s to start and 55 s to save and leave" in no.message
    assert "raise limits.cost_usd to 0.10 or more" in no.hint
    assert found(spec(cost_usd=Decimal("0.10")), DEAR, CHEAP) is None


def test_an_offer_that_can_be_had_only_later_counts_too() -> None:
    poor = spec(cost_usd=Decimal("0.10"))
    assert found(poor, DEAR) is not None
    assert found(poor, DEAR, turned_down=((CHEAP, "refusal"),)) is None
    assert found(poor, DEAR, turned_down=((CHEAP, "region"),)) is not None, "that one never fits"


def test_a_runtime_that_is_over_before_useful_work_is_refused_with_the_figures() -> None:
    no = found(spec(runtime_s=324.0), CHEAP)
    assert no is not None
    assert "limits.runtime (324 s of machine time)" in no.message
    assert "needs 300 s to start and 25 s (checkpoint.grace) to save" in no.message
    assert "326s or more" in no.hint
    assert found(spec(runtime_s=326.0), CHEAP) is None


def test_a_short_runtime_is_enough_where_machines_start_at_once() -> None:
    quick = an_offer("1.00", a_pool(provider="quick"))
    assert found(spec(runtime_s=16.0), CHEAP, quick) is None, "leaving takes a quarter of it at most"


def test_a_cap_under_every_price_is_refused_with_the_lowest() -> None:
    no = found(spec(price_usd_hour=Decimal("0.50")), turned_down=((DEAR, "price"), (CHEAP, "price")))
    assert no is not None
    assert "limits.price_usd_hour ($0.50) is under every price: of 2 offers that would fit" in no.message
    assert f"{CHEAP.pool} at $1.00/h" in no.message
    assert "to 1.00 or more" in no.hint


def test_where_nothing_fits_for_other_reasons_no_limit_is_blamed() -> None:
    assert found(spec(price_usd_hour=Decimal("0.50")), turned_down=((CHEAP, "gpu"),)) is None
    assert found(spec(cost_usd=Decimal("0.01")), turned_down=((CHEAP, "gpu"),)) is None


@given(
    price=st.decimals(min_value="0.01", max_value="100", places=2),
    cost=st.decimals(min_value="0.01", max_value="20", places=2),
)
def test_a_cost_limit_is_refused_just_when_the_loop_would_not_start_either(price: Decimal, cost: Decimal) -> None:
    wish, offer = spec(cost_usd=cost), an_offer(str(price))
    job = a_new_job(spec=wish)
    would = affordable(Draft(a_world(job, traits={"cloud": SLOW})), job, offer)
    assert (found(wish, offer) is None) == would
    no = found(wish, offer)
    if no is not None:
        enough = Decimal(no.hint.split()[3])
        assert found(spec(cost_usd=enough), offer) is None, "what the hint says is enough"
