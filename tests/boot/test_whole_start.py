"""From a boot script to a machine that has ended itself: real processes, a bare Python, a store over the S3 wire."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from spotlaunch.core import wire
from spotlaunch.errors import NoSuchObject
from tests.boot.ground import MARK, Cloud, Store, as_json, cloud_of_machines, console, root_of, store_over_s3
from tests.fakes.clouds.fleet import MARKER
from tests.fakes.machine import JOB, TRAIN, order, soon
from tests.fakes.s3 import CREDENTIALS

pytestmark = pytest.mark.e2e

BARE_TRAIN = "python3 -c '" + TRAIN.replace("'", "'\\''") + "'"
TELL = """python3 -c 'import json, os; print(json.dumps(dict(os.environ)))'"""


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with store_over_s3() as found:
        yield found


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with cloud_of_machines() as found:
        yield found


def processes(machine_id: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == machine_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_a_machine_comes_to_life_does_its_job_and_ends_itself(store: Store, cloud: Cloud) -> None:
    doc = order(run=BARE_TRAIN, env={"STEPS": "20"}, setup="echo setting up")
    machine = cloud.rent(store.script(store.put_letter(doc, store.start_doc(ttl_s=3600.0, silent_s=3600.0))))
    status = store.when(lambda s: s.phase == "left", "the end of the job")
    assert (status.left_why, status.exit_code, status.step) == ("exited", 0, 20)
    assert store.output() == "setting up\nfrom 0\nsum 210\n"
    soon(lambda: not machine.alive, "the machine's end")
    assert machine.why == "itself"
    with pytest.raises(NoSuchObject):
        store.blobs.get(wire.start_key(JOB, 1))
    assert (root_of(machine) / "left").exists()


def test_no_secret_is_on_the_machine_in_the_clear(store: Store, cloud: Cloud) -> None:
    doc = order(run=f"{TELL}; sleep 1000", secrets=["TOKEN"])
    machine = cloud.rent(store.script(store.put_letter(doc, store.start_doc())))
    store.when(lambda s: s.log_chunks > 0, "the program's words")
    seen = as_json(store.output())
    assert seen["TOKEN"] == "***", "there, and masked in the output"
    assert not [name for name in seen if name.startswith(("AWS_", "SPOTLAUNCH_PASS", "SPOTLAUNCH_SECRET"))]
    assert not [name for name in ("PYTHONPATH", "SPOTLAUNCH_ROOT", "SPOTLAUNCH_STORE_URL") if name in seen]
    program = [p for p in processes(machine.id) if "sleep 1000" in " ".join(p.cmdline())]
    assert program[0].environ()["TOKEN"] == f"{MARK}-secret"
    link, key = machine.script.split("<<'E'&\n")[1].splitlines()[0:3:2]
    for process in processes(machine.id):
        for argument in process.cmdline():
            assert MARK not in argument
            assert link not in argument
            assert key not in argument
    own = [file for file in root_of(machine).rglob("*") if file.is_file() and "lib" not in file.parts]
    for file in [*own, machine.folder / "console.log"]:  # type: ignore[operator]
        assert MARK.encode() not in file.read_bytes(), file
        assert key.encode() not in file.read_bytes(), file
    assert root_of(machine).stat().st_mode & 0o777 == 0o700
    assert not [file for file in own if file.stat().st_mode & 0o077 and "work" not in file.parts]


def test_a_machine_that_is_started_again_goes_on_and_after_its_work_only_ends(store: Store) -> None:
    with cloud_of_machines(ends=False) as cloud:
        doc = order(run=BARE_TRAIN, env={"STEPS": "100000"})
        machine = cloud.rent(store.script(store.put_letter(doc, store.start_doc())))
        store.when(lambda s: s.step >= 10, "a checkpoint")
        cloud.fleet.pause(machine.id)  # the container's command is killed
        assert not processes(machine.id)
        for name in ("start/000001", "agent/"):  # the links are dead by now
            for info in list(store.blobs.list(f"jobs/{JOB}")):
                if name in info.key:
                    store.blobs.delete([info.key])
        cloud.fleet.start_again(machine.id)
        store.when(lambda s: (s.resumed_step or 0) >= 10, "resuming")
        agent = next(p for p in processes(machine.id) if p.cmdline()[-1] == "spotlaunch.agent")
        agent.terminate()
        store.when(lambda s: s.phase == "left", "the end")
        soon(lambda: cloud.offs, "the end of the machine")
        cloud.fleet.pause(machine.id)
        cloud.offs.clear()
        (root_of(machine) / "letter").unlink()
        cloud.fleet.start_again(machine.id)
        soon(lambda: cloud.offs, "the end of the machine, again")
        assert "begins" not in console(machine).rpartition("ending this machine")[2]


def test_a_signal_to_the_boot_script_is_a_notice(store: Store, cloud: Cloud) -> None:
    doc = order(run=BARE_TRAIN, env={"STEPS": "100000"})
    machine = cloud.rent(store.script(store.put_letter(doc, store.start_doc())))
    store.when(lambda s: s.step >= 5, "a checkpoint")
    assert machine.process is not None
    machine.process.terminate()
    status = store.when(lambda s: s.phase == "left", "leaving")
    assert status.left_why == "notice"
    assert "told to end at" in store.output()
    soon(lambda: not machine.alive, "the machine's end")


def test_whoever_is_killed_the_machine_ends(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for victim in ("spotlaunch.agent", "spotlaunch.agent.start"):
        with cloud_of_machines() as cloud:
            store.blobs.delete([info.key for info in store.blobs.list(f"jobs/{JOB}")])
            machine = cloud.rent(store.script(store.put_letter(order(run="sleep 1000"), store.start_doc())))
            store.when(lambda s: s.phase == "running", f"running ({victim})")
            next(p for p in processes(machine.id) if p.cmdline()[-1] == victim).kill()
            soon(lambda m=machine: not m.alive, f"the end without {victim}")
            assert machine.why == "itself"


def test_a_machine_whose_agent_hangs_is_ended_by_its_guard(store: Store, cloud: Cloud) -> None:
    machine = cloud.rent(store.script(store.put_letter(order(run="sleep 1000"), store.start_doc(silent_s=2.0))))
    store.when(lambda s: s.phase == "running", "running")
    for process in processes(machine.id):
        if process.cmdline()[-1] in ("spotlaunch.agent", "spotlaunch.agent.start"):
            process.suspend()
    soon(lambda: not machine.alive, "the machine's end")
    assert "could not reach the store for 2 s" in console(machine)


@pytest.mark.parametrize("what", ["digest", "key"])
def test_what_was_tampered_with_is_not_started(what: str, store: Store, tmp_path: Path) -> None:
    url = store.put_letter(order(run="true"), store.start_doc(), digest="0" * 64 if what == "digest" else "")
    script = store.script(url)
    if what == "key":
        store.key = bytes(32)
        script = store.script(url)
    script = script.replace("time()-T>600", "time()-T>-1")
    with cloud_of_machines() as cloud:
        machine = cloud.rent(script)
        soon(lambda: not machine.alive, "the machine's end")
        assert store.status() is None
        words = console(machine)
        assert "AssertionError" in words if what == "digest" else "sealed with another key" in words
        assert url not in words


def test_the_script_is_one_that_every_shell_reads() -> None:
    from spotlaunch.boot.loader import loader

    script = loader(url="https://x/y?a=b&c='d'$(e)", header="A: b", key="k", end_command="shutdown -h now")
    for shell in ("dash", "bash", "busybox"):
        try:
            subprocess.run([shell, *(["sh"] if shell == "busybox" else []), "-n"], input=script.encode(), check=True)
        except FileNotFoundError:
            continue


# -- machines that are not as one would wish -------------------------------------------------------


def bare_path(folder: Path, *, python3: str = "", **tools: str) -> str:
    """A PATH with the tools that every system has, a `python3` of that text, and ``tools``; gives the PATH."""
    folder.mkdir()
    for name in ("sh", "mkdir", "chmod", "rm", "sleep", "cat", "kill", "env", "touch"):
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    for name, text in {"python3": python3, **tools}.items():
        if text:
            (folder / name.replace("_", "-")).write_text("#!/bin/sh\n" + text)
            (folder / name.replace("_", "-")).chmod(0o755)
    return str(folder)


REAL = f'exec "{getattr(sys, "_base_executable", "") or sys.executable}" "$@"\n'


def test_a_machine_without_python_installs_one(store: Store, cloud: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    install = f"""[ "$1" = update ] && exit 0
echo "$@" >> {tmp_path}/asked
printf '#!/bin/sh\\n%s' '{REAL}' > {folder}/python3; chmod 755 {folder}/python3"""
    path = bare_path(folder, apt_get=install)
    cloud.rent(store.script(store.put_letter(order(run="echo done"), store.start_doc())), {"PATH": path})
    assert store.when(lambda s: s.phase == "left", "the end of the job").exit_code == 0
    assert "install python3 ca-certificates" in (tmp_path / "asked").read_text()


def test_a_python_that_is_too_old_is_passed_over(store: Store, cloud: Cloud, tmp_path: Path) -> None:
    path = bare_path(tmp_path / "bin", python3="exit 1\n", **{"python3.11": REAL})
    cloud.rent(store.script(store.put_letter(order(run="echo done"), store.start_doc())), {"PATH": path})
    assert store.when(lambda s: s.phase == "left", "the end of the job").exit_code == 0


def test_a_user_who_may_not_write_where_we_usually_are_gets_another_folder(store: Store, cloud: Cloud) -> None:
    root = Path(f"/dev/null/{secrets.token_hex(8)}")
    script = store.script(store.put_letter(order(run="echo done"), store.start_doc()))
    machine = cloud.rent(script, {"SPOTLAUNCH_ROOT": str(root)})
    try:
        assert store.when(lambda s: s.phase == "left", "the end of the job").exit_code == 0
        soon(lambda: not machine.alive, "the machine's end")
        assert Path(f"/tmp{root}/left").exists()
    finally:
        cloud.fleet.end(machine.id, "the test")
        shutil.rmtree(f"/tmp{root}")
        for empty in ("/tmp/dev/null", "/tmp/dev"):
            with suppress(OSError):  # another test may be there
                Path(empty).rmdir()


def test_a_machine_that_hangs_on_its_way_ends_itself(store: Store, cloud: Cloud, tmp_path: Path) -> None:
    path = bare_path(tmp_path / "bin", apt_get="sleep 1000\n")
    script = store.script(store.put_letter(order(run="true"), store.start_doc()))
    machine = cloud.rent(script.replace("sleep 900", "sleep 1"), {"PATH": path})
    soon(lambda: not machine.alive, "the machine's end")
    assert machine.why == "itself"


def test_a_machine_that_goes_down_does_not_wait_for_its_script(store: Store) -> None:
    """Its system tells everybody to end, more than once, and kills after a minute and a half who has not."""
    with cloud_of_machines(ends=False) as cloud:
        machine = cloud.rent(store.script(store.put_letter(order(run="sleep 1000"), store.start_doc())))
        store.when(lambda s: s.phase == "running", "running")
        for left in (lambda: store.status().left_why == "notice", lambda: not processes(machine.id)):  # type: ignore[union-attr]
            for process in processes(machine.id):
                with suppress(psutil.NoSuchProcess):  # another one's end was its own
                    process.terminate()
            soon(left, "their end")
            soon(lambda: cloud.offs, "the end of the machine")


@pytest.mark.parametrize("way", ["exec bash {file}", 'exec sh -c "$(cat {file})"', 'exec bash -lc "$(cat {file})"'])
def test_it_works_in_whatever_way_a_cloud_runs_it(way: str, store: Store, cloud: Cloud, tmp_path: Path) -> None:
    """Where `sh` is bash, and as the command of a container."""
    file = tmp_path / "script"
    file.write_text(store.script(store.put_letter(order(run="sleep 1000"), store.start_doc())))
    machine = cloud.rent(way.format(file=file))
    store.when(lambda s: s.phase == "running", "running")
    assert machine.process is not None
    machine.process.terminate()
    assert store.when(lambda s: s.phase == "left", "leaving").left_why == "notice"
    soon(lambda: not machine.alive, "the machine's end")
    assert "rror" not in console(machine).replace("PRIOR", "")
