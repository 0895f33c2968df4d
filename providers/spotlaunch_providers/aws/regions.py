"""Which regions may hold machines of ours: those that are set or enabled, and wherever one was ever launched."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.asking import ask_regions
from spotlaunch_providers.aws.kept import Kept
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.files import read_json, write_json

_HOUR_S = 3600.0


class Regions:
    """The regions in use. ``folder`` keeps where machines were launched, so that a region which is taken out of the
    setting ``regions`` still shows what runs there."""

    def __init__(self, access: Access, folder: Path) -> None:
        self._access = access
        self._path = folder / "regions.json"
        self._lock = threading.Lock()
        self._enabled: Kept[str, tuple[str, ...]] = Kept(_HOUR_S)
        self._used = set(self._read())

    def enabled(self, *, deadline: Deadline, anew: bool = False) -> tuple[str, ...]:
        """The regions that are enabled in the account, known for an hour."""
        if anew:
            self._enabled.forget("")
        return self._enabled.get("", lambda: ask_regions(self._access, deadline=deadline))

    def in_use(self, *, deadline: Deadline) -> tuple[str, ...]:
        """The regions to list: those that are set (else all that are enabled), and where machines were launched."""
        usual = self._access.regions or self.enabled(deadline=deadline)
        with self._lock:
            return tuple(sorted({*usual, *self._used}))

    def remember(self, region: str) -> None:
        """A machine will be launched there."""
        with self._lock:
            if region in self._used:
                return
            # Read again: another process may have written.
            self._used |= {region, *self._read()}
            write_json(self._path, sorted(self._used))

    def _read(self) -> Iterable[str]:
        told: Any = read_json(self._path)
        return [region for region in told if isinstance(region, str)] if isinstance(told, list) else []
