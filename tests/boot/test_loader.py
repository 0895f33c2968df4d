"""The boot script as a text: what stands in it, and what does not fit."""

from __future__ import annotations

import pytest

from spotlaunch.boot.loader import loader
from spotlaunch.core.facts import SCRIPT_MOST_BYTES
from spotlaunch.errors import UsageError

KEY = "k" * 44


def test_the_longest_link_and_command_fit_into_what_clouds_take() -> None:
    script = loader(url="u" * 2000, header="Authorization: " + "b" * 185, key=KEY, end_command="e" * 350)
    assert len(script.encode()) <= SCRIPT_MOST_BYTES


def test_it_begins_as_clouds_want_it_and_says_each_thing_once() -> None:
    script = loader(url="https://h/p?X=1", header="A: b c", key=KEY, end_command="shutdown -h now\n")
    assert script.startswith("#!/bin/sh\n")
    assert script.count("https://h/p?X=1\nA: b c\n" + KEY + "\nE\n") == 1
    assert script.count(KEY) == 1
    assert script.count("shutdown -h now") == 1


def test_what_is_too_long_is_refused_with_its_sizes() -> None:
    with pytest.raises(UsageError, match="no more than 3900") as caught:
        loader(url="u" * 3000, key=KEY, end_command="shutdown -h now")
    assert "3000" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "a\nE\nreboot"},
        {"key": "a\nb"},
        {"header": "A: b\r\nC: d"},
        {"header": "no colon"},
        {"url": ""},
        {"key": ""},
        {"end_command": " "},
    ],
)
def test_what_would_break_out_of_its_line_is_refused(bad: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        loader(**{"url": "https://x", "key": KEY, "end_command": "true", **bad})


def test_machines_that_share_a_disk_have_folders_of_their_own() -> None:
    def folder(url: str) -> str:
        script = loader(url=url, key=KEY, end_command="true")
        return next(line for line in script.splitlines() if line.startswith("R=")).rpartition(":-")[2]

    one, other = (folder(f"https://h/jobs/a/start/{n}") for n in (1, 2))
    assert one.startswith("/opt/spotlaunch/") and one != other
    assert folder("https://h/jobs/a/start/1") == one, "the same script runs again at each boot"
