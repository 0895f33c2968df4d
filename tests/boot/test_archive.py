"""The archive of our own code: all that the agent needs, nothing else, and the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from spotlaunch.boot import archive
from spotlaunch.boot.archive import agent_archive, agent_modules
from tests.shape import arrows
from tests.shape.source import our_modules


def names() -> list[str]:
    return zipfile.ZipFile(io.BytesIO(agent_archive()[0])).namelist()


def test_it_holds_the_modules_that_run_on_a_machine_and_no_others() -> None:
    found = set(agent_modules())
    shape = {m.name for m in arrows.agent_modules(our_modules())}
    packages = {name for name in found if archive._modules()[name].name == "__init__.py"}
    assert found - packages == shape - packages
    assert "spotlaunch.agent.start" in found
    assert "spotlaunch.core.wire" in found
    for room in ("cli", "watchdog", "market", "boot", "providers"):
        assert not [name for name in found if name.startswith(f"spotlaunch.{room}")]
    assert not [name for name in names() if "spotlaunch_providers" in name or "/tests/" in name]


def test_its_digest_is_that_of_its_bytes_and_it_is_made_once() -> None:
    data, digest = agent_archive()
    assert hashlib.sha256(data).hexdigest() == digest
    assert agent_archive()[0] is data
    assert agent_archive.__wrapped__() == (data, digest), "the same code gives the same bytes"


def test_it_brings_obstore_where_that_may_be_of_use(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform.startswith("linux"):
        assert [name for name in names() if name.startswith("lib/obstore/_obstore")]
        assert "lib/typing_extensions.py" in names()
    assert not [name for name in names() if name.endswith((".pyi", ".pyc")) or ".." in name]
    monkeypatch.setattr(archive.sys, "platform", "darwin")
    assert archive._library_files() == {}


def pythons() -> list[Path]:
    """This Python, and others that stand beside it."""
    base = Path(getattr(sys, "_base_executable", sys.executable))
    others = Path(sys.base_prefix).resolve().parent.glob("3.1[0-9].*/bin/python3")
    return [base, *sorted(others)]


@pytest.mark.parametrize("python", pythons(), ids=lambda path: path.parent.parent.name)
def test_what_is_in_it_starts_by_itself(python: Path, tmp_path: Path) -> None:
    """Without our checkout and its packages, in a Python of any age that is told of nothing else."""
    zipfile.ZipFile(io.BytesIO(agent_archive()[0])).extractall(tmp_path)
    names = [name for name in agent_modules() if not name.endswith("__main__")]
    source = "import sys; sys.path[:0] = ['.']\n" + "\n".join(f"import {name}" for name in names)
    run = subprocess.run([python, "-I", "-c", source], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
