from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch import errors, registry
from spotlaunch.core.facts import Launched, Order, Want
from spotlaunch.core.settings import Settings
from spotlaunch_providers.local import files, launching, machines
from spotlaunch_providers.local.adapter import LocalProvider
from tests.fakes.local_machines import SLEEPER, processes_under
from tests.fakes.waiting import eventually

Connect = Callable[..., LocalProvider]
MakeOrder = Callable[..., Order]

TWO_POOLS = """
seed: 1
pools:
  - {name: a, price_usd_hour: 0.5, %s}
  - {name: b, price_usd_hour: 0.9}
"""


class Hosts:
    """Stands in for the processes: keeps what each was told, and the doors open, so that the machines live."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.doors: list[int] = []

    def start(self, machine: Path, door: int, *, order: dict[str, Any], env: dict[str, str]) -> Hosts:
        self.told.append(dict(order))
        self.doors.append(os.dup(door))
        return self

    def poll(self) -> None:
        return None


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    hosts = Hosts()
    monkeypatch.setattr(machines, "start_host", hosts.start)
    yield hosts
    for door in hosts.doors:
        os.close(door)


def launch_many(provider: LocalProvider, orders: list[Order], *, workers: int) -> list[Launched | errors.ProviderError]:
    def one(order: Order) -> Launched | errors.ProviderError:
        try:
            return provider.launch(order)
        except errors.ProviderError as e:
            return e

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, orders))


# -- capacity -------------------------------------------------------------------------------------------


def test_threads_that_race_for_the_last_places_never_get_more_than_there_are(
    connect: Connect, order: MakeOrder, hosts: Hosts
) -> None:
    provider = connect("capacity: 5")
    answers = launch_many(provider, [order(provider, f"sl-me-job-{n}-0") for n in range(40)], workers=8)
    assert sum(isinstance(a, Launched) for a in answers) == 5
    assert {type(a) for a in answers} == {Launched, errors.NoCapacity}
    assert len(provider.list_machines()) == 5


def test_one_key_launched_many_times_at_once_is_one_machine(connect: Connect, order: MakeOrder, hosts: Hosts) -> None:
    provider = connect()
    answers = launch_many(provider, [order(provider)] * 20, workers=8)
    assert len({a.instance_id for a in answers if isinstance(a, Launched)}) == 1
    assert len(hosts.told) == 1


@pytest.mark.e2e
def test_processes_that_race_for_the_last_places_never_get_more_than_there_are(connect: Connect, folder: Path) -> None:
    provider = connect("capacity: 3")
    code = f"""
import sys
from pathlib import Path
from spotlaunch import errors
from spotlaunch.core.facts import Order, Want
from spotlaunch_providers.local.adapter import LocalProvider
provider = LocalProvider(owner="me", folder=Path({str(folder)!r}), agent_command={SLEEPER!r})
for n in range(4):
    try:
        provider.launch(Order(launch_key=f"sl-me-{{sys.argv[1]}}-{{n}}-0", job="j", attempt=n,
                              alternatives=tuple(provider.offers(Want()))))
    except errors.NoCapacity:
        pass
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    racers = [subprocess.Popen([sys.executable, "-c", code, str(i)], env=env) for i in range(3)]
    assert [r.wait(30) for r in racers] == [0, 0, 0]
    assert len(provider.list_machines()) == 3


def test_a_machine_that_is_ending_still_takes_its_place(connect: Connect, order: MakeOrder, hosts: Hosts) -> None:
    provider = connect("capacity: 1")
    launched = provider.launch(order(provider))
    provider.terminate([launched.instance_id])
    with pytest.raises(errors.NoCapacity):
        provider.launch(order(provider, "sl-me-job-2-0"))


def test_strangers_take_places_too(connect: Connect, order: MakeOrder, hosts: Hosts) -> None:
    provider, stranger = connect("capacity: 1"), connect("capacity: 1", owner="stranger")
    stranger.launch(order(stranger))
    assert provider.offers(Want())[0].available == "no"
    with pytest.raises(errors.NoCapacity):
        provider.launch(order(provider))


# -- launching ------------------------------------------------------------------------------------------


def test_the_host_is_told_the_machines_whole_fate(
    connect: Connect, order: MakeOrder, hosts: Hosts, folder: Path
) -> None:
    provider = connect("boot: 3s, notice: 9s, availability: {gap: 1s, data: [2]}")
    provider.launch(order(provider, agent_env={"A": "1"}, secret_env={"S": "2"}, ttl_s=60))
    (told,) = hosts.told
    assert (told["boot_s"], told["notice_s"], told["ttl_s"]) == (3, 9, 60)
    assert (told["agent_env"], told["secret_env"], told["agent_command"]) == ({"A": "1"}, {"S": "2"}, list(SLEEPER))
    assert told["trace"] == {"data": (2,), "tick_s": 1, "wrap": True}
    assert (told["life_s"], told["hang_after_s"], told["never_boots"]) == (None, None, False)


def test_a_run_is_replayed_by_its_seed(connect: Connect, order: MakeOrder, hosts: Hosts, tmp_path: Path) -> None:
    def lives(seed: int, where: str) -> list[float]:
        pool = "{name: a, price_usd_hour: 1, capacity: 99, interruptions_per_hour: 600}"
        first = len(hosts.told)
        (tmp_path / where).mkdir()
        (tmp_path / where / "market.yaml").write_text(f"seed: {seed}\npools: [{pool}]")
        for n in range(20):
            provider = LocalProvider(owner="me", folder=tmp_path / where)  # a new one each time, as after a crash
            provider.launch(order(provider, f"sl-me-{where}-{n}-0"))
        return [told["life_s"] for told in hosts.told[first:]]

    once, again, other = lives(1, "once"), lives(1, "again"), lives(2, "other")
    assert once == again != other
    assert len(set(once)) == 20
    assert 1 < sum(once) / 20 < 30  # 600 an hour: six seconds on average


def test_lives_are_as_long_as_the_rate_says() -> None:
    assert launching.life_s(0.5, None) is None and launching.life_s(0.5, 0.0) is None
    assert launching.life_s(0.0, 10.0) == 0.0
    assert launching.life_s(0.5, 3600.0) == pytest.approx(0.693, abs=0.001)


def test_time_zero_of_a_trace_is_when_the_market_was_first_used(
    connect: Connect, order: MakeOrder, hosts: Hosts, folder: Path
) -> None:
    connect("availability: {gap: 10s, data: [0, 1]}")
    now = [1000.0]

    def provider() -> LocalProvider:
        return LocalProvider(owner="me", folder=folder, now=lambda: now[0])

    assert provider().offers(Want())[0].available == "no"
    with pytest.raises(errors.NoCapacity):
        provider().launch(order(provider()))
    now[0] = 1010.0
    assert provider().offers(Want())[0].available == "yes"
    provider().launch(order(provider()))
    assert hosts.told[0]["zero_at"] == 1000.0


def test_an_order_whose_key_runs_elsewhere_gets_that_machine_with_its_price(
    connect: Connect, order: MakeOrder, hosts: Hosts
) -> None:
    provider = connect(market=TWO_POOLS % "boot: 1s")
    both = order(provider)
    first = provider.launch(replace(both, alternatives=both.alternatives[:1]))
    again = provider.launch(replace(both, alternatives=both.alternatives[1:]))
    assert again.instance_id == first.instance_id
    assert (again.offer.pool, again.offer.price_usd_hour) == (first.offer.pool, first.offer.price_usd_hour)


def test_a_key_whose_machine_has_ended_starts_a_new_one(connect: Connect, order: MakeOrder, hosts: Hosts) -> None:
    provider = connect()
    first = provider.launch(order(provider))
    os.close(hosts.doors.pop())  # its host is gone
    second = provider.launch(order(provider))
    assert second.instance_id != first.instance_id
    assert [m.instance_id for m in provider.list_machines()] == [second.instance_id]


def test_two_owners_may_use_the_same_key(connect: Connect, order: MakeOrder, hosts: Hosts) -> None:
    provider, stranger = connect(), connect(owner="stranger")
    assert provider.launch(order(provider)).instance_id != stranger.launch(order(stranger)).instance_id


def test_two_clouds_on_one_computer_never_name_their_machines_alike(
    tmp_path: Path, hosts: Hosts, order: MakeOrder
) -> None:
    clouds = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "market.yaml").write_text("pools: [{name: a, price_usd_hour: 1}]")
        clouds.append(LocalProvider(owner="me", folder=tmp_path / name))
    names = {c.launch(order(c)).instance_id for c in clouds}
    assert len(names) == 2  # one of them would be killed in place of the other


def test_a_host_that_cannot_be_started_leaves_nothing(
    connect: Connect, order: MakeOrder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = connect()

    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(machines, "start_host", fail)
    with pytest.raises(errors.Transient):
        provider.launch(order(provider))
    assert machines.names(folder) == []


@pytest.mark.parametrize("broken", ["create", "counters"])
def test_a_full_disk_is_told_and_leaves_nothing(
    connect: Connect, order: MakeOrder, folder: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    provider = connect()
    wanted = order(provider)

    def fail(path: Path, _: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    where = machines if broken == "create" else sys.modules["spotlaunch_providers.local.counters"]
    monkeypatch.setattr(where, "write_json", fail)
    with pytest.raises(errors.Transient, match="No space left on device") as caught:
        provider.launch(wanted)
    assert "space" in caught.value.hint
    monkeypatch.undo()
    assert provider.list_machines() == []
    assert not processes_under(folder)
    provider.launch(wanted)


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    provider = LocalProvider(owner="me", folder=tmp_path / "file" / "cloud")
    with pytest.raises(errors.Transient, match="Not a directory") as caught:
        provider.offers(Want())
    assert str(tmp_path / "file" / "cloud") in caught.value.hint


# -- faults ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("dry: true", errors.NoCapacity),
        ("quota: true", errors.QuotaExceeded),
        ("unauthorized: true", errors.NotAuthorized),
        ("no_funds: true", errors.OutOfFunds),
        ("throttled: 1", errors.Throttled),
        ("lose_answer: 1", errors.OutcomeUnknown),
    ],
)
def test_a_fault_is_the_error_that_it_rehearses(
    connect: Connect, order: MakeOrder, hosts: Hosts, fault: str, error: type[errors.ProviderError]
) -> None:
    provider = connect(f"faults: {{{fault}}}")
    assert provider.offers(Want())[0].available == "yes"
    with pytest.raises(error) as caught:
        provider.launch(order(provider))
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("fault", "goes_on"), [("dry: true", True), ("quota: true", True), ("unauthorized: true", False)]
)
def test_a_refusal_of_the_account_ends_the_call(
    connect: Connect, order: MakeOrder, hosts: Hosts, fault: str, goes_on: bool
) -> None:
    provider = connect(market=TWO_POOLS % f"faults: {{{fault}}}")
    try:
        assert provider.launch(order(provider)).offer.pool.instance_type == "b"
        assert goes_on
    except errors.NotAuthorized:
        assert not goes_on


def test_a_lost_answer_sometimes_hides_a_machine_and_sometimes_nothing(
    connect: Connect, order: MakeOrder, hosts: Hosts
) -> None:
    provider = connect("faults: {lose_answer: 1}, capacity: 99")
    for n in range(20):
        with pytest.raises(errors.OutcomeUnknown):
            provider.launch(order(provider, f"sl-me-job-{n}-0"))
    assert 4 < len(provider.list_machines()) < 16


def test_a_slow_cloud_answers_late_whatever_it_answers(
    connect: Connect, folder: Path, order: MakeOrder, hosts: Hosts
) -> None:
    connect("faults: {slow: 3s}, capacity: 1")
    slept: list[float] = []
    provider = LocalProvider(owner="me", folder=folder, sleep=slept.append)
    provider.launch(order(provider))
    with pytest.raises(errors.NoCapacity):
        provider.launch(order(provider, "sl-me-job-2-0"))
    assert slept == [3, 3]


def test_the_cloud_itself_can_fail_at_any_of_its_methods(connect: Connect, order: MakeOrder, hosts: Hosts) -> None:
    pool = "pools: [{name: a, price_usd_hour: 1}]"
    wanted = order(connect(market=pool))
    provider = connect(market=pool + "\nfaults: {offers: 1, launch: 1, listing: 1, terminate: 1}")
    for call in (
        lambda: provider.offers(Want()),
        lambda: provider.launch(wanted),
        lambda: provider.list_machines(),
        lambda: provider.terminate(["a-00001-0000000000"]),
    ):
        with pytest.raises(errors.Transient):
            call()


# -- the market file ------------------------------------------------------------------------------------


def test_a_changed_market_file_holds_from_the_next_call(connect: Connect, folder: Path) -> None:
    provider = connect("notice: 1s")
    assert provider.traits.notice_s == 1
    (folder / "market.yaml").write_text("pools: [{name: other, price_usd_hour: 2, notice: 30s}]")
    assert [o.pool.instance_type for o in provider.offers(Want())] == ["other"]
    assert provider.traits.notice_s == 30


def test_an_offer_whose_pool_went_away_with_the_old_market_is_refused_and_not_invalid(
    connect: Connect, order: MakeOrder, folder: Path
) -> None:
    provider = connect()
    wanted = order(provider)
    (folder / "market.yaml").write_text("pools: [{name: other, price_usd_hour: 2}]")
    with pytest.raises(errors.NoCapacity, match="market file has changed"):
        provider.launch(wanted)


def test_machines_can_be_listed_and_ended_while_the_market_file_is_broken(
    connect: Connect, order: MakeOrder, folder: Path, hosts: Hosts
) -> None:
    provider = connect()
    wanted = order(provider)
    name = provider.launch(wanted).instance_id
    (folder / "market.yaml").write_text("pools: [{name: a, prize: 1}]")
    for known in (provider, LocalProvider(owner="me", folder=folder)):
        with pytest.raises(
            errors.NotAuthorized, match=r"market\.yaml:1:19: pools\[0\]\.prize: there is no such key"
        ) as caught:
            known.offers(Want())
        assert caught.value.hint
        with pytest.raises(errors.NotAuthorized):
            known.launch(wanted)
        assert [m.instance_id for m in known.list_machines()] == [name]
        assert known.terminate([name]) == {}


def test_a_market_file_that_is_gone_is_told_by_name(folder: Path, tmp_path: Path) -> None:
    settings = Settings(provider="local", values={"market": str(tmp_path / "gone.yaml")})
    provider = registry.connect("local", owner="me", folder=folder, settings=settings)
    with pytest.raises(errors.NotAuthorized, match=r"gone\.yaml cannot be read: No such file") as caught:
        provider.offers(Want())
    assert "SPOTLAUNCH_LOCAL_MARKET" in caught.value.hint


# -- listing and ending ---------------------------------------------------------------------------------


def test_ids_that_are_paths_end_nothing(connect: Connect, order: MakeOrder, hosts: Hosts, folder: Path) -> None:
    provider = connect()
    name = provider.launch(order(provider)).instance_id
    assert provider.terminate([f"../machines/{name}", f"./{name}", "", "..", "\0", "i-123"]) == {}
    with pytest.raises(BlockingIOError):
        os.read(hosts.doors[0], 1)  # nobody knocked


def test_a_strangers_machine_is_not_ours_to_end(connect: Connect, order: MakeOrder, hosts: Hosts) -> None:
    provider, stranger = connect(), connect(owner="stranger")
    name = stranger.launch(order(stranger)).instance_id
    assert provider.terminate([name]) == {name: "belongs to stranger"}
    assert len(stranger.list_machines()) == 1


def test_a_record_that_cannot_be_read_fails_the_listing_whole(
    connect: Connect, order: MakeOrder, hosts: Hosts, folder: Path
) -> None:
    provider = connect()
    name = provider.launch(order(provider)).instance_id
    (folder / "machines" / name / "record.json").write_text("{")
    with pytest.raises(errors.Transient):
        provider.list_machines()
    os.close(hosts.doors.pop())  # with its host gone nobody will ever mend it
    assert provider.list_machines() == []
    assert machines.names(folder) == []


def test_500_machines_are_listed_quickly(connect: Connect, order: MakeOrder, hosts: Hosts, folder: Path) -> None:
    provider = connect("capacity: 500")
    wanted = order(provider)
    for n in range(500):
        provider.launch(replace(wanted, launch_key=f"sl-me-job-{n}-0"))
    assert len(provider.list_machines()) == 500
    times = []
    for _ in range(5):
        start = time.process_time()
        provider.list_machines()
        times.append(time.process_time() - start)
    assert sorted(times)[2] < 0.1
    shutil.rmtree(folder / "machines")  # quicker than ending each


def test_old_bills_are_forgotten(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "KEPT_BILLS", 20)
    (folder / "ended").mkdir()
    for n in range(30):
        files.write_json(folder / "ended" / f"{n}.json", {})
        os.utime(folder / "ended" / f"{n}.json", (n, n))
    machines.forget_old_bills(folder)
    assert {int(p.stem) for p in (folder / "ended").iterdir()} == set(range(10, 30))


# -- whole machines -------------------------------------------------------------------------------------


@pytest.mark.e2e
def test_when_a_trace_falls_the_newest_machines_are_preempted(connect: Connect, order: MakeOrder, folder: Path) -> None:
    provider = connect("availability: {gap: 1s, data: [3, 1], wrap: false}")
    wanted = order(provider)
    names = [provider.launch(replace(wanted, launch_key=f"sl-me-job-{n}-0")).instance_id for n in range(3)]
    eventually(lambda: len(machines.bills(folder)) == 2)
    assert {(b.instance_id, b.why) for b in machines.bills(folder)} == {(name, "preempted") for name in names[1:]}
    assert [m.instance_id for m in provider.list_machines()] == names[:1]


@pytest.mark.e2e
def test_the_clouds_bill_is_what_was_seen_from_outside(connect: Connect, order: MakeOrder, folder: Path) -> None:
    provider = connect()
    name = provider.launch(order(provider)).instance_id
    eventually(lambda: provider.list_machines()[0].phase == "running")
    (seen,) = provider.list_machines()
    provider.terminate([name])
    eventually(lambda: not provider.list_machines())
    (bill,) = machines.bills(folder)
    assert bill.started_at == seen.started_at
    assert bill.started_at < bill.ended_at <= time.time()
    assert float(bill.cost_usd) == pytest.approx(0.9 * (bill.ended_at - bill.started_at) / 3600, abs=1e-6)
    assert bill.pool == str(seen.pool) and bill.owner == "me"
