from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch.core.facts import Unusable
from spotlaunch.home import Home
from spotlaunch.storage.unusable import note_unusable, read_unusable

AWS = Unusable(provider="aws", error="NotAuthorized", reason="no key", hint="make one")
GCP = Unusable(provider="gcp", error="UsageError", reason="no such project")


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.find().prepare()


def test_what_was_noted_is_read_in_order_of_names(home: Home) -> None:
    note_unusable(home, ["gcp", "aws", "azure"], [GCP, AWS])
    assert read_unusable(home) == [AWS, GCP]


def test_one_that_can_be_used_again_is_forgotten_and_one_that_was_not_asked_stays(home: Home) -> None:
    note_unusable(home, ["aws", "gcp"], [AWS, GCP])
    note_unusable(home, ["gcp"], [])
    assert read_unusable(home) == [AWS]


def test_who_was_not_heard_and_who_is_not_set_up_are_noted_apart(home: Home) -> None:
    late = Unusable(provider="gcp", error="Transient", reason="503", until=9.0)
    note_unusable(home, ["aws"], [AWS])
    note_unusable(home, ["aws", "gcp"], [late], passing=True)
    assert read_unusable(home) == [AWS, late]
    note_unusable(home, ["aws", "gcp"], [])
    assert read_unusable(home) == [late]
    note_unusable(home, ["gcp"], [], passing=True)
    assert read_unusable(home) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"provider": "aws"}]', '{"a": 1}', "null"])
def test_a_file_that_is_broken_tells_nothing_and_is_mended_by_the_next_note(home: Home, text: str) -> None:
    home.unusable.write_text(text)
    assert read_unusable(home) == []
    note_unusable(home, ["aws"], [AWS])
    assert read_unusable(home) == [AWS]


def test_no_file_and_a_disk_that_takes_nothing_are_no_trouble(home: Home) -> None:
    assert read_unusable(home) == []
    note_unusable(Home(home.path / "nowhere"), ["aws"], [AWS])
    assert list(home.path.glob("unusable*")) == []
