"""Deleting blobs of Azure one by one, for whoever may not do it in batches.

obstore deletes there by batches, and a batch is a request to the whole container, which a pass for one folder does not
open. https://learn.microsoft.com/en-us/rest/api/storageservices/delete-blob and .../blob-batch
Standard library only, and no newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from spotlaunch.storage.opening import AZURE_ACCOUNT, AZURE_SAS, Credentials

VERSION = "2021-12-02"
TIMEOUT_S = 10.0
AT_ONCE = 8


class Eraser:
    """``endpoint`` is the account's address (empty: Azure's own), ``prefix`` where the store is in its container."""

    def __init__(self, credentials: Credentials, *, endpoint: str, container: str, prefix: str) -> None:
        self._credentials = credentials
        self._endpoint = endpoint.rstrip("/")
        self._path = f"{container}/{prefix}".strip("/")

    def delete(self, keys: Sequence[str]) -> None:
        """Delete all; absent ones count as deleted. Raises `OSError` when that cannot be."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(self._delete, keys):
                pass

    def _delete(self, key: str) -> None:
        env = self._credentials().env
        base = self._endpoint or f"https://{env[AZURE_ACCOUNT]}.blob.core.windows.net"
        request = urllib.request.Request(
            f"{base}/{self._path}/{quote(key)}?{env[AZURE_SAS]}",
            method="DELETE",
            headers={"x-ms-version": VERSION, "x-ms-delete-snapshots": "include"},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S):
                return
        except urllib.error.HTTPError as e:
            if e.code != 404:
                raise
