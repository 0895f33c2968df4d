from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch.core.facts import Want
from spotlaunch_providers.azure.cache import Cache
from tests.fakes.clouds.azure import FakeAzure
from tests.providers.azure.conftest import SUBSCRIPTION, Clock, Connect

H100 = Want(gpus=(("H100", 0),))


def test_what_was_said_is_remembered_until_it_is_old(tmp_path: Path, clock: Clock) -> None:
    cache = Cache(tmp_path / "deep" / "c.json", of="me", kept_s=10, now=clock)
    assert cache.read() == {}
    cache.add({"a": 1})
    clock.time += 6
    cache.add({"b": [2]})
    assert cache.read() == {"a": 1, "b": [2]}
    clock.time += 6
    assert cache.read() == {"b": [2]}


def test_a_memory_of_the_future_or_of_other_settings_is_none(tmp_path: Path, clock: Clock) -> None:
    cache = Cache(tmp_path / "c.json", of="me", kept_s=10, now=clock)
    cache.add({"a": 1})
    assert Cache(tmp_path / "c.json", of="you", kept_s=10, now=clock).read() == {}
    clock.time -= 1
    assert cache.read() == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"of":"me"}',
        '{"of":"me","entries":[1]}',
        '{"of":"me","entries":{"a":{"at":"x"}}}',
        "\xff",
    ],
)
def test_a_damaged_memory_is_as_if_it_were_not_there(tmp_path: Path, clock: Clock, text: str) -> None:
    (tmp_path / "c.json").write_bytes(text.encode("latin-1"))
    cache = Cache(tmp_path / "c.json", of="me", kept_s=10, now=clock)
    assert cache.read() == {}
    cache.add({"a": 1})
    assert cache.read() == {"a": 1}


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("")
    Cache(tmp_path / "file" / "c.json", of="me", kept_s=10, now=clock).add({"a": 1})


def test_only_its_owner_may_read_it_and_it_names_no_account(connect: Connect, tmp_path: Path) -> None:
    connect().offers(H100)
    files = [f for f in (tmp_path / "azure").iterdir() if f.is_file()]
    assert {f.name for f in files} == {"skus.json", "scores.json"}
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        assert SUBSCRIPTION not in file.read_text()


def test_catalogs_in_the_memory_that_make_no_sense_are_asked_for_again(
    cloud: FakeAzure, connect: Connect, tmp_path: Path
) -> None:
    whole = connect().offers(H100)
    file = tmp_path / "azure" / "skus.json"
    file.write_text(file.read_text().replace('"quota"', '"quotum"'))
    asked = len(cloud.called("/skus$"))
    assert connect().offers(H100) == whole
    assert len(cloud.called("/skus$")) == 2 * asked
