from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from spotlaunch.core.facts import Pool
from spotlaunch.errors import BadFile
from spotlaunch_providers.local.choice import BUILT_IN
from spotlaunch_providers.local.market import Faults, Market
from spotlaunch_providers.local.reading import parse_market, read_market

HERE = Path(__file__)
CONFIGS = HERE.parents[3] / "configs" / "local"


def parse(text: str, file: Path = Path("market.yaml")) -> Market:
    return parse_market(text, file=file)


def complaint(text: str, file: Path = Path("market.yaml")) -> str:
    with pytest.raises(BadFile) as caught:
        parse(text, file)
    return caught.value.message


def pool(keys: str) -> str:
    return f"pools:\n  - {{name: a, price_usd_hour: 1, {keys}}}\n"


def test_a_pool_is_read_with_all_its_keys() -> None:
    market = parse(
        """
seed: 7
pools:
  - {name: a, region: local-1, zone: local-1a, type: gpu-small, gpu: "V100:2", gpu_memory_gb: 16, cpus: 4,
     memory_gb: 16GB, disk_gb: 1TB, market: spot, price_usd_hour: 0.9, on_demand_usd_hour: 3.06, boot: 0.2s,
     capacity: 4, notice: 1m30s, interruptions_per_hour: 600,
     faults: {dry: true, quota: false, slow: 3s, lose_answer: 0.3, hang: 0.2, never_boots: 0.1, throttled: 1}}
"""
    )
    (a,) = market.pools
    assert market.seed == 7
    assert a.pool == Pool(provider="local", region="local-1", zone="local-1a", instance_type="gpu-small", market="spot")
    assert (a.gpu, a.gpu_count, a.gpu_memory_gb, a.cpus, a.memory_gb, a.disk_gb) == ("V100", 2, 16, 4, 16, 1000)
    assert (a.price_usd_hour, a.on_demand_usd_hour) == (Decimal("0.9"), Decimal("3.06"))
    assert (a.boot_s, a.capacity, a.notice_s, a.interruptions_per_hour) == (0.2, 4, 90, 600)
    assert a.faults == Faults(dry=True, slow_s=3, lose_answer=0.3, hang=0.2, never_boots=0.1, throttled=1)


def test_a_pool_needs_no_more_than_a_name_and_a_price() -> None:
    (a,) = parse("pools: [{name: a, price_usd_hour: 0.1}]").pools
    assert str(a.pool) == "local:local-1/a/spot"
    assert (a.gpu_count, a.boot_s, a.notice_s, a.capacity, a.interruptions_per_hour, a.trace) == (
        0,
        0,
        0,
        16,
        None,
        None,
    )


def test_defaults_hold_for_every_pool_that_does_not_say_otherwise() -> None:
    text = "defaults: {boot: 2s, price_usd_hour: 1}\npools: [{name: a}, {name: b, boot: 1s}]"
    assert [p.boot_s for p in parse(text).pools] == [2, 1]


def test_the_longest_notice_and_boot_shape_the_traits_and_the_file_has_the_last_word() -> None:
    text = "defaults: {price_usd_hour: 1}\npools: [{name: a, notice: 9s, boot: 50s}, {name: b, market: on-demand}]\n"
    traits = parse(text).traits
    assert (traits.notice_s, traits.boot_timeout_s, traits.has_spot) == (9, 150, True)
    assert traits.shares_disk and traits.rehearsal and traits.idempotent_launch and traits.shutdown_ends_billing
    said = parse(text + "traits: {settle_s: 0.1, boot_timeout_s: 2m, shutdown_ends_billing: false}").traits
    assert (said.settle_s, said.boot_timeout_s, said.shutdown_ends_billing) == (0.1, 120, False)


def test_availability_is_a_list_or_a_trace_file_beside_the_market(tmp_path: Path) -> None:
    trace = {"metadata": {"gap_seconds": 600}, "data": [0, 1]}
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "t.json").write_text(json.dumps(trace))
    text = """
defaults: {price_usd_hour: 1}
pools:
  - {name: a, availability: {gap: 1s, data: [1, 1, 0]}}
  - {name: b, availability: {trace: traces/t.json, tick: 0.2s, wrap: false}}
  - {name: c, availability: {trace: traces/t.json}}
"""
    a, b, c = (p.trace for p in parse(text, tmp_path / "market.yaml").pools)
    assert a and b and c
    assert (a.data, a.tick_s, a.wrap) == ((1, 1, 0), 1, True)
    assert (b.data, b.tick_s, b.wrap) == ((0, 1), 0.2, False)
    assert c.tick_s == 600


def test_a_market_is_another_when_its_text_or_one_of_its_traces_is(tmp_path: Path) -> None:
    file = tmp_path / "market.yaml"
    (tmp_path / "t.json").write_text('{"metadata": {"gap_seconds": 1}, "data": [1]}')
    text = pool("availability: {trace: t.json}")
    first = parse(text, file).digest
    assert parse(text, file).digest == first
    assert parse(text + "# another\n", file).digest != first
    (tmp_path / "t.json").write_text('{"metadata": {"gap_seconds": 1}, "data": [0]}')
    assert parse(text, file).digest != first


def test_a_file_of_json_is_also_a_trace_when_its_gap_is_said_in_the_market(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"data": [1]}')
    (a,) = parse(pool("availability: {trace: t.json, tick: 3s}"), tmp_path / "m.yaml").pools
    assert a.trace is not None and a.trace.tick_s == 3


@pytest.mark.parametrize("file", [BUILT_IN, *sorted(CONFIGS.glob("*.yaml"))], ids=lambda p: p.name)
def test_the_markets_that_we_ship_are_good(file: Path) -> None:
    market = read_market(file)
    assert market.pools
    assert not any(p.faults.unauthorized or p.faults.no_funds for p in market.pools)


def test_the_built_in_market_sells_the_usual_machines_in_both_markets() -> None:
    market = read_market(BUILT_IN)
    shapes = {(f"{p.gpu}:{p.gpu_count}" if p.gpu else "cpu", p.pool.market) for p in market.pools}
    names = ("cpu", "H100:1", "H100:8", "A100-80GB:1", "A100-80GB:8", "V100:1", "V100:8", "T4:1")
    assert shapes == {(name, way) for name in names for way in ("spot", "on-demand")}
    for p in market.pools:
        assert p.on_demand_usd_hour is not None and p.price_usd_hour <= p.on_demand_usd_hour


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "market.yaml:1:1: pools: expected a list of at least one pool"),
        ("- a\n", "market.yaml:1:1: expected keys with values, found a list"),
        ("pools: []\n", "market.yaml:1:8: pools: expected a list of at least one pool"),
        ("pools: {a: 1}\n", "market.yaml:1:8: pools: expected a list of at least one pool"),
        ("pools:\n\t- a\n", "market.yaml:2:1"),
        ("sed: 7\n" + pool("boot: 1s"), "market.yaml:1:1: sed: there is no such key\n  hint: did you mean seed?"),
        (pool("capcity: 4"), "market.yaml:2:34: pools[0].capcity: there is no such key\n  hint: did you mean capacity"),
        (pool("boot: 5"), "market.yaml:2:40: pools[0].boot: the duration '5' has no unit"),
        (pool("boot: [1s]"), "pools[0].boot: expected one value, found a list"),
        (pool("market: reserved"), "pools[0].market: 'reserved' is not a market\n  hint: write spot or on-demand"),
        (pool("gpu: 8xV100"), "pools[0].gpu: '8xV100' is not a GPU"),
        (pool("capacity: many"), "pools[0].capacity: 'many' is not allowed"),
        (pool("interruptions_per_hour: -1"), "pools[0].interruptions_per_hour: '-1' is not allowed"),
        (pool("cpus: .inf"), "pools[0].cpus: '.inf' is not allowed"),
        (pool("faults: {dri: true}"), "pools[0].faults.dri: there is no such key\n  hint: did you mean dry?"),
        (pool("faults: {dry: 1}"), "pools[0].faults.dry: '1' is neither true nor false"),
        (pool("faults: {hang: 2}"), "pools[0].faults.hang: '2' is not allowed\n  hint: write a number from 0 to 1"),
        (pool("faults: dry"), "pools[0].faults: expected keys with values, found 'dry'"),
        (pool("availability: {}"), "pools[0].availability: needs either `trace` (a file) or `data` (a list)"),
        (pool("availability: {data: [1], gap: 0s}"), "one tick must last longer than nothing"),
        (pool("availability: {data: [1], tick: 1s}"), "availability.tick: does not go with data"),
        (pool("availability: {data: [1, x], gap: 1s}"), "pools[0].availability.data[1]: 'x' is not allowed"),
        (pool("availability: {data: 1, gap: 1s}"), "data: expected a list of whole numbers, found the number 1"),
        (pool("availability: {trace: nowhere.json}"), "cannot read nowhere.json: No such file or directory"),
        ("pools: [{price_usd_hour: 1}]", "market.yaml:1:9: pools[0]: has no name"),
        ("pools: [{name: a}]", "market.yaml:1:9: pools[0]: has no price_usd_hour"),
        ("pools: [{name: A b, price_usd_hour: 1}]", "'A b' is not a pool's name"),
        ("pools: [{name: a, price_usd_hour: free}]", "'free' is not an amount of money"),
        ("pools: [a]", "market.yaml:1:9: pools[0]: expected keys with values, found 'a'"),
        (pool("type: t") + "  - {name: a, type: u, price_usd_hour: 1}\n", "market.yaml:3:12: pools[1].name: 'a' is"),
        (pool("type: t") + "  - {name: b, type: t, price_usd_hour: 1}\n", "pools[1]: has the same region, zone, type"),
        (
            pool("boot: 1s") + "traits: {settle: 1}",
            "traits.settle: there is no such key\n  hint: did you mean settle_s",
        ),
        (pool("boot: 1s") + "traits: {bids: 3}", "traits.bids: '3' is neither true nor false"),
        (pool("boot: 1s") + "faults: {listings: 1}", "faults.listings: there is no such key\n  hint: did you mean"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text: str, told: str) -> None:
    assert told in complaint(text)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    said = complaint(
        "seed: x\ndefaults: {boot: soon}\n" + pool("gpu: 8xV100") + "  - {name: b, price_usd_hour: 1, cpu: 1}\n"
    )
    places = [line.split(": ")[0] for line in said.splitlines() if line.startswith("market.yaml")]
    assert places == ["market.yaml:1:7", "market.yaml:2:18", "market.yaml:4:39", "market.yaml:5:34"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"data": []}',
        '{"data": [1.5]}',
        '{"data": [-1]}',
        '{"data": [true]}',
        '{"metadata": [], "data": [1]}',
        '{"metadata": {"gap_seconds": "x"}, "data": [1]}',
        "[" * 5000,
    ],
)
def test_a_file_that_is_no_trace_is_told_by_name(content: str, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(content)
    said = complaint(pool("availability: {trace: t.json, tick: 1s}"), tmp_path / "market.yaml")
    assert "t.json is not a trace: " in said and "a trace file looks like" in said


def test_a_market_file_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read: No such file"):
        read_market(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadFile, match="not UTF-8"):
        read_market(tmp_path / "bytes.yaml")
