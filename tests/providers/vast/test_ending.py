"""How machines of Vast.ai end: by our call, and by their own from inside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spotlaunch import errors
from spotlaunch_providers.vast.asking import ENDPOINT
from spotlaunch_providers.vast.ending import end_command
from tests.fakes.clouds.server import Response
from tests.fakes.clouds.vast import FakeVast
from tests.fakes.waiting import eventually
from tests.providers.vast.conftest import Connect, ask, offered, order, sell


def rent(cloud: FakeVast, n: int) -> list[str]:
    """So many contracts of ours, without asking for them."""
    cloud.asks = [ask(gpu_frac=0.001)]
    made = [cloud.create(1, {"image": "x", "label": f"sl-o-job-{k}-0"}) for k in range(n)]
    return [str(answer.body["new_contract"]) for answer in made]


def test_a_contract_is_destroyed_with_its_disk(connect: Connect, cloud: FakeVast) -> None:
    ids = rent(cloud, 3)
    assert len(cloud.fleet.left()) == 6
    assert connect().terminate(ids) == {}
    assert cloud.fleet.left() == []
    assert {c.method for c in cloud.calls} == {"DELETE"}


@pytest.mark.parametrize("odd", ["", "abc", "../users", "1/../2", "-1", "1.5", "٣", "9" * 40, " 1"])
def test_what_cannot_be_an_id_is_done_without_a_call(connect: Connect, cloud: FakeVast, odd: str) -> None:
    assert connect().terminate([odd]) == {}
    assert cloud.calls == []


def test_one_that_does_not_end_does_not_spoil_the_others(connect: Connect, cloud: FakeVast) -> None:
    first, stuck, last = rent(cloud, 3)
    cloud.sticky.add(int(stuck))
    assert list(connect().terminate([first, "999", "rubbish", stuck, last])) == [stuck]
    assert list(cloud.contracts) == [int(stuck)]
    cloud.sticky.clear()
    assert connect().terminate([stuck]) == {}


def test_one_that_does_not_end_is_not_told_to_be_ending(connect: Connect, cloud: FakeVast) -> None:
    (machine,) = rent(cloud, 1)
    cloud.sticky.add(int(machine))
    cloud.stop_by_hand(machine)
    provider = connect()
    provider.terminate([machine])
    assert [(m.phase, m.ending_reason) for m in provider.list_machines()] == [("stopped", "by-hand")]


def test_a_key_that_may_not_end_is_told_once_for_all(connect: Connect, cloud: FakeVast) -> None:
    ids = rent(cloud, 3)
    cloud.fail("forbidden")
    failures = connect().terminate([*ids, "rubbish"])
    assert set(failures) == set(ids) and len(cloud.calls) == 1
    assert "may not do this" in failures[ids[0]]


def test_a_refused_key_that_is_told_by_404_is_not_taken_for_an_end(connect: Connect, cloud: FakeVast) -> None:
    ids = rent(cloud, 1)
    cloud.keys, cloud.key_404 = {"another"}, True
    assert set(connect().terminate(ids)) == set(ids)


@pytest.mark.parametrize(
    "said", ["Not Found", {"detail": "Not Found"}, {"success": False, "msg": "Instance not found"}]
)
@pytest.mark.parametrize("times", [1, 2], ids=["the end", "the question too"])
def test_a_404_without_a_code_is_no_refused_key_where_the_key_is_good(
    connect: Connect, cloud: FakeVast, said: object, times: int
) -> None:
    ids = rent(cloud, 1)
    cloud.refusals = {"server-error": Response(status=404, body=said)}  # type: ignore[misc]
    cloud.fail("server-error", path="/instances/999/", times=times)
    assert connect().terminate(["999", *ids]) == {}
    assert cloud.contracts == {}, "what is gone does not keep the others from ending"


def test_a_404_without_a_code_for_what_is_still_there_is_told(connect: Connect, cloud: FakeVast) -> None:
    (machine,) = rent(cloud, 1)
    cloud.refusals = {"server-error": Response(status=404, body="")}  # type: ignore[misc]
    cloud.fail("server-error", times=1)
    assert set(connect().terminate([machine])) == {machine}


def test_a_404_for_everything_is_a_refused_key(connect: Connect, cloud: FakeVast) -> None:
    (machine,) = rent(cloud, 1)
    cloud.refusals = {"server-error": Response(status=404, body="")}  # type: ignore[misc]
    cloud.fail("server-error")
    assert "key is refused" in connect().terminate([machine])[machine]


@pytest.mark.parametrize("kind", ["throttle", "server-error", "bad-gateway", "drop", "malformed", "truncated"])
def test_a_fault_is_told_and_the_next_call_ends_it(connect: Connect, cloud: FakeVast, kind: str) -> None:
    ids = rent(cloud, 1)
    cloud.fail(kind, times=1)
    assert set(connect().terminate(ids)) == set(ids)
    assert connect().terminate(ids) == {}


def test_ends_are_so_far_apart_that_none_is_refused_for_it(
    connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "spotlaunch_providers.vast.figures.INTERVALS_S", {"create": 0.0, "destroy": 0.05, "show": 0.0, "list": 0.0}
    )
    cloud.min_interval_s["DELETE /api/v0/instances/[0-9]+/"] = 0.05
    assert connect(margin=4).terminate(rent(cloud, 5)) == {}


def test_more_than_can_be_ended_in_time_are_told(
    connect: Connect, cloud: FakeVast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spotlaunch_providers.vast.figures.END_S", 0.5)
    monkeypatch.setattr(
        "spotlaunch_providers.vast.figures.INTERVALS_S", {"create": 0.0, "destroy": 0.2, "show": 0.0, "list": 0.0}
    )
    ids = rent(cloud, 9)
    left = connect(margin=1.0).terminate(ids)
    assert 4 <= len(left) <= 8 and set(left) == {str(i) for i in cloud.contracts}


def test_without_a_key_nothing_can_be_ended(connect: Connect) -> None:
    with pytest.raises(errors.NotAuthorized):
        connect(key="").terminate(["1"])


# -- from inside -------------------------------------------------------------------------------------------


def test_the_end_command_is_short_and_shows_no_key_to_other_processes() -> None:
    command = end_command(ENDPOINT)
    assert len(command.encode()) <= 350 and "\n" not in command
    # `printf` is the shell's own; the key is expanded for nothing else but it.
    assert command.count("$CONTAINER_API_KEY") == 1 and "printf" in command.split("$CONTAINER_API_KEY")[0]


@pytest.mark.parametrize("tool", ["curl", "python3"])
def test_a_container_ends_itself_with_its_own_key(cloud: FakeVast, connect: Connect, tmp_path: Path, tool: str) -> None:
    if tool == "curl" and not shutil.which("curl"):
        pytest.skip("no curl here")
    sell(cloud, 2.0)
    provider = connect()
    machine = provider.launch(order(offered(provider))).instance_id
    (tmp_path / tool).symlink_to(sys.executable if tool == "python3" else str(shutil.which("curl")))
    env = {"PATH": str(tmp_path), **cloud.fleet.machines[machine].env}
    subprocess.run(["/bin/sh", "-c", provider.traits.end_command], env=env, timeout=20, check=True)
    assert cloud.contracts == {} and cloud.fleet.machines[machine].why == "itself"
    assert provider.list_machines() == []


def test_the_key_of_one_container_is_no_good_for_another(cloud: FakeVast, connect: Connect) -> None:
    sell(cloud, 2.0, 3.0)
    provider = connect()
    offers = offered(provider)
    one = provider.launch(order(offers)).instance_id
    other = provider.launch(order(offers[1:], key="sl-o-job-2-0")).instance_id
    env = {"PATH": os.environ["PATH"], **cloud.fleet.machines[one].env, "CONTAINER_ID": other}
    subprocess.run(["/bin/sh", "-c", provider.traits.end_command], env=env, timeout=20, capture_output=True)
    assert len(cloud.contracts) == 2


def test_a_script_runs_on_the_machine_is_outbid_woken_and_ends_itself(connect: Connect) -> None:
    fake = FakeVast(run_machines=True)
    with fake.serving():
        sell(fake, 2.0)
        provider = connect(endpoint=fake.url)
        fake.keys = None
        script = 'echo run >>"$SPOTLAUNCH_ROOT/runs"\nif [ -e "$SPOTLAUNCH_ROOT/stay" ]; then sleep 600; fi\n' + (
            f"if [ $(wc -l <$SPOTLAUNCH_ROOT/runs) = 1 ]; then sleep 600; fi\n{provider.traits.end_command}\n"
        )
        machine = provider.launch(order(offered(provider), script=script)).instance_id
        rented = fake.fleet.machines[machine]
        runs = eventually(lambda: rented.folder and rented.folder / "root" / "runs")
        eventually(lambda: runs.exists() and runs.read_text() == "run\n")
        fake.preempt(machine)
        (seen,) = provider.list_machines()
        assert seen.phase == "stopped" and rented.process is not None and rented.process.poll() is not None
        fake.priority_returns(machine)
        eventually(lambda: fake.fleet.left() == [])
        assert runs.read_text() == "run\nrun\n" and rented.why == "itself"
