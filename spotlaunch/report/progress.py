"""How far a job was over time, as far as the book knows: where attempts resumed, and what they had stored."""

from __future__ import annotations

from collections.abc import Iterable

from spotlaunch.core.account import JobAccount, Line
from spotlaunch.core.book import Attempt
from spotlaunch.report.curves import Curve, Points, chart
from spotlaunch.report.markup import Html
from spotlaunch.report.scales import Times

_STEPS = "Each line is an attempt, from where it resumed to its newest checkpoint."


def progress(job: JobAccount, times: Times) -> Html:
    """Steps that were stored; hours of work that is kept, where the program tells no steps."""
    pieces = [steps for a in job.attempts if (steps := _steps(a, times))]
    if any(step for steps in pieces for _, step in steps):
        return _of_steps(job, times, pieces)
    hours = _worked(job.lines, times)
    what = f"{hours[-1][1]:.1f} hours of work that is kept."
    curve = Curve(name="", look="line own", pieces=[hours])
    return chart("Progress, hours of work that is kept", what, times, [curve], note="The program tells no steps.")


def _of_steps(job: JobAccount, times: Times, pieces: list[Points]) -> Html:
    done, total = job.job.step, job.job.total_steps
    curves = [Curve(name="stored", look="line own", pieces=pieces)]
    if total:
        end = [(times.since, float(total)), (times.until, float(total))]
        curves.insert(0, Curve(name="the end", look="line against", pieces=[end]))
    what = f"Step {done:,}" + (f" of {total:,}" if total else "") + f". {_STEPS}"
    return chart("Progress, steps", what, times, curves, note=_STEPS)


def _steps(attempt: Attempt, times: Times) -> Points:
    """A straight line: what was stored in between is not written down. None of it before the period."""
    begun_at, at = attempt.running_at, attempt.committed_at
    if begun_at is None or at is None or at < max(begun_at, times.since):
        return []
    first, last = float(attempt.resumed_step or 0), float(max(attempt.step, attempt.resumed_step or 0))
    if begun_at < times.since < at:
        first += (last - first) * (times.since - begun_at) / (at - begun_at)
    return [(max(begun_at, times.since), first), (at, last)]


def _worked(lines: Iterable[Line], times: Times) -> Points:
    points, total = [(times.since, 0.0)], 0.0
    for span in sorted((s for x in lines for s in x.spans if s.kind == "work"), key=lambda s: s.from_at):
        points.append((span.from_at, total))
        total += (span.until_at - span.from_at) / 3600
        points.append((span.until_at, total))
    return [*points, (times.until, total)]
