"""The GPUs that there are: by name, with memory, who sells each, and what one costs at the least right now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from spotlaunch.core.facts import Market, Offer
from spotlaunch.core.gpus import GPUS, gpu_memory_gb, gpu_problem


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuLine:
    """One GPU. ``known`` is False for a provider's word that the table of names does not have.

    ``providers`` sell it, also those who have none right now; the cheapest offers, for each GPU of the machine,
    are among those that can be had. Empty and None: nobody who was asked does.
    """

    gpu: str
    known: bool
    families: tuple[str, ...]
    memory_gb: float | None
    providers: tuple[str, ...]
    spot: Offer | None
    on_demand: Offer | None


def price_usd_gpu_hour(offer: Offer) -> Decimal:
    """An hour of one of the machine's GPUs."""
    return offer.price_usd_hour / (offer.gpu_count or 1)


def gpu_list(offers: Iterable[Offer]) -> tuple[GpuLine, ...]:
    """A line for each GPU that is offered or that the table of names has, by name."""
    sold: dict[str, list[Offer]] = {}
    for offer in offers:
        if offer.gpu and offer.gpu_count > 0:
            sold.setdefault(offer.gpu, []).append(offer)
    names = sorted({*sold, *GPUS}, key=lambda name: (name.casefold(), name))
    return tuple(_line(name, sold.get(name, [])) for name in names)


def _line(name: str, offers: list[Offer]) -> GpuLine:
    table = GPUS.get(name)
    # A family may differ in memory; then, as for a word that nobody knows, the providers say what they sell.
    reported = {o.gpu_memory_gb for o in offers if o.gpu_memory_gb is not None}
    memory_gb = gpu_memory_gb(name)
    return GpuLine(
        gpu=name,
        known=not gpu_problem(name),
        families=table.families if table is not None else (),
        memory_gb=memory_gb if memory_gb is not None or len(reported) != 1 else reported.pop(),
        providers=tuple(sorted({o.pool.provider for o in offers})),
        spot=_cheapest(offers, "spot"),
        on_demand=_cheapest(offers, "on-demand"),
    )


def _cheapest(offers: Iterable[Offer], market: Market) -> Offer | None:
    had = (o for o in offers if o.pool.market == market and o.available != "no")
    return min(had, key=lambda o: (price_usd_gpu_hour(o), o.pool), default=None)
