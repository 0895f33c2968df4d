"""What spot machines cost now, zone by zone: DescribeSpotPriceHistory, one region a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.shared.deadline import Deadline

# [SDK] "(Amazon VPC)" is what the same machine was called beside EC2-Classic; stand-ins still answer it.
LINUX = ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")
PAGE = 1000  # the most that the API gives
MOST_VALUES = 200  # in one filter

# (region, zone, instance type) -> USD per hour
SpotPrices = dict[tuple[str, str, str], Decimal]


def ask_spot(access: Access, region: str, types: Sequence[str], *, now: float, deadline: Deadline) -> SpotPrices:
    """The spot price of ``types`` in each zone of ``region``, in USD per hour.

    From `now` on, the history begins with the last change before it, so one row tells the price. The types are
    a filter and not the parameter of that name: a region refuses a name there that it does not know.
    """
    prices: SpotPrices = {}
    for i in range(0, len(types), MOST_VALUES):
        rows = access.pages(
            "ec2",
            "describe_spot_price_history",
            "SpotPriceHistory",
            region=region,
            deadline=deadline,
            StartTime=datetime.fromtimestamp(now, UTC),
            ProductDescriptions=[LINUX[0]],
            Filters=[{"Name": "instance-type", "Values": list(types[i : i + MOST_VALUES])}],
            MaxResults=PAGE,
        )
        prices.update(newest(region, rows))
    return prices


def newest(region: str, rows: Iterable[Mapping[str, Any]]) -> SpotPrices:
    """The newest price of each type in each zone. Other systems' rows, and prices that are none, do not count."""
    found: dict[tuple[str, str, str], tuple[datetime, Decimal]] = {}
    for row in rows:
        zone, price = str(row.get("AvailabilityZone", "")), exact(row.get("SpotPrice"))
        at = row.get("Timestamp")
        if row.get("ProductDescription") not in LINUX or price is None or not isinstance(at, datetime):
            continue
        if not _ordinary(region, zone):
            continue
        key = (region, zone, str(row.get("InstanceType", "")))
        if key not in found or at >= found[key][0]:
            found[key] = (at, price)
    return {key: price for key, (_, price) in found.items()}


def exact(text: object) -> Decimal | None:
    """A price as AWS writes it, exactly; None for what is not a price, and for 0."""
    try:
        price = Decimal(str(text))
    except InvalidOperation:
        return None
    return price if price.is_finite() and price > 0 else None


def _ordinary(region: str, zone: str) -> bool:
    """Whether a zone is one of the region's own (us-west-2a), which everybody has. A Local Zone (us-west-2-lax-1a)
    has to be enabled first."""
    return zone.startswith(region) and len(zone) == len(region) + 1
