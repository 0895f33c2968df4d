"""All machines of one owner in the whole subscription: three paged calls side by side, joined by id.

Azure tells tags and power states in two lists. Groups of ours show what has outlived its machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from spotlaunch.core.facts import SeenMachine
from spotlaunch.errors import ProviderError, Transient
from spotlaunch_providers.azure import activity
from spotlaunch_providers.azure.account import Account
from spotlaunch_providers.azure.constants import COMPUTE_VERSION, GROUPS_VERSION, LIST_S, NETWORK_VERSION
from spotlaunch_providers.azure.machines import is_ending, is_our_group, made_at, of_group_row, of_rows
from spotlaunch_providers.azure.memory import Memory
from spotlaunch_providers.azure.names import OWNER, is_key, last, of_group
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api
from spotlaunch_providers.shared.redact import Redactor
from spotlaunch_providers.shared.side_by_side import side_by_side

Row = Mapping[str, Any]
_MACHINES = "providers/Microsoft.Compute/virtualMachines"


class Listing:
    """One listing. ``memory`` knows what earlier ones saw, to tell why something is no more."""

    def __init__(
        self,
        account: Account,
        redact: Redactor,
        *,
        owner: str,
        memory: Memory,
        now: Callable[[], float],
        settle_s: float,
        list_s: float = LIST_S,
    ) -> None:
        self._account, self._redact, self._owner, self._memory = account, redact, owner, memory
        self._now, self._settle_s, self._list_s = now, settle_s, list_s

    def machines(self) -> list[SeenMachine]:
        """See `Provider.list_machines`. Whole, or raises a `ProviderError`."""
        now, deadline = self._now(), Deadline(self._list_s)
        api = self._account.api(self._redact)
        rows, statuses, groups = self._read(api, deadline)
        by_group = of_rows(rows, {str(s.get("id") or "").lower(): s for s in statuses}, self._owner)
        ending = {g for g, row in groups.items() if is_ending(row)}
        found = [self._taken(m, ending) for several in by_group.values() for m in several]
        for machine, name in ((m, last(str(r.get("id") or ""))) for r in rows for m in by_group.get(_group(r), ())[:1]):
            self._memory.machine(machine.instance_id, name)
        self._look_for_missing(api, [several[0] for several in by_group.values()], now, deadline)
        left = [g for g in groups if g not in by_group and g not in ending]
        return self._reachable(api, found, deadline) + self._left(groups, left, now) + self._gone()

    def _read(self, api: Api, deadline: Deadline) -> tuple[list[Row], list[Row], dict[str, Row]]:
        ours = {"$filter": f"tagName eq '{OWNER}' and tagValue eq '{self._owner}'"}
        calls = [
            lambda: self._pages(api, _MACHINES, COMPUTE_VERSION, {}, deadline),
            lambda: self._pages(api, _MACHINES, COMPUTE_VERSION, {"statusOnly": "true"}, deadline),
            lambda: self._pages(api, "resourcegroups", GROUPS_VERSION, ours, deadline),
        ]
        answers = side_by_side(calls, deadline=deadline, name="azure-list")
        whole = []
        for answer in answers:
            if isinstance(answer, ProviderError):
                raise answer
            whole.append(answer)
        rows, statuses, groups = whole
        return rows, statuses, {_name(g): g for g in groups if is_key(_name(g)) and is_our_group(g, self._owner)}

    def _pages(self, api: Api, path: str, version: str, params: Mapping[str, str], deadline: Deadline) -> list[Row]:
        first = {"api-version": version, **params}
        where = self._account.path(path)

        def page(link: str) -> Any:
            answer = api.get(link, deadline=deadline) if link else api.get(where, deadline=deadline, params=first)
            if not isinstance(answer, dict) or not isinstance(answer.get("value"), list):
                raise Transient("a listing came in a form that we do not know", hint="is endpoint right?")
            return answer

        pages = api.pages(page, lambda answer: str(answer.get("nextLink") or ""), deadline=deadline)
        return [row for answer in pages for row in answer["value"] if isinstance(row, Mapping)]

    def _taken(self, machine: SeenMachine, ending: set[str]) -> SeenMachine:
        """A machine in a group that is being deleted ends with it, whatever it says of itself."""
        group = machine.instance_id.partition("/")[0]
        return replace(machine, phase="ending", ending_reason="", detail="") if group in ending else machine

    def _look_for_missing(self, api: Api, alive: list[SeenMachine], now: float, deadline: Deadline) -> None:
        """Ask the log, once, for all that has vanished since an earlier listing and is not explained yet."""
        untold = [m for m in self._memory.look(alive, now=now) if m.told is None]
        if not untold:
            return
        since = min(m.seen_at for m in untold)
        told = activity.ask(api, self._account, since=since, until=now, deadline=deadline)
        for missing in untold:
            group = missing.machine.instance_id
            if group in told:
                self._memory.told(group, told[group])

    def _left(self, groups: Mapping[str, Row], left: list[str], now: float) -> list[SeenMachine]:
        """Groups without a machine. A young one may be waiting for its machine to show, unless that was seen before."""
        missing = self._memory.missing()
        return [of_group_row(groups[g]) for g in left if g in missing or self._is_old(groups[g], now)]

    def _is_old(self, group: Row, now: float) -> bool:
        return now - max(made_at(group), self._memory.touched(_name(group))) >= self._settle_s

    def _gone(self) -> list[SeenMachine]:
        """Those that are no more, and whose end the log explains."""
        listed = (missing.as_listed() for missing in self._memory.missing().values())
        return [machine for machine in listed if machine is not None]

    def _reachable(self, api: Api, machines: list[SeenMachine], deadline: Deadline) -> list[SeenMachine]:
        """With the addresses of those that may be reached by a shell: one more paged call if there is one."""
        open_ones = [m for m in machines if m.ssh and m.phase in ("starting", "running")]
        addresses: dict[str, str] = {}
        if open_ones:
            path = "providers/Microsoft.Network/publicIPAddresses"
            try:
                rows = self._pages(api, path, NETWORK_VERSION, {}, deadline)
            except ProviderError:  # a shell is a comfort; the listing is not
                rows = []
            told = ((_group(r), str((r.get("properties") or {}).get("ipAddress") or "")) for r in rows)
            addresses = {group: address for group, address in told if address}
        return [replace(m, ssh=_shell(m, addresses)) if m.ssh else m for m in machines]


def _shell(machine: SeenMachine, addresses: Mapping[str, str]) -> str:
    address = addresses.get(machine.instance_id)
    return f"{machine.ssh}@{address}:22" if address else ""


def _group(row: Row) -> str:
    return of_group(str(row.get("id") or ""))


def _name(row: Row) -> str:
    return str(row.get("name") or "").lower()
