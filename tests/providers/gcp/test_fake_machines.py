"""The fake's machines as their own programs see them: the script that runs, and the metadata service."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotlaunch.core.settings import Settings
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.adapter import GcpProvider
from tests.fakes.clouds.gcp import FakeGcp
from tests.fakes.waiting import eventually
from tests.providers.gcp.conftest import Make, order

ID = "us-central1-a/sl-o-job-1-0"
HEADER = {"Metadata-Flavor": "Google"}


def ask(cloud: FakeGcp, what: str, headers: dict[str, str] = HEADER, timeout: float = 5.0) -> str:
    url = f"{cloud.url}/-/metadata/{ID}/computeMetadata/v1/{what}"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as answer:
        found: str = answer.read().decode()
        return found


def test_a_machine_learns_of_its_end_by_a_question_that_hangs(cloud: FakeGcp, renting: Make) -> None:
    renting().launch(order())
    assert ask(cloud, "instance/preempted") == "FALSE"
    heard: list[tuple[str, float]] = []

    def listen() -> None:
        heard.append((ask(cloud, "instance/preempted?wait_for_change=true"), time.monotonic()))

    listener = threading.Thread(target=listen)
    listener.start()
    time.sleep(0.15)
    assert heard == []
    told_at = time.monotonic()
    cloud.preempt(ID, notice_s=30)
    listener.join(timeout=5)
    assert heard[0][0] == "TRUE" and heard[0][1] - told_at < 0.5
    assert ask(cloud, "instance/maintenance-event") == "NONE"
    assert not cloud.called("/-/")


def test_the_metadata_service_answers_those_only_who_know_it(cloud: FakeGcp, renting: Make) -> None:
    renting().launch(order(script="true"))
    assert ask(cloud, "instance/attributes/startup-script") == "true"
    assert ask(cloud, "instance/name") == "sl-o-job-1-0"
    for headers in ({}, {**HEADER, "X-Forwarded-For": "10.0.0.1"}):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            ask(cloud, "instance/preempted", headers)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(cloud, "instance/attributes/nothing")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[FakeGcp, GcpProvider]]:
    fake = FakeGcp(filler=2, run_machines=True)
    with fake.serving() as url:
        values = {"endpoint": url, "billing_endpoint": url, "project": "spotlaunch-fake-4711", "auth": "none"}
        account = Account(Settings(provider="gcp", values=values))
        yield fake, GcpProvider(owner="o", folder=tmp_path / "gcp", account=account)


def test_a_script_runs_at_boot_with_the_way_to_its_metadata_and_shuts_its_machine_down(
    running: tuple[FakeGcp, GcpProvider], tmp_path: Path
) -> None:
    fake, provider = running
    said = tmp_path / "said"
    script = f'#!/bin/sh\necho "$SPOTLAUNCH_METADATA_GCP" > {said}\n{provider.traits.end_command}\n'
    provider.launch(order(script=script))
    eventually(lambda: not fake.fleet.up())
    assert said.read_text().strip() == f"{fake.url}/-/metadata/{ID}"
    (seen,) = provider.list_machines()
    assert (seen.phase, seen.ending_reason) == ("stopped", "itself")
    provider.terminate([seen.instance_id])
    assert fake.fleet.left() == []


def test_a_machine_that_is_taken_leaves_no_process_and_nothing_else(running: tuple[FakeGcp, GcpProvider]) -> None:
    fake, provider = running
    provider.launch(order(script="sleep 1000"))
    (machine,) = eventually(fake.fleet.booted)
    eventually(lambda: machine.process is not None)
    fake.preempt(ID, notice_s=0.1)
    eventually(lambda: not fake.fleet.left())
    eventually(lambda: machine.process is not None and machine.process.poll() is not None)
