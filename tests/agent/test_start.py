"""The start of a machine, in its parts; `tests/boot/test_whole_start.py` has it whole."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spotlaunch.agent import start
from spotlaunch.agent.guard import Rules, read_line
from spotlaunch.agent.start import Start, age_s, agent_env, lived_s, read_letter
from spotlaunch.agent.unseal import CannotOpen
from spotlaunch.core.wire import Letter, StartDoc, encode
from tests.boot.ground import seal
from tests.fakes.machine import ROOT

KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()
NAME = "jobs/digits/start/000001"
DOC = StartDoc(
    env={"SPOTLAUNCH_JOB": "digits"},
    pass_env={"AWS_ACCESS_KEY_ID": "store"},
    pass_key="pk",
    pass_expires_at=1000.5,
    secrets={"AWS_ACCESS_KEY_ID": "job"},
    ttl_s=600.0,
    notice_source="imds",
    image="some/image",
)


def letter(tmp_path: Path, doc: StartDoc = DOC, about: str = NAME) -> Path:
    sealed = base64.b64encode(seal(KEY, encode(doc), about)).decode()
    file = tmp_path / "letter"
    file.write_bytes(encode(Letter(agent_url="https://x", agent_sha256="0", sealed=sealed)))
    return file


def test_a_letter_is_opened_with_its_key_for_its_place(tmp_path: Path) -> None:
    assert read_letter(letter(tmp_path), NAME, TEXT) == DOC


@pytest.mark.parametrize("what", ["name", "key", "letter", "sealed", "absent", "nonsense"])
def test_a_letter_that_is_not_ours_is_not_believed(what: str, tmp_path: Path) -> None:
    file = letter(tmp_path)
    if what == "letter":
        file.write_bytes(b"<html>")
    elif what == "sealed":
        file.write_bytes(encode(Letter(agent_url="", agent_sha256="", sealed="not base64")))
    elif what == "absent":
        file.unlink()
    elif what == "nonsense":
        sealed = base64.b64encode(seal(KEY, b"[]", NAME)).decode()
        file.write_bytes(encode(Letter(agent_url="", agent_sha256="", sealed=sealed)))
    name = NAME if what != "name" else "jobs/other/start/000001"
    key = TEXT if what != "key" else base64.b64encode(bytes(32)).decode()
    with pytest.raises(CannotOpen):
        read_letter(file, name, key)


def test_the_agent_gets_what_the_letter_says_and_the_machine_has(tmp_path: Path) -> None:
    env = agent_env(DOC, {"PATH": "/bin"}, root=tmp_path, library="/lib", lived_s=12.3)
    assert env["PATH"] == "/bin"
    assert env["AWS_ACCESS_KEY_ID"] == "store"
    assert env["SPOTLAUNCH_SECRET_AWS_ACCESS_KEY_ID"] == "job"
    assert env["SPOTLAUNCH_PASS_NAMES"] == "AWS_ACCESS_KEY_ID"
    assert (env["SPOTLAUNCH_NOTICE_SOURCE"], env["SPOTLAUNCH_IMAGE"]) == ("imds", "some/image")
    assert (env["SPOTLAUNCH_TTL_LEFT_S"], env["SPOTLAUNCH_LIVED_S"]) == ("600", "12")
    assert env["SPOTLAUNCH_SCRATCH"] == str(tmp_path / "job")


def test_a_machine_that_was_started_again_has_lived_since_its_first_start(tmp_path: Path) -> None:
    assert lived_s(tmp_path, now=1000.0) == 0.0
    assert lived_s(tmp_path, now=1600.0) == 600.0
    assert lived_s(tmp_path, now=500.0) == 0.0, "its clock was set back"


def test_a_machine_has_lived_since_its_boot_script_began(tmp_path: Path) -> None:
    assert lived_s(tmp_path, script_s=300.0, now=1000.0) == 300.0
    assert lived_s(tmp_path, script_s=5.0, now=1600.0) == 900.0, "started again"
    assert lived_s(tmp_path, script_s=5.0, now=500.0) == 5.0, "its clock was set back"


def test_the_age_of_a_machine_is_that_of_its_boot_script_and_not_of_the_computer(tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    (tmp_path / "uptime").write_text("5000.5 9000.0\n")
    for pid, since_s in ((1, 10), (77, 4000)):
        (tmp_path / str(pid)).mkdir()
        fields = ["S", *["0"] * 18, str(since_s * ticks), *["0"] * 20]
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a name) with (brackets)) {' '.join(fields)}\n")
    assert age_s(77, tmp_path) == pytest.approx(1000.5)
    (tmp_path / "77" / "stat").write_text("rubbish")
    assert age_s(77, tmp_path) == 0.0
    assert age_s(77, tmp_path / "nowhere") == 0.0


def test_the_key_goes_on_through_a_pipe_and_the_name_comes_from_the_link(tmp_path: Path) -> None:
    source = (
        "import spotlaunch.agent.start as s, os, sys\n"
        "s.os.execv = lambda *a: print(a[1][1:], sys.stdin.read().split())\n"
        "s.enter('https://h/b/p%2Fjobs%2Fdigits%2Fstart%2F000007?X-Sig=jobs/other/start/1', 'the key')"
    )
    run = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ("['-u', '-m', 'spotlaunch.agent.start'] ['jobs/digits/start/000007', 'the', 'key']")


def test_the_guard_is_told_what_the_letter_says_and_nothing_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    # The line is written after the guard has been started: the pipe keeps it.
    monkeypatch.setattr(start.subprocess, "Popen", lambda command, *, stdin, **how: told.append(os.dup(stdin)))
    (tmp_path / "began").write_text("1000")
    monkeypatch.setattr(start.time, "time", lambda: 1060.0)
    doc = replace(DOC, end_command="shutdown -h now", silent_s=3600.0)
    _, life = Start(tmp_path, tmp_path / "code", doc)._wake_guard()
    line = read_line(told[0])
    rules = Rules(**json.loads(line))
    assert (rules.end_command, rules.ttl_s, rules.lived_s, rules.silent_s) == ("shutdown -h now", 600.0, 60.0, 3600.0)
    assert rules.sign == str(tmp_path / "job" / "reached")
    assert not [secret for secret in (b"store", b"pk") if secret in line.replace(b"restore", b"")]
    for fd in (told[0], life):
        os.close(fd)
