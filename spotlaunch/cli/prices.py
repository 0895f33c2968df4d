"""`spotlaunch prices`: what every provider sells right now, cheapest useful hour first."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn, get_args

from spotlaunch.cli import pricetable, render
from spotlaunch.cli.market import Asker, Seen, open_asker, read_gpus, tell_silent, whom_to_ask
from spotlaunch.cli.options import market_of
from spotlaunch.cli.pricewatch import Moves
from spotlaunch.core.facts import Want
from spotlaunch.core.pricelist import Row, Sort, Wish, price_list
from spotlaunch.core.units import Unreadable, read_money_usd, read_size_gb
from spotlaunch.errors import UsageError
from spotlaunch.market.survey import FRESH_S
from spotlaunch.storage.columns import uncollected

# A person looks at the first few; scripts get all.
ROWS_SHOWN = 30
REDRAW_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A question as it was typed: what to show, of whom, and how."""

    wish: Wish
    names: Sequence[str]
    sort: Sort
    limit: int | None
    refresh: bool
    timeout_s: float
    form: str  # "table", "json" or "csv"


def run(
    *,
    gpus: Sequence[str],
    providers: Sequence[str],
    regions: Sequence[str],
    spot: bool | None,
    max_price: str,
    min_gpu_memory: str,
    limit: int | None,
    sort: str,
    refresh: bool,
    timeout_s: float,
    as_json: bool,
    as_csv: bool,
    watch: bool,
) -> int:
    """Print the list once, or (``watch``) again and again. Returns 1 when no provider answered.

    Raises `UsageError` for what cannot be meant.
    """
    if not all(regions):
        raise UsageError("--region is empty", hint="write a region, a zone or a pattern, like us-*")
    if as_csv and (as_json or watch):
        raise UsageError(f"--csv and {'--json' if as_json else '--watch'} exclude each other")
    asked = Asked(
        wish=Wish(
            gpus=read_gpus(gpus),
            regions=tuple(regions),
            market=market_of(spot),
            max_price_usd_hour=_max_price(max_price),
            min_gpu_memory_gb=_min_memory(min_gpu_memory),
        ),
        names=whom_to_ask(providers),
        sort=read_sort(sort),
        limit=limit,
        refresh=refresh,
        timeout_s=timeout_s,
        form="json" if as_json else "csv" if as_csv else "table",
    )
    with open_asker() as asker:
        if watch:
            _watch(asker, asked)
        with uncollected():
            seen = _ask(asker, asked, max_age_s=0 if refresh else FRESH_S)
            _show(asked, seen, _rows(asked, seen))
    return 0 if seen.answered else 1


def _watch(asker: Asker, asked: Asked) -> NoReturn:
    """Draw again and again, until interrupted."""
    moves = Moves()
    while True:
        with uncollected():
            # An answer as old as a draw is the one of the draw before.
            seen = _ask(asker, asked, max_age_s=0 if asked.refresh else REDRAW_S / 2)
            rows = _rows(asked, seen)
            if asked.form == "table" and render.is_fancy():
                sys.stdout.write("\x1b[H\x1b[2J")  # to the top of an empty screen
            _show(asked, seen, rows, moves=moves)
            sys.stdout.flush()
            moves.remember(rows, seen.answers)
            del seen, rows
        time.sleep(REDRAW_S)
        if asked.form == "table" and not render.is_fancy():
            print()


def _ask(asker: Asker, asked: Asked, *, max_age_s: float) -> Seen:
    # Both markets in any case: the answer then serves the next question too.
    return asker.ask(asked.names, Want(gpus=asked.wish.gpus), max_age_s=max_age_s, deadline_s=asked.timeout_s)


def _rows(asked: Asked, seen: Seen) -> list[Row]:
    return price_list(seen.offers, asked.wish, seen.terms, sort=asked.sort)


def _show(asked: Asked, seen: Seen, rows: list[Row], *, moves: Moves | None = None) -> None:
    if asked.form == "json":
        pricetable.print_json(rows[: asked.limit], seen.answers, seen.now, line=moves is not None)
    elif asked.form == "csv":
        pricetable.print_csv(rows[: asked.limit], seen.now)
        _tell_silent(asked, seen, rows)
    else:
        _show_table(asked, seen, rows, moves or Moves())


def _tell_silent(asked: Asked, seen: Seen, rows: list[Row]) -> None:
    # With no lines at all, "none of all offers" was said already; whose market it is not is worth saying still.
    market = asked.wish.market
    shown = {r.offer.pool.provider for r in rows} or {
        o.pool.provider for o in seen.offers if market in (None, o.pool.market)
    }
    tell_silent(seen.answers, shown=shown, market=market)


def _show_table(asked: Asked, seen: Seen, rows: list[Row], moves: Moves) -> None:
    shown = rows[: asked.limit or ROWS_SHOWN]
    if shown:
        lines = [pricetable.cells(r, seen.now, mark=moves.mark(r)) for r in shown]
        render.table(pricetable.HEAD, lines)
    for gone in moves.gone(rows, seen.answers):
        print(render.one_line(f"gone: {gone}"))
    sys.stdout.flush()
    if len(rows) > len(shown):
        render.say(f"and {len(rows) - len(shown)} more (--limit N shows N)")
        for text in _firsts(rows, shown):
            render.say(f"  {text}")
    elif not rows and seen.answered:
        render.say(_nothing(asked.wish, offered=sum(len(a.offers) for a in seen.answers)))
    _tell_silent(asked, seen, rows)
    for note in pricetable.footnotes(shown, seen.answers, seen.terms.work):
        render.say(note)


def _firsts(rows: list[Row], shown: list[Row]) -> list[str]:
    """The best of each provider whose offers all stand below those shown: one that is cheap in many places would
    hide that there are others."""
    seen = {r.offer.pool.provider for r in shown}
    found = []
    for number, row in enumerate(rows[len(shown) :], start=len(shown) + 1):
        pool = row.offer.pool
        if pool.provider not in seen:
            seen.add(pool.provider)
            found.append(render.one_line(f"line {number}: {pool}, {render.usd(row.effective_usd_hour)} effective $/h"))
    return found


def _nothing(wish: Wish, *, offered: int) -> str:
    """Nothing is left: of how many, and which of the options to blame."""
    options = {
        "--region": bool(wish.regions),
        "--spot/--on-demand": wish.market is not None,
        "--max-price": wish.max_price_usd_hour is not None,
        "--min-gpu-memory": wish.min_gpu_memory_gb > 0,
    }
    given = [name for name, is_given in options.items() if is_given]
    text = f"none of {offered} offers is what you ask for" if offered else "nobody sells what you ask for"
    if offered and given:
        text += f"\nhint: leave out {' or '.join(given)} to see more"
    elif wish.gpus:
        text += "\nhint: `spotlaunch prices` without --gpu shows every GPU that is sold"
    return text


# -- reading options --------------------------------------------------------------------------------------


def read_sort(word: str) -> Sort:
    """One of the orders there are. Raises `UsageError`, with the nearest one."""
    orders: tuple[Sort, ...] = get_args(Sort)
    for order in orders:
        if word == order:
            return order
    near = difflib.get_close_matches(word, orders, 1)
    hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(orders)
    raise UsageError(f"--sort: {word[:40]!r} is not an order", hint=hint)


def _max_price(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        return read_money_usd(text)
    except Unreadable as e:
        raise UsageError(f"--max-price: {e.message}", hint=e.hint) from e


def _min_memory(text: str) -> float:
    if not text:
        return 0
    try:
        return read_size_gb(text)
    except Unreadable as e:
        raise UsageError(f"--min-gpu-memory: {e.message}", hint=e.hint) from e
