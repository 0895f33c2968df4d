"""Passes and links to Azure: the signature is computed again here, by the documented string to sign.

https://learn.microsoft.com/en-us/rest/api/storageservices/create-user-delegation-sas
https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import UserDelegationKey

from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.passes import opens, sas
from spotlaunch.storage.passes.folder import Folder, folder_of

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
KEY = base64.b64encode(b"k" * 64).decode()
FIELDS_OF_USER = ("skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid", "scid", "skdutid", "sduoid")


class Service:
    """What is used of a `BlobServiceClient`."""

    def __init__(self, *, directories: bool) -> None:
        self.directories = directories
        self.spans: list[tuple[datetime, datetime]] = []
        self.error: Exception | None = None

    def get_account_information(self) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return {"sku_name": "x", "account_kind": "StorageV2", "is_hns_enabled": self.directories}

    def get_user_delegation_key(self, key_start_time: datetime, key_expiry_time: datetime) -> UserDelegationKey:
        if self.error is not None:
            raise self.error
        self.spans.append((key_start_time, key_expiry_time))
        key = UserDelegationKey()
        key.signed_oid, key.signed_tid, key.signed_service = "oid", "tid", "b"
        key.signed_start, key.signed_expiry = "2027-01-02T02:49:05Z", "2027-01-02T15:04:05Z"
        key.signed_version, key.value = "2025-07-05", KEY
        return key


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in sas.KEY_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "acct")


def a_folder(job: str = "a", **told: str) -> Folder:
    return folder_of(BlobStoreRef(url="az://cont/team"), job, Settings(provider="store", values=told))


def signed(query: str, resource: str, *, by_user: bool) -> bool:
    """Whether the signature of ``query`` is right for ``resource``."""
    said = {k: v[0] for k, v in parse_qs(query).items()}

    def of(*names: str) -> list[str]:
        return [said.get(name, "") for name in names]

    lines = [*of("sp", "st", "se"), f"/blob/acct{resource}"]
    lines += of(*FIELDS_OF_USER) if by_user else of("si")
    lines += [*of("sip", "spr", "sv", "sr"), "", *of("ses")]
    if by_user:
        lines += ["", ""]  # headers and query parameters that must be sent along: none
    lines += of("rscc", "rscd", "rsce", "rscl", "rsct")
    made = hmac.new(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256).digest()
    return base64.b64encode(made).decode() == said["sig"]


@pytest.mark.parametrize("by_user", [True, False], ids=["a login", "the account's key"])
def test_where_there_are_directories_a_pass_is_signed_for_the_jobs(
    by_user: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not by_user:
        monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
    service = Service(directories=True)
    found = sas.by_signature(a_folder(), lasts_s=12 * 3600, now=NOW, service=service)
    assert found.expires_at == NOW + 12 * 3600
    assert found.env["AZURE_STORAGE_ACCOUNT_NAME"] == "acct"
    token = found.env["AZURE_STORAGE_SAS_TOKEN"]
    said = {k: v[0] for k, v in parse_qs(token).items()}
    assert (said["sr"], said["sdd"], said["sp"], said["spr"]) == ("d", "3", "rcwdl", "https")
    assert said["se"] == "2027-01-02T15:04:05Z"
    assert signed(token, "/cont/team/jobs/a", by_user=by_user)
    assert not signed(token, "/cont/team/jobs/a-2", by_user=by_user)
    assert bool(service.spans) == by_user
    assert KEY not in token


def test_without_directories_a_pass_opens_the_container_and_that_is_told() -> None:
    token = sas.by_signature(a_folder(), lasts_s=3600, now=NOW, service=Service(directories=False)).env[
        "AZURE_STORAGE_SAS_TOKEN"
    ]
    assert parse_qs(token)["sr"] == ["c"]
    assert signed(token, "/cont", by_user=True)
    told = Settings(provider="store", values={"hierarchical": "no"})
    assert "the whole container cont" in opens(BlobStoreRef(url="az://cont/team"), told)
    told = Settings(provider="store", values={"hierarchical": "yes"})
    assert "az://cont/team/jobs/<job>/ and nothing else" in opens(BlobStoreRef(url="az://cont/team"), told)


def test_a_pass_lasts_a_week_at_most_and_its_key_begins_a_little_earlier() -> None:
    service = Service(directories=True)
    found = sas.by_signature(a_folder(), lasts_s=30 * 86400, now=NOW, service=service)
    assert found.expires_at == NOW + 7 * 86400
    assert [(s.timestamp() < NOW - 60, e.timestamp()) for s, e in service.spans] == [(True, found.expires_at)]


def test_a_link_reads_one_object() -> None:
    url = sas.object_link(
        a_folder(), "team/jobs/a/start/000001", lasts_s=3600, now=NOW, service=Service(directories=False)
    )
    parts = urlsplit(url)
    assert (parts.netloc, parts.path) == ("acct.blob.core.windows.net", "/cont/team/jobs/a/start/000001")
    said = {k: v[0] for k, v in parse_qs(parts.query).items()}
    assert (said["sr"], said["sp"], said["se"]) == ("b", "r", "2027-01-02T04:04:05Z")
    assert signed(parts.query, "/cont/team/jobs/a/start/000001", by_user=True)


def test_what_the_account_does_not_say_must_be_told() -> None:
    service = Service(directories=True)
    service.error = HttpResponseError("subscription 0badcafe may not")
    with pytest.raises(BlobsUnavailable, match="cannot ask the account for its kind") as refused:
        sas.by_signature(a_folder(), lasts_s=60, now=NOW, service=service)
    assert "SPOTLAUNCH_STORE_HIERARCHICAL" in refused.value.hint
    assert "0badcafe" not in refused.value.message
    service.error = None
    found = sas.by_signature(a_folder(hierarchical="yes"), lasts_s=60, now=NOW, service=service)
    assert "sr=d" in found.env["AZURE_STORAGE_SAS_TOKEN"]
    with pytest.raises(BlobsUnavailable, match="'perhaps'"):
        sas.by_signature(a_folder(hierarchical="perhaps"), lasts_s=60, now=NOW, service=service)


def test_a_login_that_may_not_sign_is_told_the_roles() -> None:
    service = Service(directories=True)
    service.error = ClientAuthenticationError("user ann@example.org may not")
    with pytest.raises(BlobsUnavailable, match="user delegation key") as refused:
        sas.by_signature(a_folder(hierarchical="yes"), lasts_s=60, now=NOW, service=service)
    assert "Storage Blob Delegator" in refused.value.hint
    assert "example.org" not in refused.value.message


def test_without_an_account_there_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME")
    with pytest.raises(BlobsUnavailable, match="account is not known"):
        sas.by_signature(a_folder(hierarchical="no"), lasts_s=60, now=NOW, service=Service(directories=True))
