"""Providers that cannot be used now, and why: noted by who connects or asks them, for `status`, which does neither."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import asdict

from spotlaunch.core.facts import Unusable
from spotlaunch.home import Home


def note_unusable(home: Home, asked: Collection[str], unusable: Iterable[Unusable], *, passing: bool = False) -> None:
    """Write down which of ``asked`` cannot be used; the others of them can.

    ``passing``: these have been asked for offers (``until`` is told), else they have been connected; what is known of
    the other kind stays. A disk that takes nothing is no trouble here: this is for looking at.
    """
    kept = (u for u in read_unusable(home) if u.provider not in asked or (u.until is not None) != passing)
    found = [*kept, *unusable]
    text = json.dumps([asdict(u) for u in sorted(found, key=lambda u: u.provider)])
    part = home.unusable.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        part.write_text(text)
        part.replace(home.unusable)


def read_unusable(home: Home) -> list[Unusable]:
    """Who cannot be used, as last noted; nobody where nothing was."""
    try:
        return [Unusable(**u) for u in json.loads(home.unusable.read_text())]
    except (OSError, ValueError, TypeError):
        return []
