"""The Spot Advisor: how often machines of a type were taken from people in a region, in bands of percent per month."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HOURS_PER_MONTH = 730.0

# The last band has no end (">20%"). [MEM] Taken for this; the truth may be anything above 20.
OPEN_BAND = 0.30

_PERCENT = re.compile(r"[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Band:
    """``label``: the Advisor's words (``5-10%``). ``interruptions_per_hour``: what they come to."""

    label: str
    interruptions_per_hour: float


# (region, instance type) -> band
Bands = dict[tuple[str, str], Band]


def rate_of(label: str) -> float | None:
    """Interruptions per hour from a band's label; None for one that cannot be read.

    A band says which share p of machines was interrupted within a month (of 730 hours). With a constant rate r the
    share that was is 1 - exp(-730 r), so r = -ln(1 - p) / 730, with p the middle of the band. [3P] Labels are
    ``<5%``, ``5-10%``, ``10-15%``, ``15-20%``, ``>20%``. The feed's ``max`` beside them (5, 11, 16, 22, 100) does not
    agree with them, and is not used.
    """
    ends = [float(n) / 100 for n in _PERCENT.findall(label)]
    if not ends or len(ends) > 2 or not all(0 <= end < 1 for end in ends):
        return None
    if len(ends) == 2:
        middle = sum(ends) / 2
    elif ">" in label:
        middle = max(OPEN_BAND, ends[0])
    else:
        middle = ends[0] / 2
    return -math.log1p(-middle) / HOURS_PER_MONTH


def bands(feed: Mapping[str, Any], families: tuple[str, ...] = ("g", "p")) -> Bands:
    """The bands of Linux machines of all regions, of types that begin with one of ``families``.

    Raises `ValueError` when the feed has another shape than it used to have; single odd rows are left out.
    """
    try:
        by_index = {told["index"]: str(told["label"]) for told in feed["ranges"]}
        regions = {name: systems["Linux"] for name, systems in feed["spot_advisor"].items() if "Linux" in systems}
        rows = [
            (region, name, row["r"])
            for region, types in regions.items()
            for name, row in types.items()
            if name.startswith(families)
        ]
    except (KeyError, TypeError, AttributeError) as e:
        raise ValueError(f"the Spot Advisor's data has another shape: {e!r}") from e
    rates = {index: (label, rate_of(label)) for index, label in by_index.items()}
    found: Bands = {}
    for region, name, index in rows:
        label, rate = rates.get(index, ("", None))
        if rate is not None:
            found[region, name] = Band(label, rate)
    return found
