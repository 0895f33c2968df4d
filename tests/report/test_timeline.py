from __future__ import annotations

from dataclasses import replace

from spotlaunch.core.account import Period, account
from spotlaunch.report.scales import Times
from spotlaunch.report.timeline import timeline
from tests.report.samples import AWS, HOUR, NOW, VAST, a_life, a_story
from tests.report.test_markup import Read
from tests.storage.samples import a_job


def drawn(name: str = "llama", times: Times | None = None) -> Read:
    (job,) = [j for j in a_story().jobs if j.job.name == name]
    begin = job.lines[0].spans[0].from_at
    return Read(timeline(job.lines, times or Times.over(begin, begin + 100 * HOUR)).text)


def bars(read: Read, kind: str) -> list[tuple[float, float]]:
    """Where they begin, and how wide they are, in per cent; those of the key have neither."""
    found = [a for tag, a in read.tags if tag == "rect" and a["class"] == kind and a.get("x")]
    return [(float((a["x"] or "").rstrip("%")), float((a["width"] or "").rstrip("%"))) for a in found]


def test_each_part_of_a_machines_time_has_its_place_and_length() -> None:
    assert bars(drawn(), "boot") == [(0, 0.15)]
    assert bars(drawn(), "work")[0] == (0.15, 4.75)
    assert bars(drawn(), "redone")[0] == (4.9, 0.4)
    assert sorted(begin for begin, _ in bars(drawn(), "restart")) == [5.6, 20.6, 22.5]
    assert len(bars(drawn(), "leaving")) == 1


def test_pools_have_rows_in_the_order_of_first_use_and_losses_are_marked_with_their_reason() -> None:
    said = drawn().said
    assert said.index("vast:") < said.index("aws:") < said.index("gcp:")
    assert sum(1 for tag, a in drawn().tags if tag == "path") == 3 + 1  # and one in the key
    assert "attempt 1: preempted at" in said and ": the provider took it" in said
    assert "attempt 2: work that is kept, 2026-10-2" in said
    assert "4 machines on 3 pools, 3 of them taken away" in said


def test_machines_that_were_on_one_pool_at_the_same_time_do_not_cover_each_other() -> None:
    lives = [a_life("j", n, NOW - 9 * HOUR, (AWS, "1", 0.0, 5.0, (0, 1), "replaced")) for n in (1, 2)]
    lives.append(a_life("j", 3, NOW - 9 * HOUR, (VAST, "1", 0.0, 5.0, (0, 1), "finished")))
    (job,) = account([a_job("j")], [a for a, _ in lives], [m for _, m in lives], Period(until_at=NOW)).jobs
    read = Read(timeline(job.lines, Times.over(NOW - 9 * HOUR, NOW)).text)
    tops = [a["y"] for tag, a in read.tags if tag == "rect" and a.get("x") and a["class"] in ("boot", "restart")]
    assert len(set(tops)) == 3


def test_a_loss_that_only_the_attempt_knows_of_is_marked_too() -> None:
    attempt, machine = a_life("j", 1, NOW - 9 * HOUR, (AWS, "1", 0.0, 5.0, (0, 1), "lost"))
    (job,) = account([a_job("j")], [attempt], [replace(machine, outcome=None)], Period(until_at=NOW)).jobs
    assert "1 of them taken away" in timeline(job.lines, Times.over(NOW - 9 * HOUR, NOW)).text
