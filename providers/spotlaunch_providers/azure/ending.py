"""Ending machines: the machine by force first, which stops the bill, then its group with all that is left in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from spotlaunch import errors
from spotlaunch_providers.azure.arm import Arm, No
from spotlaunch_providers.azure.constants import COMPUTE_VERSION, END_S, GROUPS_VERSION
from spotlaunch_providers.azure.errors import found
from spotlaunch_providers.azure.memory import Memory
from spotlaunch_providers.azure.names import Id, parse
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.side_by_side import side_by_side

# Without waiting for the system in it to shut down. Whatever it had to save, it has saved before it was to end.
FORCED: Mapping[str, str] = {"forceDeletion": "true"}
_FORCED_IN_GROUP: Mapping[str, str] = {"forceDeletionTypes": "Microsoft.Compute/virtualMachines"}


def terminate(
    instance_ids: Sequence[str], *, arm: Callable[[], Arm], memory: Memory, end_s: float = END_S
) -> dict[str, str]:
    """Ask for the end of all; gives what Azure said to those that it did not take. See `Provider.terminate`."""
    wanted = {text: found for text in dict.fromkeys(instance_ids) if (found := parse(text)) is not None}
    if not wanted:
        return {}
    deadline = Deadline(end_s)
    try:
        calls = arm()
    except errors.ProviderError as e:
        return dict.fromkeys(wanted, e.message)
    ends = [_end(which, calls, memory, deadline) for which in wanted.values()]
    answers = side_by_side(ends, deadline=deadline, name="azure-end")
    failures = {}
    for text, answer in zip(wanted, answers, strict=True):
        if isinstance(answer, errors.ProviderError):
            failures[text] = calls.redact(answer.message)
    return failures


def _end(which: Id, arm: Arm, memory: Memory, deadline: Deadline) -> Callable[[], None]:
    def end() -> None:
        group = f"resourceGroups/{which.group}"
        if which.machine:
            _delete(arm, _machine(group, which.machine), COMPUTE_VERSION, FORCED, deadline)
            return
        memory.asked(which.group)
        for name in memory.machines(which.group):
            try:
                _delete(arm, _machine(group, name), COMPUTE_VERSION, FORCED, deadline)
            except errors.ProviderError:
                continue  # it goes with its group, a little later
        _delete(arm, group, GROUPS_VERSION, _FORCED_IN_GROUP, deadline)

    return end


def _machine(group: str, name: str) -> str:
    return f"{group}/providers/Microsoft.Compute/virtualMachines/{name}"


def _delete(arm: Arm, path: str, version: str, how: Mapping[str, str], deadline: Deadline) -> None:
    """Raises a `ProviderError`, but not for what is gone or going."""
    try:
        arm.do("DELETE", path, version, deadline=deadline, params=how)
    except No as no:
        row = found(no.code, no.said, no.status)
        if no.status == 404 or (row is not None and row.error is errors.NotFound):
            return
        raise
