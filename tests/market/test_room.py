from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

import pytest

from spotlaunch.core.facts import Launched, Offer, Order, SeenMachine, Want
from spotlaunch.errors import NotAuthorized, OutcomeUnknown
from spotlaunch.market.room import CACHE_SHARE, WARM_S, Room
from tests.core.worlds import CLOUD, NOW, a_pool, an_offer
from tests.fakes.waiting import eventually

WANT = Want()


class Shop:
    """A provider that sells what ``sell`` says."""

    def __init__(self, name: str, sell: Callable[[], Sequence[Offer]]) -> None:
        self.name = name
        self.traits = CLOUD
        self.sell = sell
        self.asked = 0

    def offers(self, want: Want) -> Sequence[Offer]:
        self.asked += 1
        return self.sell()

    def launch(self, order: Order) -> Launched:
        raise NotImplementedError

    def list_machines(self) -> Sequence[SeenMachine]:
        raise NotImplementedError

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        raise NotImplementedError


class Hands:
    """The time, to be set by the test."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def workers() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def clock() -> Hands:
    return Hands()


def offer_of(name: str) -> Offer:
    return an_offer(pool=a_pool(provider=name))


def good(name: str) -> Shop:
    return Shop(name, lambda: [offer_of(name)])


def failing(name: str, error: Exception) -> Shop:
    def sell() -> Sequence[Offer]:
        raise error

    return Shop(name, sell)


def a_room(*shops: Shop, clock: Hands, workers: Executor) -> Room:
    return Room({s.name: s for s in shops}, now=clock, workers=workers)


def test_offers_of_all_providers_come_together(clock: Hands, workers: Executor) -> None:
    asked = a_room(good("a"), good("b"), clock=clock, workers=workers).ask(WANT)
    assert (asked.offers, asked.failures) == ((offer_of("a"), offer_of("b")), {})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotAuthorized("no login", hint="log in"), "no login (hint: log in)"),
        (OutcomeUnknown("timed out"), "did not answer: timed out"),
        (ZeroDivisionError("oops"), "ZeroDivisionError: oops"),
    ],
)
def test_a_provider_that_fails_is_a_reason_and_never_fails_the_rest(
    error: Exception, words: str, clock: Hands, workers: Executor
) -> None:
    asked = a_room(failing("bad", error), good("a"), clock=clock, workers=workers).ask(WANT)
    assert (asked.offers, asked.failures) == ((offer_of("a"),), {"bad": words})


def test_a_slow_provider_holds_nobody_up_and_its_answer_serves_the_next_look(clock: Hands, workers: Executor) -> None:
    gate = threading.Event()

    def sell() -> Sequence[Offer]:
        gate.wait(30)
        return [offer_of("slow")]

    slow = Shop("slow", sell)
    room = a_room(slow, good("a"), clock=clock, workers=workers)
    try:
        first = room.ask(WANT, deadline_s=0.05)
        assert (first.offers, first.failures) == ((offer_of("a"),), {"slow": "has not answered yet"})
        room.ask(WANT, deadline_s=0.0)
    finally:
        gate.set()
    assert room.ask(WANT).offers == (offer_of("slow"), offer_of("a"))
    assert slow.asked == 1, "one that has not answered is not asked again beside it"


def test_an_answer_is_used_again_for_a_share_of_the_providers_rest(clock: Hands, workers: Executor) -> None:
    shop = good("a")
    shop.traits = replace(CLOUD, rest_s=10.0)
    room = a_room(shop, clock=clock, workers=workers)
    for after_s, asked in ((0.0, 1), (10.0 * CACHE_SHARE, 1), (10.0 * CACHE_SHARE + 0.1, 2)):
        clock.now = NOW + after_s
        room.ask(WANT)
        assert shop.asked == asked


def test_no_answer_is_used_for_longer_than_a_minute(clock: Hands, workers: Executor) -> None:
    shop = good("a")
    shop.traits = replace(CLOUD, rest_s=9000.0)
    room = a_room(shop, clock=clock, workers=workers)
    room.ask(WANT)
    clock.now += 61
    room.ask(WANT)
    assert shop.asked == 2


def test_a_failure_is_not_asked_about_again_at_once_either(clock: Hands, workers: Executor) -> None:
    shop = failing("bad", NotAuthorized("no login"))
    room = a_room(shop, clock=clock, workers=workers)
    assert [room.ask(WANT).failures for _ in range(3)] == [{"bad": "no login"}] * 3
    assert shop.asked == 1


def test_another_wish_is_another_question(clock: Hands, workers: Executor) -> None:
    shop = good("a")
    room = a_room(shop, clock=clock, workers=workers)
    room.ask(WANT)
    room.ask(Want(cpus=8))
    assert shop.asked == 2


def test_the_prices_of_each_answer_are_noted_but_not_those_of_a_rehearsal(workers: Executor, clock: Hands) -> None:
    noted: list[Offer] = []
    stage = good("stage")
    stage.traits = replace(CLOUD, rehearsal=True)
    shops = {"a": good("a"), "stage": stage, "bad": failing("bad", NotAuthorized("no"))}
    room = Room(shops, now=clock, workers=workers, note=noted.extend)
    room.ask(WANT)
    room.ask(WANT)  # from the cache: nothing new was seen
    workers.shutdown()
    assert noted == [offer_of("a")]


def test_an_answer_does_not_wait_for_its_prices_to_be_written_down(workers: Executor, clock: Hands) -> None:
    end = threading.Event()

    def note(offers: Sequence[Offer]) -> None:
        end.wait(20)

    room = Room({"a": good("a")}, now=clock, workers=workers, note=note)
    assert room.ask(WANT, deadline_s=2).offers == (offer_of("a"),)
    end.set()


# -- for machines that may be taken -----------------------------------------------------------------------


def test_whoever_loses_a_machine_takes_answers_that_are_at_hand(workers: Executor, clock: Hands) -> None:
    shop = Shop("cloud", lambda: [an_offer()])
    room = Room({"cloud": shop}, now=clock, workers=workers)
    room.ask(WANT)
    clock.now += 250
    assert room.ask(WANT, at_hand_s=270).offers == (an_offer(),)
    assert shop.asked == 1
    room.ask(WANT)
    assert shop.asked == 2


def test_whoever_loses_a_machine_does_not_wait_for_a_cloud_that_hangs(workers: Executor, clock: Hands) -> None:
    open_, hangs = threading.Event(), Shop("slow", list)
    hangs.sell = lambda: [an_offer()] if open_.wait(20) else []
    room = Room({"cloud": Shop("cloud", lambda: [an_offer()]), "slow": hangs}, now=clock, workers=workers)
    try:
        room.ask(WANT, deadline_s=0.05)
        clock.now += 100
        began = time.monotonic()
        asked = room.ask(WANT, deadline_s=10, at_hand_s=270)
        assert time.monotonic() - began < 5
        assert asked.offers == (an_offer(),)
        assert set(asked.failures) == {"slow"}
    finally:
        open_.set()


def test_what_is_kept_warm_is_asked_again_before_it_is_too_old_and_nobody_waits(
    workers: Executor, clock: Hands
) -> None:
    shop = Shop("cloud", lambda: [an_offer()])
    room = Room({"cloud": shop}, now=clock, workers=workers)
    room.ask(WANT)
    for seconds, asked in ((WARM_S - 1, 1), (2, 2), (1, 2)):
        clock.now += seconds
        room.keep_warm(WANT)
        eventually(lambda asked=asked: shop.asked == asked)


def test_what_is_at_hand_is_asked_of_nobody(workers: Executor, clock: Hands) -> None:
    shop = Shop("cloud", lambda: [an_offer()])
    room = Room({"cloud": shop}, now=clock, workers=workers)
    assert room.at_hand(WANT).offers == ()
    room.ask(WANT)
    clock.now += 10_000.0
    assert len(room.at_hand(WANT).offers) == 1
    assert shop.asked == 1


def test_a_cloud_that_wants_a_person_first_is_told_apart_from_one_that_is_away(workers: Executor, clock: Hands) -> None:
    def no_login() -> Sequence[Offer]:
        raise NotAuthorized("the key is not accepted")

    def away() -> Sequence[Offer]:
        raise OutcomeUnknown("did not answer")

    room = Room({"a": Shop("a", no_login), "b": Shop("b", away)}, now=clock, workers=workers)
    asked = room.ask(WANT)
    assert (set(asked.failures), asked.shut) == ({"a", "b"}, {"a"})


def test_who_told_nothing_is_told_with_the_reason_until_asked_again(workers: Executor, clock: Hands) -> None:
    down = failing("down", NotAuthorized("no login", hint="log in"))
    room = a_room(good("well"), down, clock=clock, workers=workers)
    assert room.silent() == ()
    room.ask(WANT)
    (told,) = room.silent()
    assert (told.provider, told.error, told.reason, told.hint) == ("down", "NotAuthorized", "no login", "log in")
    assert told.until == clock.now + min(60.0, CLOUD.rest_s * CACHE_SHARE)
    down.sell = lambda: [offer_of("down")]
    clock.now += 61
    room.ask(Want(cpus=2))
    assert room.silent() == (), "whoever answers anything is heard"
