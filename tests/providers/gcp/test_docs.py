"""docs/providers/gcp.md tells of every setting, with every variable that sets it."""

from __future__ import annotations

import re
from pathlib import Path

from spotlaunch_providers.gcp import SETTINGS

DOC = Path(__file__).parents[3] / "docs" / "providers" / "gcp.md"


def test_every_setting_is_told_with_its_variables() -> None:
    section = DOC.read_text().partition("## Settings")[2].partition("\n## ")[0]
    told = {}
    for row in re.findall(r"^\| (`.*)$", section, re.MULTILINE):
        key, variables, *_ = row.split("|")
        told[key.strip(" `")] = re.findall(r"`(\w+)`", variables)
    assert told == {key: [f"SPOTLAUNCH_GCP_{key.upper()}", *setting.env] for key, setting in SETTINGS.items()}
