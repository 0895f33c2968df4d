"""How often the program is told to save: from what saving takes here, what is known of the danger, and the job file."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.agent.cadence import Cadence
from spotlaunch.agent.report import Report
from spotlaunch.core.intervals import Risk, interval
from spotlaunch.core.wire import Ask, OrderDoc
from tests.fakes.machine import Machine, order, python, soon


@dataclass
class Rig:
    """A cadence whose limits we set, and what it told."""

    folder: Path
    doc: dict[str, Any] = field(default_factory=dict)
    left_s: float = math.inf
    signals: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        usual = {"every_auto": True, "rate_per_hour": 0.1}
        self.report = Report(1, now=lambda: 1000.0)
        doc = OrderDoc(job="digits", attempt=1, run="x", **{**usual, **self.doc})
        self.cadence = Cadence(doc, file=self.folder / "every", report=self.report, left_s=lambda: self.left_s)

    def look(self) -> float:
        """What the file says after another look."""
        self.cadence.look(self.signals.append)
        return self.told

    @property
    def told(self) -> float:
        return float((self.folder / "every").read_text())

    @property
    def story(self) -> list[str]:
        return [str(n["text"]) for n in self.report.status.notes]


def best(**risk: Any) -> float:
    return float(f"{interval(Risk(**risk)).seconds:.3g}")


def test_the_job_files_own_interval_is_told_and_stays(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"every_auto": False, "checkpoint_every_s": 300.0})
    assert rig.cadence.begin() == 300.0
    rig.cadence.saved(wrote_s=100.0, copied_s=1.0, sent_bytes=1)
    rig.cadence.danger()
    rig.left_s = 20.0
    assert rig.look() == 300.0
    assert rig.report.status.every_why == "the job file says so"
    assert not rig.story


def test_an_order_of_before_there_were_intervals_says_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"every_auto": False})
    assert rig.cadence.begin() == 0.0
    assert (rig.look(), rig.report.status.every_why) == (0.0, "")


def test_it_follows_what_was_measured(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert rig.cadence.begin() == best(rate_per_hour=0.1) == 600.0
    assert not rig.story  # nothing is known yet
    rig.cadence.saved(wrote_s=60.0, copied_s=0.0, sent_bytes=0)
    assert rig.look() == best(rate_per_hour=0.1, write_s=60.0)
    assert rig.report.status.write_s == 60.0
    for _ in range(5):
        rig.cadence.saved(wrote_s=5.0, copied_s=0.0, sent_bytes=0)
    assert rig.look() == best(rate_per_hour=0.1, write_s=5.0)
    assert len(rig.story) == 2
    assert "instead of 34 min" in rig.story[1]
    assert rig.report.status.every_s == rig.told


def test_the_reason_is_told_anew_also_where_it_makes_no_difference(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"rate_per_hour": 0.1, "checkpoint_signal": "USR1"})
    rig.cadence.begin()
    assert "not measured" in rig.report.status.every_why
    rig.cadence.saved(wrote_s=5.0, copied_s=0.0, sent_bytes=0)
    assert rig.look() == 600.0
    assert "a checkpoint costs 5.0 s" in rig.report.status.every_why
    assert not rig.signals


def test_one_slow_checkpoint_changes_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.cadence.begin()
    for wrote_s in (5.0, 5.1, 5.0, 400.0):
        rig.cadence.saved(wrote_s=wrote_s, copied_s=0.0, sent_bytes=0)
    assert rig.look() == best(rate_per_hour=0.1, write_s=5.05)


def test_what_was_measured_on_machines_before_is_known_from_the_start(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"write_s": 30.0})
    assert rig.cadence.begin() == best(rate_per_hour=0.1, write_s=30.0)
    assert "a checkpoint costs 30.0 s" in rig.story[0]


def test_a_notice_counts_once_it_is_known_to_be_long_enough(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"write_s": 5.0, "notice_s": 30.0})
    rig.cadence.begin()
    rig.cadence.saved(wrote_s=None, copied_s=100.0, sent_bytes=1)
    slow = rig.look()
    for _ in range(5):
        rig.cadence.saved(wrote_s=None, copied_s=1.0, sent_bytes=1)
    assert rig.look() > 1.5 * slow


def test_the_watchdogs_word_on_the_danger_counts_and_is_said_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"write_s": 10.0})
    calm = rig.cadence.begin()
    assert rig.report.status.rate_per_hour == 0.1
    rig.cadence.risk(Ask(kind="leave", reason="", at=1.0))
    assert rig.look() == calm
    rig.cadence.risk(Ask(kind="risk", reason="", at=2.0, rate_per_hour=1.5, price_share=0.5))
    assert rig.look() == best(rate_per_hour=1.5, write_s=10.0) < calm / 3
    assert (rig.report.status.rate_per_hour, rig.report.status.price_share) == (1.5, 0.5)


def test_a_word_that_changes_nothing_here_is_said_back_without_disturbing_the_program(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"rate_per_hour": 0.0, "write_s": 60.0, "checkpoint_signal": "USR1"})
    before = rig.cadence.begin()
    rig.cadence.risk(Ask(kind="risk", reason="", at=2.0, rate_per_hour=0.0001))
    assert rig.look() == before
    assert rig.report.status.rate_per_hour == 0.0001
    assert not rig.signals


def test_a_warning_of_the_cloud_and_a_limit_make_it_shorter(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"write_s": 2.0, "rate_per_hour": 0.0005})
    calm = rig.cadence.begin()
    rig.cadence.danger()
    warned = rig.look()
    assert warned == best(rate_per_hour=2.0, write_s=2.0) < calm / 10
    rig.left_s = 40.0
    assert rig.look() == 40.0


def test_the_story_tells_of_a_limit_once_however_often_it_halves(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"write_s": 2.0, "rate_per_hour": 0.0005})
    rig.cadence.begin()
    for rig.left_s in (3600.0, 1800.0, 900.0, 450.0, 200.0, 50.0, 25.0):
        assert rig.look() == rig.left_s
    assert len(rig.story) == 2


def test_a_signal_is_sent_when_the_file_changes_and_only_if_it_is_asked_for(tmp_path: Path) -> None:
    for name, sent in (("", []), ("USR1", [signal.SIGUSR1]), ("USR2", [signal.SIGUSR2])):
        rig = Rig(tmp_path, {"write_s": 10.0, "checkpoint_signal": name})
        rig.cadence.begin()
        rig.look()
        assert not rig.signals
        rig.left_s = 60.0
        rig.look()
        assert rig.signals == sent


def test_traffic_that_costs_money_counts_as_time(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"write_s": 10.0, "gb_cost_s": 100.0})
    free = rig.cadence.begin()
    rig.cadence.saved(wrote_s=10.0, copied_s=1.0, sent_bytes=10**10)
    assert rig.look() == best(rate_per_hour=0.1, write_s=1010.0) > free
    assert rig.cadence.least_gap_s() == rig.told
    assert Rig(tmp_path).cadence.least_gap_s() == 0.0


def test_on_a_full_disk_the_program_goes_on(tmp_path: Path) -> None:
    rig = Rig(tmp_path / "not there")
    assert rig.cadence.begin() == 600.0


# A program that saves by the file, and says so when it is told that the file has changed.
BY_THE_FILE = r"""
import os, signal, time
folder, file = os.environ["SPOTLAUNCH_CHECKPOINT_DIR"], os.environ["SPOTLAUNCH_CHECKPOINT_EVERY_FILE"]
time.sleep(0.5)  # the signal is no harm before it is expected
told = []
signal.signal(signal.SIGUSR1, lambda *_: told.append(True))
print("first", os.environ["SPOTLAUNCH_CHECKPOINT_EVERY_S"], open(file).read().strip(), flush=True)
for n in range(10000):
    time.sleep(0.05)
    if n == 5:
        path = os.path.join(folder, ".part")
        open(path, "w").write("x")
        os.replace(path, os.path.join(folder, "step-1"))
    if told:
        told.clear()
        print("told", open(file).read().strip(), flush=True)
"""


def test_a_program_on_a_machine_reads_the_file_and_hears_the_signal(tmp_path: Path, store_url: str) -> None:
    doc = order(run=python(BY_THE_FILE), every_auto=True, rate_per_hour=0.1, write_s=600.0, checkpoint_signal="USR1")
    with Machine(tmp_path, store_url, doc) as m:
        first = soon(lambda: [line.split() for line in m.output.splitlines() if line.startswith("first")])
        at_first = best(rate_per_hour=0.1, write_s=600.0)
        assert [float(x) for x in first[0][1:]] == pytest.approx([at_first, at_first])
        m.when(lambda s: s.commits > 0)
        m.mailbox.put_ask(1, Ask(kind="risk", reason="", at=1.0, rate_per_hour=50.0))
        status = m.when(lambda s: s.rate_per_hour == 50.0)
        soon(lambda: f"told {status.every_s:g}" in m.output, "the program hears of it")
        assert status.every_s < at_first
        m.ask("leave")
        m.left()
