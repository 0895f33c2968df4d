"""docs/job-file.md against the models: every key, its default, its example."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from spotlaunch.core.jobfile import read_job
from spotlaunch.core.jobmodel import JobModel
from spotlaunch.core.spec import Spec
from spotlaunch.registry import provider_names
from tests.docs.pages import ROOT, table_rows

PAGE = ROOT / "docs" / "job-file.md"
ROWS = {row[0].strip("`"): row for row in table_rows(PAGE) if len(row) == 4}

# Sections that have a table of their own instead of a row.
SECTIONS = {"resources", "where", "limits", "fallback", "checkpoint"}


def keys(model: type[BaseModel] = JobModel, above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield above + name
        for part in (field.annotation, *typing.get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from keys(part, f"{above}{name}.")


def job_with(key: str, value: str) -> Spec:
    """The spec of a file that says nothing but a command and this."""
    parts = key.split(".")
    lines = [f"{'  ' * depth}{part}:" for depth, part in enumerate(parts)]
    text = "\n".join(lines) + f" {value}\n"
    if parts[:2] == ["checkpoint", "store"] and parts[-1] in ("endpoint", "region"):
        text = text.replace("  store:\n", "  store:\n    url: s3://bucket\n")
    if key != "run":
        text += "run: python train.py\n"
    return read_job(text, file="digits.yaml", names=provider_names(), env={"WANDB_API_KEY": "x" * 20})


def code_of(cell: str) -> str | None:
    found = re.fullmatch(r"`([^`]+)`", cell)
    return found[1] if found else None


def test_every_key_is_described_and_no_other() -> None:
    assert sorted(ROWS) == sorted(set(keys()) - SECTIONS)


@pytest.mark.parametrize("key", ROWS)
def test_every_example_is_allowed(key: str) -> None:
    example = code_of(ROWS[key][2])
    assert example is not None
    job_with(key, example)


@pytest.mark.parametrize("key", [k for k in ROWS if code_of(ROWS[k][3])])
def test_every_default_told_is_the_default(key: str) -> None:
    default = code_of(ROWS[key][3])
    assert default is not None
    assert job_with(key, default) == job_with("run", "python train.py")


def test_most_defaults_are_told_as_values() -> None:
    assert len([k for k in ROWS if code_of(ROWS[k][3])]) >= 12
