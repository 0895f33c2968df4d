"""The machines of the fake Azure: they run what they are given, and are told of their end as on the real one."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from spotlaunch.core.facts import Want
from tests.fakes.clouds.azure import FakeAzure
from tests.fakes.waiting import eventually
from tests.providers.azure.launching_help import KEY, T4, offer, order, provider

SCRIPT = """#!/bin/sh
cat > "$SPOTLAUNCH_ROOT/watch.py" <<'EOF'
import json, os, time, urllib.request
where = os.environ["SPOTLAUNCH_METADATA_AZURE"] + "/metadata/scheduledevents?api-version=2020-07-01"
while True:
    told = json.load(urllib.request.urlopen(urllib.request.Request(where, headers={"Metadata": "true"})))
    if told["Events"]:
        event = told["Events"][0]
        open(os.environ["SPOTLAUNCH_ROOT"] + "/told", "w").write(json.dumps(event))
        body = json.dumps({"StartRequests": [{"EventId": event["EventId"]}]}).encode()
        urllib.request.urlopen(urllib.request.Request(where, data=body, headers={"Metadata": "true"}))
        break
    time.sleep(0.05)
EOF
exec python3 "$SPOTLAUNCH_ROOT/watch.py"
"""


@pytest.fixture
def cloud() -> Iterator[FakeAzure]:
    made = FakeAzure(run_machines=True)
    with made.serving():
        yield made


def test_a_machine_runs_its_script_hears_of_its_eviction_and_may_hasten_it(cloud: FakeAzure, tmp_path: Path) -> None:
    azure = provider(cloud, tmp_path)
    azure.launch(order(script=SCRIPT))
    eventually(lambda: cloud.fleet.machines[KEY].folder is not None)
    folder = cloud.fleet.machines[KEY].folder
    assert folder is not None and len(azure.list_machines()) == 1
    cloud.preempt(KEY, notice_s=60)
    eventually(lambda: not cloud.fleet.up())
    event = json.loads((folder / "root" / "told").read_text())
    assert (event["EventType"], event["EventStatus"]) == ("Preempt", "Scheduled")
    assert event["NotBefore"].endswith("GMT") and KEY in cloud.acknowledged
    # Its programs are gone a moment before Azure stops listing it.
    eventually(lambda: [m.phase for m in azure.list_machines()] == ["stopped", "gone"])


def test_a_machine_that_shuts_itself_down_is_still_paid_for(cloud: FakeAzure, tmp_path: Path) -> None:
    azure = provider(cloud, tmp_path)
    azure.launch(order(script="#!/bin/sh\nshutdown -h now\n"))
    stopped = eventually(lambda: [m for m in azure.list_machines() if m.phase == "stopped"])
    assert stopped[0].ending_reason == "itself" and cloud.fleet.up()
    azure.terminate([KEY])
    assert cloud.fleet.left() == []


def test_scheduled_events_want_the_header_of_azure(cloud: FakeAzure, tmp_path: Path) -> None:
    provider(cloud, tmp_path).launch(order(script=""))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{cloud.url}/-/metadata/{KEY}/metadata/scheduledevents?api-version=2020-07-01")
    assert caught.value.code == 400


def test_a_price_that_a_test_sets_is_what_is_offered_and_billed(cloud: FakeAzure, tmp_path: Path) -> None:
    cloud.set_price("0.33", region="westus", instance_type=f"Standard_{T4}", market="spot")
    azure = provider(cloud, tmp_path, regions="westus")
    offers = [o for o in azure.offers(Want(gpus=(("T4", 1),))) if o.pool == offer().pool]
    assert [o.price_usd_hour for o in offers] == [Decimal("0.33")]
    azure.launch(order(offers[0], script=""))
    assert cloud.fleet.machines[KEY].price_usd_hour == Decimal("0.33")


def test_secrets_of_the_order_reach_nobody(cloud: FakeAzure, tmp_path: Path) -> None:
    secret = "hush-5b1c9e"
    azure = provider(cloud, tmp_path)
    made = order(script="#!/bin/sh\n# hush-in-script\n", secret_env={"TOKEN": secret}, agent_env={"A": "b"})
    azure.launch(made)
    sent = b"".join(c.body for c in cloud.calls).decode()
    assert secret not in sent and "hush-in-script" not in sent  # the script is sent in base64
    shown = json.dumps([cloud.show(m) for m in cloud.machines.values()])
    assert "customData" not in shown
    assert secret not in repr(vars(azure)) and "hush-in-script" not in repr(made)
