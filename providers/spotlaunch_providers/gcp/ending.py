"""Ending machines: Google has no call for several, so one for each, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from spotlaunch.errors import InvalidOrder, NotFound, ProviderError
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.leftovers import DISKS
from spotlaunch_providers.gcp.names import delete_token, parse
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

END_S = 30.0
AT_A_TIME = 16


def end(account: Account, owner: str, instance_ids: Sequence[str], deadline: Deadline) -> dict[str, str]:
    """Ask for the end of all; only the failures come back, as what Google said. What is absent has ended.

    Raises `NotAuthorized` and `Transient` where nobody can be asked at all.
    """
    path = account.project_path()
    places = {id_: place for id_ in dict.fromkeys(instance_ids) if (place := _place(id_))}

    def ask(place: str) -> None:
        params = {"requestId": delete_token(owner)}
        account.compute().once("DELETE", f"{path}/{place}", deadline=deadline, params=params)

    calls = [lambda place=place: ask(place) for place in places.values()]
    answers = side_by_side(calls, deadline=deadline, most=AT_A_TIME, name="gcp-end")
    return {
        id_: answer.message
        for id_, answer in zip(places, answers, strict=True)
        if isinstance(answer, ProviderError) and not _is_absent(answer)
    }


def _place(instance_id: str) -> str | None:
    """Where in the project it is; None for what can be no id of ours, and so is nowhere."""
    zone, _, name = instance_id.partition("/")
    found = parse(f"{zone}/{name.removeprefix(DISKS)}")
    if found is None:
        return None
    kind = "disks" if name.startswith(DISKS) else "instances"
    return f"zones/{found[0]}/{kind}/{found[1]}"


def _is_absent(error: ProviderError) -> bool:
    """Also a zone that does not exist has no such machine."""
    return isinstance(error, NotFound) or (isinstance(error, InvalidOrder) and "nknown zone" in error.message)
