from __future__ import annotations

import pytest

from spotlaunch.errors import ProviderError
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp, compute_error
from tests.providers.gcp.conftest import Make, offer, order

ID = "us-central1-a/sl-o-job-1-0"


def test_with_a_machine_goes_its_disk_and_its_address(cloud: FakeGcp, renting: Make) -> None:
    renting().launch(order())
    assert cloud.fleet.left() == [f"machine:{ID}", f"disk:{ID}", f"ip:{ID}"]
    assert renting().terminate([ID]) == {}
    assert cloud.fleet.left() == []


def test_what_is_absent_or_no_id_of_ours_has_ended(cloud: FakeGcp, renting: Make) -> None:
    ids = [ID, "us-central9-z/sl-o-job-1-0", "i-0abc", "", "us-central1-a/disks/sl-o-job-1-0", "us-central1-a/a/b"]
    assert renting().terminate(ids) == {}
    assert renting().terminate(ids) == {}


def test_machines_of_zones_for_ai_are_ended(cloud: FakeGcp, renting: Make) -> None:
    renting().terminate(["us-central1-ai1a/sl-o-job-1-0"])
    assert [c.path.partition("/zones/")[2] for c in cloud.calls if c.method == "DELETE"] == [
        "us-central1-ai1a/instances/sl-o-job-1-0"
    ]


def test_one_that_fails_does_not_spoil_the_others_and_is_told_without_the_account(
    cloud: FakeGcp, renting: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = renting()
    ids = [
        provider.launch(order(offer(zone=f"us-central1-{letter}"), key=f"sl-o-{letter}-1-0")).instance_id
        for letter in "abc"
    ]
    said = f"Required permission for 'projects/{data.PROJECT}' by {data.SERVICE_ACCOUNT}"
    monkeypatch.setattr(cloud, "refusals", {"forbidden": compute_error(403, "forbidden", said)})
    cloud.fail("forbidden", path="us-central1-b/instances/")
    failures = provider.terminate(ids)
    assert list(failures) == [ids[1]] and "may not do this" in failures[ids[1]]
    assert data.PROJECT not in failures[ids[1]] and data.SERVICE_ACCOUNT not in failures[ids[1]]
    cloud.heal()
    assert provider.terminate(ids) == {} and cloud.fleet.left() == []


@pytest.mark.parametrize("kind", ["server-error", "drop", "throttle", "malformed", "bad-gateway"])
def test_an_end_that_was_not_heard_is_a_failure_and_is_asked_once(cloud: FakeGcp, renting: Make, kind: str) -> None:
    provider = renting()
    provider.launch(order())
    cloud.fail(kind, path="/instances/")
    cloud.calls.clear()
    assert list(provider.terminate([ID])) == [ID]
    assert len(cloud.calls) == 1
    cloud.heal()
    # It may have ended nevertheless; if not, the next word of it does.
    assert provider.terminate([ID]) == {} and cloud.fleet.left() == []


def test_an_end_that_failed_is_asked_for_anew_and_not_passed_over_as_a_repetition(
    cloud: FakeGcp, renting: Make
) -> None:
    renting().launch(order())
    renting().terminate([ID])
    renting().launch(order(key="sl-o-job-2-0"))
    renting().terminate([ID])
    tokens = [c.query["requestId"] for c in cloud.calls if c.method == "DELETE"]
    assert len(set(tokens)) == len(tokens) == 2


def test_without_anybody_to_ask_all_fail_at_once(renting: Make) -> None:
    provider = renting(endpoint="http://127.0.0.1:9")
    assert list(provider.terminate([ID])) == [ID]
    with pytest.raises(ProviderError):
        provider.list_machines()
