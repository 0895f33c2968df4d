from __future__ import annotations

from spotlaunch.core.facts import SeenMachine
from spotlaunch_providers.azure.constants import GONE_KEPT_S
from spotlaunch_providers.azure.memory import Memory, Told
from tests.providers.azure.launching_help import KEY, offer

SEEN = SeenMachine(launch_key=KEY, instance_id=KEY, pool=offer().pool, phase="running")


def test_what_vanished_is_missing_until_it_is_long_ago() -> None:
    memory = Memory()
    assert memory.look([SEEN], now=0) == []
    (missing,) = memory.look([], now=30)
    assert (missing.seen_at, missing.since, missing.told) == (0, 30, None)
    memory.told(KEY, Told(reason="preempted", detail="", at=20))
    assert missing.as_listed() is None
    listed = memory.look([], now=60)[0].as_listed()
    assert listed is not None and (listed.phase, listed.ended_at) == ("gone", 20)
    assert memory.look([], now=31 + GONE_KEPT_S) == []


def test_what_comes_back_is_not_missing() -> None:
    memory = Memory()
    memory.look([SEEN], now=0)
    assert memory.look([], now=30)
    assert memory.look([SEEN], now=60) == []


def test_what_was_asked_for_is_not_missing() -> None:
    memory = Memory()
    memory.look([SEEN], now=0)
    memory.asked(KEY)
    assert memory.look([], now=30) == []


def test_what_is_over_is_forgotten() -> None:
    memory = Memory()
    for n in range(50):
        memory.launching(f"{KEY}{n}", now=n)
        memory.machine(f"{KEY}{n}", "vm-0")
        memory.asked(f"{KEY}{n}")
    memory.look([], now=50)
    assert memory.machines(f"{KEY}7") == ("vm-0",)
    memory.look([], now=60 + GONE_KEPT_S)
    assert memory.machines(f"{KEY}7") == () and memory.touched(f"{KEY}7") == 0
    assert not memory._asked and not memory._touched and not memory._machines
