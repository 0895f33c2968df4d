"""The account: what each machine of each job cost and what for, in parts that add up to the last digit.

A machine's time is cut into spans: it boots, works, works on what is done again elsewhere, and leaves. Each span costs
what the machine had cost at its end, less what it had cost at its beginning. So the parts of a machine, a day, a job
or a provider add up to the whole exactly, whichever way they are taken.

Disk and traffic are estimates. They stand apart, and are in no sum of dollars spent.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from spotlaunch.core.book import Attempt, Job, Machine
from spotlaunch.core.ledger import Billed, Meter
from spotlaunch.core.totals import Totals

# `boot`: until the job's program runs on the job's first machine. `restart`: the same on each later one. `work`: the
# program runs, and what it does is kept. `redone`: it ran, and what it did was lost with the machine. `leaving`: the
# program has ended and the machine has not.
Kind = Literal["boot", "restart", "work", "redone", "leaving"]

# An attempt that ended so was carried on by another one, from what was stored.
CARRIED_ON = frozenset({"preempted", "lost", "replaced"})

_NOBODY: Mapping[str, Billed] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What a machine was busy with, from one moment (seconds since the epoch) to another."""

    kind: Kind
    from_at: float
    until_at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One machine, or (where days are told apart) its share of one ``day``.

    ``attempt`` is the one that it was rented for. ``spans`` follow each other without a gap. ``billed`` is what its
    provider says that the whole of it cost, if it was asked.
    """

    machine: Machine
    attempt: Attempt | None
    spans: tuple[Span, ...]
    totals: Totals
    day: str = ""
    billed: Billed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobAccount:
    """One job: its attempts in order, also those that never had a machine; its lines in order of intent."""

    job: Job
    attempts: tuple[Attempt, ...]
    lines: tuple[Line, ...]
    totals: Totals


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Some jobs between two moments. What still runs is counted until ``until_at``."""

    since_at: float
    until_at: float
    jobs: tuple[JobAccount, ...]
    totals: Totals

    @property
    def lines(self) -> list[Line]:
        """Those of all jobs."""
        return [line for job in self.jobs for line in job.lines]


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """What is accounted for: from ``since_at`` until ``until_at`` (now).

    ``days``: where each day begins (seconds since the epoch, rising) and its name. None: days are not told apart.
    """

    until_at: float
    since_at: float = 0.0
    days: Sequence[tuple[float, str]] = ()


def account(
    jobs: Sequence[Job],
    attempts: Iterable[Attempt],
    machines: Iterable[Machine],
    period: Period,
    *,
    billed: Mapping[str, Billed] = _NOBODY,
) -> Account:
    """All that is known of what ``jobs`` cost in ``period``.

    ``attempts`` and ``machines`` are those of these jobs, in any order of jobs, each job's own in order of number and
    of intent. ``billed``: by launch key, what providers say. A machine without a second in the period is left out.
    """
    attempts_of: dict[str, list[Attempt]] = defaultdict(list)
    for a in attempts:
        attempts_of[a.job].append(a)
    machines_of: dict[str, list[Machine]] = defaultdict(list)
    for m in machines:
        machines_of[m.job].append(m)
    made = tuple(_job_account(j, attempts_of[j.name], machines_of[j.name], period, billed) for j in jobs)
    return Account(
        since_at=period.since_at,
        until_at=period.until_at,
        jobs=made,
        totals=sum((j.totals for j in made), Totals()),
    )


def grouped(lines: Iterable[Line], key: Callable[[Line], str]) -> dict[str, Totals]:
    """The sums of ``lines`` by what ``key`` makes of each, in the order in which these come up."""
    sums: dict[str, Totals] = {}
    for line in lines:
        name = key(line)
        sums[name] = sums.get(name, Totals()) + line.totals
    return sums


def spans(machine: Machine, attempt: Attempt | None, *, first: bool, again: bool, until_at: float) -> tuple[Span, ...]:
    """What a machine was busy with from its first billed second until its last, or ``until_at``.

    ``first``: it is the job's first. ``again``: what its attempt had not stored was, or will be, done once more.
    """
    if machine.up_at is None:
        return ()
    begin, end = machine.up_at, until_at if machine.ended_at is None else machine.ended_at
    if end <= begin:
        return ()
    boot: Kind = "boot" if first else "restart"
    stop = end if attempt is None or attempt.ended_at is None else _within(attempt.ended_at, begin, end)
    ran = _ran_at(attempt, begin, stop)
    kept = stop
    if attempt is not None and again:
        stored = attempt.committed_at if attempt.committed_at is not None else attempt.progressed_at
        kept = ran if stored is None else _within(stored, ran, stop)
    marks: list[tuple[Kind, float]] = [(boot, ran), ("work", kept), ("redone", stop), ("leaving", end)]
    found, at = [], begin
    for kind, until in marks:
        if until > at:
            found.append(Span(kind=kind, from_at=at, until_at=until))
            at = until
    return tuple(found)


def _ran_at(attempt: Attempt | None, begin: float, stop: float) -> float:
    """When the program began. Never: all was boot. Where only its commits are known, it ran at once."""
    if attempt is None:
        return stop
    if attempt.running_at is None:
        return begin if attempt.commits else stop
    return _within(attempt.running_at, begin, stop)


def _within(at: float, least: float, most: float) -> float:
    return min(max(at, least), most)


def _job_account(
    job: Job, attempts: Sequence[Attempt], machines: Sequence[Machine], period: Period, billed: Mapping[str, Billed]
) -> JobAccount:
    by_number = {a.number: a for a in attempts}
    last = max((a.number for a in attempts if a.outcome != "refused"), default=0)
    ups = [m for m in machines if m.up_at is not None]
    lines: list[Line] = []
    for m in ups:
        attempt = by_number.get(m.attempt)
        again = attempt is not None and _done_again(attempt, last)
        whole = spans(m, attempt, first=m is ups[0], again=again, until_at=period.until_at)
        lines += _lines(m, attempt, whole, period, billed.get(m.launch_key))
    return JobAccount(
        job=job,
        attempts=tuple(attempts),
        lines=tuple(lines),
        totals=sum((line.totals for line in lines), Totals()),
    )


def _done_again(attempt: Attempt, last: int) -> bool:
    return attempt.outcome in CARRIED_ON or (attempt.outcome is not None and attempt.number < last)


def _lines(
    machine: Machine, attempt: Attempt | None, whole: tuple[Span, ...], period: Period, billed: Billed | None
) -> list[Line]:
    """The machine's line; with days, one for each that it lived in."""
    clipped = [s for s in whole if s.until_at > period.since_at]
    if not clipped:
        return []
    meter = Meter(machine, period.until_at)
    of_day: dict[str, list[Span]] = defaultdict(list)
    for span in clipped:
        for day, begin, end in _days(max(span.from_at, period.since_at), span.until_at, period.days):
            of_day[day].append(Span(kind=span.kind, from_at=begin, until_at=end))
    made = [
        Line(
            machine=machine,
            attempt=attempt,
            spans=tuple(parts),
            totals=sum((_priced(meter, span) for span in parts), Totals()),
            day=day,
            billed=billed,
        )
        for day, parts in of_day.items()
    ]
    if attempt is not None and machine.egress_usd_gb:
        # Nobody knows when in its life a machine moved how much: all of it counts at its end.
        moved = Totals(egress_usd=meter.egress_usd(attempt.uploaded_bytes + attempt.restored_bytes))
        made[-1] = replace(made[-1], totals=made[-1].totals + moved)
    return made


def _days(from_at: float, until_at: float, days: Sequence[tuple[float, str]]) -> list[tuple[str, float, float]]:
    """The pieces of a span by the day they are in."""
    if not days:
        return [("", from_at, until_at)]
    starts = [at for at, _ in days]
    found = []
    at = from_at
    while at < until_at:
        n = bisect_right(starts, at)
        end = min(until_at, starts[n]) if n < len(starts) else until_at
        found.append((days[max(0, n - 1)][1], at, end))
        at = end
    return found


def _priced(meter: Meter, span: Span) -> Totals:
    part = meter.between(span.from_at, span.until_at)
    return Totals.of(
        span.kind,
        microseconds=part.microseconds,
        spent_usd=part.spent_usd,
        on_demand_usd=part.on_demand_usd,
        storage_usd=part.storage_usd,
    )
