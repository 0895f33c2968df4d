from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from spotlaunch.__main__ import run
from spotlaunch.core.plan import AddEvent
from spotlaunch.errors import BadFile, Problem
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import Cli
from tests.storage.samples import a_job, an_event

ROOT = Path(__file__).parent.parent.parent

# Nothing of these may be imported by a command that only looks at the book.
HEAVY = (
    "asyncio",
    "azure",
    "boto3",
    "botocore",
    "google",
    "obstore",
    "psutil",
    "pydantic",
    "requests",
    "rich",
    "yaml",
)


def python(*arguments: str, cwd: Path = ROOT, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        **options,  # type: ignore[call-overload]
    )


def test_without_arguments_it_tells_what_there_is(cli: Cli) -> None:
    done = cli()
    assert done.code == 0
    assert "checkpoints" in done.out
    assert done == cli("--help") == cli("-h")


def test_help_cuts_no_sentence_short(cli: Cli) -> None:
    assert "..." not in cli("--help").out.replace("[ARGS]...", "")


def test_the_version_is_told(cli: Cli) -> None:
    assert cli("--version").out == "spotlaunch 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["eventz"], "No such command 'eventz'. Did you mean 'events'?", "`spotlaunch --help`"),
        (["status", "--jsno"], "No such option: --jsno", "`spotlaunch status --help`"),
        (["logs"], "Missing argument 'JOB'.", "`spotlaunch logs --help`"),
        (["logs", "x", "--tail", "many"], "'many' is not a valid", "`spotlaunch logs --help`"),
    ],
)
def test_wrong_use_is_explained_and_ends_with_2(cli: Cli, arguments: list[str], message: str, hint: str) -> None:
    done = cli(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert message in done.err
    assert f"hint: {hint}" in done.err


def test_an_error_is_told_with_its_hint_and_ends_with_1(cli: Cli, store: SqliteStore) -> None:
    store.add_job(a_job(), an_event())
    done = cli("status", "digit")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: there is no job called 'digit'\nhint: did you mean digits?\n"


def test_all_problems_of_a_file_are_told_with_their_places(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def bad(*_: object, **__: object) -> None:
        problems = [
            Problem(line=2, column=1, key="nmae", message="is no key", hint="did you mean name?"),
            Problem(line=4, column=3, key="", message="a tab"),
        ]
        raise BadFile("job.yaml", problems)

    monkeypatch.setattr("spotlaunch.cli.status.run", bad)
    done = cli("status")
    assert done.code == 2
    assert done.err.splitlines() == [
        "job.yaml:2:1: nmae: is no key",
        "  hint: did you mean name?",
        "job.yaml:4:3: a tab",
        "error: 2 problems in job.yaml",
    ]


def test_an_interrupt_is_quiet_and_ends_with_130(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spotlaunch.cli.status.run", interrupted)
    done = cli("status")
    assert (done.code, done.out, done.err) == (130, "", "")


def test_a_reader_that_has_seen_enough_is_no_error(store: SqliteStore) -> None:
    store.add_job(a_job(), an_event())
    store.apply([AddEvent(event=an_event(text="x" * 100))] * 3000)
    pipe = subprocess.run(
        f"{sys.executable} -m spotlaunch events digits | head -n 2",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert len(pipe.stdout.splitlines()) == 2
    assert pipe.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_output_to_a_full_disk_is_told_without_a_stack_trace(store: SqliteStore) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "spotlaunch", "status", "--json"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: what was to be written could not be: No space left on device",
        "hint: free some space on that disk",
    ]


def test_libraries_that_are_loaded_side_by_side_warn_of_nothing() -> None:
    code = "import warnings; from spotlaunch.__main__ import run; run(['--version']); "
    code += "warnings.warn('SOCKS support in urllib3 requires the installation of optional dependencies', Warning)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_a_mistake_of_ours_is_not_hidden(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("spotlaunch.cli.status.run", broken)
    with pytest.raises(ZeroDivisionError):
        run(["status"])


def test_a_home_that_cannot_be_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SPOTLAUNCH_HOME", str(tmp_path / "file" / "home"))
    done = cli("status")
    assert done.code == 1
    assert "cannot make the folder" in done.err
    assert "hint: set SPOTLAUNCH_HOME" in done.err


def test_all_that_is_written_is_for_its_owner_only(cli: Cli, own_home: Path) -> None:
    cli("status")
    home = own_home / ".spotlaunch"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "book.db").stat().st_mode) == 0o600
    assert os.umask(0o077) == 0o077


def test_as_a_module_it_is_the_same_command() -> None:
    done = python("-m", "spotlaunch", "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "spotlaunch 0.1.0\n", "")


def test_folders_of_the_user_are_not_taken_for_ours(tmp_path: Path) -> None:
    for name in ("typer", "rich", "yaml", "spotlaunch_providers"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    done = python("-m", "spotlaunch", "status", cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (done.returncode, done.stdout) == (0, "")
    assert "no jobs yet" in done.stderr


@pytest.mark.parametrize("command", ["--help", "status", "events digits", "status digits --json"])
def test_looking_imports_nothing_heavy(command: str, store: SqliteStore) -> None:
    store.add_job(a_job(), an_event())
    code = f"""
import sys
from spotlaunch.__main__ import run
code = run({command.split()!r})
print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)
sys.exit(code)
"""
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
