from __future__ import annotations

import stat
from pathlib import Path

import pytest

from spotlaunch.core.facts import Want
from spotlaunch_providers.gcp import asking, pricelist
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp
from tests.providers.gcp.conftest import NOW, Make, gpus

HOUR = 3600.0


def test_list_prices_are_asked_for_once_an_hour_and_the_price_list_once_a_day(cloud: FakeGcp, make: Make) -> None:
    pages = len(data.sku_pages(5000, cloud.filler))

    def calls(at: float) -> tuple[int, int]:
        before = len(cloud.called("capacityHistory")), len(cloud.called("services"))
        found = make(now=lambda: at).offers(gpus("B200"))
        assert found and all(o.seen_at == at for o in found)
        return len(cloud.called("capacityHistory")) - before[0], len(cloud.called("services")) - before[1]

    assert calls(NOW) == (9, pages)
    assert calls(NOW + HOUR - 1) == (0, 0)
    assert calls(NOW + HOUR + 1) == (9, 0)
    assert calls(NOW + 24 * HOUR + 1) == (9, pages)
    assert calls(NOW - 10) == (9, pages)  # a clock set back: what is of tomorrow is not believed


def test_cached_prices_are_those_that_were_told(make: Make) -> None:
    assert list(make().offers(gpus("H100"))) == list(make().offers(gpus("H100")))


def test_scores_are_of_this_moment_and_asked_for_each_time(cloud: FakeGcp, make: Make) -> None:
    for n in (1, 2):
        make().offers(gpus("B200"))
        assert len(cloud.called("advice/capacity$")) == 9 * n


def test_the_files_are_for_their_owner_only_and_name_no_project(make: Make, tmp_path: Path) -> None:
    make().offers(gpus("B200"))
    files = sorted((tmp_path / "gcp").iterdir())
    assert [f.name.partition("-")[0] for f in files] == ["histories", "prices"]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"at": "x"}', '{"at": 1800000000, "next": "", "rows": {"a": "x"}}',
                                     '{"us-east1-b/a4-highgpu-8g": [1800000000, "x", null], "b": 1}'])  # fmt: skip
def test_a_damaged_file_is_asked_for_anew(make: Make, tmp_path: Path, content: str) -> None:
    good = list(make().offers(gpus("B200")))
    for file in (tmp_path / "gcp").iterdir():
        file.write_text(content)
    assert list(make().offers(gpus("B200"))) == good


def test_a_folder_that_cannot_be_written_costs_only_time(make: Make, tmp_path: Path) -> None:
    (tmp_path / "gcp").write_text("a file in the way")
    assert make().offers(gpus("B200"))


def test_another_server_has_other_prices(cloud: FakeGcp, make: Make) -> None:
    make().offers(gpus("B200"))
    other = FakeGcp(filler=20)
    with other.serving() as url:
        make(endpoint=url, billing_endpoint=url).offers(gpus("B200"))
    assert other.called("capacityHistory") and other.called("services")


def test_what_the_advice_knows_nothing_of_is_not_asked_again(cloud: FakeGcp, make: Make) -> None:
    cloud.unsupported.add("a4-highgpu-8g")
    for _ in range(2):
        assert make().offers(Want(gpus=(("B200", 0),), markets=("spot",)))
    assert len(cloud.called("/v1/.*capacityHistory")) == 9


def test_a_price_list_that_was_read_in_part_is_read_on(
    cloud: FakeGcp, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pricelist, "SKU_PAGE", 1000)
    healthy = cloud.answer

    def until_the_third_page(request):  # type: ignore[no-untyped-def]
        if request.query.get("pageToken") == "AIPageToken2":
            cloud.fail("drop", path="services")
        return healthy(request)

    cloud.answer = until_the_third_page  # type: ignore[method-assign]
    make(ask_s=6.0).offers(gpus("H100"))
    cloud.answer = healthy  # type: ignore[method-assign]
    cloud.heal()
    before = len(cloud.called("services"))
    offers = make().offers(gpus("H100"))
    tokens = [c.query.get("pageToken") for c in cloud.called("services")[before:]]
    assert tokens[0] == "AIPageToken2" and "AIPageToken1" not in tokens
    assert {o.pool.region for o in offers if o.pool.market == "on-demand"} >= {"us-central1", "asia-southeast1"}
    make(now=lambda: NOW + 2 * HOUR).offers(gpus("H100"))
    assert len(cloud.called("services")) == before + len(tokens)  # it is whole now


def test_more_pools_than_may_be_asked_about_at_once_come_with_the_next_question(
    cloud: FakeGcp, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_HISTORIES", 5)
    monkeypatch.setattr(asking, "MOST_ZONES", 3)
    for asked in (5 + 3, 9, 9):
        make().offers(gpus("B200"))
        assert len(cloud.called("capacityHistory")) == asked
