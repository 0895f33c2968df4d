"""The file of what was learned: written, read back, and refused with a reason where it is another."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.facts import Pool
from spotlaunch.core.lessons import Lesson, Source
from spotlaunch.errors import UsageError
from spotlaunch.storage.lessonfile import WHAT, read_lessons, read_source, source_json, write_lessons
from tests.storage.samples import POOL

NOW = 1_800_000_000.0
LESSON = Lesson(
    pool=POOL, gpu="V100", gpu_count=1, week={57: (1.5, 1.0)}, tries={490_000: (1.0, 2.0)}, boots_s=(61.5, 70.0)
)
SOURCE = Source(id="ab" * 8, as_of=NOW, lessons=(LESSON,))

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)
AMOUNTS = st.integers(0, 1000).map(lambda n: n / 8)
PAIRS = st.dictionaries(st.integers(0, 167), st.tuples(AMOUNTS, AMOUNTS), max_size=5)
POOLS = st.builds(
    Pool, provider=TEXTS, region=TEXTS, zone=TEXTS, instance_type=TEXTS, market=st.sampled_from(["spot", "on-demand"])
)
LESSONS = st.builds(
    Lesson, pool=POOLS, gpu=TEXTS, gpu_count=st.integers(0, 16), week=PAIRS, tries=PAIRS, boots_s=st.tuples(AMOUNTS)
)


@given(st.lists(LESSONS, max_size=4, unique_by=lambda x: x.pool))
def test_what_was_written_is_read_back(lessons: list[Lesson]) -> None:
    source = Source(id="0123456789abcdef", as_of=NOW, lessons=tuple(lessons))
    assert read_source(json.loads(json.dumps(source_json(source))), "it") == source


def test_a_file_is_for_its_owner_only_and_may_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "learned.json"
    write_lessons(path, [])
    write_lessons(path, [SOURCE])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_lessons(path, now=NOW) == [SOURCE]
    assert [p.name for p in tmp_path.glob("learned*")] == ["learned.json"]


def test_what_is_no_export_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "thesis.json"
    path.write_text('{"what": "my thesis"}')
    with pytest.raises(UsageError, match="is there already, and is no export"):
        write_lessons(path, [SOURCE])
    assert path.read_text() == '{"what": "my thesis"}'


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be written: No such file or directory"):
        write_lessons(tmp_path / "nowhere" / "learned.json", [SOURCE])


def spoilt(change: Callable[[dict[str, Any]], Any]) -> str:
    raw = json.loads(json.dumps({"what": WHAT, "version": 1, "sources": [source_json(SOURCE)]}))
    change(raw)
    return json.dumps(raw)


def of_pool(key: str, value: object) -> Callable[[dict[str, Any]], Any]:
    return lambda raw: raw["sources"][0]["pools"][0].update({key: value})


def of_source(key: str, value: object) -> Callable[[dict[str, Any]], Any]:
    return lambda raw: raw["sources"][0].update({key: value})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "no export of what was learned"),
        ('{"what": "else"}', "no export of what was learned"),
        (spoilt(lambda raw: raw.update(version=2)), "is of version 2; this spotlaunch reads 1"),
        (spoilt(lambda raw: raw.pop("sources")), "sources should be a list"),
        (spoilt(of_source("id", "../x")), r"sources\[0\].id should be hex digits"),
        (spoilt(of_source("as_of", NOW * 2)), r"sources\[0\].as_of should be a time that has been"),
        (spoilt(of_source("as_of", "now")), r"sources\[0\].as_of should be a number"),
        (spoilt(of_source("pools", {})), r"sources\[0\].pools should be a list"),
        (spoilt(lambda raw: raw["sources"][0]["pools"].append(7)), r"sources\[0\].pools\[1\] should be an object"),
        (spoilt(lambda raw: raw["sources"][0]["pools"].extend(raw["sources"][0]["pools"])), "each pool once"),
        (spoilt(of_pool("provider", "")), r"pools\[0\].provider should be a name"),
        (spoilt(of_pool("zone", "a\x1b[2J")), r"pools\[0\].zone should be a text"),
        (spoilt(of_pool("market", "futures")), r"pools\[0\].market should be spot or on-demand"),
        (spoilt(of_pool("gpu_count", True)), r"pools\[0\].gpu_count should be a number"),
        (spoilt(of_pool("week", {"168": [1, 0]})), r"week.168 should be an hour from 0 to 167"),
        (spoilt(of_pool("week", {"-1": [1, 0]})), r"week.-1 should be an hour"),
        (spoilt(of_pool("week", {"5": [1]})), r"week.5 should be two numbers"),
        (spoilt(of_pool("week", {"5": [1, -1]})), r"week.5\[1\] should be a number from 0"),
        (spoilt(of_pool("tries", [])), r"tries should be an object"),
        (spoilt(of_pool("boots_s", [1, "x"])), r"boots_s\[1\] should be a number"),
        (spoilt(of_pool("boots_s", [float("inf")])), r"boots_s\[0\] should be a number"),
        (spoilt(of_pool("boots_s", [float("nan")])), r"boots_s\[0\] should be a number"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_the_place_of_what_is_wrong(
    text: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "learned.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=says) as e:
        read_lessons(path, now=NOW)
    assert str(path) in e.value.message
    assert e.value.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_lessons(tmp_path / "learned.json", now=NOW)
