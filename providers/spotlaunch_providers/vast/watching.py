"""What listings told before, for what one alone does not tell: hosts that stay silent, programs that have ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spotlaunch.core.facts import SeenMachine
from spotlaunch.errors import ProviderError, Transient
from spotlaunch_providers.shared.redact import Redactor
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.contracts import State, read, state_of


@dataclass(slots=True)
class Watch:
    """One process's memory of one account: small, and worth nothing but time when it is lost.

    ``silent``: contract -> listings in a row without a word of its host. ``over``: since when a program has ended.
    ``asked``: contracts whose end we asked for.
    """

    redact: Redactor = field(default_factory=Redactor)
    silent: dict[int, int] = field(default_factory=dict)
    over: dict[int, float] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked_to_end(self, ids: Iterable[str]) -> None:
        """Their end was asked for, and nothing else will be told of them."""
        with self._lock:
            self.asked.update(map(int, ids))

    def machines(
        self, rows: Iterable[Mapping[str, Any]], *, owner: str, now: float, credit: Callable[[], float | None]
    ) -> list[SeenMachine]:
        """The machines of ``owner`` in a whole listing. ``credit`` asks for the account's, in USD: once at most, and
        only where something has stopped that nobody asked for.

        Raises `Transient` for a row of ours that cannot be read: the listing is not whole then.
        """
        mine = {}
        for row in rows:
            if str(row.get("label") or "").startswith(f"sl-{owner}-"):
                mine[row.get("id")] = row
        with self._lock:
            states = {i: self._settled(i, state_of(row, now=now), now) for i, row in mine.items()}
            for kept in (self.silent, self.over):
                for i in [i for i in kept if i not in mine]:
                    del kept[i]
            self.asked.intersection_update(mine)
        money = any(s.reason in ("preempted", "by-hand") for s in states.values())
        broke = money and _spent(credit)
        try:
            return [read(row, self._told(states[i], broke=broke)) for i, row in mine.items()]
        except ValueError as e:
            raise Transient(f"answered with {e}", hint="try again") from e

    def _settled(self, contract: Any, state: State, now: float) -> State:
        """The state with what was seen before."""
        if contract in self.asked:
            return State(phase="ending", reason="asked")
        self.silent[contract] = self.silent.get(contract, 0) + 1 if state.quiet else 0
        since = self.over.setdefault(contract, now) if state.over else self.over.pop(contract, now)
        if self.silent[contract] >= figures.LOST_READS:
            return replace(state, phase="stopped", reason="host-lost")
        if state.over and now - since >= figures.EXITED_GRACE_S:
            return replace(state, phase="stopped", reason="itself")
        return state if state.phase == "stopped" else replace(state, detail="")

    def _told(self, state: State, *, broke: bool) -> State:
        detail = self.redact(state.detail) if state.detail else ""
        if broke and state.reason in ("preempted", "by-hand"):
            return replace(state, reason="out-of-funds", detail="the account has no credit left, so all was stopped")
        return replace(state, detail=detail)


def _spent(credit: Callable[[], float | None]) -> bool:
    """Whether the account is known to be empty. An account that does not answer is not."""
    try:
        left = credit()
    except ProviderError:
        return False
    return left is not None and left <= 0
