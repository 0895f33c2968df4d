"""AWS behind the provider port. Without credentials it tells prices, and launches nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from spotlaunch.core.facts import Launched, Offer, Order, SeenMachine, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.asking import live_offers, only, public_offers
from spotlaunch_providers.aws.ending import Ending
from spotlaunch_providers.aws.errors import LOGIN
from spotlaunch_providers.aws.feeds import Feeds
from spotlaunch_providers.aws.images import Images
from spotlaunch_providers.aws.keypairs import KeyPairs
from spotlaunch_providers.aws.launching import Launching, Tools
from spotlaunch_providers.aws.listing import Listing
from spotlaunch_providers.aws.memory import Memory
from spotlaunch_providers.aws.network import Network
from spotlaunch_providers.aws.offers import NAME
from spotlaunch_providers.aws.recipe import House
from spotlaunch_providers.aws.regions import Regions
from spotlaunch_providers.aws.terms import TRAITS
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

NO_CREDENTIALS = "no credentials: prices only"

LAUNCH_S = 60.0
LIST_S = 30.0
END_S = 45.0


class AwsProvider:
    """AWS, as ``owner`` sees it. ``folder`` keeps slow-moving public data, and in which regions machines were launched.

    ``settings`` are those of machines. ``now`` gives seconds since the epoch; a whole question about offers is answered
    within ``ask_s``, a launch within ``launch_s``. ``pause``: see `Feeds`.
    """

    name = NAME

    def __init__(
        self,
        *,
        owner: str,
        folder: Path,
        access: Access,
        settings: Settings | None = None,
        now: Callable[[], float] = time.time,
        ask_s: float = ASK_S,
        launch_s: float = LAUNCH_S,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self.owner = owner
        self.traits = replace(TRAITS, prices_only="" if access.at_hand() else NO_CREDENTIALS)
        self._access = access
        self._now = now
        self._ask_s, self._launch_s = ask_s, launch_s
        # A stand-in for AWS without stand-ins for its feeds must not make us ask the real ones.
        self._feeds = None if access.local and not access.feeds else Feeds(access.feeds, folder, pause=pause)
        self._tools = _tools(owner, folder, access, settings or Settings(provider=NAME))
        self._ending = Ending(access=access, regions=self._tools.regions, memory=self._tools.memory)

    def offers(self, want: Want) -> Sequence[Offer]:
        """Every match with its price now: spot by zone, on-demand by region; without credentials by public feeds.

        Regions that fail are missing, and so is a market that fails; nothing at all raises the first error.
        """
        deadline = Deadline(self._ask_s)
        # In a thread too: credentials may come from a program or a service that never answers.
        found = only(side_by_side([self._access.look], deadline=deadline, name=NAME))
        self.traits = replace(self.traits, prices_only="" if found else NO_CREDENTIALS)
        if found:
            return live_offers(self._access, self._feeds, want, now=self._now(), deadline=deadline)
        if self._feeds is None:
            raise NotAuthorized("no credentials", hint=f"{LOGIN}; for a server on this computer, auth: none")
        return public_offers(self._access, self._feeds, want, now=self._now(), deadline=deadline)

    def launch(self, order: Order) -> Launched:
        """Start one machine: see the port. Idempotent by the launch key within a zone, and within this process.

        Raises `NotAuthorized` without credentials.
        """
        deadline = self._begin(self._launch_s)
        return Launching(order, self._tools, deadline).run()

    def list_machines(self) -> Sequence[SeenMachine]:
        """Machines of this owner in all regions in use, with those that ended within the hour or so for which EC2
        tells why.

        Raises `NotAuthorized` without credentials, and the error of a region that does not answer.
        """
        return self._tools.listing.machines(deadline=self._begin(LIST_S))

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """Ask for the end of machines, and of disks that outlived theirs; the failures.

        Raises `NotAuthorized` without credentials.
        """
        return self._ending.end(instance_ids, deadline=self._begin(END_S)) if instance_ids else {}

    def _begin(self, seconds: float) -> Deadline:
        deadline = Deadline(seconds)
        if not only(side_by_side([self._access.look], deadline=deadline, name=NAME)):
            self.traits = replace(self.traits, prices_only=NO_CREDENTIALS)
            raise NotAuthorized(NO_CREDENTIALS, hint=LOGIN)
        return deadline


def _tools(owner: str, folder: Path, access: Access, settings: Settings) -> Tools:
    usual = House(owner=owner)
    memory, regions, key_pairs = Memory(), Regions(access, folder), KeyPairs(access, owner)
    return Tools(
        access=access,
        house=House(
            owner=owner,
            disk_type=settings.get("disk_type", usual.disk_type),
            instance_profile=settings.get("instance_profile"),
            ssh_user=settings.get("ssh_user", usual.ssh_user),
        ),
        regions=regions,
        network=Network(access, settings),
        images=Images(access, settings),
        key_pairs=key_pairs,
        listing=Listing(access=access, owner=owner, regions=regions, memory=memory, key_pairs=key_pairs),
        memory=memory,
    )
