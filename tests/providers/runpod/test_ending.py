"""How a pod ends itself, with the real commands in real processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotlaunch.boot.loader import loader
from spotlaunch.core.settings import Settings
from spotlaunch_providers.runpod import ending
from spotlaunch_providers.runpod.adapter import RunpodProvider
from spotlaunch_providers.runpod.asking import Asking
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.runpod_rules import pod_key
from tests.fakes.waiting import eventually
from tests.providers.runpod.conftest import KEY, Connect
from tests.providers.runpod.ordering import an_order, stock


@pytest.fixture
def cloud() -> Iterator[FakeRunpod]:
    made = FakeRunpod(run_machines=True)
    made.keys, made.restart_s = {KEY}, 0.05
    stock(made)
    with made.serving():
        yield made


@pytest.fixture
def provider(connect: Connect) -> RunpodProvider:
    return connect()


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of commands that has Python, and no curl."""
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "python3").symlink_to(getattr(sys, "_base_executable", "") or sys.executable)
    (folder / "sh").symlink_to("/bin/sh")
    return folder


def test_the_end_command_is_plain_and_fits_into_a_boot_script(provider: RunpodProvider) -> None:
    command = provider.traits.end_command
    assert len(command.encode()) <= 350
    program = ending.program("https://api.runpod.io")
    for text in (command, program):
        subprocess.run(["/bin/sh", "-n"], input=text, text=True, check=True)
    assert "https://api.runpod.io/v2/pods/$RUNPOD_POD_ID" in program and "@endpoint" not in program


@pytest.mark.parametrize("rest", [True, False], ids=["REST", "GraphQL only"])
@pytest.mark.parametrize("tool", ["curl", "python3"])
def test_a_pod_ends_itself_with_its_own_key(
    provider: RunpodProvider, cloud: FakeRunpod, bare: Path, tool: str, rest: bool
) -> None:
    if tool == "curl" and shutil.which("curl") is None:
        pytest.skip("no curl here")
    cloud.pod_keys_on_rest = rest
    path = f"PATH={bare}\n" if tool == "python3" else ""
    provider.launch(an_order(script=f"#!/bin/sh\n{path}{provider.traits.end_command}\nsleep 60\n"))
    eventually(lambda: cloud.fleet.left() == [])
    (machine,) = cloud.fleet.machines.values()
    assert machine.why == ("deleted" if rest else "ended itself")
    assert {c.headers["Authorization"] for c in cloud.calls[1:]} == {f"Bearer {pod_key(machine.id)}"}


def test_the_boot_script_ends_the_pod_of_an_attempt_that_has_left(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    script = loader(url="http://127.0.0.1:9/letter", key="a2V5", end_command=provider.traits.end_command)
    provider.launch(an_order(script=f'touch "$SPOTLAUNCH_ROOT/left"\n{script}'))
    eventually(lambda: cloud.fleet.left() == [])


def test_a_pod_cannot_end_another(provider: RunpodProvider, cloud: FakeRunpod, tmp_path: Path) -> None:
    other = provider.launch(an_order(script="sleep 60\n")).instance_id
    told = tmp_path / "told"
    script = f"export RUNPOD_POD_ID={other}\n{provider.traits.end_command}\necho $? > {told}\nsleep 60\n"
    provider.launch(an_order(launch_key="sl-o-job-2-0", script=script))
    eventually(lambda: told.exists() and told.read_text().strip())
    assert len(cloud.fleet.up()) == 2


def test_the_key_stands_in_no_argument_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "curl").write_text(
        '#!/bin/sh\nprintf "%s " "$@" >> "$OUT/args"\ncat >> "$OUT/stdin"\n[ -e "$OUT/two" ]\n'
    )
    (tmp_path / "curl").chmod(0o755)
    env = {
        "RUNPOD_POD_ID": "p1",
        "RUNPOD_API_KEY": "rpak_hush",
        "OUT": str(tmp_path),
        "PATH": f"{tmp_path}:/usr/bin:/bin",
    }
    env[ending.VARIABLE] = ending.program("http://127.0.0.1:9")
    done = subprocess.run(["/bin/sh", "-c", ending.END_COMMAND], env=env, check=False)
    assert done.returncode != 0, "that it failed is told, so that it is tried again"
    (tmp_path / "two").touch()
    assert subprocess.run(["/bin/sh", "-c", ending.END_COMMAND], env=env, check=False).returncode == 0
    said = (tmp_path / "args").read_text()
    assert "rpak_hush" not in said and "-A spotlaunch" in said
    assert (tmp_path / "stdin").read_text().splitlines() == ["Authorization: Bearer rpak_hush"] * 3


def test_python_tells_when_it_could_not_end_the_pod(bare: Path) -> None:
    env = {"RUNPOD_POD_ID": "p1", "RUNPOD_API_KEY": "rpak_hush", "PATH": str(bare)}
    env[ending.VARIABLE] = ending.program("http://127.0.0.1:9")
    done = subprocess.run(["/bin/sh", "-c", ending.END_COMMAND], env=env, check=False, capture_output=True, text=True)
    assert done.returncode != 0 and "refused" in done.stderr and "rpak_hush" not in done.stderr


def test_a_container_whose_command_exits_is_started_again_and_billed_on(
    provider: RunpodProvider, cloud: FakeRunpod, tmp_path: Path
) -> None:
    provider.launch(an_order(script=f"echo once >> {tmp_path}/runs\n"))
    eventually(lambda: (tmp_path / "runs").exists() and (tmp_path / "runs").read_text().count("once") >= 3)
    assert len(cloud.fleet.up()) == 1
    assert not provider.traits.shutdown_ends_billing


def test_when_the_fake_is_closed_its_machines_are_over() -> None:
    fake = FakeRunpod(run_machines=True)
    stock(fake)
    with fake.serving():
        asking = Asking.of(Settings(provider="runpod", values={"endpoint": fake.url, "auth": "none"}))
        RunpodProvider(asking, owner="o").launch(an_order(script="sleep 60 & sleep 60\n"))
        (machine,) = eventually(lambda: [m for m in fake.fleet.booted() if m.process])
    assert machine.process is not None and machine.process.poll() is not None
    assert machine.folder is not None and not machine.folder.exists()
