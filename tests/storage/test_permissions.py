"""The policy files that users start from: enough for what passes and their owner do, and nothing more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.storage.passes import sts
from spotlaunch.storage.passes.folder import folder_of
from tests.storage.policies import allows

FILES = Path(__file__).resolve().parents[2] / "configs" / "permissions"
STORE = BlobStoreRef(url="s3://BUCKET/PREFIX", region="us-east-1")


def policy(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FILES / name).read_text())
    return found


def actions(document: dict[str, Any]) -> set[str]:
    found = [s["Action"] for s in document["Statement"]]
    return {a for one in found for a in (one if isinstance(one, list) else [one])}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("store-aws.json", {"sts:GetFederationToken"}),
        ("store-aws-with-role.json", {"sts:AssumeRole"}),
        ("store-aws-role.json", set()),
    ],
)
def test_aws_is_asked_for_what_a_pass_holds_and_the_call_that_makes_it(name: str, more: set[str]) -> None:
    document, needed = policy(name), sts.policy(folder_of(STORE, "a", Settings(provider="store")))
    assert actions(document) == actions(needed) | more
    for action in actions(needed) - {"s3:ListBucket"}:
        assert allows(document, action, "arn:aws:s3:::BUCKET/PREFIX/jobs/a/x")
        assert not allows(document, action, "arn:aws:s3:::BUCKET/elsewhere")
    for prefix in ("PREFIX/jobs/a/", "PREFIX/probe/"):
        assert allows(document, "s3:ListBucket", "arn:aws:s3:::BUCKET", prefix=prefix)
    assert not allows(document, "s3:ListBucket", "arn:aws:s3:::BUCKET", prefix="")


def test_the_name_of_a_session_is_one_that_the_policy_lets_be_made() -> None:
    federated = next(s for s in policy("store-aws.json")["Statement"] if s["Action"] == "sts:GetFederationToken")
    name = sts._name(folder_of(STORE, "a" * 60, Settings(provider="store")))
    assert federated["Resource"].endswith(":federated-user/sl-*")
    assert name.startswith("sl-")
    assert len(name) <= 32


def test_a_role_trusts_the_account_to_assume_it_and_nothing_else() -> None:
    assert actions(policy("store-aws-role-trust.json")) == {"sts:AssumeRole"}


def test_google_is_asked_for_objects_only() -> None:
    found = policy("store-gs.json")["includedPermissions"]
    assert {p.rpartition(".")[0] for p in found} == {"storage.objects", "storage.multipartUploads"}


def test_azure_is_asked_for_blobs_and_the_key_that_signs() -> None:
    found = policy("store-az.json")
    assert {a.rpartition("blobServices/")[2] for a in found["Actions"]} == {
        "containers/read",
        "generateUserDelegationKey/action",
        "getInfo/action",
    }
    assert all("/containers/blobs/" in a for a in found["DataActions"])
