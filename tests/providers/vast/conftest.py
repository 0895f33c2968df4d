from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from spotlaunch.core.facts import Offer, Order, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.vast.adapter import VastProvider
from spotlaunch_providers.vast.asking import Asking
from spotlaunch_providers.vast.searches import Terms
from tests.fakes.clouds.vast import FakeVast
from tests.fakes.clouds.vast_data import asks

KEY = "vastMARKERKEY0123456789abcdef"
SECRET = "hush-vast-77ab1"
NOW = 1_790_000_000.0

Connect = Callable[..., VastProvider]
Row = dict[str, Any]


@pytest.fixture
def cloud() -> Iterator[FakeVast]:
    made = FakeVast()
    made.keys = {KEY}
    with made.serving():
        yield made


def settings(cloud: FakeVast, *, key: str = "", path: str = "", **values: str) -> Settings:
    return Settings(
        provider="vast",
        values={"endpoint": cloud.url + path, **values},
        secrets={"api_key": key} if key else {},
        origin={"api_key": "VAST_API_KEY", "endpoint": "a test"},
    )


@pytest.fixture
def connect(cloud: FakeVast) -> Connect:
    """Vast.ai with a good key; ``key=""`` without; ``ask_s`` for a whole question; ``margin`` of its paces."""

    def make(
        *,
        key: str = KEY,
        ask_s: float = 10.0,
        owner: str = "o",
        margin: float = 0.0,
        now: Callable[[], float] = lambda: NOW,
        **more: str,
    ) -> VastProvider:
        told = settings(cloud, key=key, **more)
        asking = Asking.of(told, margin=margin)
        asking._api._sleep = lambda _: None  # no test waits for the pause before a call is repeated
        return VastProvider(asking, Terms.of(told), owner=owner, now=now, ask_s=ask_s)

    return make


_TEMPLATE = next(a for a in asks() if a["gpu_name"] == "H100 SXM" and a["num_gpus"] == 1)


def ask(**fields: Any) -> Row:
    """One slice of one machine, as the fake keeps it: verified, reliable, cheap; ``fields`` say what is different."""
    row = dict(_TEMPLATE)
    plain: Row = {
        "id": 1,
        "machine_id": 1,
        "dph_base": 2.0,
        "min_bid": 1.0,
        "storage_cost": 0.18,
        "verification": "verified",
        "reliability2": 0.99,
        "disk_space": 500.0,
        "_hired": False,
        "_external": False,
    }
    row |= plain | fields
    return row | {"ask_contract_id": fields.get("ask_contract_id", row["id"])}


def sell(cloud: FakeVast, *prices: float, **fields: Any) -> None:
    """Hosts with one GPU each, at these prices on demand; bids begin at half of them."""
    cloud.asks = [
        ask(**{"id": n, "machine_id": n, "dph_base": usd, "min_bid": usd / 2, "gpu_frac": 1.0, **fields})
        for n, usd in enumerate(prices, 1)
    ]


def offered(provider: VastProvider, market: str = "spot") -> list[Offer]:
    """What is on offer in one market, cheapest first."""
    found = [o for o in provider.offers(Want()) if o.pool.market == market]
    return sorted(found, key=lambda o: o.price_usd_hour)


def order(alternatives: Sequence[Offer], key: str = "sl-o-job-1-0", **fields: Any) -> Order:
    """An order with a script of one word."""
    told: Row = {"job": "job", "attempt": 1, "script": "true", "secret_env": {"TOKEN": SECRET}, **fields}
    return Order(launch_key=key, alternatives=tuple(alternatives), **told)


def created(cloud: FakeVast) -> list[Row]:
    """The bodies of all creates so far."""
    return [c.json for c in cloud.calls if c.method == "PUT"]
