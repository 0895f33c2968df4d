"""A clock that was set back: what is remembered of the future happened just now, as far as anybody knows.

Without this, hours set back are hours in which nothing is seen gone, nobody is found silent, and nobody who
takes too long to leave is pressed.
"""

from __future__ import annotations

from typing import Any

from spotlaunch.core import rules
from spotlaunch.core.draft import Draft

_OF_MACHINES = ("tried_at", "ending_at", "asked_at")
_OF_ATTEMPTS = ("heard_at", "progressed_at", "leave_asked_at")


def heed_clock(draft: Draft, name: str) -> None:
    """Bring the job's moments that lie in the future down to now. Waits begun then begin anew."""
    for machine in draft.machines(name):
        if machine.state != "ended" and machine.launch_key not in draft.world.in_flight:
            draft.set_machine(machine, **_future(machine, _OF_MACHINES, draft.now))
    for attempt in draft.live(name):
        draft.set_attempt(attempt, **_future(attempt, _OF_ATTEMPTS, draft.now))
    job = draft.job(name)
    changes = _future(job, ("waiting_since",), draft.now)
    if job.next_try_at > draft.now + max(_longest_wait_s(draft), job.spec.fallback.look_every_s or 0.0):
        changes["next_try_at"] = draft.now
    if not job.over:
        draft.set_job(job, **changes)


def _future(row: Any, names: tuple[str, ...], now: float) -> dict[str, Any]:
    return {name: now for name in names if (getattr(row, name) or 0.0) > now}


def _longest_wait_s(draft: Draft) -> float:
    """No wait is ever set for longer than this; see `rules.backoff_s`."""
    rests_s = [t.rest_s for t in draft.world.traits.values()]
    return rules.BACKOFF_CAP * max([rules.USUAL_REST_S, *rests_s])
