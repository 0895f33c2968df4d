"""From the watchdog's side to a living machine: real passes, links, seals and processes, a store over the S3 wire."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotlaunch.core.book import Job
from spotlaunch.core.facts import Order
from spotlaunch.core.plan import Launch
from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.home import Home
from spotlaunch.ports import Blobs
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.links import link
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.passes import make_pass
from spotlaunch.storage.places import parse, whereabouts
from spotlaunch.watchdog.boots import Boots
from spotlaunch.watchdog.passes import Passes
from spotlaunch.watchdog.passkeys import PassKeys
from tests.boot.ground import cloud_of_machines
from tests.core.worlds import CLOUD, a_job, an_offer
from tests.fakes.machine import JOB, TRAIN, order, soon
from tests.fakes.s3 import CREDENTIALS, make_bucket, s3_server
from tests.sim.clock import AtOnce

pytestmark = pytest.mark.e2e

SECRET = "planted-secret-51c0ffee"
# From a notice to the launch call, all in all; this is the store's part of it, over a wire without distance.
SOON_ENOUGH_S = 1.0
BARE_TRAIN = "python3 -c '" + TRAIN.replace("'", "'\\''") + "'"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    with s3_server() as found:
        make_bucket(found, "bucket")
        yield found


class Desk:
    """The watchdog's part of a launch, wired as `watchdog.serve` does it."""

    def __init__(self, endpoint: str, home: Home) -> None:
        self.job: Job = a_job(store_url="s3://bucket/team", store_endpoint=endpoint, store_region="us-east-1")
        ref = BlobStoreRef(url=self.job.store_url, endpoint=endpoint, region="us-east-1")
        told = Settings(provider="store", values={"sts_endpoint": endpoint})
        self.blobs: Blobs = open_blobs(ref.url, endpoint=endpoint)
        self.complaints: list[str] = []

        def mailbox(job: Job) -> Mailbox:
            return Mailbox(self.blobs, job.name)

        self.passes = Passes(
            make=lambda job: make_pass(ref, job.name, told, now=time.time()),
            mailbox=mailbox,
            keys=PassKeys(home),
            now=time.time,
            workers=AtOnce(),
            complain=self.complaints.append,
        )
        self.boots = Boots(
            mailbox=mailbox,
            passes=self.passes,
            link=lambda job, key: link(ref, job.name, key, told, now=time.time()),
            whereabouts=lambda job: whereabouts(parse(job.store_url), job.store_endpoint, job.store_region),
            workers=AtOnce(),
        )

    def prepare(self, attempt: int = 1) -> Order:
        doc = order(attempt, run=BARE_TRAIN, env={"STEPS": "20"}, secrets=["TOKEN"])
        Mailbox(self.blobs, JOB).put_order(doc)
        asked = Order(
            launch_key=f"sl-x-{JOB}-{attempt}-0",
            job=JOB,
            attempt=attempt,
            alternatives=(an_offer(),),
            ttl_s=3600.0,
            agent_env={
                "SPOTLAUNCH_STORE_URL": self.job.store_url,
                "SPOTLAUNCH_STORE_ENDPOINT": "",
                "SPOTLAUNCH_JOB": JOB,
                "SPOTLAUNCH_ATTEMPT": str(attempt),
                "SPOTLAUNCH_STILL_S": "0.3",
            },
        )
        call = Launch(provider="cloud", order=asked, doc=doc)
        return self.boots.prepare(self.job, call, {"TOKEN": SECRET}, CLOUD)


def test_a_machine_lives_on_what_the_watchdog_prepared_and_no_secret_lies_open(endpoint: str, tmp_path: Path) -> None:
    desk = Desk(endpoint, Home(tmp_path / "home").prepare())
    prepared = desk.prepare()
    own = desk.passes.current(desk.job).found.env["AWS_SECRET_ACCESS_KEY"]
    with cloud_of_machines() as cloud:
        machine = cloud.rent(prepared.script)
        mailbox = Mailbox(desk.blobs, JOB)
        soon(lambda: (s := mailbox.status(1)) is not None and s.phase == "left", "the end of the job", 60.0)
        status = mailbox.status(1)
        assert status is not None
        assert (status.left_why, status.exit_code, status.step) == ("exited", 0, 20)
        soon(lambda: not machine.alive, "the machine's end")
        lying = [desk.blobs.get(info.key) for info in desk.blobs.list(f"jobs/{JOB}")]
        lying += [prepared.script.encode(), repr(prepared).encode()]
        lying += [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
        for marker in (SECRET, own, CREDENTIALS["AWS_SECRET_ACCESS_KEY"]):
            assert not [1 for data in lying if marker.encode() in data]


def test_the_second_launch_of_a_job_is_prepared_in_a_moment(endpoint: str, tmp_path: Path) -> None:
    desk = Desk(endpoint, Home(tmp_path / "home").prepare())
    desk.prepare(1)
    began = time.monotonic()
    desk.prepare(2)
    assert time.monotonic() - began < SOON_ENOUGH_S
