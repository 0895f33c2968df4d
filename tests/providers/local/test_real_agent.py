"""A machine with the real agent on it: what it reports reaches the mailbox, and it leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spotlaunch.core.facts import Order
from spotlaunch.core.wire import OrderDoc
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch_providers.local import machines
from spotlaunch_providers.local.adapter import AGENT, LocalProvider
from tests.fakes.local_machines import processes_under
from tests.fakes.waiting import eventually

pytestmark = pytest.mark.e2e


def test_the_agent_runs_the_job_reports_and_its_machine_shuts_down(
    connect: Callable[..., LocalProvider], order: Callable[..., Order], folder: Path, tmp_path: Path
) -> None:
    store = f"file://{tmp_path / 'store'}"
    mailbox = Mailbox(open_blobs(store), "job")
    mailbox.put_order(
        OrderDoc(job="job", attempt=1, run='echo "said $TOKEN"; exit 7', secrets=["TOKEN"], report_every_s=0.2)
    )
    provider = connect("notice: 5s", agent=AGENT)
    where = {"SPOTLAUNCH_STORE_URL": store, "SPOTLAUNCH_JOB": "job", "SPOTLAUNCH_ATTEMPT": "1"}
    provider.launch(order(provider, agent_env=where, secret_env={"TOKEN": "hush-77"}))
    (bill,) = eventually(lambda: machines.bills(folder), within_s=30)
    ended = (folder / "ended" / f"{bill.instance_id}.json").read_text()
    assert bill.why.startswith("agent left with exit code"), ended
    status = mailbox.status(1)
    assert status is not None, ended
    assert (status.phase, status.left_why, status.exit_code) == ("left", "exited", 7)
    assert b"said" in b"".join(data for _, data in mailbox.logs(1))
    assert "hush-77" not in ended
    eventually(lambda: not processes_under(folder))
