"""Answers: what a provider said when it was asked for offers, and which other wants that serves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spotlaunch.core.facts import Offer, Want
from spotlaunch.core.gpus import gpu_matches

Gpus = tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one provider said to one want at ``asked_at``; or, with a ``failure``, why it said nothing.

    ``hint`` is what a person can do about a failure. ``start_s`` and ``prices_only`` are the provider's traits
    of these names. ``rehearsal``: its prices are not real. ``missing``: what could not be asked, a sentence each.
    """

    provider: str
    asked_at: float
    offers: tuple[Offer, ...] = ()
    failure: str = ""
    hint: str = ""
    start_s: float = 0.0
    prices_only: str = ""
    rehearsal: bool = False
    missing: tuple[str, ...] = ()


def covers(wide: Want, narrow: Want) -> bool:
    """Whether an answer to ``wide`` holds everything that ``narrow`` asks for.

    An answer has every match (that is the promise of `Provider.offers`), so one to a wider want will do. Disk is
    not a matter of more or less: where it is part of the price, the price is for just so much of it.
    """
    return (
        wide.image == narrow.image
        and wide.cpus <= narrow.cpus
        and wide.memory_gb <= narrow.memory_gb
        and wide.disk_gb == narrow.disk_gb
        and set(narrow.markets) <= set(wide.markets)
        and _gpus_cover(wide.gpus, narrow.gpus)
    )


def serves(gpus: Gpus, gpu: str, count: int) -> bool:
    """Whether so many of ``gpu`` are what one of ``gpus`` asks for. No ``gpus``: any GPU at all."""
    if not gpus:
        return bool(gpu) and count > 0
    return any(wanted in (0, count) and gpu_matches(name, gpu) for name, wanted in gpus)


def _gpus_cover(wide: Gpus, narrow: Iterable[tuple[str, int]]) -> bool:
    if not wide:
        return True
    narrow = tuple(narrow)
    return bool(narrow) and all(
        any(have in (0, count) and gpu_matches(name, wanted) for name, have in wide) for wanted, count in narrow
    )
