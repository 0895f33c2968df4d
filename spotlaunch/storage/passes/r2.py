"""Passes to Cloudflare R2, by its own API for temporary credentials.

https://developers.cloudflare.com/api/resources/r2/subresources/temporary_credentials/methods/create/
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.opening import AWS_ID, AWS_SECRET, AWS_TOKEN
from spotlaunch.storage.passes import sts
from spotlaunch.storage.passes.folder import Folder

API = "https://api.cloudflare.com/client/v4"
HOST = ".r2.cloudflarestorage.com"
MOST_S = 604_800
TIMEOUT_S = (3.0, 10.0)

TOKEN_HINT = "check SPOTLAUNCH_STORE_CLOUDFLARE_TOKEN: an API token that may edit R2 storage in this account"


def is_r2(endpoint: str) -> bool:
    """Whether an S3 endpoint is Cloudflare's."""
    return (urlsplit(endpoint).hostname or "").endswith(HOST)


def by_cloudflare(folder: Folder, token: str, *, lasts_s: float, now: float) -> Pass:
    """Temporary credentials for the folder's prefix. Raises `BlobsUnavailable` with a hint.

    ``token`` is an API token of Cloudflare; the access key that they are made under is this computer's own.
    """
    import requests  # late: slow to import

    labels = (urlsplit(folder.endpoint).hostname or "").removesuffix(HOST).split(".")
    lasts_s = int(min(lasts_s, MOST_S))
    # A bucket of a jurisdiction (`<account>.eu.r2...`) is asked about with this header everywhere in R2's API.
    headers = {"cf-r2-jurisdiction": labels[1]} if len(labels) > 1 else {}
    try:
        answer = requests.post(
            f"{folder.told.url('cloudflare_endpoint', API)}/accounts/{labels[0]}/r2/temp-access-credentials",
            headers={"Authorization": f"Bearer {token}", **headers},
            json={
                "bucket": folder.bucket,
                "parentAccessKeyId": sts.access_key_id(folder),
                "permission": "object-read-write",
                "prefixes": [folder.prefix],
                "ttlSeconds": lasts_s,
            },
            timeout=TIMEOUT_S,
            allow_redirects=False,
        )
        found = _result(folder, answer.status_code, answer.json())
    except (requests.RequestException, ValueError) as e:
        raise _trouble(folder, f"no answer that can be read ({type(e).__name__})", "check the network") from e
    env = {AWS_ID: found["accessKeyId"], AWS_SECRET: found["secretAccessKey"], AWS_TOKEN: found["sessionToken"]}
    return Pass(env=env, expires_at=now + lasts_s)


def _result(folder: Folder, status: int, body: Any) -> dict[str, str]:
    found = body.get("result") if isinstance(body, dict) else None
    names = ("accessKeyId", "secretAccessKey", "sessionToken")
    if status == 200 and isinstance(found, dict) and all(isinstance(found.get(n), str) for n in names):
        return found
    errors = body.get("errors") if isinstance(body, dict) else None
    # The code and not the text, which a careless server may fill with what it was sent.
    codes = [str(e.get("code")) for e in errors if isinstance(e, dict)] if isinstance(errors, list) else []
    raise _trouble(folder, f"HTTP {status}, code {', '.join(codes) or 'none'}", TOKEN_HINT)


def _trouble(folder: Folder, what: str, hint: str) -> BlobsUnavailable:
    return BlobsUnavailable(
        f"no pass to {folder.place.url}: Cloudflare gave no temporary credentials: {what}", hint=hint
    )
