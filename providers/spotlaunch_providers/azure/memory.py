"""What one process remembers of the machines it has seen, so that it can ask why one is no more."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from spotlaunch.core.facts import EndReason, SeenMachine
from spotlaunch_providers.azure.constants import GONE_KEPT_S


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Why a machine is no more, in whose words, and since when."""

    reason: EndReason
    detail: str
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """A machine of an earlier listing that is not there any more, and that nobody here asked the end of."""

    machine: SeenMachine
    seen_at: float  # when it was last there
    since: float
    told: Told | None = None

    def as_listed(self) -> SeenMachine | None:
        """As one that is no more, where it is known why; else None."""
        if self.told is None:
            return None
        return replace(
            self.machine,
            phase="gone",
            ended_at=self.told.at or self.since,
            ending_reason=self.told.reason,
            detail=self.told.detail,
            ssh="",
        )


class Memory:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive: dict[str, tuple[SeenMachine, float]] = {}
        self._missing: dict[str, Missing] = {}
        self._machines: dict[str, set[str]] = defaultdict(set)
        self._touched: dict[str, float] = {}
        self._asked: dict[str, float | None] = {}  # since which listing; None: none since

    def launching(self, group: str, *, now: float) -> None:
        """A launch is about to put something into this group: what was asked of an earlier one of that name is over."""
        with self._lock:
            self._touched[group] = now
            self._asked.pop(group, None)

    def touched(self, group: str) -> float:
        """When a launch of this process was last at work there; long ago, if none was."""
        with self._lock:
            return self._touched.get(group, 0.0)

    def machine(self, group: str, name: str) -> None:
        """There is, or may be, a virtual machine of this name."""
        with self._lock:
            self._machines[group].add(name)

    def machines(self, group: str) -> tuple[str, ...]:
        """The names of the virtual machines that were seen in a group, as far as is known."""
        with self._lock:
            return tuple(sorted(self._machines.get(group, ())))

    def asked(self, group: str) -> None:
        """Its end was asked for here."""
        with self._lock:
            self._asked[group] = None
            self._missing.pop(group, None)

    def look(self, alive: Iterable[SeenMachine], *, now: float) -> list[Missing]:
        """Remember a whole listing; gives what is missing since an earlier one."""
        with self._lock:
            here = {m.instance_id: (m, now) for m in alive}
            for group, (machine, seen_at) in self._alive.items():
                if group not in here and group not in self._asked:
                    self._missing[group] = Missing(machine=machine, seen_at=seen_at, since=now)
            self._alive = here
            self._forget_ended(here, now)
            self._missing = {g: m for g, m in self._missing.items() if g not in here and now - m.since < GONE_KEPT_S}
            return list(self._missing.values())

    def _forget_ended(self, here: Mapping[str, object], now: float) -> None:
        """What was begun or ended long ago, and is not there, is not worth the memory."""
        asked = {g: now if at is None else at for g, at in self._asked.items()}
        self._asked = {g: at for g, at in asked.items() if g in here or now - at < GONE_KEPT_S}
        self._touched = {g: at for g, at in self._touched.items() if g in here or now - at < GONE_KEPT_S}
        kept = here.keys() | self._asked.keys() | self._touched.keys()
        self._machines = defaultdict(set, {g: names for g, names in self._machines.items() if g in kept})

    def told(self, group: str, told: Told) -> None:
        """Why it is no more has become known."""
        with self._lock:
            if (missing := self._missing.get(group)) is not None:
                self._missing[group] = replace(missing, told=told)

    def missing(self) -> dict[str, Missing]:
        """All that is missing now, by group."""
        with self._lock:
            return dict(self._missing)
