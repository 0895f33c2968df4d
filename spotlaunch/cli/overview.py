"""What `status` shows, gathered from the book: jobs with their newest machine and their bill."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from spotlaunch.core.book import Attempt, Job, Machine, Refusal
from spotlaunch.core.facts import Pool, Unusable
from spotlaunch.core.ledger import Bill, job_bill, machine_bill
from spotlaunch.core.steering import policy_name
from spotlaunch.core.worked import work_left_s
from spotlaunch.storage.store import SqliteStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A job and its deadline now: the work left (None: not known), the time beside it, and when it is done at best."""

    deadline_at: float
    work_left_s: float | None
    slack_s: float | None
    ends_at: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobLine:
    """A job, its newest machine and attempt as far as they are of interest, and what all of it has cost."""

    job: Job
    machine: Machine | None
    attempt: Attempt | None
    bill: Bill

    @property
    def pool(self) -> Pool | None:
        """Where it runs; where it ran last, if it is over."""
        if self.machine is None or (self.machine.state == "ended" and not self.job.over):
            return None
        return self.machine.pool

    @property
    def state(self) -> str:
        """The job's state, or ``cancelling`` while it is wanted gone and is not."""
        return "cancelling" if self.job.wanted != "run" and not self.job.over else self.job.state

    def note(self, now: float) -> str:
        """One sentence: why it waits, what it is at, or how it ended."""
        job = self.job
        if job.over:
            return job.reason
        wait_s = job.next_try_at - now
        if job.note:
            return f"{job.note}; next try in {int(wait_s) + 1}s" if wait_s > 0 else job.note
        if self.attempt is not None and self.attempt.live:
            if self.machine is not None and self.machine.state in ("intended", "launching"):
                return "launching"
            return self.attempt.phase if self.attempt.phase not in ("", "running") else ""
        return ""

    def due(self, now: float) -> Due | None:
        """How the job stands to its deadline; None where it has none or is over."""
        if self.job.deadline_at is None or self.job.over:
            return None
        left_s = work_left_s(self.job)
        ends_at = slack_s = None
        if left_s is not None:
            ends_at, slack_s = now + left_s, self.job.deadline_at - now - left_s
        return Due(deadline_at=self.job.deadline_at, work_left_s=left_s, slack_s=slack_s, ends_at=ends_at)


def all_jobs(store: SqliteStore, now: float) -> list[JobLine]:
    """Every job there ever was, oldest first."""
    book, newest, bills = store.read_book(), store.newest_machines(), store.bills()
    for machine in book.machines:
        bills[machine.job] = bills.get(machine.job, Bill()) + machine_bill(machine, now)
    attempts = {a.job: a for a in book.attempts}  # in order: the newest wins
    return [
        JobLine(
            job=job,
            machine=newest.get(job.name),
            attempt=attempts.get(job.name),
            bill=bills.get(job.name, Bill()),
        )
        for job in store.jobs()
    ]


def one_job(job: Job, attempts: list[Attempt], machines: list[Machine], now: float) -> JobLine:
    """The same for one, whose attempts and machines are at hand."""
    return JobLine(
        job=job,
        machine=machines[-1] if machines else None,
        attempt=attempts[-1] if attempts else None,
        bill=job_bill(machines, now),
    )


def resting(refusals: Iterable[Refusal], jobs: Collection[Job], now: float) -> list[Refusal]:
    """Who is resting now of the providers that any of ``jobs`` may use, the soonest back first."""
    names = {j.name for j in jobs}
    found = [
        r for r in refusals if r.until > now and (not r.job or r.job in names) and _may_use(jobs, r.scope.provider)
    ]
    return sorted(found, key=lambda r: (r.until, r.scope))


def unusable(noted: Iterable[Unusable], jobs: Collection[Job], now: float) -> list[Unusable]:
    """Which of the providers that any of ``jobs`` may use rest until their settings change, or are asked again."""
    return [u for u in noted if _may_use(jobs, u.provider) and (u.until is None or u.until > now)]


def _may_use(jobs: Iterable[Job], provider: str) -> bool:
    return any(not j.spec.where.providers or provider in j.spec.where.providers for j in jobs)


# -- as JSON: keys are stable, see docs/reference.md -----------------------------------------------------


def job_json(line: JobLine, now: float) -> dict[str, Any]:
    job = line.job
    return {
        "name": job.name,
        "state": job.state,
        "wanted": job.wanted,
        "reason": job.reason,
        "note": line.note(now),
        "exit_code": job.exit_code,
        "attempt": job.last_attempt,
        "attempts_ran": job.attempts_ran,
        "pool": str(line.pool) if line.pool else None,
        "step": job.step,
        "total_steps": job.total_steps,
        "submitted_at": job.submitted_at,
        "over_at": job.over_at,
        "when": job.start_when or None,
        "waiting_since": job.waiting_since,
        "next_try_at": job.next_try_at or None,
        "age_s": now - job.submitted_at,
        "store_url": job.store_url,
        **due_json(line, now),
        **bill_json(line.bill),
    }


def due_json(line: JobLine, now: float) -> dict[str, Any]:
    """Deadline and policy; null where there is none, or it is not known."""
    job, due = line.job, line.due(now)
    return {
        "deadline_at": job.deadline_at,
        "policy": policy_name(job) if job.steered else None,
        "decision": job.decision or None,
        "work_done_s": job.done_s,
        "work_left_s": None if due is None else due.work_left_s,
        "slack_s": None if due is None else due.slack_s,
        "ends_at": None if due is None else due.ends_at,
    }


def bill_json(bill: Bill) -> dict[str, Any]:
    return {
        "spent_usd": bill.spent_usd,
        "on_demand_usd": bill.on_demand_usd,
        "saved_usd": bill.saved_usd,
        "machine_s": bill.seconds,
    }


def attempt_json(a: Attempt) -> dict[str, Any]:
    return {
        "attempt": a.number,
        "market": a.market,
        "phase": a.phase,
        "outcome": a.outcome,
        "reason": a.reason,
        "exit_code": a.exit_code,
        "started_at": a.started_at,
        "ended_at": a.ended_at,
        "resumed_step": a.resumed_step,
        "step": a.step,
        "commits": a.commits,
        "noticed_at": a.noticed_at,
        "every_s": a.every_s or None,
        "every_why": a.every_why,
    }


def machine_json(m: Machine, now: float) -> dict[str, Any]:
    return {
        "launch_key": m.launch_key,
        "job": m.job,
        "attempt": m.attempt,
        "provider": m.pool.provider,
        "region": m.pool.region,
        "zone": m.pool.zone,
        "instance_type": m.pool.instance_type,
        "market": m.pool.market,
        "pool": str(m.pool),
        "gpu": m.gpu,
        "gpu_count": m.gpu_count,
        "price_usd_hour": m.price_usd_hour,
        "on_demand_usd_hour": m.on_demand_usd_hour,
        "state": m.state,
        "outcome": m.outcome,
        "reason": m.reason,
        "instance_id": m.instance_id,
        "intended_at": m.intended_at,
        "up_at": m.up_at,
        "ended_at": m.ended_at,
        **bill_json(machine_bill(m, now)),
    }


def refusal_json(r: Refusal, now: float) -> dict[str, Any]:
    return {
        "scope": str(r.scope),
        "provider": r.scope.provider,
        "region": r.scope.region,
        "zone": r.scope.zone,
        "instance_type": r.scope.instance_type,
        "market": r.scope.market,
        "job": r.job,
        "error": r.error,
        "reason": r.reason,
        "hint": r.hint,
        "since": r.since,
        "until": r.until,
        "until_in_s": r.until - now,
        "count": r.count,
    }


def unusable_json(u: Unusable, now: float) -> dict[str, Any]:
    """As a refusal of the whole provider. Without ``until`` no time ends it: who set it up wrongly has to."""
    nowhere = dict.fromkeys(("region", "zone", "instance_type", "market", "job"), "")
    return {
        "scope": u.provider,
        "provider": u.provider,
        **nowhere,
        "error": u.error,
        "reason": u.reason,
        "hint": u.hint,
        "since": None,
        "until": u.until,
        "until_in_s": None if u.until is None else u.until - now,
        "count": 1,
    }
