from __future__ import annotations

import os
import socket
from dataclasses import replace
from decimal import Decimal
from typing import Any

import psutil
import pytest

from spotlaunch.cli import overview
from spotlaunch.core.facts import Scope, Unusable
from spotlaunch.core.plan import AddAttempt, AddMachine, PutRefusal, SetAttempt
from spotlaunch.core.spec import Where
from spotlaunch.home import Home
from spotlaunch.ports import Lease
from spotlaunch.storage.store import SqliteStore
from spotlaunch.storage.unusable import note_unusable
from tests.cli.conftest import NOW, Cli
from tests.storage.samples import a_job, a_machine, a_refusal, an_attempt, an_event


def add(store: SqliteStore, name: str, **changes: Any) -> None:
    store.add_job(a_job(name, **changes), an_event(name))


@pytest.fixture
def story(store: SqliteStore) -> None:
    """One job that lost a machine and runs on another, one that is queued, one that is over."""
    add(store, "digits", submitted_at=NOW - 600, state="running", last_attempt=2, step=40, total_steps=60)
    lost = an_attempt(
        number=1, started_at=NOW - 590, ended_at=NOW - 300, outcome="preempted", step=30, commits=3, reason="taken away"
    )
    live = an_attempt(number=2, started_at=NOW - 300, phase="running", resumed_step=30, step=40, commits=1)
    store.apply(
        [
            AddAttempt(attempt=lost),
            AddAttempt(attempt=live),
            AddMachine(
                machine=a_machine(
                    attempt=1,
                    state="ended",
                    outcome="preempted",
                    up_at=NOW - 580,
                    ended_at=NOW - 300,
                    instance_id="i-1",
                )
            ),
            AddMachine(machine=a_machine(attempt=2, state="up", up_at=NOW - 280, instance_id="i-2")),
            PutRefusal(refusal=a_refusal(since=NOW - 300, until=NOW + 192, reason="it took a machine")),
        ]
    )
    add(
        store,
        "waits",
        submitted_at=NOW - 60,
        note="all 3 pools are dry",
        next_try_at=NOW + 11.5,
    )
    add(store, "done", submitted_at=NOW - 30, state="finished", reason="exit code 0", exit_code=0, over_at=NOW - 5)


def awake(store: SqliteStore) -> None:
    me = psutil.Process()
    store.take_lease(
        Lease(
            token="t",
            host=socket.gethostname(),
            pid=os.getpid(),
            process_started_at=me.create_time(),
            until=NOW + 60,
        ),
        now=NOW,
    )


def test_without_jobs_it_says_how_to_begin(cli: Cli) -> None:
    done = cli("status")
    assert (done.code, done.out) == (0, "")
    assert "no jobs yet" in done.err
    assert "hint: `spotlaunch init`" in done.err


@pytest.mark.usefixtures("story")
def test_all_jobs_are_shown_oldest_first(cli: Cli, store: SqliteStore) -> None:
    awake(store)
    done = cli("status")
    assert done.code == 0
    assert done.err == ""
    assert done.out == (
        "job     state     attempt  pool                            progress     age  spent $  saved $  note\n"
        "digits  running         2  aws:us-west-2a/p3.2xlarge/spot     40/60  10m00s   0.1428   0.3332  -\n"
        "waits   queued          -  -                                      -   1m00s   0.0000   0.0000"
        "  all 3 pools are dry; next try in 12s\n"
        "done    finished        -  -                                      -     30s   0.0000   0.0000  exit code 0\n"
        "\n"
        "resting\n"
        "  who                             error       times  back in  reason\n"
        "  aws:us-west-2a/p3.2xlarge/spot  NoCapacity      1    3m12s  it took a machine\n"
    )


@pytest.mark.usefixtures("story")
def test_one_job_is_shown_with_its_attempts_machines_and_who_rests(cli: Cli, store: SqliteStore) -> None:
    awake(store)
    done = cli("status", "digits")
    assert done.code == 0
    assert done.err == ""
    assert done.out == (
        "job     state    attempt  pool                            progress     age  spent $  saved $  note\n"
        "digits  running        2  aws:us-west-2a/p3.2xlarge/spot     40/60  10m00s   0.1428   0.3332  -\n"
        "\n"
        "attempts\n"
        "  attempt  market  state      lasted  resumed at  reached  commits  reason\n"
        "        1  spot    preempted   4m50s           -       30        3  taken away\n"
        "        2  spot    running     5m00s          30       40        1  -\n"
        "\n"
        "machines\n"
        "  attempt  pool                            gpu     state        $/h     up"
        "  spent $  saved $  instance  reason\n"
        "        1  aws:us-west-2a/p3.2xlarge/spot  V100:1  preempted  0.918  4m40s   0.0714   0.1666  i-1       -\n"
        "        2  aws:us-west-2a/p3.2xlarge/spot  V100:1  up         0.918  4m40s   0.0714   0.1666  i-2       -\n"
        "\n"
        "resting\n"
        "  who                             error       times  back in  reason\n"
        "  aws:us-west-2a/p3.2xlarge/spot  NoCapacity      1    3m12s  it took a machine\n"
    )


@pytest.mark.usefixtures("story")
def test_it_says_when_nobody_watches_live_jobs(cli: Cli, store: SqliteStore) -> None:
    warning = "warning: no watchdog is awake: nothing is started, replaced or ended\nhint: spotlaunch watch\n"
    assert cli("status").err == warning
    assert cli("status", "digits").err == warning
    assert cli("status", "done").err == ""


@pytest.mark.usefixtures("story")
def test_a_lease_of_a_process_that_is_gone_is_nobody(cli: Cli, store: SqliteStore) -> None:
    gone = Lease(token="t", host=socket.gethostname(), pid=2**22 + 1, process_started_at=1.0, until=NOW + 60)
    store.take_lease(gone, now=NOW)
    assert "no watchdog is awake" in cli("status").err
    assert cli("status", "--json").json["watchdog"] == {"awake": False, "host": None, "pid": None}


@pytest.mark.usefixtures("story")
def test_everything_is_in_the_json_too(cli: Cli, store: SqliteStore) -> None:
    awake(store)
    found = cli("status", "--json").json
    assert found["watchdog"] == {"awake": True, "host": socket.gethostname(), "pid": os.getpid()}
    digits, waits, over = found["jobs"]
    assert digits == {
        "name": "digits",
        "state": "running",
        "wanted": "run",
        "reason": "",
        "note": "",
        "exit_code": None,
        "attempt": 2,
        "attempts_ran": 0,
        "pool": "aws:us-west-2a/p3.2xlarge/spot",
        "step": 40,
        "total_steps": 60,
        "submitted_at": NOW - 600,
        "over_at": None,
        "when": None,
        "waiting_since": None,
        "next_try_at": None,
        "age_s": 600.0,
        "store_url": "file:///b",
        "deadline_at": None,
        "policy": None,
        "decision": None,
        "work_done_s": 0.0,
        "work_left_s": None,
        "slack_s": None,
        "ends_at": None,
        "spent_usd": 0.1428,
        "on_demand_usd": 0.476,
        "saved_usd": 0.3332,
        "machine_s": 560.0,
    }
    assert (waits["pool"], waits["note"]) == (None, "all 3 pools are dry; next try in 12s")
    assert (over["state"], over["exit_code"], over["over_at"]) == ("finished", 0, NOW - 5)


@pytest.mark.usefixtures("story")
def test_the_json_of_one_job_has_its_attempts_machines_and_who_rests(cli: Cli) -> None:
    found = cli("status", "digits", "--json").json
    assert list(found) == ["job", "attempts", "machines", "resting", "watchdog"]
    assert found["job"] == cli("status", "--json").json["jobs"][0]
    assert [(a["attempt"], a["outcome"], a["resumed_step"]) for a in found["attempts"]] == [
        (1, "preempted", None),
        (2, None, 30),
    ]
    assert [(m["instance_id"], m["state"], m["spent_usd"]) for m in found["machines"]] == [
        ("i-1", "ended", 0.0714),
        ("i-2", "up", 0.0714),
    ]
    assert found["resting"][0]["scope"] == "aws:us-west-2a/p3.2xlarge/spot"
    assert found["resting"][0]["until"] == NOW + 192


def test_who_rests_is_shown_only_where_it_matters_to_the_job(cli: Cli, store: SqliteStore) -> None:
    add(store, "digits")
    add(store, "other", spec=replace(a_job("other").spec, where=Where(providers=("gcp",))))
    add(store, "over", state="failed")
    rests = [
        a_refusal(until=NOW + 50),
        a_refusal(scope=Scope(provider="gcp"), until=NOW + 20),
        a_refusal(scope=Scope(provider="azure"), until=NOW - 1),
        a_refusal(scope=Scope(provider="vast"), job="other", until=NOW + 9),
    ]
    store.apply([PutRefusal(refusal=r) for r in rests])

    def resting(job: str) -> list[str]:
        return [r["provider"] for r in cli("status", job, "--json").json["resting"]]

    assert resting("digits") == ["gcp", "aws"]
    assert resting("other") == ["gcp"]
    assert resting("over") == []


def test_providers_that_are_down_or_throttled_are_told_with_what_to_do(cli: Cli, store: SqliteStore) -> None:
    add(store, "digits")
    down = a_refusal(
        scope=Scope(provider="gcp"), error="Transient", reason="503", hint="see its status page", until=NOW + 18
    )
    store.apply([PutRefusal(refusal=down)])
    done = cli("status")
    assert " ".join(done.out.splitlines()[-1].split()) == "gcp Transient 1 18s 503 (hint: see its status page)"
    (told,) = cli("status", "--json").json["resting"]
    assert (told["scope"], told["error"], told["reason"]) == ("gcp", "Transient", "503")
    assert (told["hint"], told["until"], told["until_in_s"]) == ("see its status page", NOW + 18, 18.0)


def test_a_provider_that_is_not_set_up_rests_until_its_settings_change(cli: Cli, store: SqliteStore) -> None:
    add(store, "digits")
    add(store, "other", spec=replace(a_job("other").spec, where=Where(providers=("gcp",))))
    note_unusable(
        Home.find(), ["aws"], [Unusable(provider="aws", error="NotAuthorized", reason="no key", hint="make one")]
    )
    assert " ".join(cli("status").out.splitlines()[-1].split()) == "aws NotAuthorized - - no key (hint: make one)"
    (told,) = cli("status", "digits", "--json").json["resting"]
    assert (told["provider"], told["until"], told["until_in_s"]) == ("aws", None, None)
    assert set(told) == set(overview.refusal_json(a_refusal(), NOW))
    assert cli("status", "other", "--json").json["resting"] == [], "that job may not go there"


def test_a_provider_that_was_not_heard_rests_until_it_is_asked_again(cli: Cli, store: SqliteStore) -> None:
    add(store, "digits")

    def note(until: float) -> None:
        away = Unusable(provider="gcp", error="Transient", reason="503", hint="try again", until=until)
        note_unusable(Home.find(), ["gcp"], [away], passing=True)

    note(NOW + 18)
    assert " ".join(cli("status").out.splitlines()[-1].split()) == "gcp Transient - 18s 503 (hint: try again)"
    (told,) = cli("status", "--json").json["resting"]
    assert (told["provider"], told["until"], told["until_in_s"]) == ("gcp", NOW + 18, 18.0)
    note(NOW - 1)
    assert cli("status", "--json").json["resting"] == []


def test_nobody_rests_where_no_job_is_left(cli: Cli, store: SqliteStore) -> None:
    add(store, "done", state="finished", over_at=NOW - 5)
    store.apply([PutRefusal(refusal=a_refusal(until=NOW + 50))])
    note_unusable(Home.find(), ["aws"], [Unusable(provider="aws", error="NotAuthorized", reason="no key")])
    assert "resting" not in cli("status").out
    assert cli("status", "--json").json["resting"] == []


def test_of_many_pools_that_rest_a_person_sees_the_first_and_every_whole_provider(cli: Cli, store: SqliteStore) -> None:
    add(store, "digits")
    pools = [a_refusal(scope=Scope(provider="aws", instance_type=f"t{n}"), until=NOW + 50 + n) for n in range(30)]
    whole = a_refusal(scope=Scope(provider="gcp"), until=NOW + 900)
    store.apply([PutRefusal(refusal=r) for r in (*pools, whole)])
    lines = cli("status").out.splitlines()
    assert sum("aws:t" in line for line in lines) == 20
    assert any(line.split()[:2] == ["gcp", "NoCapacity"] for line in lines)
    assert any("and 10 more" in line for line in lines)
    assert len(cli("status", "--json").json["resting"]) == 31


@pytest.mark.usefixtures("story")
def test_all_machines_are_in_the_json_with_what_a_cloud_would_bill(cli: Cli) -> None:
    first, second = cli("status", "--json").json["machines"]
    assert first == cli("status", "digits", "--json").json["machines"][0]
    assert (first["job"], first["provider"], first["instance_id"]) == ("digits", "aws", "i-1")
    assert (first["machine_s"], first["spent_usd"], first["price_usd_hour"]) == (280.0, 0.0714, 0.918)
    assert (first["outcome"], second["outcome"]) == ("preempted", None)


def test_a_job_that_is_wanted_gone_is_cancelling_until_it_is(cli: Cli, store: SqliteStore) -> None:
    add(store, "digits", state="running", wanted="cancel")
    add(store, "gone", state="cancelled", wanted="cancel")
    assert [line.split()[1] for line in cli("status").out.splitlines()[1:]] == ["cancelling", "cancelled"]


def test_what_an_attempt_is_at_is_told_while_it_does_not_run_yet(cli: Cli, store: SqliteStore) -> None:
    for name, phase, state in (
        ("a", "", "launching"),
        ("b", "restoring", "up"),
        ("c", "running", "up"),
    ):
        add(store, name, state="running", last_attempt=1)
        machine = a_machine(name, state=state)
        store.apply([AddAttempt(attempt=an_attempt(name, phase=phase)), AddMachine(machine=machine)])
    assert [line.split()[-1] for line in cli("status").out.splitlines()[1:]] == ["launching", "restoring", "-"]


def test_where_a_waiting_job_was_before_is_not_where_it_is(cli: Cli, store: SqliteStore) -> None:
    add(store, "digits", state="running", last_attempt=1)
    add(store, "over", state="finished", last_attempt=1)
    for name in ("digits", "over"):
        ended = a_machine(name, state="ended", ended_at=NOW)
        store.apply([AddAttempt(attempt=an_attempt(name, outcome="lost")), AddMachine(machine=ended)])
    pools = {j["name"]: j["pool"] for j in cli("status", "--json").json["jobs"]}
    assert pools == {"digits": None, "over": "aws:us-west-2a/p3.2xlarge/spot"}


def test_dollars_of_long_jobs_are_exact(cli: Cli, store: SqliteStore) -> None:
    add(store, "digits", state="running")
    machines = [
        a_machine(attempt=n, state="ended", up_at=0.0, ended_at=1.0, price_usd_hour=Decimal("0.0036"))
        for n in range(1, 101)
    ]
    store.apply([AddMachine(machine=m) for m in machines])
    assert cli("status", "--json").json["jobs"][0]["spent_usd"] == 0.0001


def test_watching_one_job_ends_with_it(cli: Cli, store: SqliteStore) -> None:
    add(store, "digits", state="finished")
    done = cli("status", "digits", "--watch", "--json")
    assert [line["job"]["state"] for line in done.json_lines] == ["finished"]


def test_watching_shows_each_change(cli: Cli, store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, "digits", state="running")

    def a_moment_later(_: float) -> None:
        from spotlaunch.core.plan import SetJob

        store.apply([SetJob(name="digits", frm="running", changes={"state": "finished"})])

    monkeypatch.setattr("spotlaunch.cli.status.time.sleep", a_moment_later)
    done = cli("status", "digits", "--watch")
    assert [line.split()[1] for line in done.out.splitlines() if line.startswith("digits")] == ["running", "finished"]


@pytest.mark.usefixtures("story")
def test_how_often_its_program_is_to_save_is_shown_with_the_reason(cli: Cli, store: SqliteStore) -> None:
    assert "how often to save" not in cli("status", "digits").out
    told = {"every_s": 840.0, "every_why": "0.1 interruptions an hour, a checkpoint costs 10.0 s"}
    store.apply([SetAttempt(job="digits", number=2, changes=told)])
    out = cli("status", "digits").out
    section = out[out.index("how often to save") :].splitlines()
    assert section[1].split() == ["attempt", "every", "why"]
    assert section[2].split(maxsplit=2) == ["2", "14m00s", told["every_why"]]
    before, now = cli("status", "digits", "--json").json["attempts"]
    assert (before["every_s"], before["every_why"]) == (None, "")
    assert (now["every_s"], now["every_why"]) == (840.0, told["every_why"])
