"""Past the 64 rows that a search gives at most."""

from __future__ import annotations

import pytest

from spotlaunch.core.facts import Want
from spotlaunch_providers.vast import figures
from tests.fakes.clouds.vast import FakeVast
from tests.providers.vast.conftest import Connect, Row, ask


def machines(n: int, **fields: object) -> list[Row]:
    """So many machines, each dearer than the one before unless ``fields`` say otherwise."""
    return [
        ask(**{"id": 100 + k, "machine_id": 100 + k, "dph_base": 1 + k / 100, "min_bid": 0.5 + k / 100, **fields})
        for k in range(n)
    ]


def zones(connect: Connect, count: int, market: str) -> set[str]:
    found = connect().offers(Want(gpus=(("H100", count),)))
    return {o.pool.zone for o in found if o.pool.market == market}


def test_what_is_past_the_first_page_is_found_by_price(connect: Connect, cloud: FakeVast) -> None:
    cloud.asks = machines(150)
    for market in ("spot", "on-demand"):
        assert len(zones(connect, 1, market)) == 150
    pages = [c.json for c in cloud.calls if c.json["type"] == "ondemand"][:3]
    assert [sorted(p.get("dph_total", {})) for p in pages] == [[], ["gte"], ["gte"]]


def test_many_machines_at_one_price_do_not_hide_the_dearer_ones(connect: Connect, cloud: FakeVast) -> None:
    same = machines(100, dph_base=1.0, min_bid=0.5)
    dearer = machines(130)[100:]
    cloud.asks = same + dearer
    found = zones(connect, 1, "on-demand")
    assert {a["machine_id"] for a in dearer} <= {int(z[1:]) for z in found}
    assert len(found) == 64 + 30


def test_a_full_first_page_of_any_count_does_not_hide_the_large_machines(connect: Connect, cloud: FakeVast) -> None:
    large = [ask(id=k, machine_id=k, num_gpus=k, dph_base=50.0 * k, min_bid=20.0) for k in (4, 8)]
    cloud.asks = machines(200) + large
    found = connect().offers(Want(gpus=(("H100", 0),)))
    assert {o.gpu_count for o in found if o.pool.market == "on-demand"} == {1, 4, 8}


def test_wanting_any_count_costs_no_pages_where_there_are_no_large_machines(connect: Connect, cloud: FakeVast) -> None:
    cloud.asks = machines(190)
    assert len(zones(connect, 0, "on-demand")) == 190
    assert len(cloud.calls) == 8


def test_machines_of_eight_are_found_among_many_of_four(connect: Connect, cloud: FakeVast) -> None:
    four = [ask(id=k, machine_id=k, num_gpus=4, dph_base=8.0 + k / 100, min_bid=4.0 + k / 100) for k in range(400, 470)]
    eight = [ask(id=k, machine_id=k, num_gpus=8, dph_base=50.0, min_bid=20.0) for k in range(800, 810)]
    cloud.asks = machines(200) + four + eight
    found = connect().offers(Want(gpus=(("H100", 0),)))
    for market in ("spot", "on-demand"):
        counts = [o.gpu_count for o in found if o.pool.market == market]
        assert counts.count(1) >= 127 and (counts.count(4), counts.count(8)) == (64, 10)


def test_a_server_that_gives_all_rows_at_once_is_not_asked_page_by_page(connect: Connect, cloud: FakeVast) -> None:
    cloud.cap, cloud.asks = 10_000, machines(500)
    assert len(zones(connect, 1, "on-demand")) == 500
    assert len(cloud.calls) == 4  # one more page each, to be sure
    cloud.asks, cloud.calls[:] = machines(30), []
    assert len(zones(connect, 0, "on-demand")) == 30
    assert len(cloud.calls) == 2


def test_searches_are_few_whatever_the_market_holds(connect: Connect, cloud: FakeVast) -> None:
    cloud.searches_per_minute = 10
    for want in (Want(gpus=(("RTX4090", 0),)), Want(), Want(gpus=(("RTX4090", 1), ("H100", 8), ("A100", 0)))):
        cloud.calls.clear()
        cloud._searches.clear()
        assert connect().offers(want)
        assert len(cloud.calls) <= 2 * figures.MOST_SEARCHES == 8


def test_the_cheapest_are_never_what_is_left_out(connect: Connect, cloud: FakeVast) -> None:
    cloud.asks = machines(1000)
    found = sorted(int(z[1:]) for z in zones(connect, 1, "on-demand"))
    assert found == list(range(100, 100 + len(found))) and len(found) > 200


def test_endless_pages_end(connect: Connect, cloud: FakeVast) -> None:
    cloud.fail("endless-paging")
    assert connect().offers(Want(gpus=(("H100", 1),)))
    assert len(cloud.calls) == 2 * figures.MOST_SEARCHES


def test_every_gpu_that_there_is_is_heard_of_the_dear_ones_too(connect: Connect, cloud: FakeVast) -> None:
    found = {o.gpu for o in connect().offers(Want())}
    assert {"B200", "H200-SXM", "H100-SXM", "A100-40GB-PCIe", "L40S", "RTX4090", "T4"} <= found
    assert len(cloud.calls) == 8


def test_a_gpu_wanted_in_any_count_is_searched_once(connect: Connect, cloud: FakeVast) -> None:
    connect().offers(Want(gpus=(("H200", 0), ("H200", 8))))
    assert len(cloud.calls) == 2
    cloud.calls.clear()
    connect().offers(Want(gpus=(("H200", 8), ("B200", 8))))
    assert [sorted(c.json["gpu_name"]["in"]) for c in cloud.calls] == [["B200", "H200", "H200 NVL"]] * 2


def test_pages_that_are_refused_leave_what_was_found(connect: Connect, cloud: FakeVast) -> None:
    cloud.asks, cloud.searches_per_minute = machines(150), 2
    assert len(connect().offers(Want(gpus=(("H100", 1),)))) == 2 * 64


@pytest.mark.parametrize("ignored", [True, False], ids=["the server ignores it", "the server filters"])
@pytest.mark.parametrize("field", ["cuda_max_good", "duration"])
def test_hosts_with_an_old_driver_or_little_time_left_are_no_offers(
    connect: Connect, cloud: FakeVast, field: str, ignored: bool
) -> None:
    least = {"cuda_max_good": 12.4, "duration": 6 * 3600.0}[field]
    cloud.asks = machines(3)
    cloud.asks[0][field], cloud.asks[1][field] = least - 0.3, least
    cloud.ignored = {field} if ignored else set()
    assert zones(connect, 1, "on-demand") == {"m101", "m102"}
    if field == "cuda_max_good":
        found = connect(min_cuda="12.0").offers(Want(gpus=(("H100", 1),), markets=("on-demand",)))
        assert len(found) == 3
