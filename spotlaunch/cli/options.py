"""Options that do not go together, said in one way."""

from __future__ import annotations

from collections.abc import Mapping

from spotlaunch.core.facts import Market
from spotlaunch.errors import UsageError


def refuse_beside(option: str, others: Mapping[str, object], *, hint: str = "") -> None:
    """Raise `UsageError` when any of ``others`` (option to value) was given beside ``option``."""
    given = [name for name, value in others.items() if value]
    if given:
        raise UsageError(
            f"{' and '.join(given)} {'has' if len(given) == 1 else 'have'} no meaning with {option}", hint=hint
        )


def refuse_no_number(numbers: Mapping[str, float | None]) -> None:
    """Raise `UsageError` for ``nan``, which no range of an option leaves out."""
    for name, value in numbers.items():
        if value is not None and value != value:
            raise UsageError(f"{name}: nan is not a number")


def market_of(spot: bool | None) -> Market | None:
    """What ``--spot/--on-demand`` says; None for neither."""
    if spot is None:
        return None
    return "spot" if spot else "on-demand"
