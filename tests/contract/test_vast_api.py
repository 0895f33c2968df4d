"""The fake Vast.ai, and what the adapter asks of it, against the fields and rules of its documentation, as vast-ai/docs
(api-reference/openapi/yaml, 2026) and its clients have them. These files cannot be had offline: the tables stand here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from jsonschema import validate

from spotlaunch.core.facts import Market, Want
from spotlaunch.core.gpus import GPUS
from spotlaunch.core.settings import Settings
from spotlaunch_providers.vast.adapter import VastProvider
from spotlaunch_providers.vast.asking import Asking
from spotlaunch_providers.vast.names import NAMES, TIERS, name_of
from spotlaunch_providers.vast.searches import Terms
from tests.fakes.clouds.vast import FakeVast
from tests.fakes.clouds.vast_data import KINDS
from tests.providers.vast.conftest import order, sell

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
# create_instance.yaml: the properties of a create, with JSON Schema's words; `env` as the client sends it.
CREATE: dict[str, Any] = {
    "type": "object",
    "required": ["image"],
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string", "maxLength": 1024},
        "label": {"type": "string", "maxLength": 256},
        "disk": {"type": "number", "minimum": 8},
        "runtype": {"enum": ["ssh", "jupyter", "args", "ssh_proxy", "ssh_direct", "jupyter_proxy", "jupyter_direct"]},
        "target_state": {"enum": ["running", "stopped"]},
        "price": {"type": "number", "minimum": 0.001, "maximum": 128.0},
        "env": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 256}},
        "cancel_unavail": {"type": "boolean"},
        "onstart": {"type": "string", "maxLength": 4096},
        "args": {"type": "array", "items": {"type": "string", "maxLength": 4096}},
    },
}
# show_instances.yaml: fields of a row that the adapter reads, and what they may be.
NULL = type(None)
ROW: dict[str, Any] = {
    **dict.fromkeys(("id", "machine_id", "num_gpus"), int),
    **dict.fromkeys(("intended_status", "cur_state", "next_state", "gpu_name", "geolocation", "image_runtype"), str),
    **dict.fromkeys(("actual_status", "status_msg", "label"), (str, NULL)),
    **dict.fromkeys(("min_bid", "dph_base", "dph_total", "start_date", "end_date"), NUMBER),
    "is_bid": bool,
    "extra_env": list,
    "image_args": list,
    "ssh_host": (str, NULL),
    "ssh_port": (int, NULL),
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
        assert {"rentable", "rented", "external", "verified", "reliability2", "cuda_max_good", "duration"} <= filters


def test_every_name_leads_back_to_the_gpu_it_is_asked_for() -> None:
    for gpu, names in NAMES.items():
        for name in names:
            have = name_of(name, GPUS[gpu].memory_gb)
            assert have == gpu or gpu in have or have in GPUS[gpu].families, (gpu, name, have)
    assert {kind.name for kind in KINDS} <= {name for names in NAMES.values() for name in names}
    assert {name for tier in TIERS for name in tier} <= {name for names in NAMES.values() for name in names}


# -- machines ----------------------------------------------------------------------------------------------


def connected(cloud: FakeVast, owner: str = "o") -> VastProvider:
    settings = Settings(provider="vast", values={"endpoint": cloud.url, "auth": "none"})
    return VastProvider(Asking.of(settings, margin=0), Terms(), owner=owner)


def create(cloud: FakeVast, ask_id: int = 1, **body: Any) -> requests.Response:
    told = {"image": "x", "label": "mine", **body}
    return requests.put(f"{cloud.url}/api/v0/asks/{ask_id}/", json=told, headers=AS_ME, timeout=5)


def page(cloud: FakeVast, **query: Any) -> dict[str, Any]:
    answer = requests.get(cloud.url + "/api/v1/instances/", params=query, headers=AS_ME, timeout=5)
    found: dict[str, Any] = answer.json()
    return found


AS_ME = {"Authorization": "Bearer good"}


@pytest.mark.parametrize("market", ["spot", "on-demand"])
@pytest.mark.parametrize("ssh_key", ["", "ssh-ed25519 AAAA me"])
def test_every_create_of_the_adapter_is_valid_by_the_documentation(
    cloud: FakeVast, market: Market, ssh_key: str
) -> None:
    provider = connected(cloud)
    offers = [o for o in provider.offers(Want(gpus=(("H100", 0),), markets=(market,))) if o.available == "yes"]
    provider.launch(order(offers[:3], ssh_key=ssh_key, script="#" * 3900, disk_gb=60))
    creates = [c for c in cloud.calls if c.method == "PUT"]
    assert creates and all(c.headers["Content-Type"] == "application/json" for c in creates)
    for call in creates:
        validate(call.json, CREATE)
        assert sum(len(w) for w in (*call.json.get("args", ()), call.json.get("onstart", ""))) <= 4096


def test_listing_and_ending_ask_only_what_is_documented(cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    cloud.asks[0]["gpu_frac"] = 0.01
    for _ in range(30):
        create(cloud, label="sl-o-job-1-0")
    provider = connected(cloud)
    cloud.calls.clear()
    provider.terminate([m.instance_id for m in provider.list_machines()])
    for call in cloud.calls:
        assert set(call.query) <= {"limit", "after_token"} and int(call.query.get("limit", 1)) <= 25
        assert call.method == "GET" or (call.method, call.json) == ("DELETE", {})
    assert cloud.contracts == {}


def test_a_row_of_the_listing_has_the_documented_fields(cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0)
    create(cloud, 1, price=1.5, env={"A": "b"})
    create(cloud, 2, runtype="ssh_proxy", onstart="true")
    for row in page(cloud, limit=25)["instances"]:
        assert set(ROW) <= set(row)
        assert not [k for k, kind in ROW.items() if not isinstance(row[k], kind)]


def test_pages_have_25_rows_at_most_and_5_without_a_limit(cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    cloud.asks[0]["gpu_frac"] = 0.01
    for _ in range(60):
        create(cloud)
    assert [len(page(cloud, **q)["instances"]) for q in ({"limit": 100}, {"limit": 0}, {})] == [25, 5, 5]
    first = page(cloud, limit=25)
    assert (first["instances_found"], first["total_instances"], first["label_counts"]) == (25, 60, {"mine": 60})
    last = page(cloud, limit=25, after_token=page(cloud, limit=25, after_token=first["next_token"])["next_token"])
    assert (len(last["instances"]), last["next_token"]) == (10, None)
    assert page(cloud, after_token="!")["error"] == "invalid_args"


@pytest.mark.parametrize(
    "body",
    [
        {"gpu": 1},
        {"image": ""},
        {"disk": 4},
        {"disk": 10**6},
        {"price": 200},
        {"price": "1"},
        {"env": "-e A=b"},
        {"args": ["x" * 5000], "runtype": "args"},
        {"runtype": "ssh_direc ssh_proxy"},
        {"label": "x" * 300},
        {"cancel_unavail": "yes"},
    ],
    ids=lambda b: next(iter(b)),
)
def test_a_create_that_is_not_valid_is_refused(cloud: FakeVast, body: dict[str, Any]) -> None:
    sell(cloud, 2.0)
    answer = create(cloud, **body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_args")
    assert cloud.fleet.left() == []


def test_a_price_makes_it_a_bid_and_a_bid_below_the_floor_is_refused(cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0)
    assert create(cloud, 1, price=1.2).json()["success"]
    assert create(cloud, 2, price=1.4, cancel_unavail=True).json()["error"] == "invalid_price"
    assert [(c.is_bid, c.base_usd_hour) for c in cloud.contracts.values()] == [(True, 1.2)]


def test_a_bid_that_cannot_start_is_kept_and_billed_unless_it_shall_be_cancelled(cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    kept = create(cloud, price=0.1).json()
    assert not kept["success"] and kept["new_contract"] in cloud.contracts
    assert len(cloud.fleet.left()) == 2


def test_hiring_goes_before_bids_high_bids_before_low_and_ties_keep_who_is_there(cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    low = create(cloud, price=1.2).json()["new_contract"]
    assert create(cloud, price=1.2, cancel_unavail=True).json()["error"] == "resources_unavailable"
    high = create(cloud, price=1.5, cancel_unavail=True).json()["new_contract"]
    assert cloud.contracts[low].stopped and not cloud.contracts[high].stopped
    hired = create(cloud).json()["new_contract"]
    assert cloud.contracts[high].stopped and not cloud.contracts[hired].stopped
    assert create(cloud).json()["error"] == "no_such_ask"


def test_a_machine_that_is_gone_reads_null_and_ending_it_says_so(cloud: FakeVast) -> None:
    url = cloud.url + "/api/v0/instances/42/"
    assert requests.get(url, headers=AS_ME, timeout=5).json() == {"instances": None}
    gone = requests.delete(url, json={}, headers=AS_ME, timeout=5)
    assert (gone.status_code, gone.json()["error"]) == (404, "no_such_instance")


def test_machines_need_a_key(cloud: FakeVast) -> None:
    cloud.keys = {"good"}
    for method, path in (("GET", "v1/instances/"), ("DELETE", "v0/instances/1/"), ("PUT", "v0/asks/1/")):
        answer = requests.request(method, f"{cloud.url}/api/{path}", json={}, timeout=5)
        assert answer.status_code == 401


def test_all_that_was_rented_is_billed_until_it_is_destroyed(cloud: FakeVast) -> None:
    sell(cloud, 2.0)
    contract = create(cloud, price=1.2).json()["new_contract"]
    cloud.preempt(str(contract))
    assert cloud.fleet.left() == [f"machine:{contract}", f"contract:{contract}"]
    requests.delete(f"{cloud.url}/api/v0/instances/{contract}/", json={}, headers=AS_ME, timeout=5)
    assert cloud.fleet.left() == [] and cloud.fleet.bills()["mine"][0] > 0
