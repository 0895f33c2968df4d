"""The job's commands in a container: what docker is asked for, by a docker of this test that runs them right here."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from spotlaunch.agent import container
from spotlaunch.agent.container import Container, NoContainer
from spotlaunch.core.wire import Ask
from tests.agent.test_cadence import BY_THE_FILE
from tests.fakes.machine import TRAIN, Machine, order, python, soon

# Keeps what it was told; `start` runs what `create` was given, with the variables that were named to it and no others.
DOCKER = r"""#!/bin/sh
echo "$*" >> "$STATE/calls"
case "$1" in
pull)
  n=$(cat "$STATE/fails" 2>/dev/null || echo 0)
  if [ "$n" -gt 0 ]; then echo $((n - 1)) > "$STATE/fails"; cat "$STATE/says"; exit 1; fi;;
create)
  [ -e "$STATE/refuses" ] && { cat "$STATE/refuses"; exit 125; }
  shift; : > "$STATE/env"
  while [ $# -gt 1 ]; do
    case "$1" in
    --env) case "$2" in *=*) echo "$2" >> "$STATE/env";; *) env | grep "^$2=" >> "$STATE/env";; esac; shift 2;;
    --workdir) echo "$2" > "$STATE/cwd"; shift 2;;
    --init) shift;;
    --*) shift 2;;
    *) shift;;
    esac
  done
  echo "$1" > "$STATE/script";;
start)
  cd "$(cat "$STATE/cwd")"
  exec env -i PATH="$PATH" STATE="$STATE" $(cat "$STATE/env") setsid -w /bin/sh -c '
    echo $$ > "$STATE/pid"; exec /bin/sh '"$(cat "$STATE/script")";;
kill|rm) kill -s KILL -- -"$(cat "$STATE/pid")" 2>/dev/null; exit 0;;
esac
"""


def passing(name: str) -> str:
    """A docker whose `start` passes this signal on to all that runs in the container."""
    trap = f"trap 'kill -s {name} -- -$(cat \"$STATE/pid\")' {name}\n  env -i"
    return DOCKER.replace("exec env -i", trap).replace(
        '$(cat "$STATE/script")";;',
        '$(cat "$STATE/script")" &\n  p=$!; while kill -0 $p 2>/dev/null; do wait $p; c=$?; done; exit $c;;',
    )


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder: ``calls`` is what docker was asked, a line each; ``fails`` how often `pull` fails, with ``says``."""
    state, tools = tmp_path / "docker", tmp_path / "tools"
    state.mkdir()
    tools.mkdir()
    (tools / "docker").write_text(DOCKER.replace("$STATE", str(state)))
    (tools / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(container, "FIRST_PAUSE_S", 0.01)
    return state


def calls(docker: Path) -> list[str]:
    return (docker / "calls").read_text().splitlines()


def made(tmp_path: Path, image: str = "some/image:1") -> Container:
    return Container(image, name="spotlaunch-j-1", scratch=tmp_path, stop=threading.Event())


def test_an_image_is_fetched_with_patience_and_the_wait_is_told(docker: Path, tmp_path: Path) -> None:
    (docker / "fails").write_text("2")
    (docker / "says").write_text("toomanyrequests: slow down\n")
    told: list[str] = []
    made(tmp_path).pull(told.append)
    assert calls(docker) == ["pull --quiet some/image:1"] * 3
    assert told[0] == "fetching the image some/image:1"
    assert "is here after" in told[1]


def test_an_image_that_there_is_not_is_asked_for_once(docker: Path, tmp_path: Path) -> None:
    (docker / "fails").write_text("9")
    (docker / "says").write_text("some words\nError: manifest for some/image:1 not found: manifest unknown\n")
    with pytest.raises(NoContainer, match="cannot be fetched: Error: manifest for"):
        made(tmp_path).pull(lambda text: None)
    assert len(calls(docker)) == 1


def test_without_docker_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoContainer, match="no docker on this machine") as caught:
        made(tmp_path).pull(lambda text: None)
    assert "leave `image` out" in caught.value.hint


def test_a_container_sees_the_paths_the_gpus_and_names_without_values(
    docker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tools" / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "tools" / "nvidia-smi").chmod(0o755)
    box = made(tmp_path)
    box.pull(lambda text: None)
    env = {**os.environ, "TOKEN": "planted-secret"}
    box.make(["TOKEN", "A"], env, work=tmp_path / "work", folder=Path("/somewhere/else"))
    line = next(c for c in calls(docker) if c.startswith("create"))
    for part in (
        "--name spotlaunch-j-1",
        "--init",
        "--gpus all",
        "--network host",
        f"--user {os.getuid()}:{os.getgid()}",
        f"--volume {tmp_path}:{tmp_path}",
        "--volume /somewhere/else:/somewhere/else",
        "--env TOKEN",
        "--env A ",
        "--env TINI_KILL_PROCESS_GROUP=1",
    ):
        assert part in line
    assert f"--volume {tmp_path}/work" not in line, "it is inside another already"
    assert int(line.partition("--shm-size ")[2].partition("m")[0]) > 64
    assert "planted" not in "\n".join(calls(docker))


def test_docker_that_cannot_make_it_is_told_in_its_words(docker: Path, tmp_path: Path) -> None:
    (docker / "refuses").write_text('could not select device driver "" with capabilities: [[gpu]]\n')
    box = made(tmp_path)
    box.pull(lambda text: None)
    with pytest.raises(NoContainer, match="could not select device driver"):
        box.make([], os.environ, work=tmp_path, folder=tmp_path)
    assert not [c for c in calls(docker) if "--gpus" in c], "no nvidia-smi here: no GPUs asked for"


def test_a_fetch_ends_when_the_machine_is_taken(docker: Path, tmp_path: Path) -> None:
    (tmp_path / "tools" / "docker").write_text("#!/bin/sh\nexec sleep 1000\n")
    stop = threading.Event()
    box = Container("some/image:1", name="n", scratch=tmp_path, stop=stop)
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(NoContainer):
        box.pull(lambda text: None)


# -- whole attempts --------------------------------------------------------------------------------


@pytest.mark.e2e
def test_setup_and_command_run_in_one_container(docker: Path, tmp_path: Path, store_url: str) -> None:
    doc = order(setup="echo setting up; env | sort", run=python(TRAIN), env={"STEPS": "10"}, secrets=["TOKEN"])
    env = {"SPOTLAUNCH_IMAGE": "some/image:1", "TOKEN": "hunter22", "NOT_FOR_IT": "x"}
    with Machine(tmp_path, store_url, doc, env=env) as m:
        status = m.left()
        assert (status.left_why, status.exit_code, status.step) == ("exited", 0, 10)
        assert m.output.startswith("setting up\n")
        assert m.output.endswith("from 0\nsum 55\n")
        assert "TOKEN=***" in m.output
        assert "NOT_FOR_IT" not in m.output
        assert "PATH=/" in m.output
        assert next(n["text"] for n in status.notes if n["kind"] == "image") == "fetching the image some/image:1"
    kinds = [call.split()[0] for call in calls(docker)]
    assert [k for k in kinds if k not in ("kill", "rm")] == ["pull", "create", "start", "start"]
    assert kinds[-1] == "rm"


@pytest.mark.e2e
def test_a_notice_reaches_the_program_in_its_container(docker: Path, tmp_path: Path, store_url: str) -> None:
    """`docker start --attach` passes signals on, and the init that `--init` adds hands them to the group."""
    (tmp_path / "tools" / "docker").write_text(passing("TERM").replace("$STATE", str(docker)))
    with Machine(tmp_path, store_url, order(env={"STEPS": "100000"}), env={"SPOTLAUNCH_IMAGE": "i"}) as m:
        m.when(lambda s: s.commits > 0)
        m.signal(signal.SIGTERM)
        status = m.left()
        assert status.left_why == "notice"
        assert "told to end at" in m.output
        assert m.head().step == status.step


@pytest.mark.e2e
def test_how_often_to_save_reaches_the_program_in_its_container(docker: Path, tmp_path: Path, store_url: str) -> None:
    (tmp_path / "tools" / "docker").write_text(passing("USR1").replace("$STATE", str(docker)))
    doc = order(run=python(BY_THE_FILE), every_auto=True, rate_per_hour=0.1, write_s=600.0, checkpoint_signal="USR1")
    with Machine(tmp_path, store_url, doc, env={"SPOTLAUNCH_IMAGE": "i"}) as m:
        soon(lambda: "first " in m.output)
        m.mailbox.put_ask(1, Ask(kind="risk", reason="", at=1.0, rate_per_hour=50.0))
        status = m.when(lambda s: s.rate_per_hour == 50.0)
        soon(lambda: f"told {status.every_s:g}" in m.output, "the program hears of it")
        m.ask("leave")
        m.left()


@pytest.mark.e2e
def test_a_program_in_a_container_that_does_not_end_is_killed_by_docker(
    docker: Path, tmp_path: Path, store_url: str
) -> None:
    doc = order(run="sleep 1000", grace_s=0.5)
    with Machine(tmp_path, store_url, doc, env={"SPOTLAUNCH_IMAGE": "i"}) as m:
        m.phase("running")
        soon((docker / "pid").exists, "the container")
        m.signal(signal.SIGTERM)
        assert m.left().left_why == "notice"
    assert any(c.startswith("kill ") for c in calls(docker))
    with pytest.raises(ProcessLookupError):
        os.killpg(int((docker / "pid").read_text()), 0)


@pytest.mark.e2e
def test_an_image_that_cannot_be_had_ends_the_attempt_with_its_reason(
    docker: Path, tmp_path: Path, store_url: str
) -> None:
    (docker / "fails").write_text("9")
    (docker / "says").write_text("pull access denied\n")
    with Machine(tmp_path, store_url, order(run="true"), env={"SPOTLAUNCH_IMAGE": "i"}) as m:
        status = m.left()
        assert status.left_why == "error"
        assert "pull access denied" in status.error
