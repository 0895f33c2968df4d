"""Where a rehearsal takes place: a home of its own, a watchdog for it, and the end of both, whatever ends us.

The watchdog runs in a child process that holds one end of a pipe. When the other end is closed, by us or by the
kernel because we were killed, it ends all machines, itself, and the folder. A folder whose both processes were killed
is cleared by the next rehearsal: nobody holds its lock any more.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spotlaunch.core.facts import Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import ProviderError, SpotlaunchError, StoreUnavailable
from spotlaunch.home import Home
from spotlaunch.ports import RehearsalCloud
from spotlaunch.registry import REHEARSALS, connect
from spotlaunch.storage.store import SqliteStore, open_store
from spotlaunch.watchdog.holder import is_awake
from spotlaunch.watchdog.serve import serve

AWAKE_S = 30.0
CLEAR_S = 60.0
STEP_S = 0.05


class Stage:
    """An open stage. ``cloud`` is the rehearsal cloud on it, ``store`` its book."""

    def __init__(self, home: Home, cloud: RehearsalCloud, store: SqliteStore) -> None:
        self.home, self.cloud, self.store = home, cloud, store


@contextmanager
def stage(user_home: Home, want: Want, *, notice_s: float) -> Iterator[Stage]:
    """A stage below ``user_home`` where machines like ``want`` are sold. Nothing of it is left afterwards.

    Raises `StoreUnavailable` where there is no room for one, `SpotlaunchError` when its watchdog does not come up.
    """
    folder = user_home.path / "rehearsals"
    clear_forgotten(folder)
    home = _new_home(folder)
    lock = _locked(home.path)
    child: subprocess.Popen[bytes] | None = None
    try:
        store = open_store(home)
        try:
            name = rehearsal_cloud()
            cloud = _connect(home, name, store.owner)
            cloud.sell(want, notice_s=notice_s)
            child = _start_watchdog(home, name, lock)
            _await_watchdog(home, store, child)
            yield Stage(home, cloud, store)
        finally:
            store.close()
    finally:
        _end(child)
        clear(home)
        os.close(lock)


def rehearsal_cloud() -> str:
    """The name of the provider that rehearsals use."""
    return min(REHEARSALS)


def clear_forgotten(folder: Path) -> None:
    """End and remove what is left of rehearsals whose processes were killed."""
    for left in folder.glob("*/") if folder.is_dir() else ():
        try:
            lock = os.open(left / "lock", os.O_RDWR)
        except OSError:
            continue  # being made, or being cleared, just now
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            clear(Home(left))
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def clear(home: Home) -> None:
    """End all machines of a stage and remove its folder. Safe to repeat, and for two at once."""
    if home.database.exists():
        with suppress(SpotlaunchError):
            store = open_store(home)
            owner = store.owner
            store.close()
            _end_machines(_connect(home, rehearsal_cloud(), owner))
    shutil.rmtree(home.path, ignore_errors=True)


def _end_machines(cloud: RehearsalCloud) -> None:
    give_up_at = time.monotonic() + CLEAR_S
    while time.monotonic() < give_up_at:
        try:
            machines = cloud.list_machines()
            if not machines:
                return
            cloud.terminate([m.instance_id for m in machines])
        except ProviderError:
            pass  # its folder is being removed by the other process: the next look tells
        time.sleep(STEP_S)


def _connect(home: Home, name: str, owner: str) -> RehearsalCloud:
    # Without the user's settings: their market must not come into it.
    cloud = connect(name, owner=owner, folder=home.provider(name), settings=Settings(provider=name))
    assert isinstance(cloud, RehearsalCloud)
    return cloud


def _new_home(folder: Path) -> Home:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Home(Path(tempfile.mkdtemp(prefix=f"{int(time.time())}-", dir=folder)))
    except OSError as e:
        raise StoreUnavailable(
            f"there is no place for a rehearsal in {folder}: {e.strerror or e}", hint="is the disk full or read-only?"
        ) from e


def _locked(folder: Path) -> int:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


# -- the watchdog, seen from outside -----------------------------------------------------------------------


def _start_watchdog(home: Home, name: str, lock: int) -> subprocess.Popen[bytes]:
    """In a session of its own, so that Ctrl-C is for us alone; the lock is held by both."""
    told = f"SPOTLAUNCH_{name.upper()}_"
    env = {k: v for k, v in os.environ.items() if not k.startswith(told)} | {"SPOTLAUNCH_HOME": str(home.path)}
    with home.watchdog_log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(home.path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=env,
            pass_fds=(lock,),
            start_new_session=True,
        )


def _await_watchdog(home: Home, store: SqliteStore, child: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + AWAKE_S
    while not is_awake(store.lease(), time.time()):
        if child.poll() is not None or time.monotonic() > give_up_at:
            with suppress(OSError):
                tail = home.watchdog_log.read_text(errors="replace")[-500:]
                raise SpotlaunchError(f"the watchdog of the rehearsal did not start: {tail.strip() or 'no word'}")
        time.sleep(STEP_S)


def _end(child: subprocess.Popen[bytes] | None) -> None:
    """Hang up, and wait until it has cleared the stage."""
    if child is None:
        return
    assert child.stdin is not None
    child.stdin.close()
    try:
        child.wait(timeout=CLEAR_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


# -- the watchdog itself -----------------------------------------------------------------------------------


def main(home: Home, name: str) -> None:
    """Watch until nobody holds the other end of standard input; then leave nothing behind."""
    over = threading.Event()
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sig, lambda *_: None)  # until `serve` has its own: what is missed is sent again
    threading.Thread(target=_hang_up, args=(over,), name="other end", daemon=True).start()
    try:
        serve(home, told=lambda _: None, only=(name,))
    finally:
        over.set()
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(sig, signal.SIG_IGN)
        clear(home)


def _hang_up(over: threading.Event) -> None:
    """When the other end is closed: SIGTERM to ourselves, until it has been heard."""
    while os.read(0, 4096):
        continue
    while not over.wait(0.1):
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(Home(Path(sys.argv[1])), sys.argv[2])
