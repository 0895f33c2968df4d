"""Accounts: what each provider lets us do, asked side by side; no trouble of one is another's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from spotlaunch.core.facts import Finding, Offer, SeenMachine, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized, Throttled
from spotlaunch.market.accounts import WORKERS_EACH, Account, Means, look
from spotlaunch.ports import Provider
from spotlaunch.workers import Workers
from tests.core.worlds import CLOUD, a_machine, an_offer, seen

FOUND = Finding(kind="credentials", name="key", ok=True, detail="in the environment")
PRICES_ONLY = replace(CLOUD, prices_only="there are no credentials")


@dataclass
class Cloud:
    """A provider whose every answer may be something else: a value, an error, a wait."""

    name: str = "one"
    traits: Any = CLOUD
    sells: Callable[[], Sequence[Offer]] = lambda: [an_offer(), an_offer("2")]
    runs: Callable[[], Sequence[SeenMachine]] = lambda: [seen(a_machine())]
    examined: Callable[[], Sequence[Finding]] = lambda: [FOUND]
    connecting: Callable[[], None] = lambda: None
    listed: bool = False

    def offers(self, want: Want) -> Sequence[Offer]:
        return self.sells()

    def list_machines(self) -> Sequence[SeenMachine]:
        self.listed = True
        return self.runs()


def raising(error: Exception) -> Callable[[], Any]:
    def call() -> Any:
        raise error

    return call


@pytest.fixture
def stuck() -> Iterator[Callable[[], Any]]:
    """A call that hangs for as long as the test runs."""
    over = threading.Event()

    def hang() -> Any:
        over.wait(60)
        return []

    yield hang
    over.set()


def looked(*clouds: Cloud, deadline_s: float = 20.0, secret: str = "") -> tuple[Account, ...]:
    by_name = {c.name: c for c in clouds}

    def connected(told: Settings) -> Provider:
        by_name[told.provider].connecting()
        return by_name[told.provider]  # type: ignore[return-value]

    means = Means(
        examine=lambda told: by_name[told.provider].examined(),
        connect=connected,
        workers=Workers(WORKERS_EACH * len(clouds)),
    )
    secrets = {"api_key": secret} if secret else {}
    return look({n: Settings(provider=n, secrets=secrets) for n in by_name}, means, deadline_s=deadline_s)


def test_an_account_tells_what_is_sold_what_runs_and_what_was_found_out() -> None:
    [account] = looked(Cloud())
    assert account == Account(provider="one", offers=2, machines=1, findings=(FOUND,))
    assert account.usable


def test_a_provider_of_prices_only_is_not_usable_and_is_not_asked_for_machines() -> None:
    cloud = Cloud(traits=PRICES_ONLY)
    [account] = looked(cloud)
    assert (account.usable, account.problem, account.offers, account.machines) == (False, "", 2, None)
    assert account.prices_only == "there are no credentials"
    assert not cloud.listed


@pytest.mark.parametrize("what", ["sells", "runs", "connecting"])
def test_one_that_fails_says_why_and_what_to_do_and_the_others_answer(what: str) -> None:
    bad = Cloud(name="bad", **{what: raising(NotAuthorized("no such key", hint="make one"))})  # type: ignore[arg-type]
    first, second = looked(bad, Cloud())
    assert (first.usable, first.problem, first.hint) == (False, "no such key", "make one")
    assert second.usable


def test_one_that_cannot_be_connected_still_tells_what_was_found_out() -> None:
    [account] = looked(Cloud(connecting=raising(NotAuthorized("no key"))))
    assert account.findings == (FOUND,)


@pytest.mark.parametrize("what", ["sells", "runs", "connecting"])
def test_one_that_hangs_holds_nobody_up_beyond_the_deadline(what: str, stuck: Callable[[], Any]) -> None:
    began = time.monotonic()
    hanging, other = looked(Cloud(name="slow", **{what: stuck}), Cloud(), deadline_s=0.3)  # type: ignore[arg-type]
    assert time.monotonic() - began < 5
    assert (hanging.usable, hanging.problem) == (False, "has not answered within 0.3 s")
    assert other.usable


def test_an_examination_that_hangs_or_fails_is_a_finding_and_no_verdict(stuck: Callable[[], Any]) -> None:
    slow, failing = looked(
        Cloud(name="slow", examined=stuck),
        Cloud(name="failing", examined=raising(Throttled("too many calls"))),
        deadline_s=0.3,
    )
    assert slow.usable
    assert failing.usable
    assert [f.detail for f in slow.findings] == ["has not answered within 0.3 s"]
    assert [(f.ok, f.detail) for f in failing.findings] == [(False, "too many calls")]


def test_all_are_asked_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def meet() -> Any:
        meeting.wait()
        return []

    assert all(a.usable for a in looked(*(Cloud(name=n, examined=meet) for n in "abc")))


def test_an_adapters_bug_is_a_row_that_asks_for_a_report() -> None:
    [account] = looked(Cloud(sells=raising(KeyError("gpu"))))
    assert account.problem == "KeyError: 'gpu'"
    assert "report it" in account.hint


def test_no_secret_is_in_what_is_told() -> None:
    said = "GET /?key=hush-hush: 403"
    finding = Finding(kind="call", name="list", ok=False, detail=said, hint=said)
    [account] = looked(
        Cloud(
            traits=replace(CLOUD, prices_only=said),
            sells=raising(NotAuthorized(said, hint=said)),
            examined=lambda: [finding],
        ),
        secret="hush-hush",
    )
    assert "hush" not in repr(account)
    assert account.problem == "GET /?key=***: 403"
