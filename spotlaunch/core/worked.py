"""Work: how much of a job's compute time is done and stored, and how much is left.

Only what is stored counts: after a loss, work goes back to the last checkpoint. It is measured on the machine, from
when the program ran to when a checkpoint was stored; and what the program tells of its steps corrects what was said.
"""

from __future__ import annotations

from typing import Any

from spotlaunch.core.book import Attempt, Job
from spotlaunch.core.draft import Draft
from spotlaunch.core.wire import Status

# What a step takes is believed once this share of all steps was seen, or steps for so long.
PACE_SHARE, PACE_S = 0.01, 600.0

# A job that has done more than it was said to need: at least this share of that is still to come.
OVERDRAWN = 0.05


def note_work(draft: Draft, attempt: Attempt, status: Status) -> dict[str, Any]:
    """What a status tells of work that is stored: written to the job; what changes in the attempt is returned."""
    base_s, job = attempt.base_s, draft.job(attempt.job)
    changes: dict[str, Any] = {}
    if base_s is None:
        if status.resumed_step is None:
            return changes
        base_s = _resumed_s(job, status.resumed_step)
        changes["base_s"] = base_s
    elif status.commits <= attempt.commits:
        return changes
    worked_s = _worked_s(draft, attempt, status) if status.commits else 0.0
    changes["worked_s"] = worked_s
    done_s = base_s + worked_s
    for later in draft.live(job.name):
        if later.number > attempt.number and later.base_s is not None:
            # The farewell of the one before is read late: what its successor went on from is more than was known.
            draft.set_attempt(later, base_s=done_s)
            draft.set_job(job, done_s=done_s + later.worked_s)
            return changes
    pace: dict[str, Any] = {}
    steps = status.step - (status.resumed_step or 0)
    if steps > 0 and (worked_s >= PACE_S or steps >= PACE_SHARE * (job.total_steps or 0) > 0):
        pace["step_s"] = worked_s / steps
    draft.set_job(job, done_s=done_s, done_step=status.step, **pace)
    return changes


def _resumed_s(job: Job, step: int) -> float:
    """The work that an attempt goes on from: less than was stored where it had to take an older checkpoint."""
    if job.done_step <= 0 or step >= job.done_step:
        return job.done_s
    return job.done_s * step / job.done_step


def _worked_s(draft: Draft, attempt: Attempt, status: Status) -> float:
    """How long the program had run when its newest checkpoint was stored. By the machine's own clock, if it tells."""
    running_at = status.phases.get("running")
    if running_at is not None and status.committed_at is not None:
        return max(0.0, status.committed_at - running_at)
    machine = draft.machine_of(attempt)
    traits = draft.world.traits.get(machine.pool.provider) if machine is not None else None
    if machine is None or traits is None or machine.up_at is None:
        return attempt.worked_s
    return max(attempt.worked_s, draft.now - machine.up_at - traits.start_s)


def work_left_s(job: Job) -> float | None:
    """Seconds of compute that are still to be done and stored. None: nobody knows.

    Where steps and their pace are known, the time they take all in all; as long as few are done and the user said
    how long the work is, the longer of that time and a mean of both, weighed by the share that is done.
    """
    told_s, total = job.spec.work_s, job.total_steps
    if total and job.step_s is not None:
        done = min(1.0, job.done_step / total)
        measured_s = job.step_s * total
        whole_s = measured_s if told_s is None else max(measured_s, (1 - done) * told_s + done * measured_s)
        return (1 - done) * whole_s
    if told_s is None:
        return None
    if job.done_s < told_s:
        return told_s - job.done_s
    return max(OVERDRAWN * told_s, job.done_s - told_s)
