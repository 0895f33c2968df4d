from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.answers import Answer
from spotlaunch.core.facts import Offer, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized, OutcomeUnknown, StoreUnavailable, Throttled, UsageError
from spotlaunch.market.survey import FRESH_S, Means, survey
from spotlaunch.ports import MarketMemory, Provider
from spotlaunch.storage.market import MarketStore
from tests.core.worlds import CLOUD
from tests.storage.offers import an_offer

NOW = 10_000.0
WANT = Want(gpus=(("H100", 0),))


@dataclass
class Cloud:
    """A provider that sells, raises or hangs; and how often it was connected."""

    name: str = "one"
    sells: Callable[[], Sequence[Offer]] = lambda: [an_offer()]
    traits: Any = CLOUD
    connected: int = 0

    def offers(self, want: Want) -> Sequence[Offer]:
        return self.sells()


@dataclass
class Scene:
    """Everything around a survey, to be changed by a test."""

    workers: ThreadPoolExecutor
    memory: MarketMemory | None = None
    clouds: dict[str, Cloud] = field(default_factory=dict)
    settings: dict[str, Settings] = field(default_factory=dict)
    now: float = NOW
    complaints: list[str] = field(default_factory=list)

    def cloud(self, name: str = "one", **changes: Any) -> Cloud:
        made = self.clouds[name] = Cloud(name=name, **changes)
        return made

    def settings_of(self, name: str) -> Settings:
        return self.settings.get(name, Settings(provider=name))

    def connect(self, name: str, settings: Settings) -> Provider:
        self.clouds[name].connected += 1
        return self.clouds[name]  # type: ignore[return-value]

    def ask(self, *names: str, want: Want = WANT, **changes: Any) -> tuple[Answer, ...]:
        own = {k: changes.pop(k) for k in ("settings", "connect") if k in changes}
        means = Means(
            settings=own.get("settings", self.settings_of),
            connect=own.get("connect", self.connect),
            now=lambda: self.now,
            workers=self.workers,
            memory=self.memory,
            complain=lambda e: self.complaints.append(e.message),
        )
        return survey(names or tuple(self.clouds), want, means, **changes)

    def one(self, **changes: Any) -> Answer:
        (answer,) = self.ask("one", **changes)
        return answer


@pytest.fixture
def scene() -> Iterator[Scene]:
    store = MarketStore(":memory:")
    with ThreadPoolExecutor(8) as workers:
        yield Scene(workers, memory=store)
    store.close()


def raising(error: BaseException) -> Callable[[], Sequence[Offer]]:
    def sells() -> Sequence[Offer]:
        raise error

    return sells


# -- answers ------------------------------------------------------------------------------------------


def test_each_provider_has_its_answer_in_the_order_of_the_names(scene: Scene) -> None:
    scene.cloud("two", sells=lambda: [an_offer(provider="two")], traits=replace(CLOUD, start_s=77.0, prices_only="why"))
    scene.cloud("one")
    one, two = scene.ask("one", "two")
    assert one == Answer(provider="one", asked_at=NOW, offers=(an_offer(),), start_s=CLOUD.start_s)
    assert (two.provider, two.start_s, two.prices_only) == ("two", 77.0, "why")


def test_all_are_asked_side_by_side(scene: Scene) -> None:
    together = threading.Barrier(3, timeout=5)
    for name in ("one", "two", "three"):
        scene.cloud(name, sells=lambda: [an_offer()] * (together.wait() >= 0))
    assert [len(a.offers) for a in scene.ask()] == [1, 1, 1]


FAILURES = [
    (NotAuthorized("no credentials", hint="set KEY"), "no credentials", "set KEY"),
    (Throttled("too many calls"), "too many calls", ""),
    (OutcomeUnknown("connection reset", hint="look"), "did not answer: connection reset", "look"),
    (UsageError("regions is not a list", hint="write one"), "regions is not a list", "write one"),
    (TypeError("'NoneType' is not iterable"), "TypeError: 'NoneType' is not iterable", "report"),
    (ModuleNotFoundError("No module named 'sdk'"), "ModuleNotFoundError: No module named 'sdk'", "report"),
]


@pytest.mark.parametrize("where", ["settings", "connect", "offers"])
@pytest.mark.parametrize(("error", "failure", "hint"), FAILURES, ids=[type(e).__name__ for e, _, _ in FAILURES])
def test_one_that_fails_says_why_and_fails_nobody_else(
    scene: Scene, where: str, error: Exception, failure: str, hint: str
) -> None:
    scene.cloud("one")
    scene.cloud("bad", sells=raising(error))

    def fails(name: str, *rest: Any) -> Any:
        if name == "bad":
            raise error
        return scene.connect(name, *rest) if rest else scene.settings_of(name)

    one, bad = scene.ask(**({where: fails} if where != "offers" else {}))
    assert len(one.offers) == 1
    assert (bad.failure, bad.offers) == (failure, ())
    assert hint in bad.hint


def test_a_secret_in_an_adapters_words_is_not_told(scene: Scene) -> None:
    scene.settings["one"] = Settings(provider="one", secrets={"key": "sk-marker"})
    scene.cloud(sells=raising(ConnectionError("GET https://x/?key=sk-marker failed")))
    answer = scene.one()
    assert answer.failure == "ConnectionError: GET https://x/?key=*** failed"
    assert "marker" not in repr(answer)


@pytest.mark.parametrize("where", ["settings", "connect", "offers"])
def test_one_that_hangs_is_waited_for_until_the_deadline_and_no_longer(scene: Scene, where: str) -> None:
    end = threading.Event()

    def hangs(name: str = "slow", *rest: Any) -> Any:
        if name == "slow":
            end.wait(20)
        return scene.connect(name, *rest) if rest else scene.settings_of(name)

    scene.cloud("one")
    scene.cloud("slow", sells=lambda: [an_offer()] * end.wait(20))
    began = time.monotonic()
    one, slow = scene.ask(deadline_s=0.2, **({where: hangs} if where != "offers" else {}))
    assert time.monotonic() - began < 5
    end.set()
    assert slow.failure == "has not answered within 0.2 s"
    assert len(one.offers) == 1


def test_a_provider_that_hangs_does_not_keep_the_process_from_ending() -> None:
    code = """
import time
from spotlaunch.core.facts import Want
from spotlaunch.core.settings import Settings
from spotlaunch.market.survey import Means, survey
from spotlaunch.workers import Workers
means = Means(settings=lambda n: Settings(provider=n), connect=lambda n, s: time.sleep(60), now=time.time,
              workers=Workers(4, name="survey"))
print(survey(["one"], Want(), means, deadline_s=0.1)[0].failure)
"""
    root = Path(__file__).parent.parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=30)
    assert done.stdout == "has not answered within 0.1 s\n", done.stderr


# -- memory -------------------------------------------------------------------------------------------


def test_a_fresh_answer_is_taken_without_connecting(scene: Scene) -> None:
    cloud = scene.cloud()
    first = scene.one()
    scene.now += FRESH_S
    assert scene.one() == first
    assert cloud.connected == 1


@pytest.mark.parametrize(
    ("change", "terms"),
    [
        (FRESH_S + 1, {}),
        (61.0, {"max_age_s": 60.0}),
        (0.0, {"max_age_s": 0.0}),
        (-1.0, {}),  # the clock was set back: nobody knows how old it is
        (0.0, {"want": Want()}),
    ],
)
def test_it_is_asked_again_when_the_answer_does_not_do(scene: Scene, change: float, terms: dict[str, Any]) -> None:
    cloud = scene.cloud()
    scene.one()
    scene.now += change
    assert scene.one(**terms).asked_at == scene.now
    assert cloud.connected == 2


def test_answers_of_other_settings_are_not_ours(scene: Scene) -> None:
    cloud = scene.cloud()
    scene.one()
    scene.settings["one"] = Settings(provider="one", values={"regions": "eu-west-1"})
    scene.one()
    assert cloud.connected == 2


def test_a_failure_is_not_remembered(scene: Scene) -> None:
    cloud = scene.cloud(sells=raising(Throttled("busy")))
    assert scene.one().failure == "busy"
    cloud.sells = lambda: [an_offer()]
    assert scene.one().failure == ""


def test_the_quick_ones_are_remembered_although_another_never_answered(scene: Scene) -> None:
    end = threading.Event()
    quick = scene.cloud("quick")
    scene.cloud("slow", sells=lambda: [an_offer()] * end.wait(20))
    scene.ask(deadline_s=0.2)
    end.set()
    scene.ask("quick")
    assert quick.connected == 1


def test_every_price_seen_goes_into_the_history(scene: Scene) -> None:
    scene.cloud()
    scene.one()
    assert isinstance(scene.memory, MarketStore)
    assert [p.pool for p in scene.memory.history("H100", since=0, until=NOW)] == [an_offer().pool]


def test_a_rehearsal_is_neither_remembered_nor_part_of_the_history(scene: Scene) -> None:
    cloud = scene.cloud(traits=replace(CLOUD, rehearsal=True))
    scene.one()
    assert scene.one().rehearsal
    assert cloud.connected == 2
    assert isinstance(scene.memory, MarketStore)
    assert scene.memory.history("H100", since=0, until=NOW) == ()


def test_it_works_without_a_memory(scene: Scene) -> None:
    scene.memory = None
    cloud = scene.cloud()
    assert scene.one() == scene.one()
    assert cloud.connected == 2


class Broken:
    """A memory whose disk is full, from reading on or from writing on."""

    def __init__(self, *, reads: bool) -> None:
        self._reads = reads

    def recall(self, want: Want, *, settings: Mapping[str, str], since: float, until: float) -> dict[str, Answer]:
        if self._reads:
            return {}
        raise StoreUnavailable("the disk is full")

    def remember(self, answer: Answer, want: Want, *, settings: str) -> None:
        raise StoreUnavailable("the disk is full")

    def note_prices(self, offers: object, *, now: float) -> int:
        raise AssertionError("asked a memory that is in trouble")


@pytest.mark.parametrize("reads", [True, False])
def test_a_memory_in_trouble_is_complained_of_once_and_everybody_answers(scene: Scene, reads: bool) -> None:
    scene.memory = Broken(reads=reads)
    scene.cloud("one")
    scene.cloud("two")
    assert [len(a.offers) for a in scene.ask()] == [1, 1]
    assert scene.complaints == ["the disk is full"]


def test_a_text_that_cannot_be_written_down_costs_the_memory_and_no_answer(scene: Scene) -> None:
    scene.cloud("one", sells=lambda: [an_offer(gpu="H100\ud800")])
    scene.cloud("two")
    assert [(a.failure, len(a.offers)) for a in scene.ask()] == [("", 1)] * 2
    (complaint,) = scene.complaints
    assert "cannot hold a text with half a letter in it" in complaint


class Slow(Broken):
    """A memory that is written to by another process for longer than anybody waits."""

    keeps: Callable[[], None]

    def remember(self, answer: Answer, want: Want, *, settings: str) -> None:
        self.keeps()
        time.sleep(1.2)
        raise StoreUnavailable("another process has been writing to it")


def test_a_memory_that_takes_longer_than_the_deadline_loses_no_answer_that_was_in_time(scene: Scene) -> None:
    scene.memory = Slow(reads=True)
    scene.cloud("quick")
    kept = threading.Event()
    scene.memory.keeps = kept.set
    scene.cloud("next", sells=lambda: [an_offer()] * kept.wait(20))
    assert [(a.failure, len(a.offers)) for a in scene.ask(deadline_s=1.0)] == [("", 1)] * 2
    assert len(scene.complaints) == 1


def test_nobody_to_ask_is_no_answer(scene: Scene) -> None:
    assert scene.ask(want=Want()) == ()
