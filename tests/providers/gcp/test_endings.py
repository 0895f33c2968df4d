from __future__ import annotations

from typing import Any

import pytest

from spotlaunch.core.facts import SeenMachine
from spotlaunch_providers.gcp import endings
from spotlaunch_providers.gcp.machines import Listed
from spotlaunch_providers.gcp.names import delete_token
from tests.providers.gcp.conftest import offer

ID = "us-central1-a/sl-o-job-1-0"
BASE = "https://www.googleapis.com/compute/v1/projects/p/zones/us-central1-a"


def listed(number: str = "7", dies_at: float | None = None) -> Listed:
    seen = SeenMachine(launch_key="sl-o-job-1-0", instance_id=ID, pool=offer().pool, phase="running")
    return Listed(seen=seen, number=number, dies_at=dies_at)


def operation(kind: str, *, number: str = "7", user: str = "me@example.com", **more: Any) -> dict[str, Any]:
    times = {"insertTime": "2026-11-21T10:00:00.000-08:00", "endTime": "2026-11-21T10:00:30.500-08:00"}
    where = {"zone": BASE, "targetLink": f"{BASE}/instances/sl-o-job-1-0", "targetId": number}
    return {"operationType": kind, "user": user, **times, **where, **more}


def reason(*operations: dict[str, Any], machine: Listed | None = None) -> str:
    found = endings.of(operations, [machine or listed()], owner="o")
    return found[ID].reason if ID in found else "nothing"


def test_operations_on_an_earlier_bearer_of_the_name_say_nothing() -> None:
    earlier = operation("compute.instances.preempted", number="6", user="system")
    assert reason(earlier) == "nothing"
    assert reason(earlier, machine=listed(number="")) == "preempted"


def test_an_operation_that_tells_no_number_is_of_the_bearer_of_the_name() -> None:
    unnumbered = {k: v for k, v in operation("compute.instances.preempted").items() if k != "targetId"}
    assert reason(unnumbered) == "preempted"
    assert reason(unnumbered | {"targetLink": f"{BASE}/instances/sl-o-job-2-0"}) == "nothing"


@pytest.mark.parametrize("kind", endings.BY_GOOGLE)
def test_what_google_did_counts_before_what_was_asked(kind: str) -> None:
    deleted, theirs = operation("delete"), operation(kind, user="system")
    assert reason(deleted, theirs) == reason(theirs, deleted) == endings.BY_GOOGLE[kind]


def test_an_ending_is_told_with_googles_words_and_the_moment_it_was_over() -> None:
    taken = operation("compute.instances.preempted", user="system", statusMessage="Instance was preempted.")
    ending = endings.of([taken], [listed()], owner="o")[ID]
    assert (ending.detail, ending.at) == ("Instance was preempted.", 1795284030.5)
    del taken["endTime"]
    assert endings.of([taken], [listed()], owner="o")[ID].at is None


def test_hands_are_told_apart() -> None:
    assert reason(operation("delete")) == "by-hand"
    assert reason(operation("stop")) == "by-hand"
    assert reason(operation("delete", clientOperationId=delete_token("o"))) == "asked"
    assert reason(operation("delete", clientOperationId=delete_token("x"))) == "by-hand"
    assert reason(operation("delete", user="system")) == ""
    assert reason(operation("delete", user="system"), machine=listed(dies_at=1795284000.0)) == "ttl"
    assert reason(operation("delete", user="system"), machine=listed(dies_at=1795284000.0 + 3600)) == ""


def test_a_launch_that_went_well_and_labels_that_changed_end_nothing() -> None:
    assert reason(operation("insert"), operation("setLabels")) == "nothing"
    failed = operation("insert", error={"errors": [{"code": "STOCKOUT", "message": "none left"}]})
    assert reason(failed) == "failed"
