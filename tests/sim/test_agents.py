"""Simulated agents keep what real ones keep."""

from __future__ import annotations

from random import Random

import pytest

from spotlaunch.core.wire import OrderDoc
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.register import Register
from tests.fakes.blobs import MemoryBlobs
from tests.sim.agents import CutOff, Habits, SimAgent
from tests.sim.clock import SimClock

pytestmark = pytest.mark.sim


def test_a_finished_agent_that_is_cut_off_is_gone_when_its_money_is() -> None:
    clock = SimClock()
    blobs, began_at = MemoryBlobs(now=clock.now), clock.now()
    Mailbox(blobs, "j").put_order(OrderDoc(job="j", attempt=1, run="x", budget_left_s=1800.0))
    cut_off = CutOff(blobs, lambda: clock.now() > began_at + 300)
    ended: list[float] = []
    agent = SimAgent(
        clock=clock,
        random=Random(1),
        mailbox=Mailbox(cut_off, "j"),  # type: ignore[arg-type]
        register=Register(cut_off, "j"),  # type: ignore[arg-type]
        job="j",
        attempt=1,
        total=10,
        habits=Habits(),
        alive=lambda: not ended,
        shut_down=lambda: ended.append(clock.now()),
        by="m",
    )
    agent.boot()
    clock.advance(1700.0)
    assert (agent.left_why, agent.exit_code, ended) == ("exited", 0, []), "it goes on trying"
    clock.advance(7200.0)
    assert (agent.left_why, ended) == ("budget", [began_at + 1801.0])
