"""Charges: what providers say that they have billed, asked side by side with one deadline.

One that fails, hangs or has a bug is an answer that says so; it never fails the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field

from spotlaunch.core.facts import Charge
from spotlaunch.core.settings import Settings
from spotlaunch.market.words import masked, why

DEADLINE_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A provider's answer: charges by instance id; or ``problem`` (with ``hint``), why there is none."""

    provider: str
    charges: Mapping[str, Charge] = field(default_factory=dict)
    problem: str = ""
    hint: str = ""


def ask_charges(
    providers: Mapping[str, Settings],
    ask: Callable[[str, Settings, Collection[str]], Sequence[Charge]],
    instances: Mapping[str, Collection[str]],
    *,
    workers: Executor,
    deadline_s: float = DEADLINE_S,
) -> list[Told]:
    """What each of ``providers`` (name to settings) has billed for its ``instances``, in their order."""
    calls = {name: workers.submit(ask, name, settings, instances[name]) for name, settings in providers.items()}
    wait(calls.values(), timeout=deadline_s)
    answers = []
    for name, call in calls.items():
        secrets = providers[name].secrets.values()
        if not call.done():
            problem, hint = f"has not answered within {deadline_s:g} s", "try again"
        elif (error := call.exception()) is not None:
            problem, hint = why(error)
        else:
            answers.append(Told(provider=name, charges={c.instance_id: c for c in call.result()}))
            continue
        answers.append(Told(provider=name, problem=masked(problem, secrets), hint=masked(hint, secrets)))
    return answers
