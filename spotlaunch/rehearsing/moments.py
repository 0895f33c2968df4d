"""When to take a machine away, and how: drawn from a seed, at random between two checkpoints. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from spotlaunch.core.chance import draw
from spotlaunch.core.observed import SeenAttempt

# Of the time of a run, so much is given to a program to take a first checkpoint, or to say a first word.
FIRST_SHARE = 0.35
# One that has been seen to save only when told is not waited for.
TOLD_ONLY_S = 3.0
# Of the time that is left, the wait for one kill takes no more than this share of its part.
MOST_SHARE = 0.5
LEAST_SPREAD_S = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """``kills`` of them, within ``longest_s`` from ``began_at``. ``short_s``: how long an undisturbed program took,
    where it is known to be quick; then a kill may come before any checkpoint."""

    seed: int
    kills: int
    notices: bool
    notice_s: float
    began_at: float
    longest_s: float
    short_s: float | None = None

    def at(self, attempt: SeenAttempt, earlier: tuple[SeenAttempt, ...], *, made: int) -> float | None:
        """When the machine of a running ``attempt`` is to be taken; None while that cannot be said.

        ``earlier``: attempts before it, of all runs. ``made``: kills so far.
        """
        if attempt.running_at is None or made >= self.kills:
            return None
        luck = draw(self.seed, "moment", made)
        share_s = MOST_SHARE * self._left_s(attempt.running_at) / (self.kills - made)
        saved = attempt.calm
        tells = any(a.first_said is not None for a in earlier) or attempt.first_said is not None
        if saved and (attempt.first_said is not None or not tells):
            gaps = [b.at - a.at for a, b in pairwise(saved)] or [saved[0].at - attempt.running_at]
            moment = saved[0].at + luck * min(share_s, max(LEAST_SPREAD_S, *gaps))
        else:
            moment = attempt.running_at + self._patience_s(earlier) * (1 + luck / 4)
        if self.short_s is not None:
            left_s = self.short_s * max(0.3, 0.85 ** sum(1 for a in earlier if a.run == attempt.run))
            moment = min(moment, attempt.running_at + (0.15 + 0.7 * luck) * left_s)
        return moment

    def warning_s(self, *, made: int, saved: bool) -> float:
        """The notice of the next kill, 0 for none. ``saved``: whether there is a checkpoint to come back to.

        With and without by turns; the first with one if nothing is saved, for else nothing could come of it.
        """
        if not self.notices:
            return 0.0
        first = round(draw(self.seed, "first"))
        return self.notice_s if not saved or (made + first) % 2 == 0 else 0.0

    def _left_s(self, now: float) -> float:
        return max(0.0, self.began_at + self.longest_s - now)

    def _patience_s(self, earlier: tuple[SeenAttempt, ...]) -> float:
        """How long to wait for a first checkpoint."""
        patience_s = FIRST_SHARE * self.longest_s
        taken = [a for a in earlier if a.taken is not None]
        if taken and not any(a.calm for a in taken):
            return min(TOLD_ONLY_S, patience_s)
        return patience_s
