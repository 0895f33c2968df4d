"""What to search for, and what to search for next. Pure.

A search gives the cheapest rows, few at a time; the next page begins at the price where the last one ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spotlaunch.core.facts import Market, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import UsageError
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.names import TIERS, asked_for

TYPES: Mapping[Market, str] = {"spot": "bid", "on-demand": "ondemand"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Which hosts will do. ``min_cuda``: what their driver must know for the image to start."""

    verified_only: bool = True
    min_reliability: float = figures.MIN_RELIABILITY
    min_cuda: float = figures.MIN_CUDA

    @staticmethod
    def of(settings: Settings) -> Terms:
        """As the settings say. Raises `UsageError` for one that cannot be used."""
        verified = settings.get("verified", "only")
        if verified not in ("only", "any"):
            raise UsageError(
                f"vast: verified is {verified[:40]!r} ({settings.origin.get('verified', '')})",
                hint="write `any` for hosts that are not verified too; else leave it out",
            )
        return Terms(
            verified_only=verified == "only",
            min_reliability=_between(settings, "min_reliability", figures.MIN_RELIABILITY, 0, 1),
            min_cuda=_between(settings, "min_cuda", figures.MIN_CUDA, 0, 99),
        )

    def fit(self, row: Mapping[str, Any], disk_gb: float) -> bool:
        """Whether what a row says of itself is what was searched for. What it does not say it is trusted with."""
        return (
            row.get("rentable") is not False
            and not row.get("rented")
            and not row.get("external")
            and (not self.verified_only or row.get("verification", "verified") == "verified")
            and _at_least(row.get("reliability2"), self.min_reliability)
            and _at_least(row.get("cuda_max_good"), self.min_cuda)
            and _at_least(row.get("duration"), figures.MIN_LEFT_S)
            and _at_least(row.get("disk_space"), disk_gb)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """One search, or one page of it. No ``names``: all GPUs but those of ``but``; no ``counts``: any number.

    ``least_usd_hour`` is where the page begins, as the server ranks rows (`dph_total`); ``above``: not at that
    price, but after it.
    """

    market: Market
    names: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    disk_gb: float = figures.DISK_GB
    least_usd_hour: float | None = None
    above: bool = False

    def query(self, terms: Terms) -> dict[str, Any]:
        """The body of the call. The API fills in no defaults: a filter that is not sent does not hold."""
        query: dict[str, Any] = {
            "type": TYPES[self.market],
            "rentable": {"eq": True},
            "rented": {"eq": False},
            "external": {"eq": False},
            "reliability2": {"gte": terms.min_reliability},
            "cuda_max_good": {"gte": terms.min_cuda},
            "duration": {"gte": figures.MIN_LEFT_S},
            "disk_space": {"gte": self.disk_gb},
            "allocated_storage": self.disk_gb,
            "order": [["dph_total", "asc"]],
            "limit": figures.LIMIT,
        }
        if terms.verified_only:
            query["verified"] = {"eq": True}
        if self.names:
            query["gpu_name"] = {"in": list(self.names)}
        elif self.but:
            query["gpu_name"] = {"notin": list(self.but)}
        if self.counts:
            one = len(self.counts) == 1
            query["num_gpus"] = {"eq": self.counts[0]} if one else {"in": list(self.counts)}
        if self.least_usd_hour is not None:
            query["dph_total"] = {"gt" if self.above else "gte": self.least_usd_hour}
        return query


def first_searches(want: Want) -> list[Search]:
    """What to search for at once. On-demand prices are asked for also where only spot is wanted: no bid may be
    higher."""
    markets: tuple[Market, ...] = ("spot", "on-demand") if "spot" in want.markets else ("on-demand",)
    disk_gb = want.disk_gb or figures.DISK_GB
    return [
        Search(market=market, names=names, but=but, counts=(count,) if count else (), disk_gb=disk_gb)
        for market in markets
        for names, but, count in _kinds(want)
    ]


def next_searches(search: Search, rows: Sequence[Mapping[str, Any]], *, news: bool) -> Iterator[Search]:
    """What to search for after a page, most useful first. ``news``: it had a row that was not seen before.

    Every page begins at a higher price than the one before, or after its price if there was nothing new at it, so
    that there is an end also where many rows have one price.
    """
    if len(rows) < figures.CAP:
        return
    if search.least_usd_hour is None and search.names and len(rows) == figures.CAP:
        if not search.counts:
            yield replace(search, counts=figures.LARGER_COUNTS)
        elif len(search.counts) > 1:
            yield replace(search, counts=search.counts[-1:])
    last = rows[-1].get("dph_total")
    if isinstance(last, int | float) and not isinstance(last, bool) and (news or not search.above):
        yield replace(search, least_usd_hour=float(last), above=not news)


def _kinds(want: Want) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], int]]:
    """Names, names left out, and count of each search in one market."""
    if not want.gpus:
        yield from ((names, (), 0) for names in TIERS)
        yield (), tuple(name for names in TIERS for name in names), 0
        return
    any_count = {name for name, count in want.gpus if not count}
    by_count: dict[int, list[str]] = {}
    for name, count in want.gpus:
        # A GPU that is wanted in any number needs no search for one number.
        if not count or name not in any_count:
            by_count.setdefault(count, []).extend(asked_for(name))
    for count, names in by_count.items():
        yield tuple(dict.fromkeys(names)), (), count


def _between(settings: Settings, key: str, usual: float, least: float, most: float) -> float:
    """A setting that is a number. Raises `UsageError` for what is none, or none of these."""
    text = settings.get(key, str(usual))
    try:
        value = float(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise UsageError(
            f"vast: {key} is {text[:40]!r} ({settings.origin.get(key, '')})",
            hint=f"write a number from {least:g} to {most:g}, like {usual:g}",
        )
    return value


def _at_least(value: Any, least: float) -> bool:
    return value >= least if isinstance(value, int | float) else True
