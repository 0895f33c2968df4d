"""Spells: for how long each spot pool has been up, as seen by a job that looks at it now and then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from spotlaunch.core.facts import Pool
from spotlaunch.core.hazard import interruptions_expected

# A pool that nobody has sold for so long is forgotten.
FORGET_S = 86400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Spell:
    """A pool as it was when last looked at, at ``seen_at``.

    ``since``: up since then, as far as anybody has looked; None: it was down. ``lost``: how many spells have ended, and
    ``expected`` how many of those should have by what is known of all pools (`hazard.interruptions_expected`).
    """

    pool: Pool
    seen_at: float
    since: float | None
    lost: float = 0.0
    expected: float = 0.0

    @property
    def up_for_s(self) -> float:
        return 0.0 if self.since is None else self.seen_at - self.since

    @property
    def expected_so_far(self) -> float:
        """The same with the spell that still lasts."""
        return self.expected + interruptions_expected(0.0, self.up_for_s)

    def looked(self, *, up: bool, now: float) -> Spell:
        """The same after one more look."""
        if self.since is None or now < self.seen_at:
            return replace(self, seen_at=now, since=now if up else None)
        if up:
            return replace(self, seen_at=now)
        return replace(self, seen_at=now, since=None, lost=self.lost + 1, expected=self.expected_so_far)


def look(
    known: Iterable[Spell],
    seen: Mapping[Pool, bool],
    *,
    now: float,
    first: Mapping[Pool, tuple[float, float]] = MappingProxyType({}),
) -> dict[Pool, Spell]:
    """What is known of pools after a look that found each of ``seen`` up or down. Others stay as they were.

    ``first``: interruptions and how many were expected, of pools that were not looked at before.
    """
    spells = {s.pool: s for s in known if s.pool in seen or now - s.seen_at < FORGET_S}
    for pool, up in seen.items():
        before = spells.get(pool)
        if before is None:
            lost, expected = first.get(pool, (0.0, 0.0))
            before = Spell(pool=pool, seen_at=now, since=now if up else None, lost=lost, expected=expected)
        spells[pool] = before.looked(up=up, now=now)
    return spells
