"""Whole attempts: real agents with real programs, and the things that happen to machines."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from spotlaunch.core import wire
from spotlaunch.storage import checkpoints, manifests
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.register import Register
from tests.fakes.machine import JOB, Machine, order, python, soon

pytestmark = pytest.mark.e2e

LONG = {"STEPS": "100000"}


def notes(machine: Machine, kind: str) -> list[str]:
    status = machine.status
    return [n["text"] for n in status.notes if n["kind"] == kind] if status is not None else []


def steps(machine: Machine) -> list[tuple[int, bool]]:
    return [(c.step, c.verified) for c in checkpoints.listing(machine.blobs, JOB, deep=True)]


def break_newest(machine: Machine) -> int:
    """Bend a byte of the newest checkpoint; returns its step."""
    newest = checkpoints.listing(machine.blobs, JOB)[0]
    manifest = manifests.load(machine.blobs, JOB, newest.manifest)
    assert manifest is not None
    key = max(f.object for f in manifest.files if f.object.startswith(newest.key))
    machine.blobs.put(key, b"?" + machine.blobs.get(key)[1:])
    return newest.step


# -- to the end ------------------------------------------------------------------------------------


def test_a_job_runs_to_its_end(tmp_path: Path, store_url: str) -> None:
    doc = order(setup="echo setting up", env={"STEPS": "20"}, gpu="H100", gpu_count=8)
    with Machine(tmp_path, store_url, doc) as m:
        status = m.left()
        assert (status.phase, status.left_why, status.exit_code, status.error) == ("left", "exited", 0, "")
        assert (status.resumed_step, status.step, status.progress) == (0, 20, {"step": 20, "total": 20})
        assert m.output == "setting up\nfrom 0\nsum 210\n"
        assert m.head().step == 20
        assert steps(m)[0] == (20, True)
        assert len(steps(m)) <= doc.keep
        assert status.commits == len(Register(m.blobs, JOB).history()) - 1


def test_the_program_finds_what_it_was_promised(tmp_path: Path, store_url: str) -> None:
    doc = order(
        run="env | sort; pwd; umask; ps -o pgid= -p $$; ps -o sid= -p $$",
        env={"EPOCHS": "60"},
        secrets=["TOKEN"],
        gpu="H100",
        gpu_count=8,
        checkpoint_every_s=600.0,
        checkpoint_dir="out/ckpt",
    )
    own_umask = os.umask(0o022)
    os.umask(own_umask)
    with Machine(tmp_path, store_url, doc, env={"TOKEN": "hunter22", "SPOTLAUNCH_STORE_REGION": "x"}) as m:
        assert m.left().exit_code == 0
        env = dict(line.split("=", 1) for line in m.output.splitlines() if "=" in line)
        work = m.disk / "work"
        assert env["EPOCHS"] == "60"
        assert env["TOKEN"] == "***", "there, and masked in the output"
        assert env["SPOTLAUNCH_CHECKPOINT_DIR"] == str(work / "out/ckpt")
        assert env["SPOTLAUNCH_ATTEMPT"] == "1"
        assert env["SPOTLAUNCH_JOB"] == JOB
        assert env["SPOTLAUNCH_RESUME"] == ""
        assert env["SPOTLAUNCH_CHECKPOINT_EVERY_S"] == "600"
        assert env["SPOTLAUNCH_GRACE_S"] == "5"
        assert (env["SPOTLAUNCH_GPU"], env["SPOTLAUNCH_GPUS"]) == ("H100", "8")
        assert not any(name.startswith("SPOTLAUNCH_STORE") for name in env)
        *_, cwd, umask, group, session = m.output.split()
        assert cwd == str(work)
        assert int(umask, 8) == own_umask
        assert int(session) == m.agent.pid, "in the session that the host of the machine knows"
        assert int(group) != m.agent.pid, "but not in our group"
        assert Path(env["SPOTLAUNCH_PROGRESS_FILE"]).parent == m.disk


def test_a_bundle_becomes_the_working_directory(tmp_path: Path, store_url: str) -> None:
    from spotlaunch.storage.bundle import pack

    source = tmp_path / "source"
    source.mkdir()
    (source / "train.sh").write_text("echo from the bundle")
    bundle = pack(source, tmp_path / "bundle.tar.gz")
    blobs = open_blobs(store_url)
    blobs.put_file(wire.bundle_key(JOB, bundle.digest), tmp_path / "bundle.tar.gz")
    with Machine(tmp_path, store_url, order(run="sh train.sh", bundle=bundle.digest)) as m:
        assert m.left().exit_code == 0
        assert m.output == "from the bundle\n"

    blobs.put(wire.bundle_key(JOB, bundle.digest), b"bent")
    with Machine(tmp_path, store_url, order(2, run="sh train.sh", bundle=bundle.digest)) as m:
        status = m.left()
        assert (status.left_why, status.exit_code) == ("error", None)
        assert "bundle" in status.error
        assert "damaged" in status.error


@pytest.mark.parametrize(
    ("run", "code"), [("exit 3", 3), ("kill -9 $$", 137), ("exit 75", 75), ("no-such-command", 127)]
)
def test_the_exit_code_is_told(run: str, code: int, tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(run=run)) as m:
        status = m.left()
        assert (status.left_why, status.exit_code) == ("exited", code)


def test_a_setup_that_fails_ends_the_attempt(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(setup="echo oh no; exit 4")) as m:
        status = m.left()
        assert (status.left_why, status.exit_code, status.error) == ("exited", 4, "setup failed with exit code 4")
        assert m.output == "oh no\n"


def test_what_the_program_leaves_running_is_ended_with_it(tmp_path: Path, store_url: str) -> None:
    run = "sleep 1000 & (trap '' TERM; sleep 1000) & setsid sleep 1000 & echo done"
    with Machine(tmp_path, store_url, order(run=run)) as m:
        assert m.left().exit_code == 0
        assert m.output == "done\n"


def test_the_last_checkpoint_and_the_last_words_are_waited_for(tmp_path: Path, store_url: str) -> None:
    run = 'echo result > "$SPOTLAUNCH_CHECKPOINT_DIR/result-7"; printf "no newline at the end"'
    with Machine(tmp_path, store_url, order(run=run)) as m:
        status = m.left()
        assert (status.step, status.commits) == (7, 1)
        assert m.output == "no newline at the end"
        assert steps(m) == [(7, True)]


# -- machines that are taken -----------------------------------------------------------------------


def test_a_machine_that_dies_is_replaced_by_one_that_resumes(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env=LONG)) as m:
        m.when(lambda s: s.step >= 10, "a commit of step 10")
        m.pull_the_plug()
    committed = m.head().step
    assert committed >= 10
    with Machine(tmp_path, store_url, order(2, env={"STEPS": str(committed + 30)})) as m:
        status = m.left()
        assert (status.left_why, status.resumed_step) == ("exited", committed)
        assert m.output.startswith(f"from {committed}\n")
        total = (committed + 30) * (committed + 31) // 2
        assert f"sum {total}" in m.output, "as if it had never been interrupted"
        assert notes(m, "resumed") == [f"resumed from the checkpoint of step {committed}"]


def test_a_notice_is_told_at_once_and_ends_with_a_last_commit(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env=LONG, report_every_s=5.0, checkpoint_every_s=1000.0)) as m:
        soon(lambda: (head := Register(m.blobs, JOB).head()) is not None and head.step > 0, "the first commit")
        first = m.head().step
        time.sleep(0.3)
        noticed = time.time()
        m.give_notice(8.0)
        status = m.left()
        assert time.time() - noticed < 8.0, "it does not wait for the deadline"
        assert status.left_why == "notice"
        assert status.notice_at is not None
        assert status.notice_deadline_at is not None
        assert status.notice_at - noticed < 3.0
        assert abs(status.notice_deadline_at - noticed - 8.0) < 2.0
        assert m.head().step == status.step > first
        assert f"told to end at {status.step}" in m.output, "the step at which the program was told, not an older one"


def test_a_program_behind_a_shell_ends_in_its_own_time(tmp_path: Path, store_url: str) -> None:
    run = python(
        """
import os, signal, sys, time
def told(*_):
    time.sleep(0.7)
    open(os.path.join(os.environ["SPOTLAUNCH_CHECKPOINT_DIR"], "step-9"), "w").write("written in place, at leisure")
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
print("ready")
while 1: time.sleep(1)
"""
    )
    with Machine(tmp_path, store_url, order(run=f"cd / && {run} && echo never")) as m:
        soon(lambda: "ready" in m.output)
        m.give_notice(10.0)
        status = m.left()
        assert (status.left_why, status.exit_code, status.step) == ("notice", 0, 9)
        assert "never" not in m.output
        assert steps(m) == [(9, True)]


def test_a_signal_to_the_agent_is_a_notice(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env=LONG)) as m:
        m.when(lambda s: s.commits > 0)
        m.signal(signal.SIGTERM)
        status = m.left()
        assert (status.left_why, status.notice_deadline_at) == ("notice", None)
        assert "told to end" in m.output


def test_a_program_killed_together_with_its_machine_has_not_failed(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(run="sleep 1000")) as m:
        m.phase("running")
        sleeper = soon(lambda: psutil.Process(m.agent.pid).children(), "the program")[0]
        os.killpg(sleeper.pid, signal.SIGTERM)  # a system going down signals everybody
        m.signal(signal.SIGTERM)
        assert m.left().left_why == "notice"


def test_a_program_that_does_not_end_is_ended_before_the_machine_is(tmp_path: Path, store_url: str) -> None:
    run = python("import signal as s, time\ns.signal(s.SIGTERM, s.SIG_IGN)\nprint('deaf')\nwhile 1: time.sleep(1)")
    with Machine(tmp_path, store_url, order(run=run, grace_s=60.0)) as m:
        soon(lambda: "deaf" in m.output)
        m.give_notice(2.0)
        began = time.time()
        status = m.left()
        assert time.time() - began < 10.0
        assert (status.left_why, status.exit_code) == ("notice", 137)


def test_a_notice_during_the_restore_or_the_setup_is_heard_too(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(setup="sleep 1000")) as m:
        m.phase("setup")
        m.give_notice(5.0)
        assert m.left().left_why == "notice"
    with Machine(tmp_path, store_url, order(2, predecessor=9, predecessor_wait_s=1000.0)) as m:
        m.phase("waiting")
        m.give_notice(5.0)
        assert m.left().left_why == "notice"


# -- being asked, and limits -----------------------------------------------------------------------


def test_asked_to_leave_it_leaves_with_a_last_commit(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env=LONG)) as m:
        m.when(lambda s: s.commits > 0)
        m.ask("leave")
        status = m.left()
        assert status.left_why == "asked"
        assert f"told to end at {status.step}" in m.output
        assert m.head().step == status.step


@pytest.mark.parametrize("limit", ["runtime", "budget"])
def test_limits_hold_with_nobody_watching(limit: str, tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env=LONG, **{f"{limit}_left_s": 6.0})) as m:
        began = time.time()
        status = m.left()
        assert status.left_why == limit
        assert 4.0 < time.time() - began < 15.0
        assert f"told to end at {status.step}" in m.output, "it leaves while there is something left to leave with"
        assert m.head().step == status.step > 0


# -- successors and ghosts -------------------------------------------------------------------------


def test_a_ghost_ends_its_program_and_commits_nothing(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env=LONG)) as ghost:
        ghost.when(lambda s: s.commits > 0)
        claim = Register(ghost.blobs, JOB).claim(2, "successor", time.time())
        status = ghost.left()
        assert status.left_why == "superseded"
        assert "told to end" not in ghost.output
        assert ghost.head() == claim, "nothing was committed after the claim"


def test_a_successor_waits_until_its_predecessor_has_left(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env=LONG)) as old:
        old.when(lambda s: s.commits > 0)
        with Machine(tmp_path, store_url, order(2, env=LONG, predecessor=1, predecessor_wait_s=60.0)) as new:
            new.phase("waiting")
            time.sleep(0.3)
            assert old.head().epoch == 1
            old.give_notice(10.0)
            last = old.left().step
            new.phase("running")
            assert new.when(lambda s: s.resumed_step is not None).resumed_step == last, "not one step is lost"
            new.ask("leave")
            new.left()


def test_a_successor_goes_on_when_told_that_nobody_is_there(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(2, env={"STEPS": "5"}, predecessor=1, predecessor_wait_s=1000.0)) as m:
        m.phase("waiting")
        m.ask("proceed", reason="attempt 1 is over")
        assert m.left().left_why == "exited"


def test_a_successor_does_not_wait_for_ever(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(2, env={"STEPS": "5"}, predecessor=1, predecessor_wait_s=0.5)) as m:
        assert m.left().left_why == "exited"


def test_an_order_started_twice_is_run_once(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env=LONG)) as first:
        first.when(lambda s: s.commits > 0)
        with Machine(tmp_path, store_url, order(env=LONG)) as second:
            assert second.agent.wait(timeout=20) == 0
        status = first.when(lambda s: s.commits > 1)
        assert status.phase == "running", "the second did not speak for the first"
        first.ask("leave")
        assert first.left().left_why == "asked"


def test_a_container_started_again_goes_on_as_itself(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env=LONG)) as m:
        before = m.when(lambda s: s.step >= 5 and s.log_chunks > 0)
        m.pull_the_plug()
        m.boot()
        status = m.when(lambda s: s.started_at == before.started_at and s.phase == "running" and s.resumed_step)
        assert status.resumed_step is not None
        assert status.resumed_step >= 5
        m.ask("leave")
        assert m.left().log_chunks > before.log_chunks
        assert m.output.count("from ") == 2, "the output of both lives is kept"
        m.boot()
        assert m.left().left_why == "asked", "what has left has left"


# -- checkpoints -----------------------------------------------------------------------------------


def test_a_damaged_newest_checkpoint_falls_back_and_says_so(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env={"STEPS": "20", "STEP_S": "0.1"}, checkpoint_every_s=0.1)) as m:
        m.left()
        broken = break_newest(m)
        good = next(step for step, whole in steps(m) if whole)
    with Machine(tmp_path, store_url, order(2, env=LONG)) as m:
        status = m.when(lambda s: s.commits > 0)
        assert status.resumed_step == good < broken
        (told,) = notes(m, "checkpoint_damaged")
        assert f"step {broken}" in told
        m.ask("leave")
        m.left()
        assert steps(m)[0][1]


def test_when_no_checkpoint_is_whole_it_starts_anew_and_says_so(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(run='echo 1 > "$SPOTLAUNCH_CHECKPOINT_DIR/step-5"')) as m:
        m.left()
        break_newest(m)
    with Machine(tmp_path, store_url, order(2, env={"STEPS": "5"})) as m:
        status = m.left()
        assert status.resumed_step == 0
        assert notes(m, "checkpoint_lost")
        assert m.output.startswith("from 0")
        assert steps(m)[0] == (5, True)


def test_a_half_written_checkpoint_is_never_committed(tmp_path: Path, store_url: str) -> None:
    # Written in place, slowly: never still for long enough, then the machine dies; and once more with a crash.
    run = python(
        """
import os, sys, time
folder = os.environ["SPOTLAUNCH_CHECKPOINT_DIR"]
open(os.path.join(folder, "step-1"), "w").write("whole")
time.sleep(1.5)
with open(os.path.join(folder, "step-2"), "w") as f:
    for n in range(int(sys.argv[1])):
        f.write("part of it"); f.flush(); time.sleep(0.02)
        print(n)
raise SystemError("out of memory")
"""
    )
    with Machine(tmp_path, store_url, order(run=run + " 100000")) as m:
        m.when(lambda s: s.commits > 0)
        soon(lambda: "60" in m.output.split())
        m.pull_the_plug()
        assert steps(m) == [(1, True)]
    with Machine(tmp_path, store_url, order(2, run=run + " 5")) as m:
        assert m.left().exit_code == 1
        assert {s for s, _ in steps(m)} == {1}


def test_what_the_program_calls_complete_is_committed_while_it_writes_the_next(tmp_path: Path, store_url: str) -> None:
    run = python(
        """
import json, os, time
folder, said = os.environ["SPOTLAUNCH_CHECKPOINT_DIR"], open(os.environ["SPOTLAUNCH_PROGRESS_FILE"], "a")
for step in range(1, 10000):
    with open(os.path.join(folder, f"step-{step}"), "w") as f:
        for n in range(10):
            f.write("part"); f.flush(); time.sleep(0.02)
    said.write(json.dumps({"step": step, "checkpoint": f"step-{step}"}) + "\\n"); said.flush()
"""
    )
    with Machine(tmp_path, store_url, order(run=run)) as m:
        m.when(lambda s: s.step >= 3)
        m.pull_the_plug()
        newest = checkpoints.listing(m.blobs, JOB, deep=True)[0]
        checkpoints.download(m.blobs, JOB, newest, tmp_path / "down")
        assert newest.verified
        assert {f.read_text() for f in (tmp_path / "down").iterdir()} == {"part" * 10}


def test_checkpoints_are_taken_no_more_often_than_asked(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env={"STEPS": "60"}, checkpoint_every_s=1000.0)) as m:
        assert m.left().commits == 2, "the first at once, and the last"


def test_a_checkpoint_folder_that_is_the_working_directory_is_refused(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(checkpoint_dir=".")) as m:
        status = m.left()
        assert status.left_why == "error"
        assert "folder of its own" in status.error


# -- a store that is away --------------------------------------------------------------------------


def test_the_program_goes_on_while_the_store_is_away(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env={"STEPS": "150"})) as m:
        m.when(lambda s: s.step >= 5)
        store = tmp_path / "store"
        store.rename(tmp_path / "away")
        store.write_text("a file where the folder was")
        progress = m.disk / "progress.json"
        soon(lambda: json.loads(progress.read_text())["step"] >= 100, "training without a store")
        time.sleep(0.5)
        assert m.agent.poll() is None
        store.unlink()
        (tmp_path / "away").rename(store)
        status = m.left()
        assert (status.left_why, status.exit_code, status.step) == ("exited", 0, 150)
        assert "sum 11325" in m.output
        assert steps(m)[0] == (150, True)


def test_a_store_that_is_away_at_the_start_is_waited_for(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env={"STEPS": "5"}), put=False) as m:
        time.sleep(0.5)
        assert m.agent.poll() is None
        m.mailbox.put_order(m.doc)
        assert m.left().exit_code == 0


def test_a_result_is_kept_until_the_store_is_back(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(env={"STEPS": "30"})) as m:
        m.when(lambda s: s.step >= 5)
        (tmp_path / "store").rename(tmp_path / "away")
        (tmp_path / "store").write_text("")
        progress = m.disk / "progress.json"
        soon(lambda: json.loads(progress.read_text())["step"] == 30)
        time.sleep(1.0)
        assert m.agent.poll() is None, "it does not leave with the result in its hands"
        (tmp_path / "store").unlink()
        (tmp_path / "away").rename(tmp_path / "store")
        assert m.left().step == 30


# -- secrets, and the wire -------------------------------------------------------------------------


def test_secrets_are_masked_and_nowhere_in_the_store(tmp_path: Path, store_url: str) -> None:
    run = (
        'echo "the key is $TOKEN"; printf "%s" "$TOKEN" | cut -c1-4;'
        ' echo "{\\"step\\": 1, \\"k\\": \\"$TOKEN\\"}" > $SPOTLAUNCH_PROGRESS_FILE'
    )
    with Machine(tmp_path, store_url, order(run=run, secrets=["TOKEN", "UNSET"]), env={"TOKEN": "hunter22!"}) as m:
        m.left()
        assert m.output == "the key is ***\nhunt\n"
    for path in [*(tmp_path / "store").rglob("*"), m.console, m.disk / "output.log"]:
        assert path.is_dir() or b"hunter22" not in path.read_bytes(), path


def test_the_same_over_the_wire(tmp_path: Path, s3_store: tuple[str, str]) -> None:
    url, endpoint = s3_store
    with Machine(tmp_path, url, order(env=LONG), endpoint=endpoint) as m:
        m.when(lambda s: s.step >= 5)
        m.pull_the_plug()
    committed = m.head().step
    with Machine(tmp_path, url, order(2, env={"STEPS": str(committed + 10)}), endpoint=endpoint) as m:
        status = m.left()
        assert (status.left_why, status.exit_code, status.resumed_step) == ("exited", 0, committed)
        assert f"sum {(committed + 10) * (committed + 11) // 2}" in m.output
        assert steps(m)[0] == (committed + 10, True)


def test_the_keys_to_the_store_are_masked_too(tmp_path: Path, s3_store: tuple[str, str]) -> None:
    url, endpoint = s3_store
    with Machine(tmp_path, url, order(run="echo key $AWS_SECRET_ACCESS_KEY"), endpoint=endpoint) as m:
        m.left()
        assert m.output == "key ***\n"


def test_no_order_at_all_is_told(tmp_path: Path, store_url: str) -> None:
    blobs = open_blobs(store_url)
    blobs.put(wire.order_key(JOB, 1), b"{}")
    with Machine(tmp_path, store_url, order(), put=False) as m:
        status = m.left()
        assert status.left_why == "error"
        assert "unreadable" in status.error


def test_an_environment_without_the_essentials_is_told_on_the_console(tmp_path: Path, store_url: str) -> None:
    with Machine(tmp_path, store_url, order(), env={"SPOTLAUNCH_ATTEMPT": "one"}) as m:
        assert m.agent.wait(timeout=20) == 1
        assert "must be numbers" in m.console.read_text()


@pytest.mark.parametrize("defect", ["sync.Sync._turn", "mail.Mail._read_ask", "agent.Agent._supervise"])
def test_a_defect_of_ours_ends_the_attempt_and_is_told(defect: str, tmp_path: Path, store_url: str) -> None:
    module, kind, method = defect.split(".")
    program = (
        f"from spotlaunch.agent import main, {module}\n"
        f"def broken(self, *_): raise ZeroDivisionError('a defect')\n"
        f"{module}.{kind}.{method} = broken\n"
        "main.main()"
    )
    with Machine(tmp_path, store_url, order(env=LONG), agent=["-c", program]) as m:
        m.agent.wait(timeout=20)
        status = m.status
        assert status is not None
        assert (status.phase, status.left_why) == ("left", "error")
        assert "ZeroDivisionError: a defect" in status.error
        assert "Traceback" in m.console.read_text()


def test_the_agent_is_written_for_python_3_10() -> None:
    program = (
        "import sys, spotlaunch.agent.main\n"
        "print(*(m.__file__ for n, m in list(sys.modules.items()) if n.startswith('spotlaunch')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    files = [Path(name) for name in done.stdout.split()]
    assert len(files) > 20
    for file in files:
        ast.parse(file.read_text(), filename=str(file), feature_version=(3, 10))


def test_the_agent_imports_nothing_heavy() -> None:
    program = "import sys, spotlaunch.agent.main, obstore.store; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"pydantic", "yaml", "typer", "rich", "boto3", "botocore", "psutil", "asyncio", "pathspec"}
    assert "spotlaunch.core.book" not in done.stdout.split()
