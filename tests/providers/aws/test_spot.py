from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from spotlaunch_providers.aws.spot import exact, newest

KEY = ("us-east-1", "us-east-1a", "g6.xlarge")


def row(price: str, hour: int = 1, **changes: Any) -> dict[str, Any]:
    told = {
        "InstanceType": "g6.xlarge",
        "AvailabilityZone": "us-east-1a",
        "ProductDescription": "Linux/UNIX",
        "SpotPrice": price,
        "Timestamp": datetime(2026, 11, 21, hour, tzinfo=UTC),
    }
    return told | changes


def test_the_newest_of_several_prices_counts_whatever_their_order() -> None:
    rows = [row("0.3", 2), row("0.5", 3), row("0.4", 1)]
    assert newest("us-east-1", rows) == newest("us-east-1", rows[::-1]) == {KEY: Decimal("0.5")}


def test_windows_is_not_linux_and_the_name_beside_ec2_classic_is() -> None:
    assert newest("us-east-1", [row("0.1", ProductDescription="Windows")]) == {}
    assert newest("us-east-1", [row("0.1", ProductDescription="SUSE Linux")]) == {}
    assert newest("us-east-1", [row("0.1", ProductDescription="Linux/UNIX (Amazon VPC)")]) == {KEY: Decimal("0.1")}


def test_what_is_no_price_is_no_offer() -> None:
    assert newest("us-east-1", [row(p) for p in ("", "0", "0.0", "-1", "NaN", "Infinity", "N/A*")]) == {}
    assert exact("0.123456") == Decimal("0.123456")


def test_a_local_zone_which_has_to_be_enabled_first_is_left_out() -> None:
    assert newest("us-west-2", [row("0.1", AvailabilityZone="us-west-2-lax-1a")]) == {}
