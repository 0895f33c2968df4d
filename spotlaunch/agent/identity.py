"""Who this agent is: the same after a restart of its machine, another on every other machine."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path

from spotlaunch.errors import LeaseHeld

NAME = "agent-id"


def take_identity(scratch: Path) -> tuple[str, bool]:
    """The ``by`` of register entries, and whether it was made just now.

    It is kept in the scratch folder, and held for as long as the process lives.

    A container that its host starts again finds its own claim in the register and may go on. Raises
    `LeaseHeld` when another agent runs in this folder at this moment.
    """
    # Kept open on purpose, also by nobody's hand: the lock goes with the process, and only with it.
    fd = os.open(scratch / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
        os.close(fd)
        raise LeaseHeld(f"another agent runs in {scratch}") from e
    known = os.read(fd, 100).decode(errors="replace").strip()
    if known:
        return known, False
    made = secrets.token_hex(8)
    os.write(fd, made.encode())
    return made, True
