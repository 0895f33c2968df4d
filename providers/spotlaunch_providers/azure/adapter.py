"""The provider: what Azure sells, asked within a deadline. Launching is not part of this version yet."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from spotlaunch.core.facts import Offer, Traits, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import UsageError
from spotlaunch_providers.azure.account import Access, access
from spotlaunch_providers.azure.asking import Asking
from spotlaunch_providers.shared.deadline import ASK_S
from spotlaunch_providers.shared.pricesonly import PricesOnly

NOT_YET = "launching on azure is not part of this version yet"

_REGION = re.compile(r"[a-z][a-z0-9]{2,40}")


class AzureProvider(PricesOnly):
    """Azure as one account sees it, or as anybody does."""

    name = "azure"

    def __init__(
        self,
        *,
        owner: str,
        folder: Path,
        settings: Settings,
        ask_s: float = ASK_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Calls nobody. ``now`` is our clock, ``ask_s`` how long a whole question may take."""
        self._owner = owner
        regions = regions_of(settings)
        reach = access(settings)
        self._hint = reach.hint
        self._asking = Asking(reach, regions=regions, folder=folder, of=settings.fingerprint, ask_s=ask_s, now=now)
        self.traits = _traits(reach)

    def offers(self, want: Want) -> Sequence[Offer]:
        """Every GPU size with its price now, also those that this account may not have. See `Provider.offers`."""
        return self._asking.offers(want)


def regions_of(settings: Settings) -> tuple[str, ...]:
    """The regions that are set, as Azure spells them (``West US 3`` is ``westus3``). Raises `UsageError`."""
    names = []
    for word in settings.words("regions"):
        name = word.replace(" ", "").lower()
        if not _REGION.fullmatch(name):
            raise UsageError(
                f"azure: regions has {word[:40]!r} ({settings.origin.get('regions', '')})",
                hint="write names like eastus, westeurope",
            )
        names.append(name)
    return tuple(dict.fromkeys(names))


def _traits(reach: Access) -> Traits:
    why = NOT_YET if reach.account is not None else f"{reach.why_not}: prices only; {reach.hint}"
    return Traits(
        settle_s=60.0,  # Resource Manager lists a machine soon after its PUT is accepted
        idempotent_launch=True,  # a PUT by name
        notice_s=30.0,  # at least, and as best it can; fact sheet 3.6
        has_spot=True,
        bids=False,  # maxPrice is a cap: the price that is paid is the market's
        stopped_still_bills=True,
        shutdown_ends_billing=False,  # a system that shuts itself down stays allocated
        server_side_ttl=False,
        list_interval_s=30.0,
        rest_s=900.0,
        max_rest_s=4 * 3600.0,
        boot_timeout_s=1200.0,  # some spot machines sit in "Creating" for minutes
        start_s=300.0,
        prices_only=why,
    )
