"""From an empty machine to a program that can start: order, bundle, the wait for the one before, claim, restore.

Runs in a thread of its own, so that the main thread stays awake for a notice. Everything here is patient with
the store: a machine was paid for, and outages pass.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from spotlaunch.agent.settings import Settings
from spotlaunch.core import wire
from spotlaunch.core.wire import Ask, Entry, OrderDoc, Status
from spotlaunch.errors import BlobsUnavailable, NoSuchObject, SpotlaunchError
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.manifests import number_in
from spotlaunch.storage.register import Register
from spotlaunch.storage.restore import ARRIVING, Restored, restore

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

T = TypeVar("T")

STORE_PATIENCE_S = 600.0
ORDER_PATIENCE_S = 60.0
FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 5.0
PREDECESSOR_LOOK_S = 0.5


class CannotGoOn(SpotlaunchError):
    """This attempt ends before its program has started. Reaction: leave, and say why."""


class Preparation:
    """The steps, in the order they are taken. ``stop`` ends every wait."""

    def __init__(
        self, settings: Settings, blobs: Blobs, stop: threading.Event, *, mono: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._blobs = blobs
        self._stop = stop
        self._mono = mono
        self._job = settings.job
        self._mailbox = Mailbox(blobs, settings.job)

    def read_order(self) -> tuple[OrderDoc, Status | None]:
        """The order, and what this attempt reported before (after a restart of the machine)."""
        before = self._patiently(lambda: self._mailbox.status(self._settings.attempt))
        give_up_at = self._mono() + ORDER_PATIENCE_S
        while True:
            order = self._patiently(lambda: self._mailbox.order(self._settings.attempt))
            if order is not None:
                return order, before
            if wire.order_key(self._job, self._settings.attempt) in self._mailbox.unreadable:
                raise CannotGoOn(f"the order of attempt {self._settings.attempt} of {self._job} is unreadable")
            # It is written just before the launch, and some stores show it a little later.
            if self._mono() >= give_up_at:
                raise CannotGoOn(f"there is no order for attempt {self._settings.attempt} of {self._job}")
            self._pause(LONGEST_RETRY_S / 5)

    def burn_letter(self) -> None:
        """Delete the letter that brought us here: what can be read once cannot be read by another."""
        self._patiently(lambda: self._blobs.delete([wire.start_key(self._job, self._settings.attempt)]))

    def chunks_logged(self) -> int:
        """How many chunks of output this attempt has in the store already."""
        folder = wire.log_key(self._job, self._settings.attempt, 0).rpartition("/")[0]
        names = [info.key.rpartition("/")[2] for info in self._patiently(lambda: list(self._blobs.list(folder)))]
        return max((int(name) for name in names if name.isdecimal()), default=0)

    def unpack(self, order: OrderDoc) -> None:
        """The user's files into the working directory, which is made anew."""
        work = self._settings.work
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        if not order.bundle:
            return
        from spotlaunch.storage.unbundle import digest_of, unpack  # late: not every job has one

        archive = self._settings.scratch / "bundle.tar.gz"
        key = wire.bundle_key(self._job, order.bundle)
        for _ in range(2):  # bytes may also be bent on their way
            try:
                self._patiently(lambda: self._blobs.get_file(key, archive))
            except NoSuchObject as e:
                raise CannotGoOn("the bundle with the working directory is gone from the store") from e
            if digest_of(archive) == order.bundle:
                unpack(archive, work)
                archive.unlink()
                return
        raise CannotGoOn("the bundle with the working directory is damaged: its digest differs")

    def checkpoint_dir(self, order: OrderDoc) -> Path:
        """The folder to watch, made. Raises `CannotGoOn` where it would take the user's own files with it."""
        folder = self._settings.work / order.checkpoint_dir
        own = folder.resolve()
        work = self._settings.work.resolve()
        if own == work or own in work.parents:
            raise CannotGoOn(f"checkpoint.dir {order.checkpoint_dir!r} must be a folder of its own")
        try:
            own.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise CannotGoOn(f"cannot make the checkpoint folder {own}: {e.strerror or e}") from e
        return own

    def wait_for_predecessor(self, order: OrderDoc, asked: Callable[[], Ask | None]) -> str:
        """Until the attempt before has left, or is known to be gone, or has had time enough; says which."""
        give_up_at = self._mono() + order.predecessor_wait_s
        while self._mono() < give_up_at:
            status = self._look(lambda: self._mailbox.status(order.predecessor))
            if status is not None and status.phase == "left":
                return f"attempt {order.predecessor} has left"
            ask = asked()
            if ask is not None and ask.kind == "proceed":
                return ask.reason or f"attempt {order.predecessor} is gone"
            self._pause(min(PREDECESSOR_LOOK_S, order.report_every_s))
        return f"attempt {order.predecessor} had {order.predecessor_wait_s:.0f} s to leave"

    def claim(self, by: str, now: Callable[[], float]) -> Entry:
        """The right to commit. Raises `Superseded`."""
        register = Register(self._blobs, self._job)
        return self._patiently(lambda: register.claim(self._settings.attempt, by, now()))

    def restore(self, to: Path) -> Restored:
        """The newest whole checkpoint in place. Only after the claim."""
        return self._patiently(lambda: restore(self._blobs, self._job, to, stopped=self._stop.is_set))

    # -- waiting -----------------------------------------------------------------------------------------

    def _patiently(self, call: Callable[[], T]) -> T:
        """Until the store answers. Raises `CannotGoOn` when it does not for ten minutes."""
        give_up_at, pause_s = self._mono() + STORE_PATIENCE_S, FIRST_RETRY_S
        while True:
            try:
                return call()
            except BlobsUnavailable as e:
                if self._mono() >= give_up_at:
                    raise CannotGoOn(f"the store could not be used for 10 minutes: {e.message}", hint=e.hint) from e
            self._pause(pause_s)
            pause_s = min(LONGEST_RETRY_S, 2 * pause_s)

    def _look(self, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except BlobsUnavailable:
            return None

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise CannotGoOn("told to stop")


def newest_restored(folder: Path) -> str:
    """`SPOTLAUNCH_RESUME`: the entry with the highest number in its name, else the only one, else the folder."""
    names = sorted(entry.name for entry in folder.iterdir() if entry.name != ARRIVING)
    if not names:
        return ""
    numbered = [(number, name) for name in names for number in [number_in(name)] if number is not None]
    if numbered:
        return str(folder / max(numbered)[1])
    return str(folder / names[0] if len(names) == 1 else folder)
