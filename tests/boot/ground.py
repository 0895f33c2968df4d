"""A machine of a fake cloud that gets a sealed letter over the S3 wire, as a watchdog would prepare it."""

from __future__ import annotations

import base64
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from spotlaunch.boot.archive import agent_archive
from spotlaunch.boot.loader import loader
from spotlaunch.core import wire
from spotlaunch.core.wire import Letter, OrderDoc, StartDoc, Status
from spotlaunch.ports import Blobs
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.mailbox import Mailbox
from tests.fakes.clouds.fleet import Fleet, Rented
from tests.fakes.machine import JOB, SOON_S, soon
from tests.fakes.s3 import CREDENTIALS, client, make_bucket, s3_server

PREFIX = "some/prefix"
# What must be found nowhere on a machine in the clear, but in the environment of those who need it.
MARK = "planted-9f3a7c21"
# What `shutdown` does in a fake machine, without its name: should the way to commands be lost in a test (a login shell
# makes its own), it must not be this computer that shuts down.
END = ': > "$SPOTLAUNCH_FAKE_POWER"'


def seal(key: bytes, data: bytes, about: str) -> bytes:
    nonce = os.urandom(12)
    return b"sl1" + nonce + ChaCha20Poly1305(key).encrypt(nonce, data, about.encode())


@dataclass
class Store:
    """A bucket on a server of this computer."""

    endpoint: str
    bucket: str
    blobs: Blobs
    key: bytes = field(default_factory=lambda: os.urandom(32))

    def link(self, key: str) -> str:
        found: str = client(self.endpoint).generate_presigned_url(
            "get_object", Params={"Bucket": self.bucket, "Key": f"{PREFIX}/{key}"}, ExpiresIn=3600
        )
        return found

    def put_letter(self, doc: OrderDoc, start: StartDoc, archive: bytes = b"", digest: str = "") -> str:
        """Everything that a machine finds in the store; gives its boot script's link."""
        data, own = agent_archive()
        Mailbox(self.blobs, JOB).put_order(doc)
        agent = wire.agent_key(JOB, own)
        self.blobs.put(agent, archive or data)
        about = wire.start_key(JOB, doc.attempt)
        sealed = base64.b64encode(seal(self.key, wire.encode(start), about)).decode()
        letter = Letter(agent_url=self.link(agent), agent_sha256=digest or own, sealed=sealed)
        self.blobs.put(about, wire.encode(letter))
        return self.link(about)

    def start_doc(self, attempt: int = 1, **more: Any) -> StartDoc:
        env = {
            "SPOTLAUNCH_STORE_URL": f"s3://{self.bucket}/{PREFIX}",
            "SPOTLAUNCH_STORE_ENDPOINT": self.endpoint,
            "SPOTLAUNCH_STORE_REGION": "us-east-1",
            "SPOTLAUNCH_JOB": JOB,
            "SPOTLAUNCH_ATTEMPT": str(attempt),
            "SPOTLAUNCH_STILL_S": "0.3",
            **more.pop("env", {}),
        }
        usual: dict[str, Any] = {
            "pass_env": {**CREDENTIALS, "AWS_SESSION_TOKEN": f"{MARK}-token"},
            "pass_key": base64.b64encode(os.urandom(32)).decode(),
            "secrets": {"TOKEN": f"{MARK}-secret"},
            "end_command": END,
        }
        return StartDoc(env=env, **{**usual, **more})

    def script(self, url: str, end_command: str = END) -> str:
        return loader(url=url, key=base64.b64encode(self.key).decode(), end_command=end_command)

    def status(self, attempt: int = 1) -> Status | None:
        return Mailbox(self.blobs, JOB).status(attempt)

    def when(self, true: Any, what: str, within_s: float = 2 * SOON_S) -> Status:
        found: Status = soon(lambda: (s := self.status()) is not None and true(s) and s, what, within_s)
        return found

    def output(self, attempt: int = 1) -> str:
        return b"".join(chunk for _, chunk in Mailbox(self.blobs, JOB).logs(attempt)).decode()


class Cloud:
    """A fleet that counts how often its machines were shut down from inside, and ends them then if it is told to."""

    def __init__(self, *, ends: bool = True) -> None:
        self.offs: list[float] = []
        self.fleet = Fleet(run=True, on_power_off=self._off)
        self._ends = ends

    def _off(self, machine: Rented) -> None:
        self.offs.append(time.monotonic())
        if self._ends:
            self.fleet.end(machine.id, "itself")

    def rent(self, script: str, env: Mapping[str, str] | None = None) -> Rented:
        machine = Rented(
            id=f"m-{secrets.token_hex(4)}",
            key="sl-x-digits-1-0",
            market="spot",
            price_usd_hour=Decimal(1),
            script=script,
            env=dict(env or {}),
        )
        return self.fleet.rent(machine)


def root_of(machine: Rented) -> Path:
    assert machine.folder is not None
    return machine.folder / "root"


def console(machine: Rented) -> str:
    return (machine.folder / "console.log").read_text() if machine.folder is not None else ""


@contextmanager
def cloud_of_machines(*, ends: bool = True) -> Iterator[Cloud]:
    """Whatever happens, nothing of it is left running."""
    cloud = Cloud(ends=ends)
    try:
        yield cloud
    except BaseException:
        for machine in cloud.fleet.machines.values():
            print(f"--- console of {machine.id}:\n{console(machine)}")
        raise
    finally:
        cloud.fleet.close()


@contextmanager
def store_over_s3() -> Iterator[Store]:
    bucket = f"jobs-{secrets.token_hex(4)}"
    with s3_server() as endpoint:
        make_bucket(endpoint, bucket)
        yield Store(endpoint, bucket, open_blobs(f"s3://{bucket}/{PREFIX}", endpoint=endpoint))


def as_json(text: str) -> dict[str, str]:
    """The last line of ``text`` that is an object."""
    return dict(json.loads([line for line in text.splitlines() if line.startswith("{")][-1]))
