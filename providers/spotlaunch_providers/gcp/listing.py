"""All machines of one owner, and what this process remembers of them to tell why one is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from spotlaunch.core.facts import SeenMachine
from spotlaunch.errors import InvalidOrder, NotFound, ProviderError
from spotlaunch_providers.gcp import endings, leftovers
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.answers import PAGE, aggregated, mapping, understood
from spotlaunch_providers.gcp.blueprint import OWNER
from spotlaunch_providers.gcp.endings import Ending
from spotlaunch_providers.gcp.machines import Listed, is_mine, listed, on_page
from spotlaunch_providers.shared.deadline import Deadline

LIST_S = 30.0
REASON_TRIES = 4  # an operation may show a little after what it did
GONE_S = 600.0  # so long a machine that is gone is listed with its reason
LEFTOVERS_EVERY_S = 600.0


def every(
    account: Account, path: str, what: str, words: str, deadline: Deadline
) -> list[tuple[str, Mapping[str, Any]]]:
    """Zone and thing, of all pages of an aggregated list that pass the filter ``words``; whole, or it raises."""
    api, where = account.compute(), f"{path}/aggregated/{what}"
    return aggregated(api, where, lambda page: on_page(page, what), words=words, deadline=deadline)


@dataclass(kw_only=True, slots=True)
class _Known:
    """A machine as it was last listed; ``launched_at`` where it was launched here and not listed yet."""

    last: Listed
    launched_at: float | None = None
    tries: int = 0
    ending: Ending | None = None
    gone_at: float | None = None


class Roll:
    """The machines of ``owner``. Safe to use from several threads. ``settle_s``: see `Traits`."""

    def __init__(self, *, account: Account, owner: str, now: Callable[[], float], settle_s: float) -> None:
        self._account, self._owner, self._now, self._settle_s = account, owner, now, settle_s
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._asked: dict[str, float] = {}  # ended by us, and when
        self._leftovers: list[SeenMachine] = []
        self._leftovers_at = float("-inf")

    def launched(self, seen: SeenMachine, number: str) -> None:
        """Remember a machine from its launch on: it may be gone before it was ever listed."""
        with self._lock:
            self._known.setdefault(
                seen.instance_id, _Known(last=Listed(seen=seen, number=number), launched_at=self._now())
            )

    def asked_to_end(self, instance_id: str) -> None:
        """Remember that we ended it, so that nobody needs to be asked why it is gone."""
        with self._lock:
            self._asked[instance_id] = self._now()

    def call(self) -> list[SeenMachine]:
        """Every machine, whole or it raises; with reasons, as far as Google tells. One call more where one ended."""
        began, deadline = self._now(), Deadline(LIST_S)
        path = self._account.project_path()
        words = f'labels.{OWNER} = "{self._owner}"'
        found = every(self._account, path, "instances", words, deadline)
        mine = [(zone, instance) for zone, instance in found if is_mine(instance, self._owner)]
        here = {m.seen.instance_id: m for m in understood(lambda: [listed(z, i) for z, i in mine])}
        leftover = self._left_over(path, words, here, began, deadline)
        with self._lock:
            self._note(here, began)
            puzzles = [k for id_, k in self._known.items() if self._is_puzzle(id_, k, here, began)]
        told = self._reasons(path, puzzles, deadline) if puzzles else {}
        with self._lock:
            for puzzle in puzzles:
                puzzle.tries += 1
                puzzle.ending = told.get(puzzle.last.seen.instance_id, puzzle.ending)
            seen = [self._seen(m) for m in here.values()] + self._gone(here, began) + leftover
        redact = self._account.redactor()
        return [replace(s, detail=redact(s.detail)) if s.detail else s for s in seen]

    # -- memory ------------------------------------------------------------------------------------------

    def _note(self, here: Mapping[str, Listed], began: float) -> None:
        for id_, machine in here.items():
            known = self._known.setdefault(id_, _Known(last=machine))
            known.last, known.launched_at = machine, None
        self._asked = {i: at for i, at in self._asked.items() if i in here or began - at < GONE_S}
        for id_ in [i for i, k in self._known.items() if i not in here and self._is_over(i, k, began)]:
            del self._known[id_]

    def _is_over(self, instance_id: str, known: _Known, began: float) -> bool:
        """Whether there is nothing more to tell of a machine that is not listed."""
        if instance_id in self._asked:
            return True
        if known.ending is None:
            return known.tries >= REASON_TRIES
        return known.gone_at is not None and began - known.gone_at > GONE_S

    def _is_puzzle(self, instance_id: str, known: _Known, here: Mapping[str, Listed], began: float) -> bool:
        """Whether it ends or has ended, and nobody knows why."""
        if instance_id in self._asked or known.tries >= REASON_TRIES:
            return False
        if instance_id in here:
            return known.ending is None and known.last.seen.phase in ("ending", "stopped")
        if known.ending is not None:
            return known.ending.at is None  # known since it was ending; when it was gone is known now
        return known.launched_at is None or began - known.launched_at > self._settle_s

    def _seen(self, machine: Listed) -> SeenMachine:
        seen = machine.seen
        if seen.phase not in ("ending", "stopped"):
            return seen
        if seen.instance_id in self._asked:
            return replace(seen, ending_reason="asked")
        ending = self._known[seen.instance_id].ending
        return replace(seen, ending_reason=ending.reason, detail=ending.detail) if ending else seen

    def _gone(self, here: Mapping[str, Listed], began: float) -> list[SeenMachine]:
        found = []
        for id_, known in self._known.items():
            if id_ in here or id_ in self._asked or known.ending is None:
                continue
            known.gone_at = known.gone_at if known.gone_at is not None else began
            ending, last = known.ending, known.last.seen
            if ending.reason:
                found.append(
                    replace(
                        last,
                        phase="gone",
                        ended_at=ending.at or known.gone_at,
                        ending_reason=ending.reason,
                        detail=ending.detail,
                        ssh="",
                    )
                )
        return found

    # -- what more there is to ask -----------------------------------------------------------------------

    def _reasons(self, path: str, puzzles: list[_Known], deadline: Deadline) -> dict[str, Ending]:
        """By instance id. One page: the newest operations. That they cannot be had costs the reasons only."""
        machines = [p.last for p in puzzles]

        def ask(words: str) -> list[Mapping[str, Any]]:
            filter_ = {"filter": words} if words else {}
            params = {**filter_, "maxResults": str(PAGE), "orderBy": "creationTimestamp desc"}
            page = self._account.compute().once(
                "GET", f"{path}/aggregated/operations", deadline=deadline, params=params
            )
            return understood(lambda: [row for _, row in on_page(mapping(page), "operations")])

        try:
            try:
                # A server that does not know the first filter refuses it, or finds nothing by it.
                rows = self._first(ask, endings.operations_filter(self._owner)) or ask(endings.PREEMPTED_FILTER)
            except InvalidOrder:
                rows = ask("")
            return understood(lambda: endings.of(rows, machines, owner=self._owner))
        except ProviderError:
            return {}

    @staticmethod
    def _first(ask: Callable[[str], list[Mapping[str, Any]]], words: str) -> list[Mapping[str, Any]]:
        try:
            return ask(words)
        except InvalidOrder:
            return []

    def _left_over(
        self, path: str, words: str, here: Mapping[str, Listed], began: float, deadline: Deadline
    ) -> list[SeenMachine]:
        """Disks that outlived their machines: looked for now and then, since all are made to go with them."""
        if began - self._leftovers_at >= LEFTOVERS_EVERY_S:
            try:
                rows = every(self._account, path, "disks", words, deadline)
            except NotFound:
                rows = []  # a server without disks: that there is the project, the machines have told
            mine = [(zone, disk) for zone, disk in rows if is_mine(disk, self._owner)]
            self._leftovers = understood(lambda: leftovers.disks(mine, now=began))
            self._leftovers_at = began
        keys = {m.seen.launch_key for m in here.values()}
        with self._lock:
            return [s for s in self._leftovers if s.launch_key not in keys and s.instance_id not in self._asked]
