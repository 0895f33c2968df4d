"""Ranking: which offers a job may take, best first, and why each of the others was turned down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fnmatch import fnmatchcase

from spotlaunch.core.availability import Availability
from spotlaunch.core.bands import Bands, Costed
from spotlaunch.core.book import Refusal
from spotlaunch.core.boottimes import BootTimes
from spotlaunch.core.effective import Work, effective_usd_hour
from spotlaunch.core.facts import Market, Offer, Pool, Traits
from spotlaunch.core.gpus import gpu_matches
from spotlaunch.core.rates import Rates
from spotlaunch.core.spec import Limits, Spec

No = tuple[str, str]  # the filter that said no, and its reason for a person

# Filters that a later look may judge otherwise. An offer turned down by any other never fits this job.
PASSING = frozenset({"availability", "refusal", "age", "market", "when"})

# Refusals that end when a person has done something, and nobody tells us that it was done.
SHUT = frozenset({"NotAuthorized", "OutOfFunds"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnedDown:
    """An offer not taken: the filter that said no, and its reason for a person."""

    offer: Offer
    filter: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """``candidates`` best first; ``turned_down`` in the order given.

    ``effective_usd_hour``: what a useful hour costs on each of the candidates, in the same order.
    """

    candidates: tuple[Offer, ...]
    turned_down: tuple[TurnedDown, ...]
    effective_usd_hour: tuple[Decimal, ...] = ()

    def fitting(self) -> list[Offer]:
        """The offers that fit, now or at some later look."""
        return [*self.candidates, *(t.offer for t in self.turned_down if t.filter in PASSING)]

    def possible(self, market: Market) -> bool:
        """Whether this market has any offer which fits, now or at some later look."""
        return any(o.pool.market == market for o in self.fitting())


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What offers are held against: the spec, and what is known at this moment.

    ``markets``: those allowed now, and ``market_why`` the reason for a person when one is not.
    ``file_store``: checkpoints live in a folder of this computer, which only some machines can see.
    ``max_age_s``: older prices are not bought on. ``rates``: how often machines are taken, ``boots``: how long they
    take to start, ``work``: what the job's checkpoints are like; from these comes what an offer really costs.
    ``availability``: how likely a launch is granted, which decides among near-equals. ``submitted_at``: whoever
    submits a job may have mended login or account, so what these forbade before does not count against it.
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
    rates: Rates = field(default_factory=Rates)
    availability: Availability = field(default_factory=Availability)
    boots: BootTimes = field(default_factory=BootTimes)
    work: Work = field(default_factory=Work)
    submitted_at: float = 0.0

    def costed(self, offer: Offer) -> Costed:
        """The offer with its interruption rate and what a useful hour on it costs this job."""
        rate = self.rates.of(offer, self.now)
        usd_hour = effective_usd_hour(
            offer,
            rate_per_hour=rate,
            restart_s=self.boots.of(offer.pool, self.traits[offer.pool.provider].start_s),
            work=self.work,
            disk_gb=self.spec.resources.disk_gb,
        )
        return Costed(usd_hour, rate, offer)


def rank(offers: Iterable[Offer], terms: Terms, *, launch_key: str) -> Ranking:
    """Order ``offers`` by what a useful hour costs, near-equals by a hash of ``launch_key`` (`core.bands`).

    Every offer comes out exactly once: as a candidate, or turned down with its reason.
    """
    good = Bands(terms.availability.grade(terms.now))
    bad: list[TurnedDown] = []
    filters = _Filters(terms)
    for offer in offers:
        no = filters.objection(offer)
        if no is None:
            good.add(terms.costed(offer))
        else:
            bad.append(TurnedDown(offer=offer, filter=no[0], reason=no[1]))
    order = good.in_order(launch_key)
    return Ranking(
        candidates=tuple([good.offers[i] for i in order]),
        turned_down=tuple(bad),
        effective_usd_hour=tuple([good.usd_hour[i] for i in order]),
    )


def cheapest_on_demand(offers: Iterable[Offer], terms: Terms) -> tuple[Decimal, Pool] | None:
    """What paying for on-demand would cost an hour now, and where: the cheapest offer that fits and can be had.

    The job's own wishes for a market and its limits do not count here: this is what its bill is held against. Where
    no on-demand offer was asked for, the shapes that are offered as spot tell what they cost on demand.
    """
    spec = replace(terms.spec, market="auto", limits=Limits())
    filters = _Filters(replace(terms, spec=spec, markets=("spot", "on-demand")))
    best: dict[Market, tuple[Decimal, Pool]] = {}
    for offer in offers:
        pool = offer.pool
        price = offer.price_usd_hour if pool.market == "on-demand" else offer.on_demand_usd_hour
        # The price first: it rules out nearly all of a large market, and costs nothing to look at.
        if price is None or (pool.market in best and price >= best[pool.market][0]):
            continue
        if filters.objection(offer) is None:
            best[pool.market] = price, replace(pool, market="on-demand")
    return best.get("on-demand") or best.get("spot")


def allowed_by_where(spec: Spec, provider: str, traits: Mapping[str, Traits]) -> str:
    """Why this job may not use ``provider`` at all, or an empty text."""
    if spec.where.providers:
        return "" if provider in spec.where.providers else "where.providers leaves it out"
    rehearsal = provider in traits and traits[provider].rehearsal
    if rehearsal and any(not t.rehearsal and not t.prices_only for t in traits.values()):
        return "a rehearsal, used only when where.providers names it"
    return ""


class _Filters:
    """What may say no to an offer, for one ranking. A market has many offers of few places and few GPUs, so
    what was found out about a place or a GPU is remembered."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._places: dict[tuple[str, str, str], No | tuple[()]] = {}
        self._gpus: dict[tuple[str, int], No | tuple[()]] = {}
        self._refusals: dict[str, list[Refusal]] = {}
        for r in terms.refusals:
            # One that began in the future is of a clock since set back: nobody knows how much of its rest is left.
            mended = r.error in SHUT and r.since < terms.submitted_at
            if r.since <= terms.now < r.until and r.job in ("", terms.job) and not mended:
                self._refusals.setdefault(r.scope.provider, []).append(r)

    def objection(self, offer: Offer) -> No | None:
        """The first filter that says no; None when the offer may be taken.

        Filters that never change their mind come first, so that `Ranking.possible` can tell "not now" from
        "never".
        """
        pool = offer.pool
        place, gpu = (pool.provider, pool.region, pool.zone), (offer.gpu, offer.gpu_count)
        # Looked up once: there are a hundred thousand offers. Empty: no objection; None: not judged yet.
        of_place, of_gpu = self._places.get(place), self._gpus.get(gpu)
        if of_place is None:
            of_place = self._places[place] = _place(pool, self._terms) or ()
        if of_gpu is None:
            of_gpu = self._gpus[gpu] = _gpu(offer, self._terms.spec) or ()
        return (
            of_place
            or of_gpu
            or _shape(offer, self._terms.spec)
            or _money(offer, self._terms.spec)
            or self._moment(offer)
        )

    def _moment(self, offer: Offer) -> No | None:
        terms = self._terms
        age_s = terms.now - offer.seen_at
        if offer.pool.market not in terms.markets:
            return "market", terms.market_why
        if offer.available == "no":
            return "availability", offer.why or "not available now"
        if age_s > terms.max_age_s:
            return "age", f"its price was seen {age_s:.0f} s ago"
        for refusal in self._refusals.get(offer.pool.provider, ()):
            if refusal.scope.covers(offer.pool):
                return "refusal", f"rests for {refusal.until - terms.now:.0f} s: {refusal.reason}"
        return None


def _place(pool: Pool, terms: Terms) -> No | None:
    where = terms.spec.where
    reason = allowed_by_where(terms.spec, pool.provider, terms.traits)
    if reason:
        return "provider", reason
    if terms.traits[pool.provider].prices_only:
        return "account", terms.traits[pool.provider].prices_only
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


def _gpu(offer: Offer, spec: Spec) -> No | None:
    wanted = spec.resources.gpus
    if not wanted or any(gpu_matches(name, offer.gpu) and count == offer.gpu_count for name, count in wanted):
        return None
    has = f"{offer.gpu}:{offer.gpu_count}" if offer.gpu else "no GPU"
    return "gpu", f"has {has}, wanted {' or '.join(f'{n}:{c}' for n, c in wanted)}"


def _shape(offer: Offer, spec: Spec) -> No | None:
    need = spec.resources
    if offer.vcpus < need.cpus:
        return "cpus", f"has {offer.vcpus:g} CPUs, wanted {need.cpus:g}"
    if offer.memory_gb < need.memory_gb:
        return "memory", f"has {offer.memory_gb:g} GB of memory, wanted {need.memory_gb:g}"
    if offer.disk_gb is not None and offer.disk_gb < need.disk_gb:
        return "disk", f"has {offer.disk_gb:g} GB of disk, wanted {need.disk_gb:g}"
    if spec.market != "auto" and offer.pool.market != spec.market:
        return "wish", f"market: {spec.market} in the job file"
    return None


def _money(offer: Offer, spec: Spec) -> No | None:
    """The cap holds for the price that would be paid, in the market it is paid in, not for what it amounts to."""
    cap = spec.limits.price_usd_hour
    if cap is not None and offer.price_usd_hour > cap:
        return "price", f"${offer.price_usd_hour}/h is above limits.price_usd_hour (${cap})"
    return None
