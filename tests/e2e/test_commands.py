"""The commands against real machines of the rehearsal cloud: cancel, watch, follow, limits, secrets, faults."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.e2e.support import Rehearsal, digest, kill_9, one_at_a_time, rehearsal
from tests.fakes.waiting import eventually

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

# Counts until it is asked to end, then saves how far it came.
COUNT = """
import os, signal, sys, time
from pathlib import Path
folder = Path(os.environ["SPOTLAUNCH_CHECKPOINT_DIR"])
def save(n):
    (folder / "n.tmp").write_text(str(n))
    (folder / "n.tmp").rename(folder / f"n-{n}")
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
n = 1
save(n)
while not asked:
    n += 1
    time.sleep(0.01)
DELAY
save(n)
print("saved", n, flush=True)
sys.exit(0)
"""


def counting(r: Rehearsal, *, before_saving: str = "", **checkpoint: object) -> Path:
    """A job that saves at its start and, asked to end, at its end; nothing in between."""
    work = r.folder / "count"
    work.mkdir()
    (work / "count.py").write_text(COUNT.replace("DELAY", before_saving))
    keys = {"grace": "10s", **checkpoint}
    return r.job_file("count", f"exec {sys.executable} -I -S count.py", workdir=str(work), checkpoint=keys)


def is_training(r: Rehearsal, name: str) -> bool:
    return len(r.register(name)) > 1


def names(r: Rehearsal) -> list[str]:
    with r.store() as store:
        return [job.name for job in store.jobs()]


def up(r: Rehearsal, name: str) -> int:
    with r.store() as store:
        return sum(m.state != "ended" for m in store.machines(name))


# -- cancel --------------------------------------------------------------------------------------------------


def test_cancel_ends_the_machine_after_a_last_checkpoint(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        name = r.submit(counting(r))
        eventually(lambda: is_training(r, name))
        time.sleep(1)
        r.ok("cancel", name)
        job = r.await_over(name)
        assert (job.state, job.reason) == ("cancelled", "cancelled by its owner")
        saved = int(r.logs(name).split("saved ")[1].split()[0])
        assert r.register(name)[-1].step == saved > 1, r.story(name)
        r.ok("checkpoints", name, "--download", tmp_path / "last")
        assert (tmp_path / "last" / f"n-{saved}").read_text() == str(saved)
        eventually(lambda: not r.processes() and not up(r, name))


def test_cancel_now_waits_for_nobody(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        name = r.submit(counting(r, before_saving="time.sleep(60)", grace="1m"))
        eventually(lambda: is_training(r, name))
        began_at = time.monotonic()
        r.ok("cancel", name, "--now")
        assert r.await_over(name).state == "cancelled"
        eventually(lambda: not r.processes() and not up(r, name))
        assert time.monotonic() - began_at < 20
        assert r.register(name)[-1].step == 1


def test_a_cancel_that_takes_too_long_for_somebody_can_be_made_a_cancel_now(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        name = r.submit(counting(r, before_saving="time.sleep(60)", grace="1m"))
        eventually(lambda: is_training(r, name))
        r.ok("cancel", name)
        time.sleep(1)
        assert not r.job(name).over
        r.ok("cancel", name, "--now")
        assert r.await_over(name, within_s=20).state == "cancelled"
        eventually(lambda: not r.processes())


def test_a_job_cancelled_before_it_had_a_machine_never_gets_one(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET.replace("notice: 0.5s", "notice: 0.5s, faults: {dry: true}")) as r:
        name = r.submit(r.job_file("job", "echo done", fallback=FALLBACK))
        r.await_event(name, "refused")
        r.ok("cancel", name)
        assert r.await_over(name).state == "cancelled"
        assert "launched" not in r.kinds(name)


# -- watch ---------------------------------------------------------------------------------------------------


def test_looks_by_cron_alone_bring_a_job_to_its_end(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        name = r.submit(r.training("job", steps=600, fallback=FALLBACK))
        assert "has ended" in r.cli("watch", "--stop").stderr
        looks = 0

        def cron() -> None:
            nonlocal looks
            assert not r.awake(), "nobody but cron looks"
            r.ok("watch", "--once")
            looks += 1
            time.sleep(0.5)

        job = r.await_over(name, doing=cron)
        assert job.state == "finished", r.story(name)
        assert f"digest {digest(600)}" in r.logs(name)
        assert looks >= 2
        cron()
        cron()
        assert not up(r, name) and not r.processes()


def test_a_stopped_watchdog_stays_stopped_and_machines_go_on(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        name = r.submit(r.training("job", steps=150, fallback=FALLBACK))
        eventually(lambda: is_training(r, name))
        assert len(r.awake()) == 1
        assert "has ended" in r.cli("watch", "--stop").stderr
        eventually(lambda: not r.awake(), within_s=5)
        before = len(r.register(name))
        time.sleep(2)
        assert not r.awake()
        assert len(r.register(name)) > before, "the machine did not stop"
        assert "no watchdog was awake" in r.cli("watch", "--stop").stderr
        r.watch()
        assert r.await_over(name).state == "finished"
        assert r.job(name).last_attempt == 1


def test_a_second_watchdog_is_told_who_is_awake(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        name = r.submit(r.training("job", steps=200))
        done = r.cli("watch", within_s=20)
        assert done.returncode == 1
        assert f"another watchdog is awake: process {r.awake()[0]}" in done.stderr
        r.ok("cancel", name, "--now")
        r.await_over(name)


# -- follow --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 3])
def test_following_ends_with_the_jobs_own_exit_code_and_its_output(tmp_path: Path, code: int) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        done = r.cli("submit", r.job_file("job", f"echo one; echo two >&2; exit {code}"), "-y", "--follow")
        assert done.returncode == code, done.stderr
        assert done.stdout == "one\ntwo\n"
        assert f"exit code {code}" in done.stderr
        assert r.job("job").state == ("finished" if code == 0 else "failed")


def test_who_follows_starts_a_new_watchdog_when_the_old_one_is_killed(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        follower = r.start("submit", r.training("job", steps=150, fallback=FALLBACK), "-y", "--follow")
        eventually(lambda: "job" in names(r) and is_training(r, "job"), within_s=20)
        for pid in r.awake():
            kill_9(pid)
        assert follower.wait(60) == 0
        assert r.job("job").state == "finished"
        assert f"digest {digest(150)}" in (r.folder / "out-0").read_text()


def test_a_job_whose_watchdog_could_not_be_started_is_said_to_be_submitted(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        r.home.watchdog_log.mkdir(parents=True)
        file = r.job_file("job", "echo done")
        done = r.cli("submit", file, "-y")
        assert done.returncode == 1
        assert "job is submitted, but waits: the watchdog cannot be started" in done.stderr
        assert "hint: " in done.stderr and "Traceback" not in done.stderr
        r.home.watchdog_log.rmdir()
        r.watch()
        assert r.await_over("job").state == "finished"


# -- ends and limits -----------------------------------------------------------------------------------------


def test_an_exit_code_that_asks_for_a_restart_gets_one_from_the_last_checkpoint(tmp_path: Path) -> None:
    run = (
        'if [ -z "$SPOTLAUNCH_RESUME" ]; then echo 1 > $SPOTLAUNCH_CHECKPOINT_DIR/t.tmp;'
        " mv $SPOTLAUNCH_CHECKPOINT_DIR/t.tmp $SPOTLAUNCH_CHECKPOINT_DIR/step-1; exit 75; fi;"
        " echo resumed in attempt $SPOTLAUNCH_ATTEMPT"
    )
    with rehearsal(tmp_path, MARKET) as r:
        name = r.submit(r.job_file("job", run, restart_on_exit=[75], fallback=FALLBACK))
        job = r.await_over(name)
        assert job.state == "finished", r.story(name)
        assert "resumed in attempt 2" in r.logs(name)
        assert "restart" in r.kinds(name)


def test_a_program_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        job = r.await_over(r.submit(r.job_file("job", "exit 9", restart_on_exit=[75])))
        assert (job.state, job.exit_code, job.last_attempt) == ("failed", 9, 1)


def test_a_job_at_its_runtime_limit_leaves_with_its_last_checkpoint_and_fails(tmp_path: Path) -> None:
    with rehearsal(tmp_path, MARKET) as r:
        file = counting(r, grace="1s")
        spec = json.loads(file.read_text())
        file.write_text(json.dumps({**spec, "limits": {"runtime": "16s"}}))
        began_at = time.monotonic()
        name = r.submit(file)
        job = r.await_over(name)
        assert job.state == "failed"
        assert "limits.runtime" in job.reason
        assert r.register(name)[-1].step > 1, "its last checkpoint is kept"
        assert 8 < time.monotonic() - began_at < 40
        eventually(lambda: not r.processes() and not up(r, name))


def test_a_job_out_of_attempts_fails_and_says_so(tmp_path: Path) -> None:
    market = MARKET.replace("interruptions_per_hour: 1", "interruptions_per_hour: 3600")
    with rehearsal(tmp_path, market) as r:
        file = r.training("job", steps=2000, fallback=FALLBACK, limits={"attempts": 3})
        job = r.await_over(r.submit(file))
        assert (job.state, job.attempts_ran) == ("failed", 3)
        assert "limits.attempts (3)" in job.reason
        eventually(lambda: not r.processes())


# -- secrets -------------------------------------------------------------------------------------------------

SECRET = "hunter2-correct-horse-battery-staple"


def files_with(folder: Path, text: str) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and not p.is_fifo() and text.encode() in p.read_bytes()]


def arguments_with(text: str) -> list[list[str]]:
    found = []
    for process in psutil.process_iter():
        try:
            if text in " ".join(words := process.cmdline()):
                found.append(words)
        except psutil.Error:
            continue
    return found


def test_a_secret_reaches_the_program_and_nothing_that_is_kept(tmp_path: Path) -> None:
    run = 'echo "it is $TOKEN"; printf %s "$TOKEN" | sha256sum; sleep 4; echo "still $TOKEN"'
    with rehearsal(tmp_path, MARKET) as r:
        name = r.submit(r.job_file("job", run, secrets=["TOKEN"]), env={"TOKEN": SECRET})
        eventually(lambda: "it is" in r.logs(name))
        kept = r.home.secrets(name)
        assert files_with(r.home.path, SECRET) == [kept]
        assert kept.stat().st_mode & 0o777 == 0o600
        assert arguments_with(SECRET) == []
        assert r.await_over(name).state == "finished"
        eventually(lambda: not r.processes())
        logs = r.logs(name)
        assert SECRET not in logs
        assert hashlib.sha256(SECRET.encode()).hexdigest() in logs, "the program did have it"
        eventually(lambda: files_with(r.home.path, SECRET) == [])
        for words in (("events", name), ("status", name), ("status", name, "--json")):
            assert SECRET not in r.ok(*words)


def test_a_secret_outlives_the_shell_it_came_from_and_a_killed_watchdog(tmp_path: Path) -> None:
    market = MARKET.replace("interruptions_per_hour: 1", "interruptions_per_hour: 1800")
    run = '[ "$TOKEN" = "' + SECRET[:7] + '"-correct-horse-battery-staple ] || exit 9; sleep 1.5'
    with rehearsal(tmp_path, market) as r:
        name = r.submit(r.job_file("job", run, secrets=["TOKEN"], fallback=FALLBACK), env={"TOKEN": SECRET})
        for pid in eventually(r.awake):
            kill_9(pid)
        r.watch()
        assert r.await_over(name).state == "finished", r.story(name)
        assert not r.home.secrets(name).exists()


# -- a cloud that misbehaves ---------------------------------------------------------------------------------

FAULTS = {
    "hang": "hang: 1",
    "never_boots": "never_boots: 1",
    "lose_answer": "lose_answer: 0.7",
    "throttled": "throttled: 0.5",
    "slow": "slow: 1s",
    "quota": "quota: true",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_job_finishes_although_the_cheapest_pool_misbehaves(tmp_path: Path, fault: str) -> None:
    market = f"""
seed: 5
traits: {{rest_s: 0.5, max_rest_s: 30, boot_timeout_s: 5, silence_s: 4, settle_s: 1}}
defaults: {{region: local-1, boot: 0.1s, notice: 0.5s, cpus: 4, memory_gb: 8, capacity: 4, interruptions_per_hour: 1}}
pools:
  - {{name: bad, zone: a, type: cheap, price_usd_hour: 0.10, faults: {{{FAULTS[fault]}}}}}
  - {{name: good, zone: b, type: dear, price_usd_hour: 0.11}}
"""
    with rehearsal(tmp_path, market) as r:
        name = r.submit(r.training("job", steps=250, fallback=FALLBACK))
        job = r.await_over(name, within_s=90)
        assert job.state == "finished", r.story(name)
        assert f"digest {digest(250)}" in r.logs(name), r.story(name)
        one_at_a_time(r.register(name))
        eventually(lambda: not r.processes() and not up(r, name), within_s=20)


def test_a_job_comes_through_the_storm(tmp_path: Path) -> None:
    storm = (Path(__file__).parents[2] / "configs/local/stormy.yaml").read_text()
    with rehearsal(tmp_path, storm) as r:
        file = r.training("job", steps=400, resources={"gpu": "V100:1"}, fallback={"patience": "20s"})
        name = r.submit(file)
        job = r.await_over(name, within_s=120)
        assert job.state == "finished", r.story(name)
        assert f"digest {digest(400)}" in r.logs(name), r.story(name)
        one_at_a_time(r.register(name))
        eventually(lambda: not r.processes() and not up(r, name), within_s=30)
