from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spotlaunch.core.facts import Order, Want
from spotlaunch_providers.local.adapter import LocalProvider
from tests.fakes.local_machines import SLEEPER, end_everything

POOL = "{name: a, type: small, price_usd_hour: 0.9, on_demand_usd_hour: 3.06%s}"
Connect = Callable[..., LocalProvider]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A cloud's folder. After the test no process of it is left, and none had to be looked for."""
    path = tmp_path / "cloud"
    path.mkdir()
    yield path
    end_everything(path)


@pytest.fixture
def connect(folder: Path) -> Connect:
    """Connect to the cloud, with a market of one pool (``pool``: more of its keys) or a whole one (``market``)."""

    def connect(
        pool: str = "", *, market: str = "", agent: tuple[str, ...] = SLEEPER, owner: str = "me"
    ) -> LocalProvider:
        text = market or f"seed: 1\npools:\n  - {POOL % (', ' + pool if pool else '')}\n"
        (folder / "market.yaml").write_text(text)
        return LocalProvider(owner=owner, folder=folder, agent_command=agent)

    return connect


@pytest.fixture
def order() -> Callable[..., Order]:
    """An order for any of the offers of a provider, in their order."""

    def order(provider: LocalProvider, key: str = "sl-me-job-1-0", **changes: object) -> Order:
        alternatives = tuple(provider.offers(Want()))
        return Order(launch_key=key, job="job", attempt=1, alternatives=alternatives, **changes)  # type: ignore[arg-type]

    return order
