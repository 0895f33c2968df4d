"""Slow answers kept in the provider's folder: the price list for a day, capacity histories for an hour.

A file that cannot be read, or is damaged, is as good as none. Nothing in it names an account.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from spotlaunch_providers.gcp.advice import History
from spotlaunch_providers.gcp.skus import Prices
from spotlaunch_providers.shared.files import read_json, write_json

PRICES_S = 24 * 3600.0
# A list that was read in part goes on where it stopped, as long as the token of the next page is likely to hold.
PART_S = 1800.0
HISTORY_S = 3600.0  # as documented: list prices move once a day at most


@dataclass(kw_only=True)
class PriceList:
    """What was read of the price list, since when, and the token of the page after it (empty: all was read)."""

    at: float
    prices: Prices = field(default_factory=Prices)
    next: str = ""


class Cache:
    """The files of one pair of addresses in ``folder``."""

    def __init__(self, folder: Path, *, endpoint: str, billing_endpoint: str) -> None:
        self._folder = folder
        self._prices = f"prices-{_digest(billing_endpoint)}.json"
        self._histories = f"histories-{_digest(endpoint)}.json"

    def price_list(self, now: float) -> PriceList:
        """The price list as far as it is known; an empty one to begin with ``now``."""
        found = self._read(self._prices)
        try:
            known = PriceList(
                at=float(found["at"]),
                prices=Prices({str(k): Decimal(v) for k, v in found["rows"].items()}),
                next=str(found["next"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, InvalidOperation):
            return PriceList(at=0.0)
        lasts_s = PART_S if known.next else PRICES_S
        return known if 0 <= now - known.at < lasts_s else PriceList(at=0.0)

    def keep_prices(self, known: PriceList) -> None:
        """Write the price list down, also one that was read in part."""
        rows = {k: str(v) for k, v in known.prices.rows.items()}
        write_json(self._folder / self._prices, {"at": known.at, "next": known.next, "rows": rows})

    def histories(self, now: float) -> dict[str, History]:
        """Capacity histories that are fresh, by `Shape.pool`."""
        found: dict[str, History] = {}
        for key, value in self._read(self._histories).items():
            with contextlib.suppress(TypeError, ValueError, InvalidOperation):
                at, price, rate = value
                if 0 <= now - float(at) < HISTORY_S:
                    found[key] = History(
                        at=float(at),
                        price_usd_hour=None if price is None else Decimal(price),
                        interruptions_per_hour=None if rate is None else float(rate),
                    )
        return found

    def keep_histories(self, known: Mapping[str, History]) -> None:
        """Write down all histories that are worth keeping."""
        write_json(
            self._folder / self._histories,
            {
                key: [h.at, None if h.price_usd_hour is None else str(h.price_usd_hour), h.interruptions_per_hour]
                for key, h in known.items()
            },
        )

    def _read(self, name: str) -> dict[str, Any]:
        found = read_json(self._folder / name)
        return found if isinstance(found, dict) else {}


def _digest(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:12]
