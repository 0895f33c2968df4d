"""Names and ids of machines at Google: the launch key as a name, an id of zone and name, tokens of requests. Pure."""

from __future__ import annotations

import hashlib
import os
import re
import uuid

MOST = 63  # characters of a name or a label
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_ZONE = re.compile(r"[a-z]+-[a-z]+[0-9]+-[a-z][a-z0-9]*")  # also us-central1-ai1a
_SIGN_BYTES = 6


def machine_name(launch_key: str) -> str:
    """The launch key, where it can be a name (RFC 1035, 63 characters); else its beginning and a digest of it.

    The exact key always stands in the machine's metadata.
    """
    if _NAME.fullmatch(launch_key):
        return launch_key
    digest = hashlib.sha256(launch_key.encode()).hexdigest()[:10]
    tame = re.sub(r"[^a-z0-9-]+", "-", launch_key.lower())[: MOST - 14].strip("-")
    return f"sl-{tame.removeprefix('sl-')}-{digest}"


def instance_id(zone: str, name: str) -> str:
    """A name is unique in its zone only, and a machine is ended by both."""
    return f"{zone}/{name}"


def parse(instance_id: str) -> tuple[str, str] | None:
    """Zone and name; None for what can be no id of ours."""
    zone, _, name = instance_id.partition("/")
    return (zone, name) if _ZONE.fullmatch(zone) and _NAME.fullmatch(name) else None


def tail(url: object) -> str:
    """The last word of a resource's address: ``us-central1-a`` of ``.../zones/us-central1-a``."""
    return str(url or "").rpartition("/")[2]


def insert_token(*words: str) -> str:
    """The idempotency token of a launch: the same for the same machine, so that asking twice makes one."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("spotlaunch", "insert", *words))))


def delete_token(owner: str) -> str:
    """A token for one deletion, by which its operation is known for ours later.

    Not the same each time: Google ignores a call whose token it has seen, also where the first one failed.
    """
    return str(uuid.UUID(bytes=_sign(owner) + os.urandom(16 - _SIGN_BYTES), version=4))


def is_ours(token: str, owner: str) -> bool:
    """Whether the token of a deletion was made for ``owner``."""
    return token.replace("-", "").startswith(_sign(owner).hex())


def _sign(owner: str) -> bytes:
    return hashlib.sha256(f"spotlaunch delete {owner}".encode()).digest()[:_SIGN_BYTES]
