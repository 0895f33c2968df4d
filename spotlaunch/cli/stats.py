"""`spotlaunch stats`: what was learned of pools: how often they take machines, how likely they give one, how soon."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from spotlaunch.cli import render, statstable, weekplot
from spotlaunch.cli.book import open_book
from spotlaunch.cli.market import read_gpus, whom_to_ask
from spotlaunch.cli.options import refuse_beside
from spotlaunch.cli.period import read_since
from spotlaunch.config import settings_of
from spotlaunch.core.answers import serves
from spotlaunch.core.facts import Offer, Pool, Want
from spotlaunch.core.lessons import Lesson, learned_from
from spotlaunch.core.poolstats import OnSale, PlaceStats, PoolStats, on_sale_of, place_stats, pool_stats
from spotlaunch.errors import SpotlaunchError
from spotlaunch.home import Home
from spotlaunch.registry import REHEARSALS
from spotlaunch.storage.lessonfile import read_lessons, write_lessons
from spotlaunch.storage.market import KEEP_ANSWERS_S, MarketStore, open_market

# For how long back it is told how much of the time a pool was on sale.
ON_SALE_BACK_S = 30 * 86400.0

HINT = "it is learned while jobs run; `spotlaunch stats --import FILE` takes what others learned"


def run(*, gpus: Sequence[str], providers: Sequence[str], since: str, as_json: bool, as_csv: bool, plot: bool) -> None:
    """Print the table, or the same for a script. Raises `UsageError` for options that cannot be."""
    if as_json:
        refuse_beside("--json", {"--csv": as_csv, "--plot": plot})
    if as_csv:
        refuse_beside("--csv", {"--plot": plot})
    now = time.time()
    since_at = read_since(since, now)
    wanted = read_gpus(gpus)
    names = frozenset(whom_to_ask(providers)) if providers else frozenset()
    with open_book() as book:
        own = book.learning.own(now=now, since=since_at)
        # What was imported knows hours of the week, and not when they were.
        imported = [] if since else [lesson for source in book.learning.imported() for lesson in source.lessons]
        left_out = bool(since and book.learning.imported())
    gpu_of = {(x.pool.provider, x.pool.instance_type): x.gpu for x in (*imported, *own) if x.gpu}

    def is_wanted(lesson: Lesson) -> bool:
        pool = lesson.pool
        gpu = gpu_of.get((pool.provider, pool.instance_type), "")
        return (not names or pool.provider in names) and (not wanted or serves(wanted, gpu, lesson.gpu_count))

    learned = learned_from(own, imported)
    own, imported = list(filter(is_wanted, own)), list(filter(is_wanted, imported))
    offers, on_sale = _of_market(own, imported, now)
    pools = pool_stats(own, imported, learned, now=now, offers=offers, on_sale=on_sale)
    places = place_stats(own, learned)
    if as_json:
        render.as_json(statstable.stats_json(pools, places, since=since_at or None, now=now))
    elif as_csv:
        statstable.print_csv(pools)
    else:
        _show(pools, places, since, plot=plot)
    if left_out:
        render.say("what was imported is left out: it does not say when it was seen (hint: leave out --since)")


def export_to(path: Path) -> None:
    """Write what was learned, here and by those it was imported from, into one file for this user only."""
    with open_book() as book:
        learner = book.learning.learner(os.urandom(8).hex())
        sources = book.learning.export(learner, now=time.time(), leave_out=REHEARSALS)
    write_lessons(path, sources)
    pools = {lesson.pool for source in sources for lesson in source.lessons}
    others = len(sources) - 1
    text = f"{path}: {_count(len(pools), 'pool')}" + (f", {others} of the sources imported" if others else "")
    render.say(f"{text}; it tells when machines of yours ran and where, and of no job")


def import_from(path: Path) -> None:
    """Add what others learned. A second time, or of our own, it changes nothing."""
    sources = read_lessons(path, now=time.time())
    with open_book() as book:
        news = book.learning.take(sources)
    pools = {lesson.pool for source in news for lesson in source.lessons}
    if news:
        render.say(f"learned from {_count(len(news), 'source')} about {_count(len(pools), 'pool')}")
    else:
        render.say("nothing new: it was imported before, or is our own")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _show(pools: Sequence[PoolStats], places: Sequence[PlaceStats], since: str, *, plot: bool) -> None:
    if not pools:
        render.say(f"nothing was learned{f' since {since}' if since else ''} of such pools\nhint: {HINT}")
        return
    render.table(statstable.HEAD, [statstable.cells(s) for s in pools])
    sys.stdout.flush()
    if plot:
        print()
        weekplot.show(places)
        sys.stdout.flush()
    for note in statstable.footnotes(pools):
        render.say(note)


def _of_market(
    own: Sequence[Lesson], imported: Sequence[Lesson], now: float
) -> tuple[Mapping[Pool, Offer], Mapping[Pool, OnSale]]:
    """What the market's memory knows of these pools: the newest offers, and how long each was on sale. Asks nobody."""
    lessons = [*own, *imported]
    home = Home.find()
    if not lessons or not home.market.exists():
        return {}, {}
    try:
        memory = open_market(home)
        try:
            return _remembered(memory, home, lessons, now)
        finally:
            memory.close()
    except SpotlaunchError as e:
        render.warn(f"without the market's word: {e.message}", hint=e.hint)
        return {}, {}


def _remembered(
    memory: MarketStore, home: Home, lessons: Sequence[Lesson], now: float
) -> tuple[Mapping[Pool, Offer], Mapping[Pool, OnSale]]:
    pools = {lesson.pool for lesson in lessons}
    settings = {name: settings_of(home, name).fingerprint for name in {pool.provider for pool in pools}}
    offers: dict[Pool, Offer] = {}
    on_sale: dict[Pool, OnSale] = {}
    since = now - ON_SALE_BACK_S
    for gpu in sorted({lesson.gpu for lesson in lessons if lesson.gpu}):
        want = Want(gpus=((gpu, 0),))
        for answer in memory.recall(want, settings=settings, since=now - KEEP_ANSWERS_S, until=now).values():
            offers.update((o.pool, o) for o in answer.offers if o.pool in pools)
        for prices in memory.history(gpu, since=since, until=now):
            seen = on_sale_of(prices, since=since, until=now) if prices.pool in pools else None
            if seen is not None:
                on_sale[prices.pool] = seen
    return offers, on_sale
