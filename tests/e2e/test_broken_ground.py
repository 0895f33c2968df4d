"""A full disk, a read-only home, a store that is not there: an error that says so, and nothing is lost."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from spotlaunch.core.book import Attempt
from tests.e2e.ground import closed_port, small_disk, wire
from tests.e2e.support import Rehearsal, digest, one_at_a_time, rehearsal
from tests.fakes.s3 import CREDENTIALS, make_bucket, s3_server
from tests.fakes.waiting import eventually

# With keys for a store at hand AWS could be used, and a rehearsal is used only when named then.
HERE = {"providers": ["local"]}

pytestmark = pytest.mark.e2e

MARKET = """
seed: 5
traits: {rest_s: 0.5, max_rest_s: 2}
defaults: {region: local-1, type: t, boot: 0.1s, notice: 0.5s, cpus: 4, memory_gb: 8, capacity: 4,
           on_demand_usd_hour: 1, interruptions_per_hour: 1}
pools:
  - {name: a, zone: a, price_usd_hour: 0.10}
  - {name: b, zone: b, price_usd_hour: 0.11}
"""
FALLBACK = {"patience": "1h"}

# How long ground stays broken: longer than any one patience of ours with it.
BROKEN_S = 8.0
BLOCK = 4096


def refused(r: Rehearsal, *words: object, says: str, within_s: float = 30.0) -> str:
    """The command fails as it should: exit code 1, what happened, what to do, no stack trace."""
    began_at = time.monotonic()
    done = r.cli(*words, within_s=within_s)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert says in done.stderr, done.stderr
    assert "error: " in done.stderr and "hint: " in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began_at < within_s
    return done.stderr


def finishes_with_the_right_digest(r: Rehearsal, name: str, steps: int) -> None:
    job = r.await_over(name, within_s=60)
    assert job.state == "finished", r.story(name)
    assert f"digest {digest(steps)}" in r.logs(name), r.story(name)
    one_at_a_time(r.register(name))
    eventually(lambda: not r.processes(), within_s=15)


# -- the disk ------------------------------------------------------------------------------------------------


def test_on_a_full_disk_no_command_begins_anything_and_each_says_why(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, rehearsal(tmp_path, MARKET, home=disk.at / "home") as r:
        file = r.job_file("job", "echo done")
        disk.fill()
        for words in (("submit", file, "-y"), ("status",), ("watch", "--once")):
            refused(r, *words, says="the disk is full")
        assert not r.awake()
        disk.free()
        assert r.await_over(r.submit(file)).state == "finished"


def test_submitting_when_the_disk_has_become_full_leaves_nothing_half_done(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, rehearsal(tmp_path, MARKET, home=disk.at / "home") as r:
        r.ok("status")
        file = r.training("job", steps=20)
        disk.fill()
        refused(r, "submit", file, "-y", says="the disk is full")
        disk.free()
        assert json.loads(r.ok("status", "--json"))["jobs"] == []
        name = r.submit(file)
        assert name == "job", "its name was not taken by the one that failed"
        finishes_with_the_right_digest(r, name, 20)


@pytest.mark.parametrize("machines_elsewhere", [True, False])
def test_a_disk_that_is_full_in_the_middle_of_a_run_delays_the_job_and_loses_nothing(
    tmp_path: Path, machines_elsewhere: bool
) -> None:
    with small_disk(tmp_path / "disk") as disk, rehearsal(tmp_path, MARKET, home=disk.at / "home") as r:
        r.ok("status")
        if machines_elsewhere:
            (tmp_path / "machines").mkdir()
            (r.home.path / "providers").symlink_to(tmp_path / "machines")
        # Where machines share the disk the program itself meets its end; it is then started again.
        again = None if machines_elsewhere else [1]
        name = r.submit(r.training("job", steps=300, fallback=FALLBACK, restart_on_exit=again))
        eventually(lambda: len(r.register(name)) > 2, within_s=20)
        with r.home.watchdog_log.open("ab") as log:
            log.write(b"\n" * (BLOCK - log.tell() % BLOCK))  # not a letter more fits into it either
        disk.fill()
        reached = r.register(name)[-1].step
        time.sleep(BROKEN_S)
        assert r.awake(), r.home.watchdog_log.read_text()
        disk.free()
        finishes_with_the_right_digest(r, name, 300)
        assert reached > 0


def test_a_home_that_became_read_only_is_called_so_by_every_command(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, rehearsal(tmp_path, MARKET, home=disk.at / "home") as r:
        file = r.job_file("job", "echo done")
        r.await_over(r.submit(file))
        r.ok("watch", "--stop")
        disk.read_only()
        try:
            for words in (("submit", file, "-y"), ("cancel", "job"), ("watch", "--once"), ("status",)):
                refused(r, *words, says="read-only")
        finally:
            disk.read_only(False)
        assert r.job("job").state == "finished"


def test_a_home_that_cannot_be_made_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, rehearsal(tmp_path, MARKET, home=disk.at / "home") as r:
        disk.read_only()
        said = refused(r, "submit", r.job_file("job", "echo done"), "-y", says="ead-only file system")
        assert "SPOTLAUNCH_HOME" in said


def test_a_home_that_became_read_only_in_the_middle_of_a_run_delays_the_job(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, rehearsal(tmp_path, MARKET, home=disk.at / "home") as r:
        r.ok("status")
        (tmp_path / "machines").mkdir()
        (r.home.path / "providers").symlink_to(tmp_path / "machines")
        (tmp_path / "store").mkdir()
        store = (tmp_path / "store").as_uri()
        name = r.submit(r.training("job", steps=300, fallback=FALLBACK, checkpoint={"store": store}))
        eventually(lambda: len(r.register(name)) > 2, within_s=20)
        r.ok("watch", "--stop")
        disk.read_only()
        time.sleep(BROKEN_S / 2)
        disk.read_only(False)
        r.watch()
        finishes_with_the_right_digest(r, name, 300)


# -- the store -----------------------------------------------------------------------------------------------


def test_a_store_that_nobody_answers_for_is_told_within_seconds_and_nothing_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in CREDENTIALS.items():
        monkeypatch.setenv(key, value)
    with rehearsal(tmp_path, MARKET) as r:
        store = {"url": "s3://bucket/runs", "endpoint": f"http://127.0.0.1:{closed_port()}"}
        file = r.training("job", steps=20, where=HERE, checkpoint={"store": store})
        said = refused(r, "submit", file, "-y", says="nobody answered", within_s=15)
        assert "s3://bucket/runs" in said
        assert json.loads(r.ok("status", "--json"))["jobs"] == []
        assert not r.awake() and not r.processes()


def test_a_store_that_goes_away_and_comes_back_delays_commits_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in CREDENTIALS.items():
        monkeypatch.setenv(key, value)
    with s3_server() as endpoint, wire(endpoint) as way, rehearsal(tmp_path, MARKET) as r:
        make_bucket(endpoint, "bucket")
        store = {"url": "s3://bucket/runs", "endpoint": f"http://127.0.0.1:{way.port}"}
        steps = 600
        name = r.submit(r.training("job", steps=steps, where=HERE, fallback=FALLBACK, checkpoint={"store": store}))
        eventually(lambda: len(r.register(name)) > 2, within_s=30)
        before = r.register(name)[-1]
        way.cut()
        time.sleep(BROKEN_S)
        assert not r.job(name).over
        assert [a.number for a in attempts(r, name)] == [1], "silence of the store is not the machine's fault"
        way.mend()
        finishes_with_the_right_digest(r, name, steps)
        after = r.register(name)
        assert before in after and after[-1].step == steps
        assert after[-1].epoch == 1, "it trained on while the store was away"


def attempts(r: Rehearsal, name: str) -> list[Attempt]:
    with r.store() as store:
        return store.attempts(name)
