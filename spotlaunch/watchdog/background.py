"""Starting the watchdog in the background, and ending it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

from spotlaunch.errors import SpotlaunchError, StoreUnavailable
from spotlaunch.home import Home
from spotlaunch.ports import Store
from spotlaunch.watchdog.holder import is_awake
from spotlaunch.watchdog.wake import poke

# A new watchdog says that it is awake by taking the lease; importing its libraries takes a moment.
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 30.0
STEP_S = 0.05

# The log of the background watchdog begins anew beyond this.
LOG_MOST_BYTES = 5_000_000


def ensure_awake(home: Home, store: Store) -> bool:
    """Wake the watchdog, or start one in the background. Says whether one was started.

    Raises `SpotlaunchError` with the end of its log when it does not come up.
    """
    if is_awake(store.lease(), time.time()):
        poke(home.wake)
        return False
    child = _start(home)
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while not is_awake(store.lease(), time.time()):
        code = child.poll()
        # One that ends at once with success met another that was quicker: the lease tells in a moment.
        if code not in (None, 0) or time.monotonic() > give_up_at:
            raise SpotlaunchError(
                f"the watchdog did not start (exit code {code}): {_tail(home)}",
                hint=f"see {home.watchdog_log}, or run `spotlaunch watch` to see it happen",
            )
        if code == 0 and not _work_left(store):
            return True
        time.sleep(STEP_S)
    return True


def _work_left(store: Store) -> bool:
    return bool(store.read_book().jobs)


def _start(home: Home) -> subprocess.Popen[bytes]:
    log = home.watchdog_log
    try:
        mode = "wb" if log.exists() and log.stat().st_size > LOG_MOST_BYTES else "ab"
        out = log.open(mode)
    except OSError as e:
        raise StoreUnavailable(
            f"the watchdog cannot be started, as its log {log} cannot be written: {e.strerror or e}",
            hint="make it writable, then run `spotlaunch watch`, or any command that changes a job",
        ) from e
    with out:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "spotlaunch", "watch", "--background"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            cwd=home.path,
            env={**os.environ, "SPOTLAUNCH_HOME": str(home.path)},
        )


def _tail(home: Home) -> str:
    try:
        lines = home.watchdog_log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "it left no log"
    return lines[-1] if lines else "its log is empty"


def stop(store: Store) -> bool:
    """End the watchdog that is awake, and wait for it. False: none was awake. Machines go on without it.

    Raises `SpotlaunchError` when it runs on another host or does not end.
    """
    lease = store.lease()
    if lease is None or not is_awake(lease, time.time()):
        return False
    if lease.host != socket.gethostname():
        raise SpotlaunchError(f"the watchdog runs on {lease.host} as process {lease.pid}", hint="stop it there")
    with suppress(ProcessLookupError):  # it went home this very moment
        os.kill(lease.pid, signal.SIGTERM)
    give_up_at = time.monotonic() + STOP_TIMEOUT_S
    while is_awake(store.lease(), time.time()):
        if time.monotonic() > give_up_at:
            raise SpotlaunchError(
                f"the watchdog (process {lease.pid}) has not ended in {STOP_TIMEOUT_S:.0f} s",
                hint=f"it may be waiting for a cloud; `kill -9 {lease.pid}` loses nothing",
            )
        time.sleep(STEP_S)
    return True
