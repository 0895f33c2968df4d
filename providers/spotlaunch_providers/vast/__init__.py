"""Vast.ai: machines of many hosts, each with a price of its own; to hire outright, or by a bid.

This module stays light; connecting loads the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from spotlaunch.core.facts import Billing
from spotlaunch.core.settings import Setting

if TYPE_CHECKING:
    from spotlaunch.core.facts import Charge, Finding
    from spotlaunch.core.settings import Settings
    from spotlaunch_providers.vast.adapter import VastProvider

SETTINGS = {
    "endpoint": Setting(help="the API's address, with or without /api/v0 (default: https://console.vast.ai)"),
    "auth": Setting(help="`none`: send no key; for a server on this computer"),
    "api_key": Setting(help="the API key", env=("VAST_API_KEY",), secret=True),
    "verified": Setting(help="`any`: also machines that Vast.ai has not verified (default: `only` verified ones)"),
    "min_reliability": Setting(help="the least reliability of a machine, 0 to 1 (default: 0.95)"),
    "min_cuda": Setting(help="the CUDA that a host's driver must know at least (default: 12.4)"),
}


def connect(*, owner: str, folder: Path, settings: Settings) -> VastProvider:
    """Vast.ai as ``settings`` say, ready to be asked. Calls nothing.

    Prices need no key; machines do. Raises `UsageError` for a setting that cannot be used.
    """
    del folder  # for providers that keep something
    from spotlaunch_providers.vast.adapter import VastProvider
    from spotlaunch_providers.vast.asking import Asking
    from spotlaunch_providers.vast.searches import Terms

    return VastProvider(Asking.of(settings), Terms.of(settings), owner=owner)


# A row for each day and contract, rounded to a tenth of a cent [L]; the present day's grows until it is over [I].
BILLING = Billing(lag_s=3600.0, step_usd=Decimal("0.001"))


def charges(*, settings: Settings, instance_ids: Collection[str], since_at: float, until_at: float) -> Sequence[Charge]:
    """What contracts have cost so far. See `registry.charges`."""
    from spotlaunch_providers.vast.asking import Asking
    from spotlaunch_providers.vast.bill import charges as ask

    return ask(Asking.of(settings), instance_ids, since_at=since_at, until_at=until_at)


def examine(*, settings: Settings) -> Sequence[Finding]:
    """Where the key was found, which calls it may make, and what the account holds. See `registry.examine`."""
    from spotlaunch_providers.vast.asking import Asking
    from spotlaunch_providers.vast.examination import examine as look

    return look(Asking.of(settings))
