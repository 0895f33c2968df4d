"""What a provider answers that tells prices and launches nothing, in this version or with these credentials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from spotlaunch.core.facts import Launched, Order, SeenMachine, Traits
from spotlaunch.errors import NotAuthorized


class PricesOnly:
    """Three of a `Provider`'s four methods, which refuse. ``_hint``: what a person may do about it."""

    traits: Traits
    _hint: str = ""

    def launch(self, order: Order) -> Launched:
        """Raises `NotAuthorized` with `Traits.prices_only`."""
        del order
        self._refuse()

    def list_machines(self) -> Sequence[SeenMachine]:
        """Raises `NotAuthorized` with `Traits.prices_only`."""
        self._refuse()

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """Raises `NotAuthorized` with `Traits.prices_only`."""
        del instance_ids
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise NotAuthorized(self.traits.prices_only, hint=self._hint)
