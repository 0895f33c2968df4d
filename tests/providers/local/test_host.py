"""Real machines: what their hosts do to them, and what is left afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from spotlaunch.core.facts import Order
from spotlaunch_providers.local import machines
from spotlaunch_providers.local.adapter import LocalProvider
from tests.fakes.local_machines import processes_under
from tests.fakes.waiting import eventually

pytestmark = pytest.mark.e2e

Connect = Callable[..., LocalProvider]
MakeOrder = Callable[..., Order]

# Starts two programs that try to get away: one in a session of its own, one that is nobody's child any more,
# has another folder, and knows nothing of its machine's environment.
RUNAWAYS = (
    "setsid sh -c 'echo $$ > one.new; mv one.new one; exec sleep 600' & "
    "(env -i setsid sh -c 'echo $$ > two.new; mv two.new two; cd /; exec sleep 600' &) ; exec sleep 600"
)
UNTIL_NOTICE = 'while [ ! -f "$SPOTLAUNCH_NOTICE_FILE" ]; do sleep 0.02; done'


def bill(folder: Path) -> machines.Bill:
    return eventually(lambda: machines.bills(folder))[0]


def disk(folder: Path, name: str) -> Path:
    return folder / "machines" / name / "disk"


def host_of(folder: Path) -> psutil.Process:
    (line,) = [p for p in processes_under(folder) if "local.host" in p]
    return psutil.Process(int(line.split(":")[0]))


def alive(pid: int) -> bool:
    """Whether a process lives. One that nobody has asked for its exit code yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def runaways(folder: Path, name: str) -> list[int]:
    """Their process ids, once both are there."""
    files = [disk(folder, name) / f for f in ("one", "two")]
    eventually(lambda: all(f.exists() for f in files))
    return [int(f.read_text()) for f in files]


def test_a_machine_boots_runs_its_agent_in_a_folder_of_its_own_and_ends_when_told(
    connect: Connect, order: MakeOrder, folder: Path
) -> None:
    provider = connect("boot: 0.1s", agent=("/bin/sh", "-c", "pwd > here; exec sleep 600"))
    name = provider.launch(order(provider)).instance_id
    assert provider.list_machines()[0].phase == "starting"
    eventually(lambda: provider.list_machines()[0].phase == "running")
    eventually(lambda: (disk(folder, name) / "here").exists())
    assert provider.terminate([name]) == {}
    eventually(lambda: not provider.list_machines())
    ended = bill(folder)
    assert (ended.why, ended.instance_id, str(ended.price_usd_hour)) == ("terminated", name, "0.9")
    assert 0.1 <= ended.ended_at - ended.started_at < 5
    eventually(lambda: not processes_under(folder))
    assert list((folder / "machines").iterdir()) == []


def test_the_agents_environment_is_its_orders_and_a_clean_base(
    connect: Connect, order: MakeOrder, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_SHELLS_OWN", "1")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    out = tmp_path / "env"
    provider = connect(agent=("/bin/sh", "-c", f"env -0 > {out}.new; mv {out}.new {out}; exec sleep 600"))
    wanted = order(provider, agent_env={"SPOTLAUNCH_JOB": "job"}, secret_env={"TOKEN": "hush-1", "ODD": "a\nb"})
    name = provider.launch(wanted).instance_id
    eventually(out.exists)
    env = dict(pair.split("=", 1) for pair in out.read_text().split("\0") if pair)
    assert env["SPOTLAUNCH_JOB"] == "job" and env["TOKEN"] == "hush-1" and env["ODD"] == "a\nb"
    assert env["AWS_REGION"] == "eu-west-1" and "MY_SHELLS_OWN" not in env and "SPOTLAUNCH_HOME" not in env
    assert env["HOME"] == str(disk(folder, name))
    assert env["SPOTLAUNCH_NOTICE_FILE"] == str(folder / "machines" / name / "notice.json")
    assert env["SPOTLAUNCH_MACHINE"] == name


def test_no_secret_is_in_a_file_or_an_argument(connect: Connect, order: MakeOrder, folder: Path) -> None:
    provider = connect(agent=("/bin/sh", "-c", "touch up; exec sleep 600"))
    name = provider.launch(order(provider, secret_env={"TOKEN": "hush-1"})).instance_id
    eventually((disk(folder, name) / "up").exists)
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert len(files) > 3 and not any(b"hush-1" in p.read_bytes() for p in files)
    assert not any("hush-1" in line for line in processes_under(folder))
    assert b"hush-1" not in Path(f"/proc/{host_of(folder).pid}/environ").read_bytes()


def test_every_file_of_a_machine_is_for_its_owner_only(connect: Connect, order: MakeOrder, folder: Path) -> None:
    provider = connect()
    name = provider.launch(order(provider)).instance_id
    eventually(lambda: provider.list_machines()[0].phase == "running")
    machine = folder / "machines" / name
    assert {p.name for p in machine.iterdir()} == {"record.json", "door", "disk", "host.log", "console.log"}
    assert not any(p.stat().st_mode & 0o077 for p in [machine.parent, machine, *machine.iterdir()])


def test_a_preempted_machine_gets_its_notice_and_then_the_plug_is_pulled(
    connect: Connect, order: MakeOrder, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "seen"
    agent = f'{UNTIL_NOTICE}; cp "$SPOTLAUNCH_NOTICE_FILE" {out}; exec sleep 600'
    provider = connect("interruptions_per_hour: 1000000, notice: 1s", agent=("/bin/sh", "-c", agent))
    name = provider.launch(order(provider)).instance_id
    eventually(out.exists)
    deadline = json.loads(out.read_text())["deadline_at"]
    assert 0 < deadline - time.time() <= 1
    (seen,) = provider.list_machines()
    assert (seen.phase, seen.ending_reason) == ("ending", "preempted")
    ended = bill(folder)
    assert (ended.why, ended.instance_id) == ("preempted", name)
    assert deadline <= ended.ended_at < deadline + 5
    eventually(lambda: not processes_under(folder))
    assert not disk(folder, name).exists()


def test_a_machine_whose_agent_leaves_on_the_notice_ends_before_the_deadline(
    connect: Connect, order: MakeOrder, folder: Path
) -> None:
    provider = connect("interruptions_per_hour: 1000000, notice: 1m", agent=("/bin/sh", "-c", UNTIL_NOTICE))
    provider.launch(order(provider))
    assert bill(folder).why == "preempted"


def test_a_machine_can_be_taken_away_at_a_moment_of_our_choosing_with_a_notice(
    connect: Connect, order: MakeOrder, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "seen"
    agent = f'{UNTIL_NOTICE}; cp "$SPOTLAUNCH_NOTICE_FILE" {out}'
    provider = connect(agent=("/bin/sh", "-c", agent))
    name = provider.launch(order(provider)).instance_id
    eventually(disk(folder, name).exists)
    assert provider.take_away(name, notice_s=60.0)
    assert (bill(folder).why, bill(folder).instance_id) == ("preempted", name)
    assert json.loads(out.read_text())["deadline_at"] > time.time() + 30
    assert not provider.take_away(name, notice_s=60.0)


def test_and_without_one_and_only_by_its_owner(connect: Connect, order: MakeOrder, folder: Path) -> None:
    provider = connect("notice: 1m")
    name = provider.launch(order(provider)).instance_id
    eventually(disk(folder, name).exists)
    assert not connect(owner="another").take_away(name, notice_s=0.0)
    assert not provider.take_away("../../x", notice_s=0.0)
    assert provider.take_away(name, notice_s=0.0)
    assert bill(folder).why == "preempted"
    eventually(lambda: not processes_under(folder))


def test_without_a_notice_the_plug_is_pulled_at_once(
    connect: Connect, order: MakeOrder, folder: Path, tmp_path: Path
) -> None:
    agent = f"trap 'touch {tmp_path}/warned' TERM INT HUP; while true; do sleep 0.02; done"
    provider = connect("interruptions_per_hour: 100000, notice: 0s", agent=("/bin/sh", "-c", agent))
    provider.launch(order(provider))
    assert bill(folder).why == "preempted"
    assert not (tmp_path / "warned").exists()


def test_no_program_escapes_its_machine(connect: Connect, order: MakeOrder, folder: Path) -> None:
    provider = connect(agent=("/bin/sh", "-c", RUNAWAYS))
    name = provider.launch(order(provider)).instance_id
    pids = runaways(folder, name)
    assert all(alive(p) for p in pids)
    provider.terminate([name])
    bill(folder)
    assert not any(alive(p) for p in pids)


def test_what_a_program_locked_away_is_deleted_too(connect: Connect, order: MakeOrder, folder: Path) -> None:
    agent = "mkdir -p a/b; touch a/b/f; chmod 0500 a/b; chmod 0 a; touch up; exec sleep 600"
    provider = connect(agent=("/bin/sh", "-c", agent))
    name = provider.launch(order(provider)).instance_id
    eventually((disk(folder, name) / "up").exists)
    provider.terminate([name])
    bill(folder)
    eventually(lambda: not list((folder / "machines").iterdir()))


@pytest.mark.parametrize(
    ("agent", "why"), [("exit 0", "exit code 0"), ("exit 3", "exit code 3"), ("kill -9 $$", "exit code -9")]
)
def test_a_machine_whose_agent_leaves_shuts_down(
    connect: Connect, order: MakeOrder, folder: Path, agent: str, why: str
) -> None:
    provider = connect(agent=("/bin/sh", "-c", f"sleep 600 & echo said; {agent}"))
    provider.launch(order(provider))
    ended = bill(folder)
    assert ended.why == f"agent left with {why}"
    assert json.loads((folder / "ended" / f"{ended.instance_id}.json").read_text())["console"] == "said\n"
    eventually(lambda: not processes_under(folder))


def test_an_agent_that_cannot_be_started_ends_its_machine_with_the_reason(
    connect: Connect, order: MakeOrder, folder: Path
) -> None:
    provider = connect(agent=("/no/such/agent",))
    provider.launch(order(provider))
    assert "No such file or directory: '/no/such/agent'" in bill(folder).why


def test_a_machine_does_not_outlive_its_time_limit_and_its_notice(
    connect: Connect, order: MakeOrder, folder: Path, tmp_path: Path
) -> None:
    agent = f"{UNTIL_NOTICE}; touch {tmp_path}/warned"
    provider = connect("notice: 9s", agent=("/bin/sh", "-c", agent))
    provider.launch(order(provider, ttl_s=0.5))
    ended = bill(folder)
    assert ended.why == "too old"
    assert 0.5 <= ended.ended_at - ended.started_at < 9
    assert (tmp_path / "warned").exists()


def test_a_machine_that_never_boots_can_be_ended(connect: Connect, order: MakeOrder, folder: Path) -> None:
    provider = connect("faults: {never_boots: 1}")
    name = provider.launch(order(provider)).instance_id
    time.sleep(0.2)
    assert provider.list_machines()[0].phase == "starting"
    provider.terminate([name])
    assert bill(folder).why == "terminated"


def test_a_machine_that_hangs_is_frozen_with_all_its_programs_and_can_be_ended(
    connect: Connect, order: MakeOrder, folder: Path
) -> None:
    # This seed lets the machine hang soon; see `HANG_WITHIN_S`.
    market = "seed: 114\npools: [{name: a, price_usd_hour: 1, faults: {hang: 1}}]"
    provider = connect(market=market, agent=("/bin/sh", "-c", RUNAWAYS))
    name = provider.launch(order(provider)).instance_id
    pids = runaways(folder, name)
    eventually(lambda: all(psutil.Process(p).status() == psutil.STATUS_STOPPED for p in pids))
    provider.terminate([name])
    bill(folder)
    assert not any(alive(p) for p in pids)


def test_a_machine_whose_host_was_killed_is_ended_by_the_next_listing(
    connect: Connect, order: MakeOrder, folder: Path
) -> None:
    provider = connect(agent=("/bin/sh", "-c", RUNAWAYS))
    name = provider.launch(order(provider)).instance_id
    # The second runaway left no trace of whose it was; only its parent could have told.
    one, two = runaways(folder, name)
    try:
        host_of(folder).send_signal(signal.SIGKILL)
        eventually(lambda: not provider.list_machines())
        ended = bill(folder)
        assert (ended.why, ended.instance_id) == ("host lost", name)
        assert not alive(one)
        assert not (folder / "machines" / name).exists()
    finally:
        psutil.Process(two).kill()


def test_a_machine_whose_host_was_killed_can_be_ended_without_a_listing(
    connect: Connect, order: MakeOrder, folder: Path
) -> None:
    provider = connect()
    name = provider.launch(order(provider)).instance_id
    eventually(lambda: provider.list_machines()[0].phase == "running")
    host = host_of(folder)
    host.send_signal(signal.SIGKILL)
    host.wait(5)
    assert provider.terminate([name]) == {}
    assert bill(folder).why == "host lost"
    assert not processes_under(folder)


def test_a_host_that_is_asked_to_stop_takes_its_machine_with_it(
    connect: Connect, order: MakeOrder, folder: Path
) -> None:
    provider = connect()
    provider.launch(order(provider))
    eventually(lambda: provider.list_machines()[0].phase == "running")
    host_of(folder).terminate()
    assert bill(folder).why == "terminated"


def test_machines_live_on_when_those_who_launched_them_die(connect: Connect, order: MakeOrder, folder: Path) -> None:
    provider = connect("interruptions_per_hour: 6000, notice: 0.1s")
    pid = os.fork()
    if pid == 0:
        try:
            provider.launch(order(provider))
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    eventually(lambda: len(provider.list_machines()) == 1 or machines.bills(folder))
    assert bill(folder).why == "preempted"


def test_a_machine_whose_folder_is_deleted_ends_by_itself(connect: Connect, order: MakeOrder, folder: Path) -> None:
    provider = connect()
    provider.launch(order(provider))
    eventually(lambda: provider.list_machines()[0].phase == "running")
    shutil.rmtree(folder / "machines")
    host_of(folder).send_signal(signal.SIGCHLD)  # wakes it up; by itself it would look every few seconds
    eventually(lambda: not processes_under(folder))


def test_a_launcher_that_dies_before_it_told_the_order_leaves_nothing(
    connect: Connect, order: MakeOrder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = connect()

    def die(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(machines, "start_host", die)
    with pytest.raises(KeyboardInterrupt):
        provider.launch(order(provider))
    assert len(machines.names(folder)) == 1
    assert provider.list_machines() == []
    assert bill(folder).why == "host lost"
