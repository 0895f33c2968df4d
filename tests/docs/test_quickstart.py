"""The README's way to each cloud: permissions, three lines to type, and the job file to begin with."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from spotlaunch.core.jobfile import read_job
from spotlaunch.registry import REHEARSALS, provider_names
from tests.docs.pages import PAGES, ROOT, blocks, links

README = ROOT / "README.md"
PERMISSIONS = ROOT / "configs" / "permissions"
CLOUDS = [name for name in provider_names() if name not in REHEARSALS]
FIRST = ROOT / "configs" / "jobs" / "first-machine.yaml"


def section(name: str) -> str:
    """What stands under the heading whose text links to a cloud's page."""
    parts = re.split(r"^#{2,3} ", README.read_text(), flags=re.MULTILINE)
    (found,) = [p for p in parts if f"(docs/providers/{name}.md)" in p]
    return found


def typed(name: str) -> list[str]:
    """The lines of a section that a person types."""
    (block,) = re.findall(r"^```console\n(.*?)^```$", section(name), re.MULTILINE | re.DOTALL)
    return [line.removeprefix("$ ") for line in block.splitlines()]


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_has_three_lines_credentials_check_and_submit(name: str) -> None:
    credentials, check, submit = typed(name)
    assert "export " in credentials
    assert re.fullmatch(rf"spotlaunch check --provider {name} --store (s3|gs|az)://[\w-]+/\w+", check)
    assert re.match(r"spotlaunch submit job\.yaml\b", submit)


@pytest.mark.parametrize("name", CLOUDS)
def test_the_store_of_a_check_can_be_that_of_a_job_file(name: str) -> None:
    url = typed(name)[1].rpartition(" ")[2]
    text = f"run: python train.py\ncheckpoint: {{store: '{url}'}}\nwhere: {{providers: [{name}]}}\n"
    assert read_job(text, file="job.yaml", names=provider_names(), env={}).checkpoint.store.url == url


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_names_the_file_of_its_permissions(name: str) -> None:
    named = set(re.findall(r"\(configs/permissions/([\w.-]+)\)", section(name)))
    assert {p.name for p in PERMISSIONS.glob(f"{name}.*")} <= named
    assert {Path(n).stem for n in named} == {name}


@pytest.mark.parametrize("name", CLOUDS)
def test_variables_of_credentials_are_ones_that_the_program_or_the_cloud_reads(name: str) -> None:
    rooms = (ROOT / "spotlaunch", ROOT / "providers", ROOT / "docs" / "providers")
    known = "".join(p.read_text() for room in rooms for p in room.rglob("*.*") if p.suffix in (".py", ".md"))
    exported = re.findall(r"\b([A-Z][A-Z_]+)=", typed(name)[0])
    assert exported
    for variable in exported:
        assert variable in known, variable


@pytest.mark.parametrize("file", sorted(p.name for p in PERMISSIONS.iterdir()))
def test_every_file_of_permissions_is_linked_from_a_page(file: str) -> None:
    linked = {link.rpartition("/")[2] for page in PAGES for link in links(page) if "configs/permissions/" in link}
    assert file in linked


def test_the_readme_says_that_nothing_was_tried_on_a_real_account() -> None:
    text = " ".join(README.read_text().replace("\n>", "\n").split())
    assert "Nothing of this has been tried on a real account yet." in text


def test_the_readmes_quickstart_shows_no_secret() -> None:
    for block in blocks(README):
        assert not re.search(r"\b(AKIA|rpa_|ghp_)\w+", block.text)


# -- the first machine ----------------------------------------------------------------------------------


def a_tool(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    tool = folder / name
    tool.write_text(f"#!/bin/sh\n{text}\n")
    tool.chmod(0o755)


def play_first_machine(folder: Path, *, resume: str, sleep: str, driver: str = "exit 0") -> tuple[int, str]:
    """Its command, with a ``sleep`` and an ``nvidia-smi`` of ours; exit code and output."""
    spec = read_job(FIRST.read_text(), file=str(FIRST), names=CLOUDS, env={})
    tools, checkpoints = folder / "tools", folder / "checkpoints"
    a_tool(tools, "sleep", sleep)
    a_tool(tools, "nvidia-smi", driver)
    checkpoints.mkdir(exist_ok=True)
    env = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "SPOTLAUNCH_CHECKPOINT_DIR": str(checkpoints),
        "SPOTLAUNCH_RESUME": resume,
        "SPOTLAUNCH_PROGRESS_FILE": str(folder / "progress"),
    }
    run = subprocess.run(["/bin/sh", "-c", spec.run], env=env, capture_output=True, text=True, timeout=60, check=False)
    return run.returncode, run.stdout


def test_the_first_machine_goes_on_where_it_was_told_to_stop(tmp_path: Path) -> None:
    stop_at_the_third = f'[ -e "{tmp_path}/checkpoints/count-2" ] && kill -TERM $PPID; exit 0'
    code, said = play_first_machine(tmp_path, resume="", sleep=stop_at_the_third)
    assert (code, said.split("\n")[0]) == (143, "beginning at 0")
    (left,) = (tmp_path / "checkpoints").iterdir()
    code, said = play_first_machine(tmp_path, resume=str(left), sleep="exit 0")
    assert (code, said) == (0, "beginning at 2\ndone\n")
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["count-120"]
    steps = [json.loads(line)["step"] for line in (tmp_path / "progress").read_text().splitlines()]
    assert steps == list(range(1, 121))


def test_the_first_machine_fails_without_a_driver(tmp_path: Path) -> None:
    code, said = play_first_machine(tmp_path, resume="", sleep="exit 0", driver="exit 9")
    assert (code, said) == (9, "")


def test_the_first_machine_cannot_cost_much() -> None:
    spec = read_job(FIRST.read_text(), file=str(FIRST), names=CLOUDS, env={})
    assert spec.limits.cost_usd == 2
    assert spec.limits.price_usd_hour is not None
    assert spec.limits.runtime_s == 3600
