"""The pods of one owner, and what is remembered of them between two listings: so that an end gets its reason."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from spotlaunch.core.facts import SeenMachine
from spotlaunch.errors import ProviderError
from spotlaunch_providers.runpod import pods
from spotlaunch_providers.runpod.asking import Asking
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

# A listing, which is only of use whole; asking for ends; the balance, which is not worth a long wait.
LIST_S, END_S, BALANCE_S = 30.0, 60.0, 5.0

_POD_ID = re.compile(r"[A-Za-z0-9_-]+")


class Machines:
    """Safe to use from several threads. ``now`` gives seconds since the epoch."""

    def __init__(self, asking: Asking, *, owner: str, now: Callable[[], float]) -> None:
        self._asking, self._prefix, self._now = asking, f"sl-{owner}-", now
        self._lock = threading.Lock()
        self._asked: set[str] = set()  # whose end we have asked for
        self._before: dict[str, SeenMachine] = {}  # the last listing
        self._why: dict[str, SeenMachine] = {}  # stopped ones of which the reason is known

    def seen(self) -> list[SeenMachine]:
        """All of them: whole, or an error. Names are not unique here: two of one key are listed both."""
        rows = self._asking.pods(deadline=Deadline(LIST_S))
        with self._lock:
            asked, before, why = set(self._asked), self._before, self._why
        mine = (r for r in rows if str(r.get("name") or "").startswith(self._prefix))
        found = {m.instance_id: m for m in (pods.machine(r, asked=r["id"] in asked) for r in mine)}
        exited = [m for m in found.values() if m.phase == "stopped" and not m.ending_reason]
        lost = [m for i, m in before.items() if i not in found and i not in asked and m.phase != "gone"]
        fresh = [m for m in exited if m.instance_id not in why]
        if fresh or lost:
            fresh, lost = self._explained(fresh, lost, found.values())
        why = {m.instance_id: why.get(m.instance_id, m) for m in exited} | {m.instance_id: m for m in fresh}
        found |= why
        with self._lock:
            self._asked &= {*found, *(self._asked - asked)}
            self._before, self._why = found, why
        return [*found.values(), *lost]

    def _explained(
        self, exited: list[SeenMachine], lost: list[SeenMachine], found: Iterable[SeenMachine]
    ) -> tuple[list[SeenMachine], list[SeenMachine]]:
        """Those that exited, with the reason; those lost of which the reason is known, as gone. One call at most.

        We stop no pod, and none stops by itself: RunPod does when the money is gone [D], or deletes it, and else a
        person did. While a pod runs there is money, whatever the balance is of an account that pays later.
        """
        by_hand = [replace(m, ending_reason="by-hand", detail=f"{m.detail}, and not by us") for m in exited]
        if any(m.phase in ("starting", "running") for m in found):
            return by_hand, []
        balance = self._balance()
        if balance is None:
            return [replace(m, detail=f"{m.detail}, and not by us") for m in exited], []
        if balance > 0:
            return by_hand, []
        now = self._now()
        return [_broke(m, balance) for m in exited], [
            replace(_broke(m, balance), phase="gone", ended_at=now) for m in lost
        ]

    def end(self, instance_ids: Iterable[str]) -> dict[str, str]:
        """Delete them, side by side: RunPod has no call for many. What is no pod's id has no pod."""
        ids = [i for i in dict.fromkeys(instance_ids) if _POD_ID.fullmatch(i)]
        if not ids:
            return {}
        with self._lock:
            self._asked.update(ids)
        deadline = Deadline(END_S)
        calls: Sequence[Callable[[], None]] = [partial(self._asking.end, i, deadline=deadline) for i in ids]
        outcomes = side_by_side(calls, deadline=deadline, name="runpod")
        return {i: o.message for i, o in zip(ids, outcomes, strict=True) if isinstance(o, ProviderError)}

    def _balance(self) -> Decimal | None:
        try:
            return self._asking.balance_usd(deadline=Deadline(BALANCE_S))
        except ProviderError:
            return None  # a key without access to GraphQL, or GraphQL is no more: then nobody tells why


def _broke(machine: SeenMachine, balance: Decimal) -> SeenMachine:
    return replace(machine, ending_reason="out-of-funds", detail=f"the account holds ${balance:.2f}")
