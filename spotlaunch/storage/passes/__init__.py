"""Passes: credentials for one job's folder in the store, which is all that a rented machine gets.

One front door for all kinds of stores: `make_pass` makes one, `opens` says in words what it would open.
"""

from __future__ import annotations

from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable, SpotlaunchError
from spotlaunch.storage.opening import AWS_ID, AWS_SECRET
from spotlaunch.storage.passes import boundary, r2, sas, sts
from spotlaunch.storage.passes.folder import Folder, folder_of

# How long a pass is asked for; each kind of store gives what it can. Long, so that a job goes on while the computer
# of the watchdog is asleep; not longer, as a machine that was taken keeps what it was given.
LASTS_S = 12 * 3600.0

WAYS = (
    "set SPOTLAUNCH_STORE_STS_ENDPOINT where it has AssumeRole at another address, or"
    " SPOTLAUNCH_STORE_CLOUDFLARE_TOKEN for R2, or SPOTLAUNCH_STORE_MACHINE_ACCESS_KEY_ID and"
    " SPOTLAUNCH_STORE_MACHINE_SECRET_ACCESS_KEY, a key made for"
    " machines that opens only this bucket (docs/stores.md)"
)


def make_pass(ref: BlobStoreRef, job: str, told: Settings, *, now: float, lasts_s: float = LASTS_S) -> Pass:
    """Credentials to read, write, delete and list ``jobs/<job>/`` in the store ``ref``, and nothing else.

    For a folder of this computer the pass is empty. ``told``: the section `store` of the configuration. ``now`` in
    seconds since the epoch; the pass lasts ``lasts_s``, or as long as that kind of store lets it. Raises
    `BlobsUnavailable`, with a hint, where none can be had: this computer's own keys are never sent instead.
    """
    folder = folder_of(ref, job, told)
    match folder.place.scheme:
        case "file":
            return Pass()
        case "gs":
            return boundary.by_boundary(folder)
        case "az":
            return sas.by_signature(folder, lasts_s=lasts_s, now=now)
        case _:
            return _of_s3(folder, lasts_s=lasts_s, now=now)


def _of_s3(folder: Folder, *, lasts_s: float, now: float) -> Pass:
    told, way = folder.told, _way(folder)
    if way == "role":
        return sts.by_role(folder, told.get("role", sts.ANY_ROLE), lasts_s=lasts_s)
    if way == "federation":
        return sts.by_federation(folder, lasts_s=lasts_s)
    if way == "cloudflare":
        return r2.by_cloudflare(folder, told.secret("cloudflare_token"), lasts_s=lasts_s, now=now)
    if way == "keys":
        return _machine_keys(folder)
    try:
        # MinIO and its likes answer it at the store's own address.
        return sts.by_role(folder, told.get("role", sts.ANY_ROLE), lasts_s=lasts_s)
    except BlobsUnavailable as e:
        raise BlobsUnavailable(
            f"no pass to {folder.place.url}: this server does not answer AssumeRole, so it is not known how it gives "
            f"out credentials for one folder, and your own keys are not sent to machines ({e.message})",
            hint=WAYS,
        ) from e


def _way(folder: Folder) -> str:
    """How a pass to this S3 store is made; empty: nobody said, so the server itself is asked for a session."""
    told = folder.told
    if not folder.endpoint:
        return "role" if told.get("role") else "federation"
    if r2.is_r2(folder.endpoint) and told.secret("cloudflare_token"):
        return "cloudflare"
    if told.get("sts_endpoint"):
        return "role"
    return "keys" if told.get("machine_access_key_id") else ""


def _machine_keys(folder: Folder) -> Pass:
    key_id, secret = folder.told.get("machine_access_key_id"), folder.told.secret("machine_secret_access_key")
    if not secret:
        raise BlobsUnavailable(
            f"no pass to {folder.place.url}: the machines' access key has no secret",
            hint="set SPOTLAUNCH_STORE_MACHINE_SECRET_ACCESS_KEY",
        )
    if key_id == sts.access_key_id(folder):
        raise BlobsUnavailable(
            f"no pass to {folder.place.url}: the machines' access key is your own, which is not sent to machines",
            hint="make another one at the store, which opens only this bucket",
        )
    return Pass(env={AWS_ID: key_id, AWS_SECRET: secret})


def opens(ref: BlobStoreRef, told: Settings) -> str:
    """What machines get to open in the store ``ref``, for a person; nothing is asked of a cloud but Azure's kind.

    Where no pass can be made it says so.
    """
    try:
        folder = folder_of(ref, "<job>", told)
        return _opens(folder)
    except SpotlaunchError as e:
        return f"no machine of a cloud can use it: {e.message}"


def _opens(folder: Folder) -> str:
    url = f"{folder.place.scheme}://{folder.bucket}/{folder.prefix}"
    only = f"machines get passes that open {url} and nothing else"
    match folder.place.scheme:
        case "file":
            return "only machines that share this computer's disk can use it; they need no pass"
        case "gs":
            return f"{only}, for an hour each"
        case "az" if sas.is_hierarchical(folder):
            return only
        case "az":
            return f"machines get passes that open the whole container {folder.bucket}: this account has no directories"
    match _way(folder):
        case "keys":
            return f"machines get the key made for them, which opens the whole bucket {folder.bucket} and never ends"
        case "federation":
            sts.refuse_temporary(folder)
        case "":
            return f"{only}, if this server answers AssumeRole (docs/stores.md says what else there is)"
    return only
