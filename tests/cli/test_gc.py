"""`gc`: every machine beside the book, strays ended when asked to, and what still stands told honestly."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from spotlaunch.core.facts import SeenMachine
from spotlaunch.core.plan import AddMachine, SetMachine
from spotlaunch.core.strays import Standing
from spotlaunch.errors import NotAuthorized, Transient, UsageError
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import NOW, Cli
from tests.cli.standing import Cloud, Sky, installed
from tests.cli.test_status import awake
from tests.core.worlds import CLOUD, a_pool
from tests.storage.samples import a_job, a_machine, an_event


@pytest.fixture
def sky(monkeypatch: pytest.MonkeyPatch) -> Sky:
    return installed(monkeypatch)


def key(store: SqliteStore, attempt: int) -> str:
    return f"sl-{store.owner}-digits-{attempt}-0"


def stands(store: SqliteStore, attempt: int, instance_id: str = "", **changes: Any) -> SeenMachine:
    shown = SeenMachine(
        launch_key=key(store, attempt),
        instance_id=instance_id or f"i-{attempt}",
        pool=a_pool(provider="one"),
        phase="running",
        started_at=NOW - 3600,
    )
    return replace(shown, **changes)


def remember(store: SqliteStore, attempt: int, **changes: Any) -> None:
    """The book has a machine for this attempt at provider ``one``."""
    usual = {"state": "up", "instance_id": f"i-{attempt}", "up_at": NOW - 3600, "tried_at": NOW - 3700}
    values = {**usual, "launch_key": key(store, attempt), "pool": a_pool(provider="one"), **changes}
    store.apply([AddMachine(machine=a_machine(attempt=attempt, **values))])


@pytest.fixture
def job(store: SqliteStore) -> None:
    store.add_job(a_job(state="running", last_attempt=2), an_event())


@pytest.fixture
def one(sky: Sky, store: SqliteStore, job: None) -> Cloud:
    """A cloud with a machine that attempt 2 runs on, and one that nobody knows."""
    cloud = Cloud("one", stands(store, 2), stands(store, 9, "i-stray"))
    sky.clouds["one"] = cloud
    remember(store, 2)
    return cloud


def verdicts(done: Any) -> dict[str, str]:
    return {m["instance_id"]: m["verdict"] for m in done.json["machines"]}


@pytest.mark.usefixtures("one")
def test_each_machine_is_shown_with_who_keeps_it_since_when_and_for_how_much(cli: Cli) -> None:
    done = cli("gc")
    kept, stray = (" ".join(line.split()) for line in done.out.splitlines()[1:])
    assert kept == "one i-2 kept digits 2 running 1h00m 0.918 attempt 2 of digits"
    assert stray == "one i-stray stray - - running 1h00m - the book does not know it"


@pytest.mark.usefixtures("one")
def test_without_a_terminal_strays_are_only_listed_and_the_code_is_1(cli: Cli, one: Cloud) -> None:
    done = cli("gc")
    assert done.code == 1
    assert one.asked == []
    assert "warning: 1 stray left as found\nhint: `spotlaunch gc --yes` ends them" in done.err


def test_with_yes_strays_end_and_what_is_kept_stands(cli: Cli, one: Cloud) -> None:
    done = cli("gc", "--yes")
    assert (done.code, one.asked, list(one.machines)) == (0, [("i-stray",)], ["i-2"])
    assert "one: i-stray has ended: it is gone from the listing" in done.err


def test_ended_means_gone_from_the_listing(cli: Cli, one: Cloud, sky: Sky) -> None:
    one.dies_after = 4
    done = cli("gc", "--yes", "--json")
    assert done.code == 0
    assert one.listed >= 5
    assert 0 < sky.slept_s < 60
    assert [(m["instance_id"], m["ended"]) for m in done.json["machines"]] == [("i-2", None), ("i-stray", True)]


def test_one_that_does_not_go_is_told_and_the_code_is_1(cli: Cli, one: Cloud, sky: Sky) -> None:
    one.dies_after = 10_000
    done = cli("gc", "--yes")
    assert done.code == 1
    assert "warning: one: i-stray still stands after 60 s, though asked to end" in done.err
    assert "end it in the provider's console" in done.err
    assert sky.slept_s <= 60


def test_what_the_provider_says_against_an_end_is_told(cli: Cli, one: Cloud) -> None:
    one.failures = {"i-stray": "deletion protection"}
    done = cli("gc", "--yes")
    assert done.code == 1
    assert "one: i-stray still stands: deletion protection" in done.err
    (_, told) = cli("gc", "--yes", "--json").json["machines"]
    assert (told["ended"], told["said"]) == (False, "deletion protection")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "asked", "code"), [("y\n", 1, 0), ("n\n", 0, 1), ("\n", 0, 1), ("", 0, 1)])
def test_on_a_terminal_it_asks_and_only_yes_is_yes(
    cli: Cli, one: Cloud, monkeypatch: pytest.MonkeyPatch, answer: str, asked: int, code: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    done = cli("gc")
    assert "end 1 stray? [y/N]" in done.err
    assert (len(one.asked), done.code) == (asked, code)


def test_what_a_watchdog_took_up_while_the_question_stood_is_not_ended(
    cli: Cli, store: SqliteStore, sky: Sky, job: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud("one", stands(store, 2))
    sky.clouds["one"] = cloud
    remember(store, 2, state="launching", instance_id="", up_at=None, tried_at=NOW - 600)

    def adopt(strays: Sequence[Standing]) -> bool:
        adopted = {"state": "up", "instance_id": "i-2", "up_at": NOW}
        store.apply([SetMachine(launch_key=key(store, 2), frm="launching", changes=adopted)])
        return True

    monkeypatch.setattr("spotlaunch.cli.gc._agreed", adopt)
    done = cli("gc")
    assert (cloud.asked, done.code) == ([], 0)


@pytest.mark.usefixtures("job")
def test_a_launch_in_flight_is_not_ended_even_with_yes(cli: Cli, store: SqliteStore, sky: Sky) -> None:
    cloud = Cloud("one", stands(store, 3))
    sky.clouds["one"] = cloud
    remember(store, 3, state="launching", instance_id="", up_at=None, tried_at=NOW - CLOUD.settle_s / 2)
    done = cli("gc", "--yes")
    assert (done.code, cloud.asked) == (0, [])


@pytest.mark.usefixtures("job")
def test_the_book_is_read_after_the_listings_so_that_a_launch_meanwhile_is_known(
    cli: Cli, store: SqliteStore, sky: Sky
) -> None:
    cloud = Cloud("one", stands(store, 3))
    cloud.before_listing = lambda: remember(store, 3, state="launching", instance_id="", up_at=None, tried_at=NOW)
    sky.clouds["one"] = cloud
    assert verdicts(cli("gc", "--json")) == {"i-3": "kept"}


def test_a_machine_that_no_listing_shows_is_missing(cli: Cli, one: Cloud, store: SqliteStore) -> None:
    del one.machines["i-2"], one.machines["i-stray"]
    done = cli("gc", "--json")
    assert (done.code, verdicts(done)) == (0, {"i-2": "missing"})


@pytest.mark.usefixtures("one")
def test_a_provider_that_fails_is_told_with_its_hint_and_the_others_are_cleaned(cli: Cli, one: Cloud, sky: Sky) -> None:
    broken = Cloud("two")

    def fails() -> None:
        raise Transient("503 from the API", hint="see its status page")

    broken.before_listing = fails
    sky.clouds["two"] = broken
    done = cli("gc", "--yes")
    assert done.code == 1
    assert "two: 503 from the API (hint: see its status page); what stands there cannot be known" in done.err
    assert one.asked == [("i-stray",)]


@pytest.fixture
def never() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_provider_that_hangs_is_left_behind(
    cli: Cli, one: Cloud, sky: Sky, monkeypatch: pytest.MonkeyPatch, never: threading.Event
) -> None:
    monkeypatch.setattr("spotlaunch.cli.listings.list_all.__kwdefaults__", {"deadline_s": 0.3}, raising=False)
    hanging = Cloud("two")

    def hangs() -> None:
        never.wait(30)

    hanging.before_listing = hangs
    sky.clouds["two"] = hanging
    done = cli("gc", "--json")
    assert done.code == 1
    assert [(s["provider"], s["reason"]) for s in done.json["silent"]] == [("two", "has not answered within 0.3 s")]
    assert verdicts(done) == {"i-2": "kept", "i-stray": "stray"}


def test_one_that_is_not_set_up_now_but_has_machines_in_the_book_is_told_with_them(
    cli: Cli, store: SqliteStore, sky: Sky, job: None
) -> None:
    sky.clouds = {"one": NotAuthorized("no key", hint="set ONE_KEY"), "two": NotAuthorized("no key either")}
    remember(store, 1, state="ended", ended_at=NOW - 100)
    remember(store, 2)
    done = cli("gc")
    assert done.code == 1
    assert (
        "one: no key (hint: set ONE_KEY); what stands there cannot be known. The book has 2 machines there" in done.err
    )
    assert "not ended: i-2" in done.err
    assert "not set up, and never used from here: two" in done.err
    (silent,) = cli("gc", "--json").json["silent"]
    assert (silent["machines"], silent["not_ended"]) == (2, ["i-2"])


def test_one_that_only_tells_prices_is_not_set_up(cli: Cli, sky: Sky, store: SqliteStore) -> None:
    sky.clouds["window"] = Cloud("window", traits=replace(CLOUD, prices_only="no credentials"))
    done = cli("gc", "--json")
    assert (done.code, done.json["not_set_up"]) == (0, ["window"])
    assert cli("gc", "--provider", "window").code == 1, "who asks for it by name wants to know"


def test_a_setting_that_cannot_be_used_is_no_reason_to_pass_a_provider_over(
    cli: Cli, sky: Sky, store: SqliteStore
) -> None:
    sky.clouds["one"] = UsageError("one: endpoint is not an address", hint="write https://")
    done = cli("gc")
    assert done.code == 1
    assert "one: one: endpoint is not an address (hint: write https://)" in done.err


@pytest.mark.usefixtures("one")
def test_only_those_named_are_asked(cli: Cli, one: Cloud, sky: Sky) -> None:
    sky.clouds["two"] = Cloud("two")
    assert cli("gc", "--provider", "two").code == 0
    assert one.listed == 0
    done = cli("gc", "--provider", "tow")
    assert (done.code, "did you mean two?" in done.err) == (2, True)


def test_nothing_anywhere_is_said(cli: Cli, sky: Sky, store: SqliteStore) -> None:
    sky.clouds["one"] = Cloud("one")
    done = cli("gc")
    assert (done.code, done.out, done.err) == (0, "", "no machine of yours is anywhere\n")


def test_what_only_a_watchdog_would_end_is_a_stray_while_none_is_awake(
    cli: Cli, store: SqliteStore, sky: Sky, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add_job(a_job(state="finished", over_at=NOW - 50), an_event())
    sky.clouds["one"] = Cloud("one", stands(store, 2))
    remember(store, 2)
    assert verdicts(cli("gc", "--json")) == {"i-2": "stray"}
    awake(store)
    assert verdicts(cli("gc", "--json")) == {"i-2": "ending"}
