"""The end of `submit --follow`: what each attempt did and cost, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from spotlaunch.cli import render
from spotlaunch.core.book import Attempt, Job, Machine
from spotlaunch.core.ledger import Bill, job_bill
from spotlaunch.core.wire import Status

_ATTEMPTS = render.columns(">attempt", "pool", "outcome", ">from step", ">to step", ">lost", ">up", ">spent $")
_JOB = render.columns(
    "job", "state", ">attempts", ">preempted", ">refused", ">step", ">work lost", ">spent $", ">on-demand $", ">saved $"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chapter:
    """One attempt that had a machine. Steps are the program's; ``lost``: None where it does not tell them.

    ``lost_steps`` were done and never stored, so another attempt did them again.
    """

    number: int
    pool: str
    outcome: str
    from_step: int
    to_step: int
    lost_steps: int | None
    bill: Bill


def chapters(
    attempts: Sequence[Attempt], machines: Sequence[Machine], statuses: Mapping[int, Status], now: float
) -> list[Chapter]:
    """The story of ``attempts`` (in order), those apart which were refused a machine.

    ``statuses`` are their agents' last words; where there is none, only what was stored is known.
    """
    had = [a for a in attempts if a.outcome != "refused"]
    told = []
    for i, a in enumerate(had):
        own = [m for m in machines if m.attempt == a.number]
        said = _said(statuses.get(a.number))
        reached = max(a.step, said or 0)
        # The next attempt tells best what was stored; it may also have gone back to an older checkpoint.
        after = next((b.resumed_step for b in had[i + 1 :] if b.resumed_step is not None), a.step)
        lost = None if said is None else 0 if a.outcome in (None, "finished") else max(0, reached - after)
        told.append(
            Chapter(
                number=a.number,
                pool=", ".join(str(m.pool) for m in own),
                outcome=a.outcome or a.phase,
                from_step=a.resumed_step or 0,
                to_step=reached,
                lost_steps=lost,
                bill=job_bill(own, now),
            )
        )
    return told


def _said(status: Status | None) -> int | None:
    """The step that the program itself last told."""
    step = status.progress.get("step") if status is not None else None
    return step if isinstance(step, int) and not isinstance(step, bool) else None


def text(job: Job, story: Sequence[Chapter]) -> str:
    """Two tables: a row for each attempt, and one for the job."""
    bill = sum((c.bill for c in story), Bill())
    known = [c.lost_steps for c in story if c.lost_steps is not None]
    row = [
        job.name,
        job.state,
        str(len(story)),
        str(sum(1 for c in story if c.outcome in ("preempted", "lost"))),
        str(job.last_attempt - len(story)),
        render.progress(job.step, job.total_steps) or "-",
        _steps(sum(known)) if known else "-",
        render.usd(bill.spent_usd),
        render.usd(bill.on_demand_usd),
        f"{render.usd(bill.saved_usd)}{_share(bill)}",
    ]
    return "\n\n".join([render.plain_table(_ATTEMPTS, [_cells(c) for c in story]), render.plain_table(_JOB, [row])])


def _cells(c: Chapter) -> list[str]:
    return [
        str(c.number),
        c.pool,
        c.outcome,
        str(c.from_step),
        str(c.to_step),
        "-" if c.lost_steps is None else str(c.lost_steps),
        render.duration(c.bill.seconds),
        render.usd(c.bill.spent_usd),
    ]


def _steps(count: int) -> str:
    return f"{count} step" if count == 1 else f"{count} steps"


def _share(bill: Bill) -> str:
    """What was saved, in per cent of what on-demand would have cost."""
    if bill.on_demand_usd == Decimal(0):
        return ""
    return f" ({round(100 * bill.saved_usd / bill.on_demand_usd)}%)"
