"""`spotlaunch watch`: the loop in the foreground, once, in the background; and its end."""

from __future__ import annotations

from contextlib import suppress

from spotlaunch.cli import render
from spotlaunch.cli.book import open_book
from spotlaunch.cli.events import line
from spotlaunch.core.book import Event
from spotlaunch.errors import LeaseHeld, UsageError
from spotlaunch.home import Home
from spotlaunch.watchdog import background as in_background
from spotlaunch.watchdog.serve import serve, serve_until_idle


def run(*, once: bool, stop: bool, background: bool) -> int:
    """Watch until interrupted. Raises `LeaseHeld` when another watchdog is awake."""
    home = Home.find()
    if stop:
        if once:
            raise UsageError("--once and --stop exclude each other")
        with open_book(home) as store:
            stopped = in_background.stop(store)
        render.say("the watchdog has ended; machines go on without it" if stopped else "no watchdog was awake")
        return 0
    if background:
        try:
            serve_until_idle(home, told=_log)
        except LeaseHeld:
            return 0  # another was quicker, and does the same
        return 0
    serve(home, told=_tell, once=once)
    return 0


def _log(event: Event) -> None:
    """Into the background's log. One that cannot be written (a full disk) must not end the watchdog."""
    with suppress(OSError):
        _tell(event)


def _tell(event: Event) -> None:
    print(f"{event.job}: {line(event)}", flush=True)
