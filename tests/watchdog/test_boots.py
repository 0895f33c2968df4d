"""What is made ready for a machine before its launch, and where its secrets do not stand."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.agent.unseal import CannotOpen, open_sealed
from spotlaunch.core import wire
from spotlaunch.core.book import Job
from spotlaunch.core.facts import SCRIPT_MOST_BYTES
from spotlaunch.core.wire import Letter, Pass, StartDoc
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.home import Home
from spotlaunch.storage.links import Link
from spotlaunch.watchdog.boots import SILENT_S, Boots
from spotlaunch.watchdog.passes import Passes
from spotlaunch.watchdog.passkeys import PassKeys
from tests.core.worlds import CLOUD, JOB, NOW, a_new_job
from tests.sim.clock import AtOnce
from tests.watchdog.ground import SECRETS, Cloud, Ground

ARCHIVE = b"the agent's code"
DIGEST = hashlib.sha256(ARCHIVE).hexdigest()
PASS_MARKER = "marker-pass-secret"
MARKERS = (SECRETS["TOKEN"], PASS_MARKER)
CONTAINERS = replace(CLOUD, container_image="pytorch:latest", notice_source="", notice_s=0.0)


class Stage:
    """A ground whose orders are made ready as for a real cloud. ``passes_made`` counts what its cloud was asked for."""

    def __init__(self, tmp_path: Path, *clouds: Cloud) -> None:
        self.home = Home(tmp_path / "home").prepare()
        self.passes_made = self.packed = 0
        self.trouble: BlobsUnavailable | None = None
        self.keys = PassKeys(self.home)
        self.ground: Ground = Ground(*clouds, prepare=self._prepare, renew=lambda book: self.passes.renew(book))
        self.passes = Passes(
            make=self._make,
            mailbox=self.mailbox,
            keys=self.keys,
            now=self.ground.clock.now,
            workers=AtOnce(),
            complain=self.ground.complaints.append,
        )
        self.boots = Boots(
            mailbox=self.mailbox,
            passes=self.passes,
            link=lambda job, key: Link(url=f"https://store/{key}?signed", header="X-Half: hour"),
            whereabouts=lambda job: ("https://store", "us-1"),
            workers=AtOnce(),
            archive=self._archive,
        )

    def mailbox(self, job: Job) -> Any:
        return self.ground.watchdog._out.mailbox(job)

    def _prepare(self, *args: Any) -> Any:
        return self.boots.prepare(*args)

    def _archive(self) -> tuple[bytes, str]:
        self.packed += 1
        return ARCHIVE, DIGEST

    def _make(self, job: Job) -> Pass:
        if self.trouble is not None:
            raise self.trouble
        self.passes_made += 1
        env = {"AWS_SECRET_ACCESS_KEY": f"{PASS_MARKER}-{self.passes_made}"}
        return Pass(env=env, expires_at=self.ground.clock.now() + 3600)

    @property
    def objects(self) -> dict[str, bytes]:
        return {key: data for key, (data, _) in self.ground.blobs.objects.items()}

    def letter(self, attempt: int = 1) -> tuple[Letter, StartDoc]:
        """The letter, opened with the key in the script as the machine opens it."""
        key = wire.start_key(JOB, attempt)
        letter = wire.decode(Letter, self.objects[key])
        opened = open_sealed(self.script_key(), base64.b64decode(letter.sealed), about=key)
        return letter, wire.decode(StartDoc, opened)

    def script_key(self) -> bytes:
        script = self.ground.cloud.orders[-1].script
        for found in re.findall(r"[A-Za-z0-9+/]{43}=", script):
            return base64.b64decode(found)
        raise AssertionError(f"no key in {script}")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    made = Stage(tmp_path)
    job = a_new_job()
    spec = replace(job.spec, secrets=("TOKEN",), image="my/image")
    made.ground.submit(replace(job, spec=spec, store_url="s3://bucket/team"))
    return made


def test_a_machine_of_a_cloud_gets_a_script_and_no_secret_by_its_provider(stage: Stage) -> None:
    stage.ground.look()
    order = stage.ground.cloud.orders[0]
    assert order.script.startswith("#!/bin/sh")
    assert len(order.script.encode()) <= SCRIPT_MOST_BYTES
    assert f"https://store/{wire.start_key(JOB, 1)}?signed" in order.script
    assert (dict(order.secret_env), order.job) == ({}, JOB)


def test_the_letter_leads_to_the_agents_code_and_holds_all_else_sealed(stage: Stage) -> None:
    stage.ground.look()
    letter, start = stage.letter()
    assert letter.agent_url == f"https://store/{wire.agent_key(JOB, DIGEST)}?signed"
    assert (letter.agent_header, letter.agent_sha256) == ("X-Half: hour", DIGEST)
    assert stage.objects[wire.agent_key(JOB, DIGEST)] == ARCHIVE
    assert start.secrets == SECRETS
    assert start.pass_env == {"AWS_SECRET_ACCESS_KEY": f"{PASS_MARKER}-1"}
    assert start.pass_expires_at == NOW + 3600
    assert (start.silent_s, start.end_command, start.image) == (SILENT_S, CLOUD.end_command, "my/image")
    assert start.ttl_s == stage.ground.cloud.orders[0].ttl_s > 0
    assert start.env["SPOTLAUNCH_STORE_URL"] == "s3://bucket/team"
    assert (start.env["SPOTLAUNCH_STORE_ENDPOINT"], start.env["SPOTLAUNCH_STORE_REGION"]) == ("https://store", "us-1")
    assert (start.env["SPOTLAUNCH_JOB"], start.env["SPOTLAUNCH_ATTEMPT"]) == (JOB, "1")
    assert start.env["SPOTLAUNCH_NOTICE_S"] == "120"


def test_limits_stand_in_the_letter_for_an_agent_that_cannot_read_its_order(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    job = a_new_job()
    limits = replace(job.spec.limits, runtime_s=7200.0)
    stage.ground.submit(replace(job, spec=replace(job.spec, limits=limits)))
    stage.ground.look()
    env = stage.letter()[1].env
    assert env["SPOTLAUNCH_RUNTIME_LEFT_S"] == "7200"
    assert "SPOTLAUNCH_BUDGET_LEFT_S" not in env, "0 is no limit, and must not be taken for one"


def test_nothing_of_this_computers_environment_goes_along(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "own-key-marker")
    monkeypatch.setenv("MY_OWN_VARIABLE", "own-variable-marker")
    stage.ground.look()
    sent = repr(stage.letter()) + str(stage.letter()[1].env) + stage.ground.cloud.orders[0].script
    assert "own-key-marker" not in sent + str(stage.letter()[1].pass_env)
    assert "MY_OWN_VARIABLE" not in sent


def test_where_machines_are_containers_the_job_is_not_put_into_another(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Cloud(traits=CONTAINERS))
    job = a_new_job()
    stage.ground.submit(replace(job, spec=replace(job.spec, image="my/image")))
    stage.ground.look()
    start = stage.letter()[1]
    assert (start.image, start.notice_source) == ("", "")
    assert "SPOTLAUNCH_NOTICE_S" not in start.env


def test_where_machines_share_this_disk_all_stays_as_it_was(tmp_path: Path) -> None:
    stage = Stage(tmp_path, Cloud(traits=replace(CLOUD, shares_disk=True)))
    stage.ground.submit(a_new_job())
    stage.ground.look()
    order = stage.ground.cloud.orders[0]
    assert (order.script, dict(order.secret_env)) == ("", SECRETS)
    assert not [key for key in stage.objects if "/start/" in key or "/agent/" in key]
    assert stage.passes_made == 0


def test_no_marker_comes_out_anywhere_but_sealed(stage: Stage) -> None:
    stage.ground.look()
    ground = stage.ground
    shown = [
        ground.cloud.orders[0].script,
        repr(ground.cloud.orders) + repr(ground.told) + repr(ground.complaints),
        repr(ground.store.read_book()) + repr(ground.store.events(JOB)),
        *(data.decode(errors="replace") + key for key, data in stage.objects.items()),
        *(path.read_text() for path in stage.home.path.rglob("*") if path.is_file()),
        repr(stage.keys.all()) + repr(stage.letter()),
    ]
    assert [m for m in MARKERS for text in shown if m in text] == []


def test_the_key_of_one_letter_opens_no_other(stage: Stage) -> None:
    stage.ground.look()
    letter = wire.decode(Letter, stage.objects[wire.start_key(JOB, 1)])
    with pytest.raises(CannotOpen):
        open_sealed(stage.script_key(), base64.b64decode(letter.sealed), about=wire.start_key(JOB, 2))


def another_attempt(stage: Stage, after_s: float = 30) -> None:
    """The machine is lost, and the next one launched."""
    before = len(stage.ground.cloud.orders)
    stage.ground.cloud.machines.clear()
    for _ in range(60):
        stage.ground.look(after_s)
        if len(stage.ground.cloud.orders) > before:
            return
    raise AssertionError("no other attempt was launched")


def test_the_next_attempt_has_keys_of_its_own_but_code_and_pass_are_at_hand(stage: Stage) -> None:
    stage.ground.look()
    first, first_key = stage.letter()[1], stage.script_key()
    another_attempt(stage)
    second = stage.letter(2)[1]
    assert stage.script_key() != first_key
    assert second.pass_key != first.pass_key
    assert stage.passes_made == 1
    assert stage.ground.blobs.calls["create"] == 1 + 2, "the code once, and two orders"


def test_a_new_watchdog_does_not_send_the_code_again(stage: Stage) -> None:
    stage.ground.look()
    stage.boots._uploaded.clear()
    another_attempt(stage)
    assert stage.ground.blobs.calls["create"] == 1 + 2


def test_a_pass_that_is_half_over_is_not_given_to_a_new_machine(stage: Stage) -> None:
    stage.ground.look()
    another_attempt(stage, after_s=1801)
    start = stage.letter(2)[1]
    assert start.pass_env != {"AWS_SECRET_ACCESS_KEY": f"{PASS_MARKER}-1"}
    assert start.pass_expires_at == stage.ground.clock.now() + 3600


def test_without_a_pass_nothing_is_launched_and_the_reason_is_told_with_its_hint(stage: Stage) -> None:
    stage.trouble = BlobsUnavailable("no pass to s3://bucket", hint="set SPOTLAUNCH_STORE_ROLE")
    stage.ground.look()
    assert stage.ground.cloud.orders == []
    event = next(e for e in stage.ground.told if e.kind == "not_ready")
    assert "no pass to s3://bucket" in event.text
    assert event.data["hint"] == "set SPOTLAUNCH_STORE_ROLE"
    assert "no pass to s3://bucket" in stage.ground.store.job(JOB).note
    stage.trouble = None
    stage.ground.look(30)
    assert len(stage.ground.cloud.orders) == 1


@pytest.mark.parametrize("part", ["/agent/", "/start/"])
def test_a_store_that_breaks_off_in_between_means_no_launch(stage: Stage, part: str) -> None:
    def full(op: str, key: str) -> None:
        if part in key:
            raise BlobsUnavailable("no network")

    stage.ground.blobs.fail = full
    stage.ground.look()
    assert stage.ground.cloud.orders == []
    stage.ground.blobs.fail = None
    stage.ground.look(30)
    assert len(stage.ground.cloud.orders) == 1


def test_the_code_is_packed_in_advance_once_and_only_when_a_job_may_need_it(stage: Stage) -> None:
    book = stage.ground.store.read_book()
    at_home = replace(book, jobs=(a_new_job(store_url="file:///home"),))
    stage.boots.warm(at_home)
    assert stage.packed == 0
    stage.boots.warm(book)
    stage.boots.warm(book)
    assert stage.packed == 1
