"""The market for one command: whom to ask, with what memory, and how often machines are taken."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from spotlaunch.cli import render
from spotlaunch.config import settings_of
from spotlaunch.core.answers import Answer
from spotlaunch.core.facts import Market, Offer, Want
from spotlaunch.core.gpus import gpu_problem, parse_gpu
from spotlaunch.core.lessons import NOTHING_LEARNED, Learned
from spotlaunch.core.pricelist import Terms
from spotlaunch.core.settings import Settings
from spotlaunch.core.units import Unreadable
from spotlaunch.errors import SpotlaunchError, StoreUnavailable, UsageError
from spotlaunch.home import Home
from spotlaunch.market.survey import DEADLINE_S, FRESH_S, Means, survey
from spotlaunch.ports import Provider
from spotlaunch.registry import REHEARSALS, connect, provider_names
from spotlaunch.storage.market import MarketStore, open_market
from spotlaunch.workers import Workers

# Marks no machine: who only asks for prices before there is a book needs no mark.
NOBODY = "000000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What the market said, when, and on which terms its offers are compared."""

    answers: tuple[Answer, ...]
    now: float
    terms: Terms

    @property
    def offers(self) -> Iterator[Offer]:
        """Those of all answers."""
        return (offer for answer in self.answers for offer in answer.offers)

    @property
    def answered(self) -> bool:
        """Whether anybody did."""
        return any(not a.failure for a in self.answers)


class Asker:
    """Asks the market, with the memory and the book of one home."""

    def __init__(self, home: Home, memory: MarketStore | None, *, owner: str, learned: Learned) -> None:
        self._home = home
        self._memory = memory
        self._owner = owner
        self._learned = learned

    def ask(
        self, names: Sequence[str], want: Want, *, max_age_s: float = FRESH_S, deadline_s: float = DEADLINE_S
    ) -> Seen:
        """What each of ``names`` answers to ``want`` within ``deadline_s``; an answer of ``max_age_s`` ago will do."""
        # Two each: one that hangs at being set up must not keep another from being asked.
        workers = Workers(2 * len(names), name="survey")
        means = Means(
            settings=self._settings,
            connect=self._connect,
            now=time.time,
            workers=workers,
            memory=self._memory,
            complain=_complain,
            asking=lambda asked: _tell_asking(asked, deadline_s),
        )
        try:
            answers = survey(names, want, means, max_age_s=max_age_s, deadline_s=deadline_s)
        finally:
            # Who watches asks for weeks: threads must not pile up. One that hangs ends when its call does.
            workers.shutdown(wait=False, cancel_futures=True)
        starts = {a.provider: a.start_s for a in answers}
        terms = Terms(rates=self._learned.rates, boots=self._learned.boots, start_s=starts)
        return Seen(answers=answers, now=time.time(), terms=terms)

    def _settings(self, name: str) -> Settings:
        return settings_of(self._home, name)

    def _connect(self, name: str, settings: Settings) -> Provider:
        return connect(name, owner=self._owner, folder=self._home.provider(name), settings=settings)


@contextmanager
def open_asker(home: Home | None = None) -> Iterator[Asker]:
    """With what this home remembers. A memory or a book that is in trouble is told of, and done without."""
    home = home or Home.find()
    owner, learned = _of_book(home)
    try:
        memory = open_market(home)
    except StoreUnavailable as e:
        _complain(e)
        memory = None
    try:
        yield Asker(home, memory, owner=owner, learned=learned)
    finally:
        if memory is not None:
            memory.close()


def whom_to_ask(named: Sequence[str]) -> list[str]:
    """The providers ``named``, else all but rehearsals, whose prices are not real. Raises `UsageError`."""
    names = provider_names()
    for name in named:
        if name not in names:
            near = difflib.get_close_matches(name.lower(), names, 1)
            hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(names)
            raise UsageError(f"no provider is called {render.one_line(name)!r}", hint=hint)
    real = [n for n in names if n not in REHEARSALS]
    return list(dict.fromkeys(named)) or real or names


def read_gpus(words: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """``H100:8`` as ``("H100", 8)``, and ``H100`` as ``("H100", 0)``: any count. Raises `UsageError`.

    A name that no table knows may be sold all the same; that is told.
    """
    gpus: list[tuple[str, int]] = []
    for word in words:
        try:
            name, count = parse_gpu(word)
        except Unreadable as e:
            raise UsageError(f"--gpu: {e.message}", hint=e.hint) from e
        gpus.append((name, count if ":" in word else 0))
        if problem := gpu_problem(name):
            render.warn(problem)
    return tuple(dict.fromkeys(gpus))


def tell_silent(
    answers: Sequence[Answer], *, shown: Collection[str] | None = None, market: Market | None = None
) -> None:
    """On stderr, a line for each provider that gave nothing, with the reason and what to do.

    ``shown``: the providers of which there are lines (None: those with offers); ``market``: the one asked for.
    """
    told: set[tuple[str, str]] = set()
    for a in answers:
        if a.provider in shown if shown is not None else a.offers:
            continue
        why, hint = (a.failure, a.hint) if a.failure else (_why_nothing(a, market), "")
        if a.failure and (why, hint) in told:
            why, hint = "the same", ""  # a mistake in config.yaml, say, which is long, and everybody's
        told.add((why, hint))
        render.say(f"{a.provider}: {render.one_line(why)}" + (f" (hint: {render.one_line(hint)})" if hint else ""))


def _why_nothing(answer: Answer, market: Market | None) -> str:
    if not answer.offers:
        return "sells nothing like that"
    if market is not None and all(o.pool.market != market for o in answer.offers):
        return f"sells nothing like that in the market {market}"
    return f"none of its {len(answer.offers)} offers is what you ask for"


def _of_book(home: Home) -> tuple[str, Learned]:
    """Our mark, and what was learned of pools. No book: looking at prices makes none."""
    if not home.database.exists():
        return NOBODY, NOTHING_LEARNED
    from spotlaunch.cli.book import open_book  # late: not needed without a book

    try:
        with open_book(home) as book:
            return book.owner, book.learned(now=time.time())
    except StoreUnavailable as e:
        _complain(e)
        return NOBODY, NOTHING_LEARNED


def _tell_asking(names: Sequence[str], deadline_s: float) -> None:
    if sys.stderr.isatty():
        render.say(f"asking {', '.join(names)} (for {deadline_s:g} s at most) ...")


def _complain(trouble: SpotlaunchError) -> None:
    render.warn(trouble.message, hint=trouble.hint)
