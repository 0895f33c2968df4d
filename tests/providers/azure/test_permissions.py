"""The role in configs/permissions holds exactly what the adapter's calls need."""

from __future__ import annotations

import json
import re
from pathlib import Path

from spotlaunch.core.facts import Want
from spotlaunch_providers.azure import examine
from spotlaunch_providers.azure.permissions import CALLED, IMPLIED, not_covered
from tests.fakes.clouds.azure import FakeAzure
from tests.fakes.waiting import eventually
from tests.providers.azure.conftest import settings
from tests.providers.azure.launching_help import KEY, order, provider

ROLE = json.loads((Path(__file__).parents[3] / "configs/permissions/azure.json").read_text())
VERBS = {"GET": "read", "PUT": "write", "DELETE": "delete"}
# POST, and paths that are not named like what they need.
SPECIAL = {
    r"/providers/Microsoft\.ResourceGraph/resources": "Microsoft.ResourceGraph/resources/read",
    r".*/placementScores/spot/generate": "Microsoft.Compute/locations/placementScores/generate/action",
    r".*/Microsoft\.Insights/eventtypes/management/values": "Microsoft.Insights/eventtypes/values/read",
    r".*/Microsoft\.Compute/locations/\w+/operations/[\w-]+": "Microsoft.Compute/locations/operations/read",
    r".*/Microsoft\.Compute/locations/\w+/usages": "Microsoft.Compute/locations/usages/read",
}


def action(method: str, path: str) -> str:
    """What Azure wants to be allowed for a call: the types along the path, and the verb."""
    for pattern, needed in SPECIAL.items():
        if re.fullmatch(pattern, path):
            return needed
    if found := re.search(r"/providers/(Microsoft\.\w+)/(\w+)(?:/[\w-]+)?$", path):
        return f"{found[1]}/{found[2]}/{VERBS[method]}"
    assert re.search(r"/resourcegroups(/[\w-]+)?$", path, re.IGNORECASE), path
    return f"Microsoft.Resources/subscriptions/resourceGroups/{VERBS[method]}"


def test_the_role_holds_exactly_the_calls_that_the_adapter_makes(cloud: FakeAzure, tmp_path: Path) -> None:
    azure = provider(cloud, tmp_path, regions="westus")
    azure.offers(Want(gpus=(("T4", 1),)))
    azure.launch(order(ssh_key="ssh-ed25519 AAAA me"))
    eventually(lambda: any(m.phase == "running" for m in azure.list_machines()))
    cloud.vanish(KEY)
    azure.list_machines()
    cloud.lose_answers(after=True)
    azure.launch(order(key="sl-ab12cd-train-2-0"))
    azure.terminate([KEY, "sl-ab12cd-train-2-0"])
    examine(settings=settings(cloud, regions="westus"))
    made = {action(c.method, c.path) for c in cloud.calls if c.path != "/api/retail/prices"}
    assert made | set(IMPLIED) == set(ROLE["Actions"])
    assert set(CALLED) <= made and not made & set(IMPLIED)


def test_the_role_is_one_that_azure_takes() -> None:
    assert ROLE.keys() == {"Name", "IsCustom", "Description", "Actions", "NotActions", "AssignableScopes"}
    assert sorted(ROLE["Actions"]) == ROLE["Actions"] and not any("*" in a for a in ROLE["Actions"])


def test_a_role_gives_what_it_names_but_for_what_it_takes_out() -> None:
    contributor = {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}
    assert not_covered(["Microsoft.Compute/disks/write", "microsoft.authorization/roles/write"], [contributor]) == [
        "microsoft.authorization/roles/write"
    ]
    assert not_covered(CALLED, [{"actions": ["*/read"]}]) == [a for a in CALLED if not a.endswith("read")]
    assert not_covered(CALLED, [{"actions": list(CALLED), "notActions": []}]) == []
