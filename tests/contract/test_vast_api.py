"""The fake Vast.ai against the fields and rules of its documentation, as vast-ai/docs (2026-08-07) and its clients
have them. No machine-readable description can be had offline, so the tables stand here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from spotlaunch.core.facts import Want
from spotlaunch.core.gpus import GPUS
from spotlaunch.core.settings import Settings
from spotlaunch_providers.vast.adapter import VastProvider
from spotlaunch_providers.vast.asking import Asking
from spotlaunch_providers.vast.names import NAMES, TIERS, name_of
from spotlaunch_providers.vast.searches import Terms
from tests.fakes.clouds.vast import FakeVast
from tests.fakes.clouds.vast_data import KINDS

NUMBER = (int, float)
OFFER: dict[str, Any] = {
    **dict.fromkeys(("id", "ask_contract_id", "machine_id", "host_id", "num_gpus", "gpu_ram", "gpu_total_ram"), int),
    **dict.fromkeys(("dph_base", "dph_total", "min_bid", "storage_cost", "inet_up_cost", "inet_down_cost"), NUMBER),
    **dict.fromkeys(("gpu_frac", "cpu_ram", "cpu_cores", "cpu_cores_effective", "disk_space", "disk_bw"), NUMBER),
    **dict.fromkeys(("inet_up", "inet_down", "reliability2", "cuda_max_good", "compute_cap"), NUMBER),
    **dict.fromkeys(("duration", "end_date", "direct_port_count", "hosting_type"), NUMBER),
    **dict.fromkeys(("gpu_name", "verification", "driver_version", "geolocation"), str),
    **dict.fromkeys(("static_ip", "rentable", "rented", "is_bid"), bool),
    "search": dict,
}
FILTERS = {
    *("gpu_name", "num_gpus", "verified", "rentable", "rented", "external", "reliability2", "cuda_max_good"),
    *("direct_port_count", "disk_space", "inet_down", "duration", "dph_total", "ask_contract_id"),
}
OPS = {"eq", "neq", "gt", "gte", "lt", "lte", "in", "notin"}


@pytest.fixture
def cloud() -> Iterator[FakeVast]:
    made = FakeVast()
    with made.serving():
        yield made


def search(cloud: FakeVast, **query: Any) -> requests.Response:
    return requests.post(cloud.url + "/api/v0/bundles/", json=query, timeout=5)


def rows(cloud: FakeVast, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = search(cloud, **query).json()["offers"]
    return found


def test_an_offer_has_the_documented_fields_in_the_documented_units(cloud: FakeVast) -> None:
    found = rows(cloud, type="bid", limit=64)
    assert len(found) == 64
    for row in found:
        assert set(row) == set(OFFER)
        assert all(isinstance(row[k], kind) for k, kind in OFFER.items())
        assert 0 <= row["reliability2"] <= 1 and row["verification"] in ("verified", "unverified", "deverified")
        assert row["gpu_ram"] > 1000 and row["cpu_ram"] > 1000, "megabytes"


@pytest.mark.parametrize("kind", ["bid", "ondemand"])
def test_the_total_is_the_base_and_the_disk_and_in_bids_the_base_is_the_floor(cloud: FakeVast, kind: str) -> None:
    for row in rows(cloud, type=kind, limit=64, allocated_storage=60):
        assert row["dph_total"] == pytest.approx(row["dph_base"] + 60 * row["storage_cost"] / 720)
        assert (row["dph_base"] == row["min_bid"]) == (kind == "bid") == row["is_bid"]


def test_a_search_gives_64_rows_at_most_and_few_without_a_limit(cloud: FakeVast) -> None:
    assert len(rows(cloud, limit=3000)) == 64
    assert len(rows(cloud)) < 64


def test_names_are_exact_and_have_spaces(cloud: FakeVast) -> None:
    assert rows(cloud, gpu_name={"in": ["RTX 4090"]})
    assert rows(cloud, gpu_name={"in": ["RTX_4090"]}) == rows(cloud, gpu_name={"eq": "rtx 4090"}) == []


def test_no_filter_is_filled_in(cloud: FakeVast) -> None:
    found = rows(cloud, gpu_name={"eq": "RTX 4090"}, limit=64)
    assert {r["verification"] for r in found} == {"verified", "unverified"}
    assert {r["verification"] for r in rows(cloud, verified={"eq": True}, limit=64)} == {"verified"}


def test_filtering_by_id_matches_nothing(cloud: FakeVast) -> None:
    ask_id = rows(cloud)[0]["id"]
    assert rows(cloud, id={"eq": ask_id}) == []
    assert [r["id"] for r in rows(cloud, ask_contract_id={"eq": ask_id})] == [ask_id]


@pytest.mark.parametrize(
    "query", [{"gpu_model": {"eq": "x"}}, {"num_gpus": {"is": 1}}, {"num_gpus": 1}, {"type": "spot"}], ids=str
)
def test_what_the_search_does_not_know_is_refused(cloud: FakeVast, query: dict[str, Any]) -> None:
    answer = search(cloud, **query)
    assert answer.status_code == 400
    assert answer.json()["success"] is False and answer.json()["error"] == "invalid_args"


def test_the_other_search_wants_its_query_wrapped(cloud: FakeVast) -> None:
    url, flat = cloud.url + "/api/v0/search/asks/", {"rentable": {"eq": True}}
    refused = requests.put(url, json=flat, timeout=5)
    assert (refused.status_code, refused.json()["msg"]) == (400, "rentable: Extra inputs are not permitted")
    assert requests.put(url, json={"select_cols": ["*"], "q": flat}, timeout=5).json()["offers"]


def test_the_account_needs_a_key_and_the_search_does_not(cloud: FakeVast) -> None:
    cloud.keys = {"good"}
    url = cloud.url + "/api/v0/users/current/"
    assert requests.get(url, timeout=5).json() == {"success": False, "error": "auth_error", "msg": "Invalid user key"}
    assert "credit" in requests.get(url, headers={"Authorization": "Bearer good"}, timeout=5).json()
    bad = {"Authorization": "Bearer bad"}
    assert requests.post(cloud.url + "/api/v0/bundles/", json={}, headers=bad, timeout=5).status_code == 401


def test_calls_that_come_too_soon_are_refused_in_plain_text(cloud: FakeVast) -> None:
    cloud.min_interval_s = {"/api/v0/bundles/": 4.5}
    assert search(cloud).status_code == 200
    assert (search(cloud).status_code, search(cloud).text) == (
        429,
        "API requests too frequent: endpoint threshold=4.5",
    )


def test_the_adapter_asks_only_what_is_documented(cloud: FakeVast) -> None:
    settings = Settings(provider="vast", values={"endpoint": cloud.url, "auth": "none"})
    provider = VastProvider(Asking.of(settings), Terms(), owner="o")
    for want in (Want(), Want(gpus=(("H100", 0),)), Want(gpus=(("RTX4090", 1),), disk_gb=100)):
        provider.offers(want)
    assert len(cloud.calls) > 10
    for call in cloud.calls:
        filters = set(call.json) - {"type", "order", "limit", "allocated_storage"}
        assert filters <= FILTERS
        assert all(set(call.json[f]) <= OPS for f in filters)
        # The API fills in nothing, so these must be said each time.
        assert {"rentable", "rented", "external", "verified", "reliability2"} <= filters


def test_every_name_leads_back_to_the_gpu_it_is_asked_for() -> None:
    for gpu, names in NAMES.items():
        for name in names:
            have = name_of(name, GPUS[gpu].memory_gb)
            assert have == gpu or gpu in have or have in GPUS[gpu].families, (gpu, name, have)
    assert {kind.name for kind in KINDS} <= {name for names in NAMES.values() for name in names}
    assert {name for tier in TIERS for name in tier} <= {name for names in NAMES.values() for name in names}
