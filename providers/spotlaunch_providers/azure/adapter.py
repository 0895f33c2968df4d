"""The provider: what Azure sells, and machines in it, each asked for within a deadline."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from spotlaunch.core.facts import Launched, Offer, Order, SeenMachine, Traits, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized, UsageError
from spotlaunch_providers.azure import ending
from spotlaunch_providers.azure.account import Access, Account, access
from spotlaunch_providers.azure.arm import Arm
from spotlaunch_providers.azure.asking import Asking
from spotlaunch_providers.azure.constants import DISK_TYPE, IMAGE, LAUNCH_S, LEAST_DISK_GB
from spotlaunch_providers.azure.images import checked
from spotlaunch_providers.azure.launching import Launching
from spotlaunch_providers.azure.listing import Listing
from spotlaunch_providers.azure.machine import Choices
from spotlaunch_providers.azure.memory import Memory
from spotlaunch_providers.azure.network import Networks
from spotlaunch_providers.shared.deadline import ASK_S

# Resource Manager lists a machine soon after its PUT is accepted.
SETTLE_S = 60.0

_REGION = re.compile(r"[a-z][a-z0-9]{2,40}")
_DISK = re.compile(r"[A-Za-z0-9]+_[A-Z]+")
_SUBNET = re.compile(r"/subscriptions/[\w-]+/resourceGroups/[\w.()-]+/providers/Microsoft\.Network/[\w./-]+", re.I)


class AzureProvider:
    """Azure as one account sees it, or as anybody does. Without an account all but `offers` raise `NotAuthorized`."""

    name = "azure"

    def __init__(
        self,
        *,
        owner: str,
        folder: Path,
        settings: Settings,
        ask_s: float = ASK_S,
        launch_s: float = LAUNCH_S,
        settle_s: float = SETTLE_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Calls nobody. ``now`` is our clock; ``ask_s`` and ``launch_s``: how long a question or a launch may take."""
        self._owner, self._now, self._launch_s = owner, now, launch_s
        regions, choices = regions_of(settings), choices_of(settings)
        reach = access(settings)
        self._reach, self._choices = reach, choices
        self._asking = Asking(
            reach,
            regions=regions,
            folder=folder,
            of=settings.fingerprint,
            grid_image=choices.grid_image,
            ask_s=ask_s,
            now=now,
        )
        self._networks = Networks(subnets_of(settings))
        self._memory = Memory()
        self.traits = _traits(reach, settle_s)

    def offers(self, want: Want) -> Sequence[Offer]:
        """Every GPU size with its price now, also those that this account may not have. See `Provider.offers`."""
        return self._asking.offers(want)

    def launch(self, order: Order) -> Launched:
        """One machine, in a resource group named by the launch key. See `Provider.launch`."""
        self._account()
        one = Launching(
            order,
            owner=self._owner,
            arm=self._arm,
            networks=self._networks,
            choices=self._choices,
            memory=self._memory,
            now=self._now,
            launch_s=self._launch_s,
        )
        return one.launch()

    def list_machines(self) -> Sequence[SeenMachine]:
        """All machines of this owner in the subscription, and groups that outlived theirs. See `Provider`."""
        listing = Listing(
            self._account(),
            self._reach.redact,
            owner=self._owner,
            memory=self._memory,
            now=self._now,
            settle_s=self.traits.settle_s,
        )
        return listing.machines()

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """Ask for the end of all, with all that was made for them. See `Provider.terminate`."""
        self._account()
        return ending.terminate(instance_ids, arm=self._arm, memory=self._memory)

    def _account(self) -> Account:
        if self._reach.account is None:
            raise NotAuthorized(self.traits.prices_only, hint=self._reach.hint)
        return self._reach.account

    def _arm(self) -> Arm:
        return Arm(self._account(), self._reach.redact)


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


def choices_of(settings: Settings) -> Choices:
    """What is set of machines. Raises `UsageError`."""
    disk_type = settings.get("disk_type", DISK_TYPE)
    if not _DISK.fullmatch(disk_type):
        raise UsageError(f"azure: disk_type is {disk_type[:40]!r}", hint="Premium_LRS, StandardSSD_LRS or Standard_LRS")
    return Choices(
        image=checked("image", settings.get("image", IMAGE)),
        grid_image=checked("grid_image", settings.get("grid_image")),
        disk_type=disk_type,
    )


def subnets_of(settings: Settings) -> Mapping[str, str]:
    """Region -> id of the subnet that is set for it. Raises `UsageError`."""
    found = {}
    for word in settings.words("subnets"):
        region, _, where = word.partition("=")
        if not _REGION.fullmatch(region) or not _SUBNET.fullmatch(where):
            raise UsageError(
                f"azure: subnets has {word[:60]!r}",
                hint="write eastus=/subscriptions/.../virtualNetworks/NAME/subnets/NAME",
            )
        found[region] = where
    return found


def _traits(reach: Access, settle_s: float) -> Traits:
    why = "" if reach.account is not None else f"{reach.why_not}: prices only; {reach.hint}"
    return Traits(
        settle_s=settle_s,
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
        notice_source="scheduled-events",
        end_command="shutdown -h now",  # the listing shows it as stopped then, and the watchdog deletes it
        prices_only=why,
        disk_gb=LEAST_DISK_GB,
        home_store="az",
    )
