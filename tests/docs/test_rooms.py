"""docs/architecture.md against the folders: every file has its row, and no row is of a file that is gone."""

from __future__ import annotations

import re

import pytest

from spotlaunch.registry import REHEARSALS, provider_names
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "architecture.md"
ROOMS = {
    "In core": "spotlaunch/core",
    "In the watchdog": "spotlaunch/watchdog",
    "In simulate": "spotlaunch/simulate",
    "In report": "spotlaunch/report",
    "In storage": "spotlaunch/storage",
    "On the machine": "spotlaunch/agent",
}


def first_cells(heading: str) -> list[str]:
    """The first cell of each row of the table under a heading."""
    (part,) = re.findall(rf"^### {re.escape(heading)}\n(.*?)(?=^##)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("heading", ROOMS)
def test_every_file_of_a_room_has_its_row_and_no_other_has(heading: str) -> None:
    told = sorted(name for cell in first_cells(heading) for name in re.findall(r"`(\w+)`", cell))
    there = sorted(p.stem for p in (ROOT / ROOMS[heading]).glob("*.py") if not p.stem.startswith("__"))
    assert told == there


@pytest.mark.parametrize("cloud", [n for n in provider_names() if n not in REHEARSALS])
def test_every_cloud_has_the_same_few_files(cloud: str) -> None:
    folder = ROOT / "providers" / "spotlaunch_providers" / cloud
    for cell in first_cells("In a cloud's folder"):
        names = re.findall(r"`(\w+)`", cell)
        there = [(folder / f"{name}.py").exists() for name in names]
        assert any(there) if " or " in cell else all(there), cell
