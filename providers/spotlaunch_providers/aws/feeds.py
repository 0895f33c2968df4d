"""The public feeds, which anybody may read: spot prices by region, and the Spot Advisor. Without credentials."""

from __future__ import annotations

import email.utils
import hashlib
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from spotlaunch.errors import NotAuthorized, ProviderError, Transient
from spotlaunch_providers.aws.advisor import Band, Bands, bands
from spotlaunch_providers.aws.spot import SpotPrices, exact
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.files import read_json, write_json
from spotlaunch_providers.shared.http import Api, Reply

# [3P] Not documented by AWS: behind https://aws.amazon.com/ec2/spot/pricing/ and .../instance-advisor/. The older
# https://spot-price.s3.amazonaws.com/spot.js has stood still since May 2024.
PRICES = "https://website.spot.ec2.aws.a2z.com"
ADVISOR = "https://spot-bid-advisor.s3.amazonaws.com"
PRICES_FILE = "spot.json"
ADVISOR_FILE = "spot-advisor-data.json"

# [3P] The feed's own names for the oldest regions.
_REGIONS = {
    "us-east": "us-east-1",
    "us-west": "us-west-1",
    "eu-ireland": "eu-west-1",
    "apac-sin": "ap-southeast-1",
    "apac-syd": "ap-southeast-2",
    "apac-tokyo": "ap-northeast-1",
}

# [3P] The Advisor is published anew every few weeks, and has 5 MB.
ADVISOR_FRESH_S = 24 * 3600.0


class Feeds:
    """The feeds under ``base``, or where AWS has them. ``folder`` keeps the Advisor's table for a day.

    ``pause`` waits between tries, in place of the kit's own way.
    """

    def __init__(self, base: str, folder: Path, *, pause: Callable[[float], None] | None = None) -> None:
        self._base = base
        mark = hashlib.sha256((base or ADVISOR).encode()).hexdigest()[:8]
        self._kept = folder / f"advisor-{mark}.json"
        self._age_s = threading.local()
        api: Callable[..., Api] = partial(Api, sleep=pause) if pause else Api
        self._prices = api(base or PRICES, judge=self._judge)
        self._advisor = api(base or ADVISOR, judge=self._judge)

    def spot(self, *, deadline: Deadline) -> tuple[SpotPrices, float]:
        """Linux spot prices by region (the zone is empty), and how many seconds old the feed was.

        Raises `NotAuthorized` when it is refused or gone, and `Transient` when it cannot be read, or has another shape
        than it used to have.
        """
        feed = self._prices.get(PRICES_FILE, deadline=deadline)
        try:
            return spot_prices(feed), getattr(self._age_s, "value", 0.0)
        except (KeyError, TypeError, AttributeError) as e:
            raise Transient("the public price feed has another shape than it used to", hint="set credentials") from e

    def advice(self, *, now: float, deadline: Deadline) -> Bands:
        """The Advisor's bands; none where it cannot be read: it is a hint, and never worth an error."""
        kept = self._recall(now)
        if kept is not None:
            return kept
        try:
            found = bands(self._advisor.get(ADVISOR_FILE, deadline=deadline))
        except (ProviderError, ValueError):
            return {}
        self._keep(found, now)
        return found

    def _judge(self, reply: Reply) -> ProviderError | None:
        self._age_s.value = _age_s(reply)
        if 400 <= reply.status < 500 and reply.status != 429:
            # Not `Transient`, which is tried again: a file that is not there comes back no sooner for that.
            return NotAuthorized(f"the public feed answered with HTTP {reply.status}", hint="set credentials")
        return None

    def _recall(self, now: float) -> Bands | None:
        """What was kept less than a day ago. A file that cannot be read is none."""
        told: Any = read_json(self._kept)
        try:
            if not 0 <= now - told["at"] <= ADVISOR_FRESH_S:
                return None
            labels = {label: Band(label, rate) for label, rate in told["labels"].items()}
            return {(region, name): labels[label] for region, name, label in told["bands"]}
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def _keep(self, found: Bands, now: float) -> None:
        told = {
            "at": now,
            "labels": {band.label: band.interruptions_per_hour for band in found.values()},
            "bands": [[region, name, band.label] for (region, name), band in found.items()],
        }
        write_json(self._kept, told)


def spot_prices(feed: Mapping[str, Any]) -> SpotPrices:
    """Linux prices by (region, "", type) from the price feed. Places without a price (``N/A*``) are left out.

    Raises `KeyError`, `TypeError` or `AttributeError` when it has another shape.
    """
    found: dict[tuple[str, str, str], Decimal] = {}
    for told in feed["config"]["regions"]:
        region = _REGIONS.get(told["region"], told["region"])
        for kind in told["instanceTypes"]:
            for size in kind["sizes"]:
                columns = {column["name"]: column["prices"].get("USD") for column in size["valueColumns"]}
                price = exact(columns.get("linux"))
                if price is not None:
                    found[region, "", size["size"]] = price
    return found


def _age_s(reply: Reply) -> float:
    """How old a file is, by the clock of its own server; 0 where that is not said."""
    asked = email.utils.parsedate_tz(reply.headers.get("Date", ""))
    made = email.utils.parsedate_tz(reply.headers.get("Last-Modified", ""))
    if asked is None or made is None:
        return 0.0
    return max(0.0, email.utils.mktime_tz(asked) - email.utils.mktime_tz(made))
