"""A small world for policies, apart from the replay's: looks come when they like, pools differ, prices move."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from spotlaunch.core.hazard import interruptions_expected
from spotlaunch.core.policy import Policy
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Situation, SpotPool

HOUR = 3600.0


def pool(up: bool = True, usd: float = 1.0, **more: float) -> SpotPool:
    return SpotPool(up=up, price_usd_hour=usd, **{"start_s": 600.0, **more})


def situation(pools: Sequence[SpotPool] = (), running: Action = IDLE, **more: float) -> Situation:
    """60 hours for 48 hours of work, starts of ten minutes, looks every ten minutes, on-demand at $3."""
    numbers = {
        "left_s": 60 * HOUR,
        "deadline_s": 60 * HOUR,
        "work_left_s": 48 * HOUR,
        "work_s": 48 * HOUR,
        "pending_s": 0.0,
        "start_s": 600.0,
        "tick_s": 600.0,
        "on_demand_usd_hour": 3.0,
        **more,
    }
    return Situation(running=running, pools=tuple(pools), **numbers)


@dataclass(frozen=True, kw_only=True)
class World:
    """``ups``: for each look, which pools are up until the next; the last counts for ever. ``gaps``: how long until
    the next look, as a share of ``tick_s``, and again from the first."""

    work_s: float
    deadline_s: float
    start_s: float
    tick_s: float
    starts_s: tuple[float, ...]
    prices: tuple[tuple[float, ...], ...]
    ups: tuple[tuple[bool, ...], ...]
    gaps: tuple[float, ...]
    move_usd: float = 0.0
    on_demand_usd_hour: float = 3.0


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Also without any slack, with starts longer than the time between looks, and with none at all."""
    count = draw(st.integers(1, 3))
    tick_s = draw(st.sampled_from([195.0, 600.0, 7200.0]))
    start_s = draw(st.sampled_from([0.0, 0.1, 72.0, 600.0, 1234.5]))
    work_s = draw(st.floats(0.1, 30.0)) * tick_s
    slack_s = draw(st.one_of(st.just(0.0), st.floats(0.0, 3 * start_s), st.floats(0.0, 20 * tick_s)))
    boots = st.one_of(st.just(start_s), st.sampled_from([0.0, 100.0, 2500.0]))
    price = st.sampled_from([0.5, 1.0, 1.2, 2.9, 3.5])
    spells = draw(st.lists(st.tuples(st.tuples(*[st.booleans()] * count), st.integers(1, 12)), min_size=1, max_size=15))
    return World(
        work_s=work_s,
        deadline_s=work_s + start_s + slack_s,
        start_s=start_s,
        tick_s=tick_s,
        starts_s=tuple(draw(st.tuples(*[boots] * count))),
        prices=tuple(draw(st.lists(st.tuples(*[price] * count), min_size=1, max_size=4))),
        ups=tuple(up for up, looks in spells for _ in range(looks)),
        gaps=draw(st.one_of(st.just((1.0,)), st.lists(st.floats(0.3, 1.0), min_size=1, max_size=5).map(tuple))),
        move_usd=draw(st.sampled_from([0.0, 3.0])),
    )


@dataclass(frozen=True, kw_only=True)
class Played:
    finished_s: float
    actions: tuple[Action, ...]


def play(policy: Policy, world: World, most_looks: int = 1000) -> Played:
    """The job to its end under the policy (or to the deadline thrice over)."""
    seen = [_Seen() for _ in world.starts_s]
    memory: tuple[float, ...] = ()
    running: Action = IDLE
    pending_s = now_s = waiting_s = 0.0
    left_s, actions = world.work_s, []
    for look in range(most_looks):
        ups = world.ups[min(look, len(world.ups) - 1)]
        for s, up in zip(seen, ups, strict=True):
            s.look(up, now_s)
        if isinstance(running, int) and not ups[running]:
            running, pending_s = IDLE, 0.0
        prices = world.prices[look // 7 % len(world.prices)]
        pools = [
            SpotPool(up, usd, s.up_for_s, s.lost, s.expected, start_s, 0.0 if i == running else world.move_usd)
            for i, (up, usd, s, start_s) in enumerate(zip(ups, prices, seen, world.starts_s, strict=True))
        ]
        action, memory = policy(
            Situation(
                left_s=world.deadline_s - now_s,
                deadline_s=world.deadline_s,
                work_left_s=left_s,
                work_s=world.work_s,
                running=running,
                pending_s=pending_s,
                start_s=world.start_s,
                tick_s=world.tick_s,
                on_demand_usd_hour=world.on_demand_usd_hour,
                pools=tuple(pools),
                waiting_s=waiting_s,
            ),
            memory,
        )
        actions.append(action)
        if isinstance(action, int):
            assert ups[action], "a pool was taken that is down"
        if action != running:
            starts_s = {IDLE: 0.0, ON_DEMAND: world.start_s}
            running, pending_s = action, world.starts_s[action] if isinstance(action, int) else starts_s[action]
        gap_s = world.tick_s * world.gaps[look % len(world.gaps)]
        if running != IDLE:
            if pending_s + left_s <= gap_s:
                return Played(finished_s=now_s + pending_s + left_s, actions=tuple(actions))
            left_s -= max(0.0, gap_s - pending_s)
            pending_s = max(0.0, pending_s - gap_s)
        waiting_s = waiting_s + gap_s if running == IDLE else 0.0
        now_s += gap_s
        if now_s > 3 * world.deadline_s:
            break
    return Played(finished_s=float("inf"), actions=tuple(actions))


class _Seen:
    def __init__(self) -> None:
        self.up_for_s = self.expected = self._at = 0.0
        self.lost, self._up = 0, False

    def look(self, up: bool, now_s: float) -> None:
        was, self._up = self._up, up
        lived_s, self._at = now_s - self._at, now_s
        if was and up:
            self.expected += interruptions_expected(self.up_for_s, self.up_for_s + lived_s)
            self.up_for_s += lived_s
            return
        self.lost += was
        self.up_for_s = 0.0
