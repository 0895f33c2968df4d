from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from spotlaunch.core.book import Alternative, Attempt, Job, JobState, Machine, MachineState, Outcome
from spotlaunch.core.facts import Pool, Scope
from spotlaunch.core.ledger import Billed, job_bill
from spotlaunch.core.plan import AddAttempt, AddEvent, AddMachine, PutRefusal, SetAttempt, SetJob, SetMachine
from spotlaunch.core.spec import BlobStoreRef, CheckpointSpec, Fallback, Limits, Resources, Spec, Where
from spotlaunch.core.spells import Spell
from spotlaunch.errors import AlreadyExists, NoSuchJob, StaleWrite, StoreUnavailable
from spotlaunch.ports import Lease, Store
from spotlaunch.storage.store import SqliteStore
from tests.storage.samples import POOL, a_job, a_machine, a_refusal, an_attempt, an_event

FULL_SPEC = Spec(
    name="digits",
    run="python train.py",
    setup="pip install -r requirements.txt",
    workdir="/home/me/digits",
    image="pytorch:2",
    env={"EPOCHS": "60", "Ünï": "çødé\n'\""},
    secrets=("WANDB_API_KEY",),
    resources=Resources(gpus=(("H100", 8), ("A100", 4)), cpus=8, memory_gb=64, disk_gb=100),
    market="spot",
    where=Where(providers=("aws",), regions=("us-*",), exclude=("aws:us-east-1",)),
    limits=Limits(price_usd_hour=Decimal("30.10"), cost_usd=Decimal("500"), runtime_s=172800.0, attempts=50),
    fallback=Fallback(patience_s=60.0, return_to_spot=False),
    checkpoint=CheckpointSpec(
        dir="ck",
        every_s=600.0,
        keep=2,
        grace_s=9.5,
        store=BlobStoreRef(url="s3://b/p", endpoint="http://e", region="auto"),
    ),
    restart_on_exit=(75, 76),
    deadline_s=3600.5,
    deadline_at=2e9,
    work_s=1800.5,
    policy="greedy",
    ssh=True,
    ssh_key="ssh-ed25519 AAAA digits",
)
FULL_JOB = Job(
    name="digits",
    spec=FULL_SPEC,
    submitted_at=1000.25,
    store_url="s3://b/p",
    store_endpoint="http://e",
    store_region="auto",
    bundle="deadbeef",
    wanted="cancel",
    wanted_at=1001.5,
    state="running",
    reason="because",
    exit_code=3,
    over_at=1002.5,
    waiting_since=1003.5,
    rounds=4,
    next_try_at=1004.5,
    note="all pools are dry",
    last_attempt=5,
    attempts_ran=6,
    errors_in_row=2,
    start_when="price_usd_hour < 2.00",
    step=7,
    total_steps=60,
    progress_at=1005.5,
    deadline_at=1006.5,
    done_s=99.5,
    done_step=6,
    step_s=16.5,
    policy_memory=(1, -2.5),
    spells=(
        Spell(pool=POOL, seen_at=8.5, since=7.5, lost=2, expected=0.25),
        Spell(pool=replace(POOL, zone="b"), seen_at=9.5, since=None),
    ),
    decided_at=1007.5,
    decision="waits for spot",
    write_s=2.5,
)
FULL_ATTEMPT = Attempt(
    job="digits",
    number=2,
    started_at=1.5,
    market="on-demand",
    predecessor=1,
    outcome="preempted",
    reason="taken",
    exit_code=-9,
    ended_at=2.5,
    resumed_step=10,
    step=20,
    commits=3,
    phase="running",
    heard_at=3.5,
    heard_status_at=4.5,
    progressed_at=5.5,
    noticed_at=6.5,
    notice_deadline_at=7.5,
    leave_asked_at=8.5,
    leave_reason="return to spot",
    notes_told=9,
    base_s=10.25,
    worked_s=11.25,
    running_at=10.5,
    committed_at=11.5,
    uploaded_bytes=12,
    restored_bytes=13,
    every_s=840.0,
    every_why="0.1 interruptions an hour",
)
FULL_MACHINE = Machine(
    launch_key="sl-abc123-digits-2-0",
    job="digits",
    attempt=2,
    rank=0,
    pool=POOL,
    gpu="V100",
    gpu_count=8,
    price_usd_hour=Decimal("7.3440"),
    on_demand_usd_hour=Decimal("24.48"),
    state="ended",
    intended_at=1.5,
    instance_id="i-1",
    tried_at=2.5,
    up_at=3.5,
    seen_at=116.0,
    ending_at=4.5,
    asked_at=5.5,
    ended_at=6.5,
    outcome="lost",
    reason="gone from the listing",
    alternatives=(
        Alternative(
            pool=POOL,
            gpu="A100",
            gpu_count=4,
            price_usd_hour=Decimal("1.50"),
            on_demand_usd_hour=Decimal("4"),
            storage_usd_gb_month=Decimal("0.08"),
            egress_usd_gb=Decimal("0.09"),
        ),
        Alternative(pool=POOL, gpu="", gpu_count=0, price_usd_hour=Decimal("0.1"), on_demand_usd_hour=None),
    ),
    cheapest_usd_hour=Decimal("19.90"),
    cheapest_pool="aws:us-west-2a/p3.16xlarge/on-demand",
    disk_gb=100.5,
    storage_usd_gb_month=Decimal("0.08"),
    egress_usd_gb=Decimal("0.09"),
)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteStore]:
    path: Any = ":memory:" if request.param == "memory" else tmp_path / "book.db"
    made = SqliteStore(path, owner_seed="seed")
    yield made
    made.close()


def with_job(store: SqliteStore, **changes: Any) -> None:
    job = a_job(**changes)
    store.add_job(job, an_event(job.name))


def not_defaults(value: Any) -> list[str]:
    """The fields of a sample that have their default: a roundtrip of those proves nothing."""
    return [f.name for f in fields(value) if getattr(value, f.name) == f.default]


def test_it_keeps_to_the_port(store: SqliteStore) -> None:
    port: Store = store
    assert port.jobs() == []


# -- what goes in comes out ---------------------------------------------------------------------------


def test_what_providers_bill_comes_back_and_the_newest_answer_counts(store: SqliteStore) -> None:
    first = Billed(
        launch_key="one",
        machine_usd=Decimal("1.10"),
        storage_usd=Decimal("0.2"),
        traffic_usd=Decimal("0.03"),
        asked_at=5.5,
        settled=True,
    )
    assert not_defaults(first) == []
    other = Billed(launch_key="two", machine_usd=Decimal(0), asked_at=5.5)
    store.note_billed([first, other])
    later = replace(other, machine_usd=Decimal("7.5"), asked_at=6.5)
    store.note_billed([later])
    assert store.billed() == {"one": first, "two": later}


def test_attempts_of_all_jobs_come_back_job_by_job(store: SqliteStore) -> None:
    all_of_them = [an_attempt("b", 1), an_attempt("a", 2), an_attempt("a", 1)]
    store.apply([AddAttempt(attempt=a) for a in all_of_them])
    assert store.attempts() == [all_of_them[2], all_of_them[1], all_of_them[0]]


def test_every_field_of_a_job_comes_back(store: SqliteStore) -> None:
    assert not_defaults(FULL_JOB) == []
    store.add_job(FULL_JOB, an_event())
    bare = a_job("bare", submitted_at=2000.0)
    store.add_job(bare, an_event("bare"))
    assert store.jobs() == [FULL_JOB, bare]
    assert store.job("digits").spec == FULL_SPEC


def test_every_field_of_an_attempt_comes_back(store: SqliteStore) -> None:
    assert not_defaults(FULL_ATTEMPT) == []
    store.apply([AddAttempt(attempt=an_attempt(number=1)), AddAttempt(attempt=FULL_ATTEMPT)])
    assert store.attempts("digits") == [an_attempt(number=1), FULL_ATTEMPT]


def test_every_field_of_a_machine_comes_back_with_its_exact_price(store: SqliteStore) -> None:
    assert not_defaults(FULL_MACHINE) == []
    bare = a_machine(on_demand_usd_hour=None)
    store.apply([AddMachine(machine=bare), AddMachine(machine=FULL_MACHINE)])
    assert store.machines("digits") == store.machines() == [bare, FULL_MACHINE]
    assert str(store.machines()[1].price_usd_hour) == "7.3440"
    assert store.newest_machines() == {"digits": FULL_MACHINE}


def test_every_field_of_a_refusal_comes_back(store: SqliteStore) -> None:
    full = a_refusal(scope=Scope(provider="aws"), job="digits", hint="ask for more", count=7)
    store.apply([PutRefusal(refusal=a_refusal()), PutRefusal(refusal=full)])
    assert store.refusals() == [a_refusal(), full]


def test_every_field_of_an_event_comes_back_under_a_growing_number(store: SqliteStore) -> None:
    told = [an_event(at=1.0 + i, kind=f"k{i}", text="ünï", data={"n": [1, {"a": None}]}) for i in range(3)]
    store.apply([AddEvent(event=e) for e in told] + [AddEvent(event=an_event("other"))])
    found = store.events("digits")
    assert [e for _, e in found] == told
    numbers = [n for n, _ in found]
    assert numbers == sorted(set(numbers))
    assert store.events("digits", after=numbers[1]) == found[2:]


def test_event_data_that_json_does_not_know_is_told_as_text(store: SqliteStore) -> None:
    store.apply([AddEvent(event=an_event(data={"usd": Decimal("1.50"), "pool": POOL}))])
    assert store.events("digits")[0][1].data == {"usd": "1.50", "pool": str(POOL)}


@pytest.mark.parametrize("state", get_args(JobState))
def test_every_state_of_a_job_can_be_written(store: SqliteStore, state: JobState) -> None:
    with_job(store)
    store.apply([SetJob(name="digits", frm="queued", changes={"state": state})])
    assert store.job("digits").state == state


@pytest.mark.parametrize("state", get_args(MachineState))
def test_every_state_of_a_machine_can_be_written(store: SqliteStore, state: MachineState) -> None:
    store.apply([AddMachine(machine=a_machine())])
    store.apply([SetMachine(launch_key=a_machine().launch_key, frm="intended", changes={"state": state})])
    assert store.machines()[0].state == state


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_every_outcome_can_be_written(store: SqliteStore, outcome: Outcome) -> None:
    store.apply([AddAttempt(attempt=an_attempt())])
    store.apply([SetAttempt(job="digits", number=1, changes={"outcome": outcome})])
    assert store.attempts("digits")[0].outcome == outcome


# -- changes ------------------------------------------------------------------------------------------


def test_every_field_that_may_change_can_be_changed(store: SqliteStore) -> None:
    fixed = {"name", "spec", "submitted_at", "job", "number", "launch_key", "attempt", "rank"}
    changed = {f.name: getattr(FULL_JOB, f.name) for f in fields(Job) if f.name not in fixed}
    with_job(store, spec=FULL_SPEC, submitted_at=FULL_JOB.submitted_at)
    store.apply([SetJob(name="digits", frm="queued", changes=changed)])
    assert store.job("digits") == FULL_JOB

    changed = {f.name: getattr(FULL_ATTEMPT, f.name) for f in fields(Attempt) if f.name not in fixed}
    store.apply([AddAttempt(attempt=an_attempt(number=2)), SetAttempt(job="digits", number=2, changes=changed)])
    assert store.attempts("digits") == [FULL_ATTEMPT]

    changed = {f.name: getattr(FULL_MACHINE, f.name) for f in fields(Machine) if f.name not in fixed}
    elsewhere = a_machine(attempt=2, pool=Pool(provider="", region="", zone="", instance_type="", market="spot"))
    key = FULL_MACHINE.launch_key
    store.apply([AddMachine(machine=elsewhere), SetMachine(launch_key=key, frm="intended", changes=changed)])
    assert store.machines() == [FULL_MACHINE]


@pytest.mark.parametrize("name", ["nonsense", "name", "spec", "submitted_at", "state = 'x' --"])
def test_a_change_of_what_is_no_field_or_never_changes_is_a_mistake(store: SqliteStore, name: str) -> None:
    with_job(store)
    with pytest.raises(ValueError, match="no field of Job"):
        store.apply([SetJob(name="digits", frm="queued", changes={name: "x"})])


@pytest.mark.parametrize(
    "write",
    [
        SetJob(name="digits", frm="queued", changes={"state": "done"}),
        SetJob(name="digits", frm="queued", changes={"wanted": "please"}),
        SetAttempt(job="digits", number=1, changes={"outcome": "died"}),
        SetMachine(launch_key=a_machine().launch_key, frm="intended", changes={"state": "gone"}),
    ],
)
def test_a_word_that_is_no_state_is_a_mistake(store: SqliteStore, write: SetJob | SetAttempt | SetMachine) -> None:
    with_job(store)
    store.apply([AddAttempt(attempt=an_attempt()), AddMachine(machine=a_machine())])
    with pytest.raises(ValueError, match="cannot be"):
        store.apply([write])


def test_a_job_that_left_the_state_is_not_changed(store: SqliteStore) -> None:
    with_job(store, state="running")
    with pytest.raises(StaleWrite, match="digits is no longer queued"):
        store.apply([SetJob(name="digits", frm="queued", changes={"state": "failed"})])
    assert store.job("digits").state == "running"


def test_a_machine_that_left_the_state_is_not_changed(store: SqliteStore) -> None:
    store.apply([AddMachine(machine=a_machine(state="ending"))])
    with pytest.raises(StaleWrite, match="no longer up"):
        store.apply([SetMachine(launch_key=a_machine().launch_key, frm="up", changes={"reason": "x"})])
    assert store.machines()[0].reason == ""


def test_an_attempt_with_an_outcome_is_not_changed(store: SqliteStore) -> None:
    store.apply([AddAttempt(attempt=an_attempt(outcome="lost"))])
    with pytest.raises(StaleWrite, match="no longer live"):
        store.apply([SetAttempt(job="digits", number=1, changes={"step": 9})])
    assert store.attempts("digits")[0].step == 0


def test_a_change_of_what_there_is_not_is_stale(store: SqliteStore) -> None:
    for write in (
        SetJob(name="x", frm="queued", changes={"note": "x"}),
        SetAttempt(job="x", number=1, changes={"step": 1}),
        SetMachine(launch_key="x", frm="up", changes={"reason": "x"}),
    ):
        with pytest.raises(StaleWrite):
            store.apply([write])


def test_a_change_of_nothing_is_still_a_guard(store: SqliteStore) -> None:
    with_job(store)
    store.apply([SetJob(name="digits", frm="queued", changes={})])
    with pytest.raises(StaleWrite):
        store.apply([SetJob(name="digits", frm="running", changes={})])


def test_an_attempt_or_machine_that_exists_is_stale(store: SqliteStore) -> None:
    store.apply([AddAttempt(attempt=an_attempt()), AddMachine(machine=a_machine())])
    with pytest.raises(StaleWrite, match="attempt 1 of digits"):
        store.apply([AddAttempt(attempt=an_attempt(market="on-demand"))])
    with pytest.raises(StaleWrite, match="sl-abc123-digits-1-0"):
        store.apply([AddMachine(machine=a_machine(gpu="H100"))])
    assert store.attempts("digits") == [an_attempt()]
    assert store.machines() == [a_machine()]


def test_all_writes_happen_or_none(store: SqliteStore) -> None:
    with_job(store)
    before = store.events("digits")
    with pytest.raises(StaleWrite):
        store.apply(
            [
                AddAttempt(attempt=an_attempt()),
                AddMachine(machine=a_machine()),
                PutRefusal(refusal=a_refusal()),
                AddEvent(event=an_event()),
                SetJob(name="digits", frm="running", changes={"note": "x"}),
            ]
        )
    assert store.attempts("digits") == []
    assert store.machines() == []
    assert store.refusals() == []
    assert store.events("digits") == before
    store.apply([AddAttempt(attempt=an_attempt())])  # and the store is usable


def test_a_refusal_takes_the_place_of_one_of_the_same_scope_and_job(store: SqliteStore) -> None:
    later = a_refusal(since=2000.0, until=2360.0, count=2, error="Preempted", reason="taken", hint="wait")
    of_a_job = a_refusal(job="digits")
    wider = a_refusal(scope=Scope(provider="aws"))
    store.apply([PutRefusal(refusal=r) for r in (a_refusal(), of_a_job, wider, later)])
    assert store.refusals() == [later, of_a_job, wider]


# -- the book -----------------------------------------------------------------------------------------


def test_the_book_holds_what_is_not_over_and_all_that_belongs_to_it(store: SqliteStore) -> None:
    with_job(store, name="live", state="running")
    with_job(store, name="queued")
    with_job(store, name="over", state="finished")
    with_job(store, name="leaving", state="cancelled")
    old = an_attempt("live", 1, outcome="lost")
    ghost = an_attempt("live", 2, outcome="lost")
    newest = an_attempt("live", 3, outcome="preempted")
    done = an_attempt("over", 1, outcome="finished")
    leaving = an_attempt("leaving", 1, outcome="cancelled")
    ghost_machine = a_machine("live", 2, state="ending")
    leaving_machine = a_machine("leaving", 1, state="up")
    store.apply([AddAttempt(attempt=a) for a in (old, ghost, newest, done, leaving)])
    ended = [a_machine("live", 1, state="ended"), a_machine("over", 1, state="ended")]
    store.apply([AddMachine(machine=m) for m in (*ended, ghost_machine, leaving_machine)])
    store.apply([PutRefusal(refusal=a_refusal())])

    book = store.read_book()
    assert [j.name for j in book.jobs] == ["live", "queued", "leaving"]
    assert book.attempts == (leaving, ghost, newest)
    assert book.machines == (ghost_machine, leaving_machine)
    assert book.refusals == (a_refusal(),)
    assert set(book.spent_usd) == set(book.ran_s) == {"live", "queued", "leaving"}


def test_a_book_that_nobody_has_moved_is_not_read_again(store: SqliteStore) -> None:
    with_job(store)
    before = store.read_book()
    store.take_lease(Lease(token="t", host="h", pid=1, process_started_at=1.0, until=60.0), now=0.0)
    store.renew_lease("t", until=90.0)
    store.apply([], token="t")
    assert store.read_book() is before


@pytest.mark.parametrize("by", ["us", "another process"])
def test_a_book_is_read_again_once_somebody_has_moved_it(tmp_path: Path, by: str) -> None:
    store = SqliteStore(tmp_path / "book.db", owner_seed="s")
    mover = store if by == "us" else SqliteStore(tmp_path / "book.db", owner_seed="s")
    assert store.read_book().jobs == ()
    with_job(mover, state="running")
    assert [j.wanted for j in store.read_book().jobs] == ["run"]
    mover.want("digits", "cancel", at=5.0, event=an_event())
    assert [j.wanted for j in store.read_book().jobs] == ["cancel"]
    mover.apply([AddAttempt(attempt=an_attempt())])
    assert store.read_book().attempts == (an_attempt(),)
    with pytest.raises(StaleWrite):
        mover.apply([AddMachine(machine=a_machine()), SetJob(name="digits", frm="queued", changes={})])
    assert store.read_book().machines == ()
    mover.close()
    store.close()


def test_the_book_sums_what_ended_machines_cost_exactly(store: SqliteStore) -> None:
    with_job(store)
    price = Decimal("0.1234567")
    machines = [
        a_machine(attempt=n, state="ended", up_at=1000.1, ended_at=1000.1 + 7.77 * n, price_usd_hour=price * n)
        for n in range(1, 30)
    ]
    never_up = a_machine(attempt=30, state="ended", ended_at=9.0)
    running = a_machine(attempt=31, state="up", up_at=1.0)
    store.apply([AddMachine(machine=m) for m in (*machines, never_up, running)])
    book, bill = store.read_book(), job_bill(machines, 0.0)
    assert book.spent_usd == {"digits": bill.spent_usd}
    assert book.ran_s["digits"] == pytest.approx(bill.seconds, abs=1e-6)
    assert store.bills()["digits"] == replace(bill, seconds=book.ran_s["digits"])


def test_a_machine_enters_the_sum_when_it_ends_and_corrections_do_too(store: SqliteStore) -> None:
    with_job(store)
    key = a_machine().launch_key
    store.apply([AddMachine(machine=a_machine(state="up", up_at=0.0, price_usd_hour=Decimal("3.6")))])
    assert store.read_book().spent_usd == {"digits": Decimal(0)}
    store.apply([SetMachine(launch_key=key, frm="up", changes={"state": "ended", "ended_at": 1000.0})])
    assert store.read_book().spent_usd == {"digits": Decimal(1)}
    store.apply([SetMachine(launch_key=key, frm="ended", changes={"ended_at": 500.0})])
    assert store.read_book().spent_usd == {"digits": Decimal("0.5")}
    assert store.read_book().ran_s == {"digits": 500.0}


def test_a_machine_cannot_end_without_a_time(store: SqliteStore) -> None:
    store.apply([AddMachine(machine=a_machine(state="up", up_at=0.0))])
    with pytest.raises(ValueError, match="but when"):
        store.apply([SetMachine(launch_key=a_machine().launch_key, frm="up", changes={"state": "ended"})])
    assert store.machines()[0].state == "up"


# -- what people want ---------------------------------------------------------------------------------


def test_a_name_is_taken_once(store: SqliteStore) -> None:
    with_job(store)
    with pytest.raises(AlreadyExists) as caught:
        store.add_job(a_job(submitted_at=5.0), an_event(text="second"))
    assert "spotlaunch status digits" in caught.value.hint
    assert store.jobs() == [a_job()]
    assert len(store.events("digits")) == 1


def test_wanting_is_written_with_its_event(store: SqliteStore) -> None:
    with_job(store)
    store.want("digits", "cancel", at=1234.5, event=an_event(kind="cancel"))
    assert (store.job("digits").wanted, store.job("digits").wanted_at) == ("cancel", 1234.5)
    assert [e.kind for _, e in store.events("digits")] == ["submitted", "cancel"]


def test_nothing_can_be_wanted_of_a_job_that_is_over(store: SqliteStore) -> None:
    with_job(store, state="finished")
    with pytest.raises(StaleWrite, match="digits is over: finished"):
        store.want("digits", "cancel", at=1.0, event=an_event())
    assert len(store.events("digits")) == 1


def test_a_name_with_a_slip_is_answered_with_the_right_one(store: SqliteStore) -> None:
    with_job(store)
    with pytest.raises(NoSuchJob, match="'digts'") as caught:
        store.want("digts", "cancel", at=1.0, event=an_event())
    assert caught.value.hint == "did you mean digits?"
    with pytest.raises(NoSuchJob) as caught:
        store.job("zzz")
    assert "spotlaunch status" in caught.value.hint


def test_jobs_come_oldest_first_and_only_those_named(store: SqliteStore) -> None:
    for name, at in (("b", 3.0), ("a", 1.0), ("c", 2.0)):
        with_job(store, name=name, submitted_at=at)
    assert [j.name for j in store.jobs()] == ["a", "c", "b"]
    assert [j.name for j in store.jobs(names=["b", "nobody", "a", "a"])] == ["a", "b"]


# -- the file -----------------------------------------------------------------------------------------


def test_the_owner_is_made_of_the_seed_once_and_kept(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "book.db", owner_seed="one")
    again = SqliteStore(tmp_path / "book.db", owner_seed="two")
    other = SqliteStore(":memory:", owner_seed="two")
    assert first.owner == again.owner != other.owner
    assert len(first.owner) == 6
    assert set(first.owner) <= set("0123456789abcdef")
    for store in (first, again, other):
        store.close()


def test_the_file_and_its_companions_are_their_owners_only(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "book.db", owner_seed="s")
    with_job(store)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.glob("book.db*")}
    assert modes == {"book.db": 0o600, "book.db-wal": 0o600, "book.db-shm": 0o600}
    store.close()
    store.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "book.db", owner_seed="s")
    store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        store.jobs()


def test_several_threads_may_use_it_at_once(store: SqliteStore) -> None:
    with_job(store)
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(25):
                store.apply([AddEvent(event=an_event(kind=f"{n}-{i}")), PutRefusal(refusal=a_refusal(count=i))])
                store.read_book()
        except BaseException as e:  # noqa: BLE001  a thread's error must reach the test
            failures.append(e)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    assert len(store.events("digits")) == 1 + 4 * 25
