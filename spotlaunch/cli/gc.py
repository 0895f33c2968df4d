"""`spotlaunch gc`: every machine of this owner at every provider beside the book, and the end of those nobody keeps."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field, replace
from typing import Any

from spotlaunch.cli import render
from spotlaunch.cli.book import open_book
from spotlaunch.cli.listings import Silent, connect_for_machines, list_all
from spotlaunch.cli.market import whom_to_ask
from spotlaunch.core.book import Machine
from spotlaunch.core.facts import Listing
from spotlaunch.core.strays import Remembered, Standing, compare
from spotlaunch.home import Home
from spotlaunch.market.words import why
from spotlaunch.ports import Provider
from spotlaunch.registry import provider_names
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog.holder import is_awake
from spotlaunch.workers import Workers

# Ended means gone from the listing: how long to look for that, and how often.
GONE_WAIT_S = 60.0
LOOK_AGAIN_S = 3.0
LISTING_LEAST_S = 10.0  # also when the calls themselves took all of that time

_HEAD = render.columns("provider", "machine", "verdict", "job", ">attempt", "phase", ">up", ">$/h", "why")


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What is there. ``silent``: providers that did not tell; ``unset``: those that were never set up or used here."""

    standing: tuple[Standing, ...]
    silent: tuple[Silent, ...]
    unset: tuple[Silent, ...]
    of_book: Mapping[str, Sequence[Machine]]

    @property
    def strays(self) -> list[Standing]:
        return [s for s in self.standing if s.verdict == "stray"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What became of the strays, by provider and instance id: which are gone, and what was said of the others."""

    asked: bool = False
    gone: frozenset[tuple[str, str]] = frozenset()
    said: Mapping[tuple[str, str], str] = field(default_factory=dict)


def run(*, providers: Sequence[str], yes: bool, as_json: bool) -> int:
    """List, ask, end, and look whether they ended. Returns 0 when no stray stands and nobody was silent, else 1.

    Raises `UsageError` for a name that no provider has.
    """
    home = Home.find()
    names = whom_to_ask(providers) if providers else provider_names()
    with open_book(home) as store:
        connected = connect_for_machines(home, names, owner=store.owner)
        # Two for each: one that hangs with its listing must not keep another from being asked.
        workers = Workers(2 * len(names), name="gc")
        try:
            listings, silent = list_all(connected.providers, workers)
            found = _found(store, connected.providers, listings, (*connected.silent, *silent), named=providers)
            if not as_json:
                _show(found)
            ended = Ended()
            if found.strays and (yes or (not as_json and _agreed(found.strays))):
                # An answer takes its time; a watchdog that woke up meanwhile may keep one of them by now.
                book = _remembered(store, connected.providers)
                found = replace(found, standing=tuple(compare(listings.values(), book)))
                ended = _end(found.strays, connected.providers, workers)
        finally:
            workers.shutdown(wait=False)
    if as_json:
        render.as_json(_json(found, ended))
    else:
        _tell_ended(found.strays, ended)
    standing = [s for s in found.strays if _id(s) not in ended.gone]
    return 1 if standing or found.silent else 0


def _found(
    store: SqliteStore,
    providers: Mapping[str, Provider],
    listings: Mapping[str, Listing],
    silent: Sequence[Silent],
    *,
    named: Sequence[str],
) -> Found:
    """The listings beside the book, which is read after them: what was launched meanwhile is then in it."""
    book = _remembered(store, providers)
    of_book: dict[str, list[Machine]] = {}
    for m in book.machines.values():
        of_book.setdefault(m.pool.provider, []).append(m)
    # Whoever was never set up, and never had a machine of ours, can have no stray.
    unset = [s for s in silent if not s.set_up and s.provider not in of_book and s.provider not in named]
    return Found(
        standing=tuple(compare(listings.values(), book)),
        silent=tuple(s for s in silent if s not in unset),
        unset=tuple(unset),
        of_book=of_book,
    )


def _remembered(store: SqliteStore, providers: Mapping[str, Provider]) -> Remembered:
    now = time.time()
    return Remembered(
        owner=store.owner,
        now=now,
        machines={m.launch_key: m for m in store.machines()},
        jobs={j.name: j for j in store.jobs()},
        traits={n: p.traits for n, p in providers.items()},
        awake=is_awake(store.lease(), now),
    )


# -- ending ---------------------------------------------------------------------------------------------


def _agreed(strays: Sequence[Standing]) -> bool:
    """Ask on a terminal; nobody there to answer is a no."""
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"end {_count(strays, 'stray')}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _end(strays: Sequence[Standing], providers: Mapping[str, Provider], workers: Executor) -> Ended:
    """Ask for the end of all, then list until they are gone, or the time is over."""
    give_up_at = time.monotonic() + GONE_WAIT_S
    ids: dict[str, list[str]] = {}
    for s in strays:
        ids.setdefault(s.provider, []).append(s.instance_id)
    # A call that hangs is left behind: to ask for an end twice, or to no avail, harms nobody.
    calls = {name: workers.submit(providers[name].terminate, tuple(ids[name])) for name in ids}
    wait(calls.values(), timeout=GONE_WAIT_S)
    said: dict[tuple[str, str], str] = {}
    for name, call in calls.items():
        if not call.done():
            said |= {(name, i): "the provider has not answered" for i in ids[name]}
        elif (error := call.exception()) is not None:
            said |= {(name, i): why(error)[0] for i in ids[name]}
        else:
            said |= {(name, i): text for i, text in call.result().items()}
    gone = _gone(ids, providers, workers, give_up_at)
    return Ended(asked=True, gone=gone, said={k: v for k, v in said.items() if k not in gone})


def _gone(
    ids: Mapping[str, Sequence[str]], providers: Mapping[str, Provider], workers: Executor, give_up_at: float
) -> frozenset[tuple[str, str]]:
    """Which of ``ids`` good listings do not show any more."""
    left = {(name, i) for name, mine in ids.items() for i in mine}
    gone: set[tuple[str, str]] = set()
    while True:
        asked = {name: providers[name] for name in {name for name, _ in left}}
        deadline_s = max(LISTING_LEAST_S, give_up_at - time.monotonic())
        for name, listing in list_all(asked, workers, deadline_s=deadline_s)[0].items():
            shown = {m.instance_id for m in listing.machines if m.phase != "gone"}
            gone |= {(n, i) for n, i in left if n == name and i not in shown}
        left -= gone
        if not left or time.monotonic() + LOOK_AGAIN_S >= give_up_at:
            return frozenset(gone)
        time.sleep(LOOK_AGAIN_S)


# -- for a person ---------------------------------------------------------------------------------------


def _show(found: Found) -> None:
    if found.standing:
        now = time.time()
        render.table(_HEAD, [_cells(s, now) for s in found.standing])
    elif not found.silent:
        render.say("no machine of yours is anywhere")
    for s in found.silent:
        hint = f" (hint: {render.one_line(s.hint)})" if s.hint else ""
        said = f"{s.provider}: {render.one_line(s.reason)}{hint}; what stands there cannot be known"
        render.say(said + _in_the_book(found.of_book.get(s.provider, ())))
    if found.unset:
        render.say(f"not set up, and never used from here: {', '.join(s.provider for s in found.unset)}")


def _in_the_book(machines: Sequence[Machine]) -> str:
    """What the book has there, for one who does not tell."""
    if not machines:
        return ""
    up = [m for m in machines if m.state != "ended"]
    names = ", ".join(m.instance_id or m.launch_key for m in up)
    return f". The book has {_count(machines, 'machine')} there" + (f"; not ended: {names}" if up else ", all ended")


def _cells(s: Standing, now: float) -> list[str]:
    return [
        s.provider,
        s.instance_id,
        s.verdict,
        s.machine.job if s.machine is not None else "",
        str(s.machine.attempt) if s.machine is not None else "",
        s.seen.phase if s.seen is not None else "",
        "" if s.since is None else render.duration(now - s.since),
        "" if s.price_usd_hour is None else f"{s.price_usd_hour.normalize():f}",
        s.reason,
    ]


def _tell_ended(strays: Sequence[Standing], ended: Ended) -> None:
    if not strays:
        return
    if not ended.asked:
        render.warn(f"{_count(strays, 'stray')} left as found", hint="`spotlaunch gc --yes` ends them")
        return
    for s in strays:
        if _id(s) in ended.gone:
            render.say(f"{s.provider}: {s.instance_id} has ended: it is gone from the listing")
        else:
            said = ended.said.get(_id(s), "")
            render.warn(
                f"{s.provider}: {s.instance_id} still stands"
                + (f": {render.one_line(said)}" if said else f" after {GONE_WAIT_S:.0f} s, though asked to end"),
                hint="run `spotlaunch gc` again; if it stays, end it in the provider's console",
            )


def _count(things: Sequence[object], word: str) -> str:
    return f"{len(things)} {word}{'s' if len(things) != 1 else ''}"


def _id(s: Standing) -> tuple[str, str]:
    return s.provider, s.instance_id


# -- as JSON: keys are stable, see docs/reference.md ----------------------------------------------------


def _json(found: Found, ended: Ended) -> dict[str, Any]:
    return {
        "machines": [standing_json(s, ended) for s in found.standing],
        "silent": [silent_json(s, found.of_book.get(s.provider, ())) for s in found.silent],
        "not_set_up": [s.provider for s in found.unset],
    }


def standing_json(s: Standing, ended: Ended) -> dict[str, Any]:
    return {
        "provider": s.provider,
        "instance_id": s.instance_id,
        "launch_key": s.launch_key,
        "verdict": s.verdict,
        "reason": s.reason,
        "job": s.machine.job if s.machine is not None else None,
        "attempt": s.machine.attempt if s.machine is not None else None,
        "state": s.machine.state if s.machine is not None else None,
        "phase": s.seen.phase if s.seen is not None else None,
        "since": s.since,
        "price_usd_hour": s.price_usd_hour,
        "ended": _id(s) in ended.gone if s.verdict == "stray" and ended.asked else None,
        "said": ended.said.get(_id(s), ""),
    }


def silent_json(s: Silent, machines: Sequence[Machine]) -> dict[str, Any]:
    return {
        "provider": s.provider,
        "reason": s.reason,
        "hint": s.hint,
        "machines": len(machines),
        "not_ended": [m.instance_id or m.launch_key for m in machines if m.state != "ended"],
    }
