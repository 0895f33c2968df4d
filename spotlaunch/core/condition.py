"""Conditions on prices: what `submit --when` holds a job for, and what `prices --alert` waits for.

    price_usd_hour < 2.00 and effective_usd_hour <= 2.50
    H100:8 spot <= 16

The text form of both reads back as the same condition: it is what is stored and shown.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from spotlaunch.core.facts import Market, Offer
from spotlaunch.core.gpus import gpu_matches, parse_gpu
from spotlaunch.core.units import Unreadable, quoted, read_money_usd

Quantity = Literal["price_usd_hour", "price_usd_gpu_hour", "effective_usd_hour"]
Operator = Literal["<", "<="]

QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
MARKETS: tuple[Market, ...] = get_args(Market)

_COMPARISON = re.compile(r"(?P<left>[^<>=!]*)(?P<operator>[<>=!]+)(?P<right>[^<>=!]*)")
_WHEN_HINT = "write it like: price_usd_hour < 2.00"
_ALERT_HINT = "write it like: H100 < 2.00 (for each GPU), or H100:8 spot <= 16 (for the machine)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Priced:
    """An offer, and what a useful hour on it costs (`core.effective`)."""

    offer: Offer
    effective_usd_hour: Decimal

    def amount_usd(self, quantity: Quantity) -> Decimal:
        """``price_usd_hour`` is of the whole machine, and what is really paid; the others follow from it."""
        if quantity == "effective_usd_hour":
            return self.effective_usd_hour
        price_usd_hour = self.offer.price_usd_hour
        return price_usd_hour if quantity == "price_usd_hour" else price_usd_hour / (self.offer.gpu_count or 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Below:
    """One comparison: a quantity stays under a bound in dollars, or reaches it at most."""

    quantity: Quantity
    operator: Operator
    bound_usd: Decimal

    def holds(self, priced: Priced) -> bool:
        return is_below(priced.amount_usd(self.quantity), self.operator, self.bound_usd)

    def __str__(self) -> str:
        return f"{self.quantity} {self.operator} {_amount(self.bound_usd)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What an offer must satisfy: all of ``parts``."""

    parts: tuple[Below, ...]

    def holds(self, priced: Priced) -> bool:
        return all(part.holds(priced) for part in self.parts)

    def __str__(self) -> str:
        return " and ".join(map(str, self.parts))


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """A GPU for less than ``bound_usd`` an hour: with a ``count`` the whole machine of so many, with 0 each GPU.

    ``market`` None: whichever is cheaper.
    """

    gpu: str
    count: int
    market: Market | None
    operator: Operator
    bound_usd: Decimal

    @property
    def quantity(self) -> Quantity:
        """What is compared."""
        return "price_usd_hour" if self.count else "price_usd_gpu_hour"

    def concerns(self, offer: Offer) -> bool:
        """Whether an offer is of the kind that this waits for, whatever it costs."""
        return (
            offer.gpu_count > 0
            and self.count in (0, offer.gpu_count)
            and self.market in (None, offer.pool.market)
            and gpu_matches(self.gpu, offer.gpu)
        )

    def holds(self, offer: Offer) -> bool:
        """Whether an offer is what this waits for: of its kind, not known to be gone, and cheap enough."""
        amount_usd = offer.price_usd_hour / (1 if self.count else offer.gpu_count or 1)
        return self.concerns(offer) and offer.available != "no" and is_below(amount_usd, self.operator, self.bound_usd)

    def __str__(self) -> str:
        wish = f"{self.gpu}:{self.count}" if self.count else self.gpu
        return f"{wish}{f' {self.market}' if self.market else ''} {self.operator} {_amount(self.bound_usd)}"


def is_below(amount_usd: Decimal, operator: Operator, bound_usd: Decimal) -> bool:
    """Whether an amount is under the bound, or with ``<=`` not over it."""
    return amount_usd < bound_usd or (operator == "<=" and amount_usd == bound_usd)


def parse_when(text: str) -> Condition:
    """``price_usd_hour < 2.00``, or several joined by ``and``. Raises `Unreadable`, with what it may have meant."""
    return Condition(parts=tuple(_below(part) for part in re.split(r"\band\b", text, flags=re.IGNORECASE)))


def parse_alert(text: str) -> Alert:
    """``H100 < 2.00``, ``H100:8 spot <= 16``. Raises `Unreadable`, with what it may have meant.

    The name of the GPU is kept as written: which names there are is for the providers to say.
    """
    left, operator, bound_usd = _compared(text, _ALERT_HINT)
    *words, last = left.split() or [""]
    market: Market | None = next((m for m in MARKETS if m == last.lower()), None)
    if market is None:
        _refuse_near_market(text, " ".join(words), last)
        words = [*words, last]
    wish = " ".join(words)
    if not wish:
        raise Unreadable(f"{quoted(text)} names no GPU", hint=_ALERT_HINT)
    gpu, count = parse_gpu(wish)
    return Alert(gpu=gpu, count=count if ":" in wish else 0, market=market, operator=operator, bound_usd=bound_usd)


def _refuse_near_market(text: str, gpu: str, word: str) -> None:
    """A slip in the last word would else be taken for a part of the GPU's name, of which there is none."""
    near = difflib.get_close_matches(word.lower(), (*MARKETS, "ondemand", "on_demand", "demand"), 1, cutoff=0.75)
    if gpu and near:
        market = "spot" if near[0] == "spot" else "on-demand"
        raise Unreadable(f"{quoted(text)}: there is no market {quoted(word)}", hint=f"did you mean {market}?")


def _below(text: str) -> Below:
    left, operator, bound_usd = _compared(text, _WHEN_HINT)
    quantity = next((q for q in QUANTITIES if q == left.lower()), None)
    if quantity is None:
        near = difflib.get_close_matches(left.lower(), QUANTITIES, 1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(QUANTITIES)
        raise Unreadable(f"{quoted(left)} is nothing that can be compared", hint=hint)
    return Below(quantity=quantity, operator=operator, bound_usd=bound_usd)


def _compared(text: str, hint: str) -> tuple[str, Operator, Decimal]:
    """The two sides of a comparison."""
    found = _COMPARISON.fullmatch(text.strip())
    if found is None or not found["right"].strip():
        raise Unreadable(f"{quoted(text.strip())} is not a comparison", hint=hint)
    if found["operator"] not in get_args(Operator):
        raise Unreadable(
            f"{quoted(text.strip())}: {found['operator']} is not known here",
            hint="write < or <=: what is waited for is a price that falls",
        )
    bound_usd = read_money_usd(found["right"].strip())
    if not bound_usd:
        raise Unreadable(f"{quoted(text.strip())} never comes true", hint="nothing is sold for nothing")
    operator: Operator = "<" if found["operator"] == "<" else "<="
    return found["left"].strip(), operator, bound_usd


def _amount(usd: Decimal) -> str:
    """With cents at least, as prices are written."""
    exact = usd.normalize()
    return f"{usd:.2f}" if exact == exact.quantize(Decimal("0.01")) else f"{exact:f}"
