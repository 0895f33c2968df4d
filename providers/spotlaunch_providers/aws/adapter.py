"""AWS behind the provider port. Launching is not part of this version yet: prices only."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from spotlaunch.core.facts import Offer, Want
from spotlaunch.errors import NotAuthorized
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.asking import live_offers, only, public_offers
from spotlaunch_providers.aws.errors import LOGIN
from spotlaunch_providers.aws.feeds import Feeds
from spotlaunch_providers.aws.offers import NAME
from spotlaunch_providers.aws.terms import TRAITS
from spotlaunch_providers.shared.deadline import ASK_S, Deadline
from spotlaunch_providers.shared.pricesonly import PricesOnly
from spotlaunch_providers.shared.side_by_side import side_by_side

NOT_YET = f"launching on {NAME} is not part of this version yet"
NO_CREDENTIALS = "no credentials: prices only"
ELSEWHERE = "launch on another provider"


class AwsProvider(PricesOnly):
    """AWS, as ``owner`` sees it. ``folder`` keeps slow-moving public data.

    ``now`` gives seconds since the epoch; a whole question is answered within ``ask_s``. ``pause``: see `Feeds`.
    """

    name = NAME

    def __init__(
        self,
        *,
        owner: str,
        folder: Path,
        access: Access,
        now: Callable[[], float] = time.time,
        ask_s: float = ASK_S,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self.owner = owner
        self.traits, self._hint = replace(TRAITS, prices_only=NOT_YET), ELSEWHERE
        self._access = access
        self._now = now
        self._ask_s = ask_s
        # A stand-in for AWS without stand-ins for its feeds must not make us ask the real ones.
        self._feeds = None if access.local and not access.feeds else Feeds(access.feeds, folder, pause=pause)

    def offers(self, want: Want) -> Sequence[Offer]:
        """Every match with its price now: spot by zone, on-demand by region; without credentials by public feeds.

        Regions that fail are missing, and so is a market that fails; nothing at all raises the first error.
        """
        deadline = Deadline(self._ask_s)
        # In a thread too: credentials may come from a program or a service that never answers.
        found = only(side_by_side([self._access.look], deadline=deadline, name=NAME))
        why, self._hint = (NOT_YET, ELSEWHERE) if found else (NO_CREDENTIALS, LOGIN)
        self.traits = replace(TRAITS, prices_only=why)
        if found:
            return live_offers(self._access, self._feeds, want, now=self._now(), deadline=deadline)
        if self._feeds is None:
            raise NotAuthorized("no credentials", hint=f"{LOGIN}; for a server on this computer, auth: none")
        return public_offers(self._access, self._feeds, want, now=self._now(), deadline=deadline)
