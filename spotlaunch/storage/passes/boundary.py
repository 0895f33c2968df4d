"""Passes to Google Cloud Storage: a token of an hour, downscoped by a credential access boundary.

https://cloud.google.com/iam/docs/downscoping-short-lived-credentials
"""

from __future__ import annotations

import os
from datetime import UTC
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.opening import GOOGLE_TOKEN
from spotlaunch.storage.passes.folder import Folder

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
WRITER, READER = "inRole:roles/storage.objectUser", "inRole:roles/storage.objectViewer"
STORAGE = "https://storage.googleapis.com"
KEY_FILE = "GOOGLE_APPLICATION_CREDENTIALS"

LOGIN_HINT = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"


def folder_rule(folder: Folder) -> str:
    """Where a pass is good, in CEL: the objects under the prefix, and listings of it."""
    prefix = _text(folder.prefix)
    objects = _text(f"projects/_/buckets/{folder.bucket}/objects/{folder.prefix}")
    listed = "api.getAttribute('storage.googleapis.com/objectListPrefix', '')"
    return f"resource.name.startsWith({objects}) || {listed}.startsWith({prefix})"


def object_rule(folder: Folder, key: str) -> str:
    """Where a link is good: one object, ``key`` being its whole name in the bucket."""
    return "resource.name == " + _text(f"projects/_/buckets/{folder.bucket}/objects/{key}")


def _text(text: str) -> str:
    """A string of the Common Expression Language, in which a quote ends nothing that it should not."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def by_boundary(folder: Folder, *, request: Any = None) -> Pass:
    """A token for the folder and nothing else, for an hour at most. Raises `BlobsUnavailable` with a hint."""
    token, expires_at = _downscoped(folder, WRITER, folder_rule(folder), request)
    return Pass(env={GOOGLE_TOKEN: token}, expires_at=expires_at)


def object_link(folder: Folder, key: str, *, request: Any = None) -> tuple[str, str]:
    """URL and header to read one object, by a token that reads nothing else. Raises `BlobsUnavailable`."""
    token, _ = _downscoped(folder, READER, object_rule(folder, key), request)
    base = folder.endpoint.rstrip("/") or STORAGE
    return f"{base}/{folder.bucket}/{quote(key)}", f"Authorization: Bearer {token}"


def can_sign(folder: Folder) -> bool:
    """Whether the login here is the key of a service account, which signs links by itself."""
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2.service_account import Credentials

    try:
        return isinstance(_login(os.environ.get(KEY_FILE, "")), Credentials)
    except (GoogleAuthError, OSError, ValueError) as e:
        raise _trouble(folder, e) from e


@lru_cache(maxsize=4)
def _login(key_file: str) -> Any:
    """This computer's own credentials; kept, as looking for them may start gcloud, which takes its time."""
    from google.auth import default

    del key_file  # named in the environment, where the library looks
    found, _ = default(scopes=[SCOPE])
    return found


def _downscoped(folder: Folder, permission: str, expression: str, request: Any) -> tuple[str, float]:
    """A token and when it ends. ``request`` is google-auth's way out; None: over the network."""
    from google.auth import downscoped
    from google.auth.exceptions import GoogleAuthError

    # As Any: the library has no types here.
    kit: Any = downscoped
    rule = kit.AccessBoundaryRule(
        available_resource=f"//storage.googleapis.com/projects/_/buckets/{folder.bucket}",
        available_permissions=[permission],
        availability_condition=kit.AvailabilityCondition(expression),
    )
    try:
        source = _login(os.environ.get(KEY_FILE, ""))
        found = kit.Credentials(source, kit.CredentialAccessBoundary(rules=[rule]))
        found.refresh(request or _request())
    except (GoogleAuthError, OSError, ValueError) as e:
        # Somebody may log in anew, which only a new look finds.
        _login.cache_clear()
        raise _trouble(folder, e) from e
    # google-auth keeps a time without its zone, which is UTC.
    return str(found.token), float(found.expiry.replace(tzinfo=UTC).timestamp())


def _request() -> Any:
    from google.auth.transport.requests import Request

    return Request()


def _trouble(folder: Folder, e: Exception) -> BlobsUnavailable:
    # Its class and not its text, which may name the account.
    return BlobsUnavailable(f"no pass to {folder.place.url}: Google gave no token: {type(e).__name__}", hint=LOGIN_HINT)
