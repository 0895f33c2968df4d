"""What is measured with: the sets of `facts/policy.md` ("Reference figures"), over the published traces."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from spotlaunch.simulate.replay import Task

TRACES = Path(__file__).resolve().parents[3] / "shared" / "traces" / "availability" / "1-node"

ON_DEMAND_USD_HOUR, SPOT_USD_HOUR = 3.06, 0.9731

OVERHEADS = (0.02, 0.05, 0.1, 0.2, 0.25)
DEADLINES = (52, 56, 60, 70, 80, 92)

OCTOBER, FEBRUARY = "aws-10-26-2022", "aws-02-15-2023"
OHIO = ("us-east-2a_v100_1", "us-east-2b_v100_1")
OREGON = ("us-west-2a_v100_1", "us-west-2b_v100_1", "us-west-2c_v100_1")
VIRGINIA = ("us-east-1a_v100_1", "us-east-1c_v100_1", "us-east-1d_v100_1", "us-east-1f_v100_1")

# Pools to choose from at once: those of one instance type in the first set; of a region, or of more, in the second.
# (The facts do not say which: "2 to 9" of them, nine such groups by the number of runs.)
TOGETHER = (
    *((OCTOBER, (f"us-west-2a_{kind}", f"us-west-2b_{kind}")) for kind in ("k80_1", "k80_8", "v100_1", "v100_8")),
    (FEBRUARY, OHIO),
    (FEBRUARY, OREGON),
    (FEBRUARY, VIRGINIA),
    (FEBRUARY, OHIO + VIRGINIA),
    (FEBRUARY, OHIO + OREGON + VIRGINIA),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One setting: which traces, and hours of work, until the deadline and of a start."""

    files: tuple[Path, ...]
    work: float
    deadline: float
    overhead: float
    on_demand: float = ON_DEMAND_USD_HOUR
    spot: float = SPOT_USD_HOUR

    @property
    def pools(self) -> int:
        return len(self.files)

    @property
    def traces(self) -> list[bytes]:
        return [trace(f)[1] for f in self.files]

    @property
    def task(self) -> Task:
        return Task(
            work_s=self.work * 3600,
            deadline_s=self.deadline * 3600,
            overhead_s=self.overhead * 3600,
            tick_s=trace(self.files[0])[0],
            on_demand_usd_hour=self.on_demand,
            spot_usd_hour=(self.spot,) * self.pools,
        )


@cache
def trace(file: Path) -> tuple[float, bytes]:
    """Seconds of a tick, and 1 or 0 for each."""
    read = json.loads(file.read_text())
    return float(read["metadata"]["gap_seconds"]), bytes(n > 0 for n in read["data"])


def there() -> bool:
    return TRACES.is_dir()


def _cases(
    groups: Iterable[Sequence[Path]],
    deadlines: Sequence[float],
    overheads: Sequence[float],
    work: float = 48,
    on_demand: float = ON_DEMAND_USD_HOUR,
) -> list[Case]:
    return [
        Case(files=tuple(files), work=work, deadline=deadline, overhead=overhead, on_demand=on_demand)
        for files, deadline, overhead in itertools.product(groups, deadlines, overheads)
    ]


def _each() -> list[list[Path]]:
    return [[p] for p in sorted(TRACES.glob("*/*.json"))]


def one_pool() -> list[Case]:
    return _cases(_each(), DEADLINES, OVERHEADS)


def one_day() -> list[Case]:
    """As the facts measure the traces kept aside, here on those at hand."""
    return _cases(_each(), (26, 30, 36), OVERHEADS, work=24)


def no_time() -> list[Case]:
    """A weak spot: almost no slack."""
    return _cases(_each(), (49, 50), (0.05, 0.1, 0.25))


def cheap_on_demand() -> list[Case]:
    """Another: on-demand at one and a half times the spot price."""
    return _cases(_each(), (52, 60, 80), (0.05, 0.25), on_demand=1.5 * SPOT_USD_HOUR)


def several_pools() -> list[Case]:
    groups = [[TRACES / folder / f"{name}.json" for name in names] for folder, names in TOGETHER]
    return _cases(groups, (52, 60, 70), (0.05, 0.2))


SETS = {
    "one-pool": one_pool,
    "several-pools": several_pools,
    "one-day": one_day,
    "no-time": no_time,
    "cheap-on-demand": cheap_on_demand,
}
