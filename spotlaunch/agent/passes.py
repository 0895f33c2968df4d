"""The machine's pass to the store: kept fresh from the mailbox, and given to the store's clients as it is now.

A pass opens this job's folder only, and for some hours only; the watchdog seals a new one for us before it ends.
Standard library only, and no newer syntax than Python 3.10.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from spotlaunch.agent.unseal import key_from_text, open_sealed
from spotlaunch.core import wire
from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable, NoSuchObject

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

# How often a new pass is looked for, and how often when it is wanted: the present one is nearly over, or the store
# could not be read with it.
LOOK_S, HURRY_S = 60.0, 10.0
# Nearly over: less than this share of its life is left.
LITTLE_LEFT = 1 / 3


class Passes:
    """Called, it gives the pass of now (see `storage.opening.Credentials`). Safe to use from several threads.

    ``first`` is what the letter brought, ``key`` opens what is sealed later for ``attempt`` of ``job``. The newest
    is kept in ``file``, sealed as it came, so that a machine that is started again need not begin with one that is
    over.
    """

    def __init__(
        self,
        first: Pass,
        *,
        key: bytes,
        job: str,
        attempt: int,
        file: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._name = wire.pass_key(job, attempt)
        self._file = file
        self._now = now
        self._pass, self._since = first, now()
        self._refused = False
        if file is not None and file.exists():
            self._take(file.read_bytes())

    def __call__(self) -> Pass:
        return self._pass

    @property
    def wait_s(self) -> float:
        """How long until a new pass is to be looked for."""
        found = self._pass
        if found.expires_at == 0:
            return LOOK_S
        life_s, left_s = found.expires_at - self._since, found.expires_at - self._now()
        return HURRY_S if self._refused or left_s < life_s * LITTLE_LEFT else LOOK_S

    def look(self, blobs: Blobs) -> bool:
        """Read what is sealed for us; says whether it was a newer pass. Trouble with the store is not raised."""
        try:
            sealed = blobs.get(self._name)
        except NoSuchObject:
            self._refused = False
            return False
        except BlobsUnavailable:
            self._refused = True
            return False
        self._refused = False
        if not self._take(sealed):
            return False
        if self._file is not None:
            _keep(self._file, sealed)
        return True

    def keep_fresh(self, blobs: Blobs) -> threading.Thread:
        """Look for new passes for as long as this process lives, in a thread of its own."""
        thread = threading.Thread(target=self._work, args=(blobs,), name="passes", daemon=True)
        thread.start()
        return thread

    def _work(self, blobs: Blobs) -> None:
        while True:
            time.sleep(self.wait_s)
            self.look(blobs)

    def _take(self, sealed: bytes) -> bool:
        """What does not open, or is no newer pass to the same store, is left alone."""
        try:
            found = wire.decode(Pass, open_sealed(self._key, sealed, about=self._name))
            whole = set(found.env) >= set(self._pass.env) and all(isinstance(v, str) for v in found.env.values())
            if not whole or 0 < found.expires_at <= self._pass.expires_at:
                return False
        except (ValueError, TypeError):  # `CannotOpen` is one
            return False
        if found == self._pass:
            return False
        self._pass, self._since = found, self._now()
        return True


def passes_of(env: Mapping[str, str] = os.environ) -> Passes | None:
    """The passes that `agent.start` tells of. None: this machine came by no letter, or its store needs no pass.

    Raises `CannotOpen` when the key is none.
    """
    names = [name for name in env.get("SPOTLAUNCH_PASS_NAMES", "").split(",") if name]
    if not names:
        return None
    first = Pass(
        env={name: env.get(name, "") for name in names},
        expires_at=float(env.get("SPOTLAUNCH_PASS_EXPIRES_AT") or 0),
    )
    file = env.get("SPOTLAUNCH_PASS_FILE", "")
    return Passes(
        first,
        key=key_from_text(env["SPOTLAUNCH_PASS_KEY"]),
        job=env["SPOTLAUNCH_JOB"],
        attempt=int(env["SPOTLAUNCH_ATTEMPT"]),
        file=Path(file) if file else None,
    )


def _keep(file: Path, sealed: bytes) -> None:
    """Whole or not at all, for us only. A disk that takes nothing costs a later restart, not this attempt."""
    new = file.with_name(file.name + ".new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(sealed)
        new.replace(file)
    except OSError:
        return
