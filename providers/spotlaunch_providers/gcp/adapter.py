"""The four methods of Google Cloud."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from spotlaunch.core.facts import Launched, Offer, Offers, Order, SeenMachine, Traits, Want
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.asking import Asking
from spotlaunch_providers.gcp.blueprint import DISK_GB
from spotlaunch_providers.gcp.cache import Cache
from spotlaunch_providers.gcp.ending import END_S, end
from spotlaunch_providers.gcp.launching import LAUNCH_S, Launching, LongNotice
from spotlaunch_providers.gcp.listing import Roll
from spotlaunch_providers.gcp.offers import NAME, offers
from spotlaunch_providers.shared.deadline import ASK_S, Deadline

TRAITS = Traits(
    settle_s=60.0,  # lists are strongly consistent once the operation has begun [MEM]
    idempotent_launch=True,  # requestId, the name in its zone, and the label in all zones
    notice_s=30.0,  # up to 30 s; 120 s where preemptionNoticeDuration is granted
    has_spot=True,
    bids=False,
    stopped_still_bills=True,  # a stopped machine's disks
    shutdown_ends_billing=True,  # of the machine: it becomes TERMINATED
    server_side_ttl=True,  # maxRunDuration
    list_interval_s=20.0,
    start_s=180.0,
    notice_source="gce",
    end_command="shutdown -h now",
    disk_gb=DISK_GB,
    home_store="gs",
)


class GcpProvider:
    """A `Provider`. ``now``, ``ask_s`` and ``launch_s`` are for tests."""

    name = NAME

    def __init__(
        self,
        *,
        owner: str,
        folder: Path,
        account: Account,
        now: Callable[[], float] = time.time,
        ask_s: float = ASK_S,
        launch_s: float = LAUNCH_S,
        traits: Traits = TRAITS,
    ) -> None:
        self.owner = owner
        self.traits = traits
        self._account = account
        self._cache = Cache(folder, endpoint=account.endpoint, billing_endpoint=account.billing_endpoint)
        self._now, self._ask_s, self._launch_s = now, ask_s, launch_s
        self._notice = LongNotice()
        self._roll = Roll(account=account, owner=owner, now=now, settle_s=traits.settle_s)

    def offers(self, want: Want) -> Sequence[Offer]:
        """Every machine with such GPUs, by zone and market; see `offers.offers`.

        `Offer.seen_at` is now: Google sells at list prices, and those that we kept for a while are still its prices.
        """
        deadline = Deadline(self._ask_s)
        asking = Asking(account=self._account, cache=self._cache, deadline=deadline, now=self._now)
        seen = asking.seen(want)
        return Offers(offers(seen, want.markets, now=self._now()), missing=seen.missing)

    def launch(self, order: Order) -> Launched:
        """One machine; see `launching`. `Launched.instance_id` is ``zone/name``."""
        launching = Launching(
            order=order,
            owner=self.owner,
            account=self._account,
            notice=self._notice,
            now=self._now,
            deadline=Deadline(self._launch_s),
        )
        launched = launching.run()
        seen = SeenMachine(
            launch_key=order.launch_key,
            instance_id=launched.instance_id,
            pool=launched.offer.pool,
            phase="starting",
        )
        self._roll.launched(seen, launching.number)
        return launched

    def list_machines(self) -> Sequence[SeenMachine]:
        """Every machine of this owner in the project, in all zones, and what is left of any; see `listing`."""
        return self._roll.call()

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """Delete all, with their disks and addresses; also in zones that no setting names."""
        failures = end(self._account, self.owner, instance_ids, Deadline(END_S))
        for instance_id in instance_ids:
            if instance_id not in failures:
                self._roll.asked_to_end(instance_id)
        return failures
