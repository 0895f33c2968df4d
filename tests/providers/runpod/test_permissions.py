"""The list of permissions holds exactly the calls that are made."""

from __future__ import annotations

import re
from pathlib import Path

from spotlaunch.core.facts import Want
from spotlaunch_providers import runpod
from tests.fakes.clouds.runpod import FakeRunpod
from tests.providers.runpod.conftest import KEY, Connect, settings
from tests.providers.runpod.ordering import an_order, stock

LIST = Path(__file__).parents[3] / "configs" / "permissions" / "runpod.md"


def listed() -> dict[str, str]:
    rows = re.findall(r"^\| `(\w+ /\S+)` \| (\w+) \|", LIST.read_text(), re.MULTILINE)
    return dict(rows)


def made(cloud: FakeRunpod) -> set[str]:
    return {f"{c.method} " + re.sub(r"^(/v2/pods)/.+", r"\1/{id}", c.path) for c in cloud.calls}


def test_the_list_is_what_the_adapter_and_check_ask(connect: Connect, cloud: FakeRunpod) -> None:
    stock(cloud)
    provider = connect()
    provider.offers(Want(gpus=(("L40S", 1),)))
    pod_id = provider.launch(an_order()).instance_id
    provider.list_machines()
    cloud.exit(pod_id)
    provider.list_machines()
    provider.terminate([pod_id])
    runpod.charges(settings=settings(cloud, key=KEY), instance_ids={pod_id}, since_at=0.0, until_at=1.0)
    asked = made(cloud)
    assert asked == set(listed())
    cloud.calls.clear()
    runpod.examine(settings=settings(cloud, key=KEY))
    assert made(cloud) == asked - {"POST /v2/pods", "GET /v2/billing/pods"}


def test_the_list_says_what_changes_something() -> None:
    writes = {call for call, needs in listed().items() if needs == "write"}
    assert writes == {"POST /v2/pods", "DELETE /v2/pods/{id}"}


def test_check_tells_a_key_that_may_only_read(cloud: FakeRunpod) -> None:
    cloud.fail("forbidden", path="/v2/pods/")
    found = {f.name: f for f in runpod.examine(settings=settings(cloud, key=KEY))}
    assert found["pods"].ok and not found["ending pods"].ok
    assert "read and write" in found["ending pods"].hint
