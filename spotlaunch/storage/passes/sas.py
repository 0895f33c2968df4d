"""Passes and links to Azure Blob Storage: shared access signatures.

A directory can be signed for only where the account has hierarchical namespaces; elsewhere the least that can be
opened is the container. https://learn.microsoft.com/en-us/rest/api/storageservices/create-user-delegation-sas
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote

from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.opening import AZURE_ACCOUNT, AZURE_SAS
from spotlaunch.storage.passes.folder import Folder

T = TypeVar("T")

# read, create, write, delete, list: in the order that Azure wants.
FOLDER_MAY, OBJECT_MAY = "rcwdl", "r"
# The longest life of a user delegation key.
MOST_S = 7 * 86_400
# Clocks differ: a key that begins now might not have begun there.
EARLIER_S = 900.0
KEY_NAMES = ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY")

LOGIN_HINT = (
    "set AZURE_STORAGE_ACCOUNT_KEY, or run `az login` with an account that has the roles Storage Blob Data Contributor "
    "and Storage Blob Delegator"
)
FLAT_HINT = (
    "set SPOTLAUNCH_STORE_HIERARCHICAL to yes where the account has hierarchical namespaces, else to no: then a pass "
    "opens the whole container"
)


def by_signature(folder: Folder, *, lasts_s: float, now: float, service: Any = None) -> Pass:
    """A signature for the folder, or for the whole container where there are no directories.

    ``service`` stands in for the `BlobServiceClient` in tests. Raises `BlobsUnavailable` with a hint.
    """
    lasts_s, directories = min(lasts_s, MOST_S), is_hierarchical(folder, service)
    signing = _Signing(folder, service, now=now, until=now + lasts_s)
    token = signing.directory(folder.path) if directories else signing.container()
    return Pass(env={AZURE_ACCOUNT: signing.account, AZURE_SAS: token}, expires_at=now + lasts_s)


def object_link(folder: Folder, key: str, *, lasts_s: float, now: float, service: Any = None) -> str:
    """A URL that reads one object, ``key`` being its whole name in the container. Raises `BlobsUnavailable`."""
    signing = _Signing(folder, service, now=now, until=now + lasts_s)
    return f"{_address(folder)}/{folder.bucket}/{quote(key)}?{signing.blob(key)}"


def is_hierarchical(folder: Folder, service: Any = None) -> bool:
    """Whether the account has directories. Raises `BlobsUnavailable` when it does not say, and nobody told."""
    told = folder.told.get("hierarchical").lower()
    if told in ("yes", "true", "no", "false"):
        return told in ("yes", "true")
    if told:
        raise BlobsUnavailable(f"no pass to {folder.place.url}: hierarchical is {told[:20]!r}", hint=FLAT_HINT)
    client = service or _service(folder)
    # https://learn.microsoft.com/en-us/rest/api/storageservices/get-account-information
    return bool(
        _asked(folder, "ask the account for its kind", client.get_account_information, FLAT_HINT)["is_hns_enabled"]
    )


class _Signing:
    """Signs with the account's key where that is at hand, else with a key of the login's (user delegation)."""

    def __init__(self, folder: Folder, service: Any, *, now: float, until: float) -> None:
        self.account = _account(folder)
        self._container = folder.bucket
        self._until = datetime.fromtimestamp(until, UTC)
        key = account_key()
        if key:
            self._with: dict[str, Any] = {"account_key": key}
            return
        client, since = service or _service(folder), datetime.fromtimestamp(now - EARLIER_S, UTC)
        found = _asked(
            folder,
            "get a user delegation key",
            lambda: client.get_user_delegation_key(key_start_time=since, key_expiry_time=self._until),
            LOGIN_HINT,
        )
        self._with = {"user_delegation_key": found}

    def directory(self, path: str) -> str:
        from azure.storage.blob import generate_blob_sas

        return self._sign(generate_blob_sas, path, may=FOLDER_MAY, is_directory=True, sdd=len(path.split("/")))

    def container(self) -> str:
        from azure.storage.blob import generate_container_sas

        return self._sign(generate_container_sas, may=FOLDER_MAY)

    def blob(self, key: str) -> str:
        from azure.storage.blob import generate_blob_sas

        return self._sign(generate_blob_sas, key, may=OBJECT_MAY)

    def _sign(self, make: Callable[..., Any], *name: str, may: str, **more: Any) -> str:
        what = {"permission": may, "expiry": self._until, "protocol": "https", **more}
        return str(make(self.account, self._container, *name, **what, **self._with))


def account_key() -> str:
    """The storage account's own key, where this computer has it."""
    return next((os.environ[name] for name in KEY_NAMES if os.environ.get(name)), "")


def _account(folder: Folder) -> str:
    found = os.environ.get(AZURE_ACCOUNT, "")
    if not found:
        raise BlobsUnavailable(
            f"no pass to {folder.place.url}: the storage account is not known", hint="set AZURE_STORAGE_ACCOUNT_NAME"
        )
    return found


def _address(folder: Folder) -> str:
    return folder.endpoint.rstrip("/") or f"https://{_account(folder)}.blob.core.windows.net"


def _service(folder: Folder) -> Any:
    return _client(_address(folder), account_key())


@lru_cache(maxsize=4)
def _client(address: str, key: str) -> Any:
    """Kept, as it keeps its login: getting one may start the Azure CLI, which takes seconds."""
    from azure.identity import DefaultAzureCredential
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient(
        address,
        credential=key or DefaultAzureCredential(),
        connection_timeout=3,
        read_timeout=10,
        retry_total=1,
    )


def _asked(folder: Folder, verb: str, call: Callable[[], T], hint: str) -> T:
    from azure.core.exceptions import AzureError

    try:
        return call()
    except AzureError as e:
        # Somebody may log in anew, which only a new look finds.
        _client.cache_clear()
        # Its code and not its text, which names subscriptions and principals.
        what = str(getattr(e, "error_code", "") or "") or type(e).__name__
        raise BlobsUnavailable(f"no pass to {folder.place.url}: cannot {verb}: {what}", hint=hint) from e
