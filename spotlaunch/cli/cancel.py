"""`spotlaunch cancel JOB`: wanting a job to end. The watchdog does it."""

from __future__ import annotations

import time
from contextlib import suppress

from spotlaunch.cli import render
from spotlaunch.cli.book import open_book
from spotlaunch.core.book import Event, Job, Wanted
from spotlaunch.errors import StaleWrite
from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore
from spotlaunch.watchdog.background import ensure_awake


def run(name: str, *, now: bool, as_json: bool) -> None:
    """Say so in the book and wake the watchdog. A job that is over stays as it is. Raises `NoSuchJob`."""
    home = Home.find()
    with open_book(home) as store:
        job = _want_gone(store, store.job(name), "cancel-now" if now else "cancel")
        # Also when the job is over: its last machine may still be there, and somebody must look after it.
        if not job.over or any(m.state != "ended" for m in store.machines(name)):
            ensure_awake(home, store)
    if as_json:
        render.as_json({"job": job.name, "wanted": job.wanted, "state": job.state})
    elif job.over:
        render.say(f"{job.name} is over: {job.state}")
    elif job.wanted == "cancel-now":
        render.say(f"{job.name} ends now, without a last checkpoint\nsee: spotlaunch status {job.name}")
    else:
        render.say(f"{job.name} ends after a last checkpoint\nsee: spotlaunch status {job.name}")


def _want_gone(store: SqliteStore, job: Job, wanted: Wanted) -> Job:
    """The job as it is afterwards. Who once asked for "now" is not made to wait by asking again."""
    if job.over or job.wanted in (wanted, "cancel-now"):
        return job
    text = "cancel, without a last checkpoint" if wanted == "cancel-now" else "cancel, after a last checkpoint"
    at = time.time()
    event = Event(job=job.name, at=at, kind="wanted", text=f"the user asks: {text}", data={"wanted": wanted})
    with suppress(StaleWrite):  # it was over a moment later
        store.want(job.name, wanted, at=at, event=event)
    return store.job(job.name)
