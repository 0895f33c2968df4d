"""The plan that `submit` shows: ranked offers, what was turned down and why, what it may cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from spotlaunch.cli import render
from spotlaunch.cli.cautions import Caution
from spotlaunch.core.facts import Offer
from spotlaunch.core.policy import DEFAULT
from spotlaunch.core.rank import TurnedDown
from spotlaunch.core.spec import Spec
from spotlaunch.core.units import write_about
from spotlaunch.submission import Preview, longest_cost_usd

# A market has thousands of offers; a person looks at the first few.
OFFERS_SHOWN = 8
TURNED_DOWN_SHOWN = 6

# Effective cost has as many digits as a division gives. People get cents, scripts more than enough.
_SHOWN = Decimal("0.01")
_TOLD = Decimal("0.000001")

# Where machines are taken faster than they save, a useful hour costs a number that nobody needs to read.
_ABSURD = 10_000


def show_plan(spec: Spec, found: Preview, missing: Mapping[str, str], known: Sequence[Caution]) -> None:
    """Print the plan for a person, on stderr: stdout is for the job's name."""
    say = render.say
    candidates = found.ranking.candidates
    if candidates:
        say(f"{spec.name}: {len(candidates)} offers fit, best first")
        head = render.columns("pool", "gpu", ">$/h", ">useful $/h", ">on-demand $/h", "available", "")
        rows = [_row(o, usd, found) for o, usd in _with_effective(found)[:OFFERS_SHOWN]]
        say(render.plain_table(head, rows, indent="  "))
        if len(candidates) > OFFERS_SHOWN:
            say(f"  and {len(candidates) - OFFERS_SHOWN} more")
    turned_down = found.ranking.turned_down
    if turned_down:
        counts = Counter(t.filter for t in turned_down)
        say("turned down: " + ", ".join(f"{n} by {name}" for name, n in counts.most_common()))
        for t in _one_of_each(turned_down)[:TURNED_DOWN_SHOWN]:
            say(f"  {t.offer.pool}: {t.reason}")
    for name, why in {**found.asked.failures, **missing}.items():
        say(f"no offers from {name}: {why}")
    for c in known:
        if c.about == "pass":
            say(c.text)
        else:
            render.warn(c.text, hint=c.hint)
    if spec.deadline_s is not None or spec.deadline_at is not None:
        work = "" if spec.work_s is None else f", {write_about(spec.work_s)} of work"
        when = f"in {write_about(spec.deadline_s)}" if spec.deadline_s is not None else _moment(spec.deadline_at)
        say(f"deadline: {when}{work}, policy {spec.policy or DEFAULT}")
    if found.held:
        say(f"the job is held {found.held}")
    if found.first is not None:
        say(_cost(spec, found, found.first))


def _moment(at: float | None) -> str:
    """A moment with its zone, for one that was perhaps written without."""
    return datetime.fromtimestamp(at or 0.0).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _with_effective(found: Preview) -> list[tuple[Offer, Decimal]]:
    """The candidates, each with what a useful hour costs on it."""
    ranking = found.ranking
    return list(zip(ranking.candidates, ranking.effective_usd_hour, strict=True))


def _row(offer: Offer, effective_usd_hour: Decimal, found: Preview) -> list[str]:
    note = "first" if offer is found.first else ""
    if offer.pool.market == "on-demand" and found.spot_first:
        note = "when spot is dry"
    on_demand = "-" if offer.on_demand_usd_hour is None else str(offer.on_demand_usd_hour)
    gpu = f"{offer.gpu}:{offer.gpu_count}" if offer.gpu else "-"
    useful = str(effective_usd_hour.quantize(_SHOWN)) if effective_usd_hour < _ABSURD else f">{_ABSURD - 1}"
    return [str(offer.pool), gpu, str(offer.price_usd_hour), useful, on_demand, offer.available, note]


def _one_of_each(turned_down: tuple[TurnedDown, ...]) -> list[TurnedDown]:
    firsts: dict[str, TurnedDown] = {}
    for t in turned_down:
        firsts.setdefault(t.filter, t)
    return list(firsts.values())


def _cost(spec: Spec, found: Preview, first: Offer) -> str:
    """What an hour and a day cost on the first offer, against on-demand, and what bounds the whole."""
    text = f"expected: ${first.price_usd_hour}/h, ${render.usd(first.price_usd_hour * 24)} a day"
    if first.on_demand_usd_hour is not None and first.pool.market == "spot":
        saved = 100 - 100 * first.price_usd_hour / first.on_demand_usd_hour
        text += f", {saved:.0f}% less than on-demand"
    most = longest_cost_usd(spec, found.ranking)
    if most is not None:
        return f"{text}; at most about ${render.usd(most)} by its limits"
    return f"{text}; nothing bounds the total (limits.cost_usd would)"


def plan_json(spec: Spec, found: Preview, missing: Mapping[str, str], known: Sequence[Caution] = ()) -> dict[str, Any]:
    """The plan with stable keys."""
    most = longest_cost_usd(spec, found.ranking)
    return {
        "name": spec.name,
        "first": None if found.first is None else str(found.first.pool),
        "most_usd": most,
        "held": found.held or None,
        "offers": [{**_offer_json(o), "effective_usd_hour": usd.quantize(_TOLD)} for o, usd in _with_effective(found)],
        "turned_down": [
            {**_offer_json(t.offer), "filter": t.filter, "reason": t.reason} for t in found.ranking.turned_down
        ],
        "failures": {**found.asked.failures, **missing},
        "cautions": [c.json for c in known],
    }


def _offer_json(offer: Offer) -> dict[str, Any]:
    return {
        "pool": str(offer.pool),
        "provider": offer.pool.provider,
        "region": offer.pool.region,
        "zone": offer.pool.zone,
        "instance_type": offer.pool.instance_type,
        "market": offer.pool.market,
        "gpu": offer.gpu,
        "gpu_count": offer.gpu_count,
        "price_usd_hour": offer.price_usd_hour,
        "on_demand_usd_hour": offer.on_demand_usd_hour,
        "available": offer.available,
        "why": offer.why,
        "seen_at": offer.seen_at,
    }
