"""Limits and wishes that end attempts: cancel, cost, runtime; and what is asked of agents on the way."""

from __future__ import annotations

from decimal import Decimal

from spotlaunch.core import rules
from spotlaunch.core.attempts import conclude, finish
from spotlaunch.core.book import Attempt, Job
from spotlaunch.core.draft import Draft
from spotlaunch.core.plan import PutAsk
from spotlaunch.core.wire import Ask

# A job at its cost limit is asked to leave this long before the money is spent, on top of its grace: time
# to hear the ask and to upload what the program saved.
LEAVE_AHEAD_S = 30.0
RUNTIME_AHEAD_MOST = 0.25


def ask_to_leave(draft: Draft, attempt: Attempt, reason: str) -> None:
    """Ask an agent to end its program gently, sync and leave. Repeated until it is seen leaving."""
    if attempt.leave_asked_at is None:
        attempt = draft.set_attempt(attempt, leave_asked_at=draft.now, leave_reason=reason)
        draft.tell(
            attempt.job, "leave", f"attempt {attempt.number} is asked to leave: {reason}", attempt=attempt.number
        )
    if attempt.phase not in ("leaving", "left"):
        ask = Ask(kind="leave", reason=attempt.leave_reason, at=draft.now)
        draft.calls.append(PutAsk(job=attempt.job, attempt=attempt.number, ask=ask))


def press_leavers(draft: Draft, job: Job) -> None:
    """Repeat what was asked, and end the machines of those who take too long."""
    for attempt in draft.live(job.name):
        if attempt.leave_asked_at is None or draft.job(job.name).over:
            continue
        if attempt.leave_asked_at < draft.now:  # else it was asked in this very look
            ask_to_leave(draft, attempt, attempt.leave_reason)
        silent_s = draft.now - max(attempt.heard_at or 0.0, attempt.leave_asked_at)
        asked_s = draft.now - attempt.leave_asked_at
        patience_s = job.spec.checkpoint.grace_s + rules.LEAVE_SILENT_S
        if silent_s >= patience_s or asked_s >= job.spec.checkpoint.grace_s + rules.LEAVE_HEARD_S:
            outcome = "replaced" if job.wanted == "run" else "cancelled"
            conclude(draft, attempt, outcome, f"{attempt.leave_reason}; it did not leave in time")  # type: ignore[arg-type]
            if attempt.leave_reason.startswith("limits."):
                finish(draft, draft.job(job.name), "failed", attempt.leave_reason)
        else:
            draft.wake(draft.now + patience_s - silent_s)


def heed_cancel(draft: Draft, job: Job) -> None:
    """Bring a job that is no longer wanted to its end: after a last checkpoint, or with `--now` without."""
    for attempt in draft.live(job.name):
        machine = draft.machine_of(attempt)
        reachable = machine is not None and machine.state == "up" and attempt.heard_at is not None
        if job.wanted == "cancel" and reachable:
            if attempt.leave_asked_at is None:
                ask_to_leave(draft, attempt, "the job was cancelled")
        else:
            conclude(draft, attempt, "cancelled", "the job was cancelled")
    if not draft.live(job.name):
        finish(draft, draft.job(job.name), "cancelled", "cancelled by its owner")


def heed_limits(draft: Draft, job: Job) -> None:
    """Ask a job to leave shortly before a limit is reached, and end it at the limit."""
    live = draft.live(job.name)
    burning = [m for m in draft.machines(job.name) if m.state in ("launching", "up", "ending")]
    if not live or not burning:
        return
    usd_hour = sum((m.price_usd_hour for m in burning), Decimal(0))
    for left_s, ahead_s, reason in _time_left(draft, job, usd_hour, len(burning)):
        if left_s <= 0:
            finish(draft, draft.job(job.name), "failed", reason)
            return
        if left_s <= ahead_s:
            for attempt in draft.live(job.name):
                if attempt.leave_asked_at is None:
                    ask_to_leave(draft, attempt, reason)
            draft.wake(draft.now + left_s)
        else:
            draft.wake(draft.now + left_s - ahead_s)


def _time_left(draft: Draft, job: Job, usd_hour: Decimal, machines: int) -> list[tuple[float, float, str]]:
    """Seconds until each limit is reached at the present burn, how long before that to leave, and the reason."""
    limits, left = job.spec.limits, []
    ahead_s = job.spec.checkpoint.grace_s + LEAVE_AHEAD_S
    if limits.cost_usd is not None and usd_hour > 0:
        seconds = float((limits.cost_usd - draft.spent_usd(job.name)) / usd_hour * 3600)
        left.append((seconds, ahead_s, f"limits.cost_usd (${limits.cost_usd}) is reached"))
    if limits.runtime_s is not None and machines:
        seconds = (limits.runtime_s - draft.ran_s(job.name)) / machines
        # A minute's limit must not be all leaving: that takes a quarter of it at most.
        ahead_s = min(ahead_s, limits.runtime_s * RUNTIME_AHEAD_MOST)
        left.append((seconds, ahead_s, f"limits.runtime ({limits.runtime_s:.0f} s of machine time) is reached"))
    return left


def cannot_start(draft: Draft, job: Job) -> str:
    """Why the limits forbid another attempt, or an empty text."""
    limits = job.spec.limits
    if limits.attempts is not None and job.attempts_ran >= limits.attempts:
        return f"limits.attempts ({limits.attempts}) is reached"
    if limits.runtime_s is not None and draft.ran_s(job.name) >= limits.runtime_s:
        return f"limits.runtime ({limits.runtime_s:.0f} s of machine time) is reached"
    if limits.cost_usd is not None and draft.spent_usd(job.name) >= limits.cost_usd:
        return f"limits.cost_usd (${limits.cost_usd}) is reached"
    if job.errors_in_row >= rules.ERRORS_IN_ROW:
        return f"the agent failed, or never spoke, {job.errors_in_row} times in a row; see `events` and `logs`"
    return ""


def affordable_s(draft: Draft, job: Job, usd_hour: Decimal) -> float:
    """For how long the job's money lasts at ``usd_hour``. 0: there is no limit."""
    cost = job.spec.limits.cost_usd
    if cost is None or usd_hour <= 0:
        return 0.0
    return max(1.0, float((cost - draft.spent_usd(job.name)) / usd_hour * 3600))
