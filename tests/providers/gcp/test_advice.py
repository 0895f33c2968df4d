from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch_providers.gcp import advice
from spotlaunch_providers.gcp.families import attached_for, gpu_name, series_for, sold


def day(n: int, rate: float | None) -> dict[str, Any]:
    return {"interval": {"startTime": f"2026-11-{n:02d}T08:00:00Z"}, "preemptionRate": rate}


def test_the_rate_is_of_the_last_seven_days_before_today_in_any_order() -> None:
    days = [day(n, 0.9 if n in (1, 20) else 0.2) for n in range(20, 0, -1)]
    rate = advice.interruptions_per_hour({"preemptionHistory": days})
    assert rate == pytest.approx(-math.log(0.8) / 24)


def test_without_a_history_there_is_no_rate() -> None:
    assert advice.interruptions_per_hour({}) is None
    assert advice.interruptions_per_hour({"preemptionHistory": [day(1, None)]}) is None
    only_today = advice.interruptions_per_hour({"preemptionHistory": [day(1, 0.5)]})
    assert only_today == pytest.approx(-math.log(0.5) / 24)


@given(st.lists(st.floats(-1, 2, allow_nan=False), min_size=1, max_size=31))
def test_a_rate_is_never_negative_nor_endless(rates: list[float]) -> None:
    rate = advice.interruptions_per_hour({"preemptionHistory": [day(n + 1, r) for n, r in enumerate(rates)]})
    assert rate is not None and 0 <= rate < 0.3


def test_the_price_is_of_the_last_interval() -> None:
    def interval(start: str, units: str, nanos: int) -> dict[str, Any]:
        return {"interval": {"startTime": start}, "listPrice": {"currencyCode": "USD", "units": units, "nanos": nanos}}

    told = [interval("2026-11-09T00:00:00Z", "1", 5 * 10**8), interval("2026-10-01T00:00:00Z", "9", 0)]
    assert advice.history({"priceHistory": told}, now=5.0) == advice.History(at=5.0, price_usd_hour=Decimal("1.5"))
    assert advice.history({"priceHistory": [interval("x", "0", 0)]}, now=5.0).price_usd_hour is None
    assert advice.history({}, now=5.0) == advice.History(at=5.0)


def test_a_score_is_between_nothing_and_certain() -> None:
    for said, score in ((0.4, 0.4), (0, 0.0), (7, 1.0), (None, None), ("x", None)):
        assert advice.obtainability({"recommendations": [{"scores": {"obtainability": said}}]}) == score
    assert advice.obtainability({}) is None


# -- families ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "series"),
    [
        (("H100",), ("a3",)),
        (("A100-40GB",), ("a2",)),
        (("H100", "B200"), ("a3", "a4")),
        (("RTXPRO6000-1of8",), ("g4",)),
        (("T4",), ()),
        (("T4", "L4"), ("g2",)),
        ((), ("[ag][0-9]+[a-z]?",)),
        (("B300",), ("[ag][0-9]+[a-z]?",)),  # perhaps Google sells it by now
    ],
)
def test_a_question_about_a_gpu_asks_for_its_series_alone(names: tuple[str, ...], series: tuple[str, ...]) -> None:
    assert series_for([(name, 0) for name in names]) == series


def test_the_longest_prefix_says_how_a_machine_type_is_sold() -> None:
    whole, part = sold("a3-highgpu-8g"), sold("a3-highgpu-4g")
    assert whole is not None and part is not None and (whole.on_demand, part.on_demand) == (True, False)
    assert sold("a5-highgpu-8g") is None


def test_gpus_have_our_names() -> None:
    assert gpu_name("a3-megagpu-8g", "nvidia-h100-mega-80gb") == "H100-SXM"
    assert gpu_name("a2-highgpu-1g", "nvidia-tesla-a100") == "A100-40GB-SXM"
    assert gpu_name("g4-standard-12", "nvidia-rtx-pro-6000") == "RTXPRO6000-1of4"
    assert gpu_name("z9-1", "nvidia-z900") == "nvidia-z900"
    assert [a.accelerator for a in attached_for([("V100", 0)])] == ["nvidia-tesla-v100"]
