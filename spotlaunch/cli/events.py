"""`spotlaunch events JOB`: the story, one sentence a line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from spotlaunch.cli import render
from spotlaunch.cli.book import open_book
from spotlaunch.core.book import Event
from spotlaunch.storage.store import SqliteStore

POLL_S = 0.5


def run(job: str, *, as_json: bool, follow: bool) -> None:
    """Print a job's events so far; with ``follow`` also those to come. Raises `NoSuchJob`."""
    with open_book() as store:
        story = read(store, job, follow=follow)
        if as_json:
            render.json_list((event_json(number, event) for number, event in story), endless=follow)
            return
        for _, event in story:
            print(line(event), flush=follow)


def read(
    store: SqliteStore, job: str, *, follow: bool, after: int = 0, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[int, Event]]:
    """Events after number ``after``; with ``follow`` until the job is over. Raises `NoSuchJob`."""
    while True:
        # Over is asked before the events are read: the last of them was written with that very change.
        over = store.job(job).over
        for number, event in store.events(job, after=after):
            after = number
            yield number, event
        if over or not follow:
            return
        sleep(POLL_S)


def line(event: Event) -> str:
    """When, what kind, and the sentence."""
    return f"{render.clock(event.at)}  {event.kind:<11} {event.text}".rstrip()


def event_json(number: int, event: Event) -> dict[str, Any]:
    """Keys are stable; those inside ``data`` depend on the kind."""
    return {
        "number": number,
        "job": event.job,
        "at": event.at,
        "kind": event.kind,
        "text": event.text,
        "data": dict(event.data),
    }
