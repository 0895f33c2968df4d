"""`submit --follow`: the story on stderr and the program's output on stdout, until the job is over."""

from __future__ import annotations

import sys
import time

from spotlaunch.cli import render, summary
from spotlaunch.cli.events import event_json
from spotlaunch.cli.summary import chapters
from spotlaunch.cli.tape import Tape
from spotlaunch.core.book import Event, Job
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.home import Home
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog.background import ensure_awake

POLL_S = 0.3
WATCHDOG_CHECK_S = 5.0

# By what the news mean for the job: trouble, a step forward, a failure.
_COLOURS = {
    **dict.fromkeys(("notice", "preempted", "lost", "refused", "waiting", "fallback", "unknown"), render.YELLOW),
    **dict.fromkeys(("launched", "resumed", "return", "finished"), render.GREEN),
    "failed": render.RED,
}

# How long to wait, once the job is over, for its last machine to be seen gone: the bill is then complete.
LAST_MACHINE_S = 30.0


def run(home: Home, store: SqliteStore, name: str, *, as_json: bool) -> int:
    """Tell all until the job is over. Returns its exit code; 1 for a job that ended without one.

    Ctrl-C leaves the job running, and says so.
    """
    follower = _Follower(store, store.job(name), as_json)
    checked_at = time.monotonic()
    try:
        while True:
            over = store.job(name).over
            follower.tell(whole=over)
            if over:
                break
            if time.monotonic() - checked_at > WATCHDOG_CHECK_S:
                # Somebody may have killed it; whoever follows expects it to go on.
                ensure_awake(home, store)
                checked_at = time.monotonic()
            time.sleep(POLL_S)
        _await_last_machine(store, name)
    except KeyboardInterrupt:
        render.say(f"\n{name} goes on without you; see: spotlaunch status {name}, spotlaunch cancel {name}")
        raise
    job = store.job(name)
    if not as_json:
        _sum_up(store, job)
    if job.state == "finished":
        return 0
    return job.exit_code or 1


def story_line(event: Event) -> str:
    """The time of day, what kind, and the sentence; coloured for a person at a terminal."""
    at, kind = render.time_of_day(event.at), f"{event.kind:<13}"
    if not render.is_fancy(sys.stderr):
        return f"{at}  {kind} {event.text}".rstrip()
    return f"{render.DIM}{at}{render.PLAIN}  {_COLOURS.get(event.kind, render.BOLD)}{kind}{render.PLAIN} {event.text}"


class _Follower:
    """How far story and output have been told."""

    def __init__(self, store: SqliteStore, job: Job, as_json: bool) -> None:
        blobs = open_blobs(job.store_url, endpoint=job.store_endpoint, region=job.store_region)
        self._store = store
        self._job = job.name
        self._json = as_json
        self._tape = Tape(Mailbox(blobs, job.name))
        self._event = 0
        self._closed: set[int] = set()
        self._down = ""
        # On a terminal, and in `2>&1`, story and output are read together: a bar tells the program's lines.
        self._bar = "    | " if render.one_stream() else ""

    def tell(self, *, whole: bool) -> None:
        """What is new. Output comes before the event that ended it."""
        attempts = self._store.attempts(self._job)
        events = self._store.events(self._job, after=self._event)
        try:
            for a in attempts:
                if a.number not in self._closed:
                    self._print(a.number, whole=whole or not a.live)
                if not a.live:
                    self._closed.add(a.number)
            self._down = ""
        except BlobsUnavailable as e:
            if e.message != self._down:
                render.warn(f"the log cannot be read now: {e.message}", hint=e.hint)
            self._down = e.message
        for number, event in events:
            self._event = number
            if self._json:
                render.as_json(event_json(number, event), line=True)
            else:
                render.say(story_line(event))

    def _print(self, attempt: int, *, whole: bool) -> None:
        for text in self._tape.lines(attempt, whole=whole):
            if self._json:
                render.as_json({"attempt": attempt, "text": text}, line=True)
            else:
                print(self._bar + text, flush=True)


def _await_last_machine(store: SqliteStore, name: str) -> None:
    give_up_at = time.monotonic() + LAST_MACHINE_S
    while any(m.state != "ended" for m in store.machines(name)):
        if time.monotonic() > give_up_at:
            render.warn(f"a machine of {name} is still ending", hint=f"see: spotlaunch status {name}")
            return
        time.sleep(POLL_S)


def _sum_up(store: SqliteStore, job: Job) -> None:
    attempts = store.attempts(job.name)
    blobs = open_blobs(job.store_url, endpoint=job.store_endpoint, region=job.store_region)
    try:
        statuses = Mailbox(blobs, job.name).statuses(a.number for a in attempts)
    except BlobsUnavailable as e:
        render.warn(f"what was lost is not known: {e.message}", hint=e.hint)
        statuses = {}
    story = chapters(attempts, store.machines(job.name), statuses, time.time())
    render.say("\n" + summary.text(job, story))
    if job.state != "finished":
        render.say(f"{job.name} {job.state}: {job.reason}")
