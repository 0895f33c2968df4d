"""Attempts against their mail and machines: what agents say, who is silent, and how each attempt ended."""

from __future__ import annotations

from typing import Any

from spotlaunch.core.book import Attempt, Job, Machine, Outcome
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Refused, Scope
from spotlaunch.core.machines import taken
from spotlaunch.core.wire import Status
from spotlaunch.core.worked import note_work

# What an agent's reason for leaving makes of its attempt. `exited` depends on the exit code.
OUTCOME_OF_WHY: dict[str, Outcome] = {
    "notice": "preempted",
    "asked": "cancelled",
    "superseded": "replaced",
    "runtime": "failed",
    "budget": "failed",
    "ttl": "replaced",
    "error": "failed",
}


# As many letters of an agent's reasons are kept.
MOST_WHY_LETTERS = 300


def look_at_attempts(draft: Draft, job: Job) -> None:
    """Hear each live attempt of ``job``, then conclude those that are over and give up on those that are lost.

    Nothing is concluded while the mailbox cannot be read: a machine that is gone may have finished its job.
    """
    if not draft.mail(job.name).ok:
        for attempt in draft.live(job.name):
            _excuse(draft, attempt)
        return
    for attempt in draft.live(job.name):
        if attempt not in draft.live(job.name):
            continue  # the job ended with the attempt before it, and took this one along
        status = draft.mail(job.name).statuses.get(attempt.number)
        if status is not None:
            attempt = _hear(draft, attempt, status)
        if status is not None and status.phase == "left":
            _conclude_left(draft, attempt, status)
        else:
            _without_farewell(draft, attempt)


# While nothing can be read, what was heard last is moved on in steps of this: each is a write.
EXCUSE_STEP_S = 60.0


def _excuse(draft: Draft, attempt: Attempt) -> None:
    """Silence counts only while somebody listens: after a store's outage agents need a moment to speak again."""
    if attempt.heard_at is not None and draft.now - attempt.heard_at >= EXCUSE_STEP_S:
        draft.set_attempt(attempt, heard_at=draft.now)


def _hear(draft: Draft, attempt: Attempt, status: Status) -> Attempt:
    """Write down what is new in a status."""
    _retell(draft, attempt, status)
    changes: dict[str, Any] = {"phase": status.phase, "notes_told": max(attempt.notes_told, len(status.notes))}
    if attempt.heard_status_at is None or status.at != attempt.heard_status_at:
        # Our own clock: a machine's may be wrong by hours, and be set right (back) at any time.
        changes |= {"heard_at": draft.now, "heard_status_at": status.at}
    if status.resumed_step is not None:
        changes["resumed_step"] = status.resumed_step
    changes |= {"uploaded_bytes": status.uploaded_bytes, "restored_bytes": status.restored_bytes}
    if status.every_s:
        changes |= {"every_s": status.every_s, "every_why": status.every_why[:MOST_WHY_LETTERS]}
    if status.write_s is not None:
        draft.set_job(draft.job(attempt.job), write_s=status.write_s)
    if attempt.running_at is None and "running" in status.phases:
        changes["running_at"] = _our_time(draft, attempt, status, status.phases["running"])
    if status.commits > attempt.commits:
        changes |= {"commits": status.commits, "progressed_at": draft.now}
        changes["committed_at"] = _our_time(draft, attempt, status, status.committed_at)
        draft.set_job(draft.job(attempt.job), errors_in_row=0)
    changes["step"] = max(attempt.step, status.step)
    if status.notice_at is not None and attempt.noticed_at is None:
        changes |= {"noticed_at": draft.now, "notice_deadline_at": status.notice_deadline_at}
        draft.tell(
            attempt.job,
            "notice",
            f"attempt {attempt.number}: its machine will be taken away",
            attempt=attempt.number,
            deadline_at=status.notice_deadline_at,
        )
        draft.wake(draft.now)
    _job_progress(draft, draft.job(attempt.job), status)
    changes |= note_work(draft, attempt, status)
    return draft.set_attempt(attempt, **changes)


def _our_time(draft: Draft, attempt: Attempt, status: Status, at: float | None) -> float:
    """When something was that an agent tells of, by our clock, as near as can be told.

    Its own may be wrong. It was not started before its attempt, and says nothing after now: what is missing to that,
    its clock is behind or ahead by at least.
    """
    if at is None:
        return draft.now
    ahead_s = max(0.0, status.at - draft.now)
    behind_s = max(0.0, attempt.started_at - status.started_at) if status.started_at else 0.0
    return min(max(at - ahead_s + behind_s, attempt.started_at), draft.now)


def _retell(draft: Draft, attempt: Attempt, status: Status) -> None:
    """The agent's own sentences become part of the story, each once, in order."""
    for note in status.notes[attempt.notes_told :]:
        data = {k: v for k, v in note.items() if k not in ("at", "kind", "text")}
        draft.tell(
            attempt.job,
            str(note.get("kind", "note")),
            f"attempt {attempt.number}: {note.get('text', '')}",
            attempt=attempt.number,
            **data,
        )


def _job_progress(draft: Draft, job: Job, status: Status) -> None:
    """The furthest any attempt has committed, and how far the program says it has to go."""
    changes: dict[str, Any] = {}
    total = status.progress.get("total")
    if isinstance(total, int) and not isinstance(total, bool):
        changes["total_steps"] = total
    shown = status.progress.get("step")
    step = max(job.step, status.step, shown if isinstance(shown, int) and not isinstance(shown, bool) else 0)
    if step > job.step:
        changes |= {"step": step, "progress_at": draft.now}
    draft.set_job(job, **changes)


def _conclude_left(draft: Draft, attempt: Attempt, status: Status) -> None:
    """The agent said farewell: what that makes of attempt, machine and job."""
    job, code = draft.job(attempt.job), status.exit_code
    if status.left_why != "exited":
        outcome = OUTCOME_OF_WHY.get(status.left_why, "failed")
        reason = _reason_left(attempt, status)
    elif code == 0:
        outcome, reason = "finished", "the program ended with exit code 0"
    else:
        outcome = "failed"
        reason = status.error or f"the program ended with exit code {code}"
    if outcome == "cancelled" and job.wanted == "run":
        outcome = "replaced"
    conclude(draft, attempt, outcome, reason, exit_code=code)
    _job_after(draft, draft.job(attempt.job), attempt, status, outcome, reason)


def _reason_left(attempt: Attempt, status: Status) -> str:
    if status.left_why == "asked":
        return attempt.leave_reason or "asked to leave"
    if status.left_why == "error":
        return f"the agent could not go on: {status.error}"
    reason = {
        "notice": "the machine is being taken away",
        "superseded": "a newer attempt has claimed the job",
        "runtime": "limits.runtime reached",
        "budget": "limits.cost_usd reached",
        "ttl": "its machine has lived as long as it may",
    }.get(status.left_why, status.left_why)
    return f"{reason}; {status.error}" if status.error else reason


def _job_after(draft: Draft, job: Job, attempt: Attempt, status: Status, outcome: Outcome, reason: str) -> None:
    """Whether the job is over by this, or shall be tried again, and how soon."""
    code = status.exit_code
    if job.over:
        return
    if outcome == "finished":
        finish(draft, job, "finished", reason, exit_code=0)
    elif attempt.leave_reason.startswith("limits."):
        finish(draft, job, "failed", attempt.leave_reason)
    elif status.left_why in ("runtime", "budget"):
        finish(draft, job, "failed", reason)
    elif status.left_why == "exited" and code not in job.spec.restart_on_exit:
        finish(draft, job, "failed", reason, exit_code=code)
    elif status.left_why == "exited":
        draft.set_job(job, errors_in_row=0)
        draft.tell(job.name, "restart", f"exit code {code} is in restart_on_exit: again", exit_code=code)
    elif status.left_why == "error":
        draft.set_job(job, errors_in_row=job.errors_in_row + 1)
    else:
        draft.set_job(job, errors_in_row=0)


def finish(draft: Draft, job: Job, state: str, reason: str, *, exit_code: int | None = None) -> Job:
    """The job is over. What is still up for it is nobody's now: its attempts are closed, its machines ended."""
    job = draft.set_job(
        job, state=state, reason=reason, exit_code=exit_code, over_at=draft.now, note="", waiting_since=None
    )
    draft.tell(job.name, state, f"the job is {state}: {reason}", exit_code=exit_code, step=job.step)
    for attempt in draft.live(job.name):
        conclude(draft, attempt, "cancelled" if state == "cancelled" else "replaced", f"the job is {state}")
    return job


def conclude(draft: Draft, attempt: Attempt, outcome: Outcome, reason: str, *, exit_code: int | None = None) -> None:
    """Close an attempt and let go of its machine; a spot pool that took the machine rests."""
    machine = draft.machine_of(attempt)
    draft.set_attempt(attempt, outcome=outcome, reason=reason, exit_code=exit_code, ended_at=draft.now)
    where = f" on {machine.pool}" if machine is not None else ""
    draft.tell(
        attempt.job,
        outcome if outcome in ("preempted", "lost", "refused") else "attempt_ended",
        f"attempt {attempt.number}{where} {outcome}: {reason}",
        attempt=attempt.number,
        outcome=outcome,
        step=attempt.step,
        pool=str(machine.pool) if machine is not None else "",
    )
    job = draft.job(attempt.job)
    if job.steered and not job.over and (machine is None or machine.tried_at is not None):
        # What its policy said was said of another situation. (One never called for rests by itself.)
        draft.set_job(job, next_try_at=min(job.next_try_at, draft.now))
    if machine is None:
        return
    if outcome in ("preempted", "lost"):
        _let_rest(draft, attempt, machine, outcome)
    if machine.state == "ended":
        draft.set_machine(machine, outcome=machine.outcome or outcome, reason=machine.reason or reason)
    else:
        draft.end(machine, outcome, reason)


def _let_rest(draft: Draft, attempt: Attempt, machine: Machine, outcome: Outcome) -> None:
    """A pool that took a machine away is likely to do it again soon."""
    refused = Refused(
        scope=Scope.of(machine.pool), error=outcome.capitalize(), reason=f"took a machine away ({outcome})"
    )
    draft.put_refusal(refused, job=attempt.job, key=machine.launch_key)


def _without_farewell(draft: Draft, attempt: Attempt) -> None:
    """A live attempt that has not left: is its machine gone, did it never come up, is it silent?"""
    machine = draft.machine_of(attempt)
    if machine is None or machine.state == "ended" or _stopped(draft, machine):
        _conclude_gone(draft, attempt, machine)
        return
    if machine.state != "up" or machine.launch_key in draft.world.in_flight:
        return
    traits = draft.world.traits.get(machine.pool.provider)
    if traits is None:
        return  # its provider cannot be used now: we neither see this machine nor can end it
    if taken(draft, attempt) and attempt.noticed_at is None:
        attempt = draft.set_attempt(attempt, noticed_at=draft.now)
        draft.tell(attempt.job, "notice", f"attempt {attempt.number}: the provider is taking its machine away")
        draft.wake(draft.now)
    up_at = machine.tried_at or machine.intended_at
    if attempt.heard_at is None:
        if draft.now >= up_at + traits.boot_timeout_s:
            conclude(draft, attempt, "lost", f"no word from its agent {traits.boot_timeout_s:.0f} s after launch")
            # An image that cannot boot, or reach the store, would be bought again for ever.
            job = draft.job(attempt.job)
            draft.set_job(job, errors_in_row=job.errors_in_row + 1)
        else:
            draft.wake(up_at + traits.boot_timeout_s)
        return
    # The listing is the truth about machines, so silence alone ends nothing; but a machine that is listed,
    # silent beyond a generous limit and commits nothing costs money and helps nobody.
    heard_at = max(attempt.heard_at, attempt.progressed_at or 0.0)
    if draft.now >= heard_at + traits.silence_s:
        draft.tell(
            attempt.job,
            "silence",
            f"attempt {attempt.number}: silent and without a new checkpoint for {traits.silence_s:.0f} s, though"
            " its machine is still listed: it is replaced",
            attempt=attempt.number,
        )
        conclude(draft, attempt, "lost", f"silent for {traits.silence_s:.0f} s")
    else:
        draft.wake(heard_at + traits.silence_s)


def _stopped(draft: Draft, machine: Machine) -> bool:
    """Whether nothing runs on the machine any more, though it still exists: then its end was asked for already."""
    seen = draft.seen(machine)
    return machine.state == "ending" and seen is not None and seen.phase == "stopped"


def _conclude_gone(draft: Draft, attempt: Attempt, machine: Machine | None) -> None:
    """The machine is gone, or stopped, and its agent did not say farewell."""
    job = draft.job(attempt.job)
    if machine is None or machine.outcome == "refused":
        conclude(draft, attempt, "refused", machine.reason if machine is not None else "it never had a machine")
    elif attempt.leave_asked_at is not None:
        conclude(draft, attempt, "cancelled" if job.wanted != "run" else "replaced", attempt.leave_reason)
    elif attempt.noticed_at is not None:
        conclude(draft, attempt, "preempted", "taken away after a notice")
    elif machine.outcome is not None:
        # Its provider told why. An image that cannot boot would be bought again for ever, so it is counted.
        conclude(draft, attempt, machine.outcome, machine.reason)
        if machine.outcome == "failed":
            draft.set_job(draft.job(job.name), errors_in_row=job.errors_in_row + 1)
    elif machine.pool.market == "spot":
        conclude(draft, attempt, "preempted", "gone without a notice")
    else:
        conclude(draft, attempt, "lost", "gone without a word")
