"""configs/permissions/vast.md says what the key must allow: exactly the calls that are made."""

from __future__ import annotations

import json
import re
from pathlib import Path

from spotlaunch_providers import vast
from tests.fakes.clouds.vast import FakeVast
from tests.providers.vast.conftest import KEY, Connect, offered, order, sell, settings

PAGE = Path(__file__).parents[3] / "configs" / "permissions" / "vast.md"

# Vast.ai's own map of calls to categories: vast-ai/docs, api-reference/permissions.mdx.
CATEGORIES = {
    "POST /api/v0/bundles/": "misc",
    "GET /api/v0/users/current/": "user_read",
    "GET /api/v1/instances/": "instance_read",
    "GET /api/v0/instances/{id}/": "instance_read",
    "PUT /api/v0/asks/{id}/": "instance_write",
    "POST /api/v0/instances/{id}/ssh/": "instance_write",
    "DELETE /api/v0/instances/{id}/": "instance_write",
    "GET /api/v0/charges/": "billing_read",
}


def test_the_list_has_exactly_the_calls_that_are_made(connect: Connect, cloud: FakeVast) -> None:
    sell(cloud, 2.0, 3.0)
    provider = connect()
    vast.examine(settings=settings(cloud, key=KEY))
    machine = provider.launch(order(offered(provider), ssh_key="ssh-ed25519 AAAA me")).instance_id
    cloud.preempt(machine)
    provider.list_machines()
    provider.terminate([machine])
    vast.charges(settings=settings(cloud, key=KEY), instance_ids={machine}, since_at=0.0, until_at=1.0)
    made = {f"{c.method} {re.sub('/[0-9]+/', '/{id}/', c.path)}" for c in cloud.calls}
    listed = dict(re.findall(r"^\| `([A-Z]+ [^`]+)` \| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))
    assert set(listed) == made
    assert listed == CATEGORIES


def test_the_key_has_exactly_the_categories_of_its_calls() -> None:
    block = PAGE.read_text().split("```json")[1].split("```")[0]
    assert set(json.loads(block)["api"]) == set(CATEGORIES.values())
