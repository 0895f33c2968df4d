from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spotlaunch.__main__ import run
from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore

NOW = 10_000.0


@dataclass(frozen=True)
class Done:
    """What a command left: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Cli = Callable[..., Done]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """Runs a command in this process, as `spotlaunch` would in its own. For `status` it is always NOW."""
    monkeypatch.setattr("spotlaunch.cli.status.time", SimpleNamespace(time=lambda: NOW, sleep=lambda s: None))
    umask = os.umask(0o022)

    def command(*arguments: object) -> Done:
        code = run([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return Done(code, out, err)

    yield command
    os.umask(umask)


@pytest.fixture
def store(own_home: Path) -> Iterator[SqliteStore]:
    """The book that the commands of this test see."""
    made = SqliteStore(Home.find().prepare().database, owner_seed="s")
    yield made
    made.close()
