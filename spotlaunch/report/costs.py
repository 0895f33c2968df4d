"""What a job had cost at each moment, against on-demand."""

from __future__ import annotations

from collections.abc import Iterable

from spotlaunch.core.account import JobAccount, Line
from spotlaunch.report.curves import Curve, Points, chart
from spotlaunch.report.markup import Html
from spotlaunch.report.scales import Times
from spotlaunch.report.words import moment, usd


def costs(job: JobAccount, times: Times) -> Html:
    """The sums of its account as they grew."""
    t = job.totals
    what = (
        f"{usd(t.spent_usd)} spent, where on-demand would have cost {usd(t.on_demand_usd)}, by {moment(times.until)}."
    )
    spent = _grown(((x, float(x.totals.spent_usd)) for x in job.lines), times)
    against = _grown(((x, float(x.totals.on_demand_usd)) for x in job.lines), times)
    curves = [
        Curve(name="on-demand would have cost", look="line against", pieces=[against]),
        Curve(name="spent", look="line own", pieces=[spent]),
    ]
    return chart("Cost against on-demand, $", what, times, curves, unit="$")


def _grown(lines: Iterable[tuple[Line, float]], times: Times) -> Points:
    """A machine costs the same each second, so what its line came to grew evenly over the line's time."""
    changes: list[tuple[float, float]] = []
    for line, amount in lines:
        begin, end = line.spans[0].from_at, line.spans[-1].until_at
        changes += [(begin, amount / (end - begin)), (end, -amount / (end - begin))]
    points, total, rate, before = [(times.since, 0.0)], 0.0, 0.0, times.since
    for at, change in sorted(changes):
        total, rate, before = total + rate * (at - before), rate + change, at
        points.append((at, total))
    return [*points, (times.until, total)]
