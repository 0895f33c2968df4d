"""Ranking: which offers a job may take, best first, and why each of the others was turned down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from spotlaunch.core.book import Refusal
from spotlaunch.core.chance import draw
from spotlaunch.core.facts import Market, Offer, Pool, Traits
from spotlaunch.core.gpus import gpu_matches
from spotlaunch.core.spec import Spec

# Offers within this share of the cheapest of their group are near-equal: which comes first is drawn from
# the launch key. Otherwise everybody with the same ranking rushes the same pool at once.
NEAR_EQUAL = Decimal("1.03")

# Filters that a later look may judge otherwise. An offer turned down by any other never fits this job.
PASSING = frozenset({"availability", "refusal", "age", "market"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnedDown:
    """An offer not taken: the filter that said no, and its reason for a person."""

    offer: Offer
    filter: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """``candidates`` best first; ``turned_down`` in the order given."""

    candidates: tuple[Offer, ...]
    turned_down: tuple[TurnedDown, ...]

    def possible(self, market: Market) -> bool:
        """Whether this market has any offer which fits, now or at some later look."""
        return any(o.pool.market == market for o in self.candidates) or any(
            t.offer.pool.market == market and t.filter in PASSING for t in self.turned_down
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What offers are held against: the spec, and what is known at this moment.

    ``markets``: those allowed now, and ``market_why`` the reason for a person when one is not.
    ``file_store``: checkpoints live in a folder of this computer, which only some machines can see.
    ``max_age_s``: older prices are not bought on.
    """

    spec: Spec
    job: str
    now: float
    markets: tuple[Market, ...]
    market_why: str
    refusals: tuple[Refusal, ...]
    traits: Mapping[str, Traits]
    file_store: bool
    max_age_s: float


def rank(offers: Iterable[Offer], terms: Terms, *, launch_key: str) -> Ranking:
    """Order ``offers`` by what they cost per hour, near-equals by a hash of ``launch_key``.

    Every offer comes out exactly once: as a candidate, or turned down with its reason.
    """
    good: list[Offer] = []
    bad: list[TurnedDown] = []
    # One that began in the future is of a clock since set back: nobody knows how much of its rest is left.
    active = [r for r in terms.refusals if r.since <= terms.now < r.until and r.job in ("", terms.job)]
    for offer in offers:
        found = _objection(offer, terms, active)
        if found is None:
            good.append(offer)
        else:
            bad.append(TurnedDown(offer=offer, filter=found[0], reason=found[1]))
    return Ranking(candidates=tuple(_ordered(good, launch_key)), turned_down=tuple(bad))


def allowed_by_where(spec: Spec, provider: str, traits: Mapping[str, Traits]) -> str:
    """Why this job may not use ``provider`` at all, or an empty text."""
    if spec.where.providers:
        return "" if provider in spec.where.providers else "where.providers leaves it out"
    rehearsal = provider in traits and traits[provider].rehearsal
    if rehearsal and any(not t.rehearsal for t in traits.values()):
        return "a rehearsal, used only when where.providers names it"
    return ""


def _objection(offer: Offer, terms: Terms, refusals: Sequence[Refusal]) -> tuple[str, str] | None:
    """The first filter that says no, as (name, reason); None when the offer may be taken.

    Filters that never change their mind come first, so that `Ranking.possible` can tell "not now" from
    "never".
    """
    return (
        _place(offer, terms)
        or _shape(offer, terms.spec)
        or _money(offer, terms.spec)
        or _moment(offer, terms, refusals)
    )


def _place(offer: Offer, terms: Terms) -> tuple[str, str] | None:
    pool, where = offer.pool, terms.spec.where
    reason = allowed_by_where(terms.spec, pool.provider, terms.traits)
    if reason:
        return "provider", reason
    if where.regions and not any(_in_region(pool, glob) for glob in where.regions):
        return "region", f"{pool.region} is not in where.regions"
    for pattern in where.exclude:
        provider, _, region = pattern.partition(":")
        if fnmatchcase(pool.provider, provider) and (not region or _in_region(pool, region)):
            return "exclude", f"where.exclude has {pattern}"
    if terms.file_store and not terms.traits[pool.provider].shares_disk:
        return "store", "its machines cannot see the checkpoint store, which is a folder of this computer"
    return None


def _in_region(pool: Pool, glob: str) -> bool:
    return fnmatchcase(pool.region, glob) or fnmatchcase(pool.zone, glob)


def _shape(offer: Offer, spec: Spec) -> tuple[str, str] | None:
    need = spec.resources
    if need.gpus and not any(gpu_matches(name, offer.gpu) and count == offer.gpu_count for name, count in need.gpus):
        has = f"{offer.gpu}:{offer.gpu_count}" if offer.gpu else "no GPU"
        return "gpu", f"has {has}, wanted {' or '.join(f'{n}:{c}' for n, c in need.gpus)}"
    if offer.vcpus < need.cpus:
        return "cpus", f"has {offer.vcpus:g} CPUs, wanted {need.cpus:g}"
    if offer.memory_gb < need.memory_gb:
        return "memory", f"has {offer.memory_gb:g} GB of memory, wanted {need.memory_gb:g}"
    if offer.disk_gb is not None and offer.disk_gb < need.disk_gb:
        return "disk", f"has {offer.disk_gb:g} GB of disk, wanted {need.disk_gb:g}"
    if spec.market != "auto" and offer.pool.market != spec.market:
        return "wish", f"market: {spec.market} in the job file"
    return None


def _money(offer: Offer, spec: Spec) -> tuple[str, str] | None:
    cap = spec.limits.price_usd_hour
    if cap is not None and offer.price_usd_hour > cap:
        return "price", f"${offer.price_usd_hour}/h is above limits.price_usd_hour (${cap})"
    return None


def _moment(offer: Offer, terms: Terms, refusals: Sequence[Refusal]) -> tuple[str, str] | None:
    age_s = terms.now - offer.seen_at
    if offer.pool.market not in terms.markets:
        return "market", terms.market_why
    if offer.available == "no":
        return "availability", offer.why or "not available now"
    if age_s > terms.max_age_s:
        return "age", f"its price was seen {age_s:.0f} s ago"
    for refusal in refusals:
        if refusal.scope.covers(offer.pool):
            return "refusal", f"rests for {refusal.until - terms.now:.0f} s: {refusal.reason}"
    return None


def _ordered(offers: list[Offer], launch_key: str) -> list[Offer]:
    offers = sorted(offers, key=lambda o: (o.price_usd_hour, o.pool))
    ordered: list[Offer] = []
    group: list[Offer] = []
    for offer in offers:
        if group and offer.price_usd_hour > group[0].price_usd_hour * NEAR_EQUAL:
            ordered += _spread(group, launch_key)
            group = []
        group.append(offer)
    return ordered + _spread(group, launch_key)


def _spread(group: list[Offer], launch_key: str) -> list[Offer]:
    return sorted(group, key=lambda o: (o.available != "yes", draw(launch_key, o.pool)))
