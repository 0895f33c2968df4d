"""`gpus`: which there are, who sells them, and what one costs at the least."""

from __future__ import annotations

import pytest

from spotlaunch.errors import NotAuthorized
from tests.cli.conftest import NOW, Cli
from tests.cli.selling import CHEAP, DRY, PAID, SMALL, Clouds, at, installed


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Clouds:
    return installed(monkeypatch)


def test_each_gpu_has_a_line_with_the_cheapest_of_both_markets(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", CHEAP, DRY)
    clouds.sell("two", PAID, SMALL)
    done = cli("gpus")
    assert done.code == 0
    head, *rows = done.out.splitlines()
    assert head.split("  ")[0] == "gpu"
    assert [row.split() for row in rows] == [
        ["H100-SXM", "80", "one,", "two", "1.0000", "one:r1c", "1m15s", "6.8800", "two:r1", "1m15s"],
        ["L4", "24", "two", "0.7100", "two:r1a", "1m15s", "-", "-", "-"],
    ]
    assert "known, and sold by nobody who answered: " in done.err
    assert "B200" in done.err


def test_words_that_no_table_has_are_shown_as_they_came(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", at("1", gpu="Frob\x1b9", gpu_count=1))
    done = cli("gpus")
    assert "not in our table of names, shown as their providers call them: Frob 9" in done.err
    assert "\x1b" not in done.out + done.err


def test_an_answer_of_the_last_hour_is_not_asked_for_again(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", CHEAP)
    cli("gpus")
    clouds.now = NOW + 3500
    assert "59m35s" in cli("gpus").out
    assert len(clouds.asked) == 1
    clouds.now = NOW + 3601
    cli("gpus")
    assert len(clouds.asked) == 2


def test_rehearsals_are_left_out(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("stage", CHEAP, rehearsal=True)
    clouds.sell("one", SMALL)
    assert [name for name, _ in clouds.asked] == []
    cli("gpus")
    assert [name for name, _ in clouds.asked] == ["one"]


def test_who_does_not_answer_is_named_and_if_nobody_does_it_failed(cli: Cli, clouds: Clouds) -> None:
    clouds.fail("two", NotAuthorized("no key", hint="make one"))
    done = cli("gpus")
    assert done.code == 1
    assert "two: no key (hint: make one)" in done.err
    assert "sold by nobody" not in done.err
    clouds.sell("one", SMALL)
    assert cli("gpus").code == 0


def test_the_json_has_a_line_for_each_and_what_providers_said(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", CHEAP)
    found = cli("gpus", "--json").json
    lines = {line["gpu"]: line for line in found["gpus"]}
    assert lines["H100-SXM"]["spot"]["price_usd_gpu_hour"] == 1.0
    assert lines["H100-SXM"]["spot"]["age_s"] == 75.0
    assert lines["H100-SXM"]["on_demand"] is None
    assert lines["B200"]["providers"] == []
    assert [p["provider"] for p in found["providers"]] == ["one"]
