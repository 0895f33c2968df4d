"""The lease: one watchdog is awake at a time. Functions on an open transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple

from spotlaunch.errors import LeaseHeld, StaleWrite
from spotlaunch.ports import Lease
from spotlaunch.storage.queries import queries


def held(sql: sqlite3.Connection) -> Lease | None:
    """Who holds it, also when it has run out."""
    row = sql.execute(queries()["lease"]).fetchone()
    if row is None:
        return None
    token, host, pid, process_started_at, until = row
    return Lease(token=token, host=host, pid=pid, process_started_at=process_started_at, until=until)


def take(sql: sqlite3.Connection, lease: Lease, *, now: float, dead: str) -> None:
    """Raises `LeaseHeld` unless it is free, ours, run out, or its holder is the one known to be dead."""
    other = held(sql)
    if other and other.token not in (lease.token, dead) and other.until > now:
        raise _held_by(other)
    sql.execute(queries()["put_lease"], astuple(lease))


def renew(sql: sqlite3.Connection, token: str, *, until: float) -> None:
    """Raises `LeaseHeld` if it is no longer ours, also when it is nobody's."""
    if sql.execute(queries()["renew_lease"], (until, token)).rowcount == 0:
        raise _held_by(held(sql))


def release(sql: sqlite3.Connection, token: str) -> None:
    sql.execute(queries()["release_lease"], (token,))


def require(sql: sqlite3.Connection, token: str) -> None:
    """Raises `StaleWrite` when the lease is not held under ``token``: what it wants to write is outdated."""
    other = held(sql)
    if other is None or other.token != token:
        who = f"the watchdog of process {other.pid} on {other.host}" if other else "nobody"
        raise StaleWrite(f"the lease is not ours any more; it is held by {who}")


def _held_by(other: Lease | None) -> LeaseHeld:
    if other is None:
        return LeaseHeld("the lease was given up; another watchdog may be taking it")
    return LeaseHeld(
        f"another watchdog is awake: process {other.pid} on {other.host}",
        hint="that one does the work; `spotlaunch watch --stop` ends it",
    )
