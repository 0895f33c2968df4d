"""`prices --alert`: asks until a price comes true, tells it, and notifies whom it should."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from spotlaunch.cli import alert, notify
from spotlaunch.core.facts import Offer
from spotlaunch.errors import Transient
from tests.cli.conftest import Cli
from tests.cli.selling import CHEAP, Clouds, at, installed
from tests.sim.clock import SimClock

Run = Callable[..., int]


class Given:
    """A clock that stands at what the clouds' clock says, and moves it by sleeping; no more rounds than ``most``."""

    def __init__(self, clouds: Clouds, most: int = 50) -> None:
        self.clouds = clouds
        self.slept: list[float] = []
        self.most = most
        self.before_round: dict[int, Callable[[], None]] = {}

    def now(self) -> float:
        return self.clouds.now

    def sleep_until(self, at: float) -> None:
        self.slept.append(at - self.clouds.now)
        assert len(self.slept) <= self.most, "it waits for ever"
        self.clouds.now = at
        self.before_round.get(len(self.slept), lambda: None)()


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Clouds:
    return installed(monkeypatch)


@pytest.fixture
def given(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    """The clock of the command."""
    made = Given(clouds)
    monkeypatch.setattr(alert, "SystemClock", lambda: made)
    yield made


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, Any]]]:
    """What was sent to any address."""
    outbox: list[tuple[str, Mapping[str, Any]]] = []

    def to(url: str) -> notify.Sender:
        return lambda text, about: outbox.append((text, about)) or ""  # type: ignore[func-returns-value]

    monkeypatch.setattr(notify, "sender_to", to)
    return outbox


def test_a_price_that_is_true_already_is_told_at_once(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.sell("one", CHEAP)
    done = cli("prices", "--alert", "H100 < 2.00")
    assert (done.code, given.slept) == (0, [])
    assert done.out == ("H100 < 2.00: $1.0000/h for each GPU ($8.0000/h for all), H100-SXM:8, one:r1c/h100x8/spot\n")
    assert "waiting for H100 < 2.00 ($/h for each GPU), asking every 5m00s" in done.err


def test_a_doubt_of_the_providers_is_told_with_the_price(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.sell("one", at("8", available="unknown", why="a bid may have to wait"))
    assert cli("prices", "--alert", "H100 < 2").out.endswith("one:r1a/h100x8/spot; a bid may have to wait\n")


def test_with_a_count_the_price_is_of_the_machine_and_it_says_so(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.sell("one", CHEAP)
    done = cli("prices", "--alert", "H100:8 <= 8")
    assert done.out == "H100:8 <= 8.00: $8.0000/h for the machine, H100-SXM:8, one:r1c/h100x8/spot\n"
    assert "($/h for the whole machine)" in done.err


def test_it_asks_again_at_its_pace_until_the_price_comes(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.sell("one", at("32"))
    given.before_round[3] = lambda: clouds.sell("one", at("12"))
    done = cli("prices", "--alert", "H100 < 2", "--every", "10m")
    assert done.code == 0
    assert given.slept == [600.0] * 3
    assert len(clouds.asked) == 4
    assert done.err.count("cheapest now: $4.0000/h for each GPU") == 1
    assert done.out.startswith("H100 < 2.00: $1.5000/h for each GPU")


def test_who_fails_is_told_once_and_waited_for(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.fail("one", Transient("is down"))
    given.before_round[2] = lambda: clouds.sell("one", CHEAP)
    done = cli("prices", "--alert", "H100 < 2")
    assert done.code == 0
    assert done.err.count("one: is down") == 1
    assert done.err.count("nobody sells it now") == 1


def test_what_cannot_be_had_makes_nothing_true(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.sell("one", at("1", available="no"))
    given.before_round[1] = lambda: clouds.sell("one", at("2"))
    assert cli("prices", "--alert", "H100 < 2").out.startswith("H100 < 2.00: $0.2500/h")
    assert len(given.slept) == 1


def test_what_cannot_be_had_does_not_hide_what_can(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.sell("one", at("1", available="no"), at("8", zone="r1b"))
    assert "one:r1b/" in cli("prices", "--alert", "H100 < 2").out
    assert given.slept == []


@pytest.mark.parametrize(
    "options",
    [
        ["--alert", "H100 on-demand < 2"],
        ["--alert", "H100 < 2", "--on-demand"],
        ["--alert", "H100 < 2", "--region", "eu-*"],
    ],
)
def test_it_can_be_narrowed(cli: Cli, clouds: Clouds, given: Given, options: Sequence[str]) -> None:
    clouds.sell("one", CHEAP)
    fits: Offer = at("8", market="on-demand", region="eu-1", zone="")
    given.before_round[1] = lambda: clouds.sell("one", CHEAP, fits)
    done = cli("prices", *options)
    assert "one:eu-1/h100x8/on-demand" in done.out
    assert len(given.slept) == 1


def test_the_json_is_the_sentence_and_the_offer(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.sell("one", CHEAP)
    found = cli("prices", "--alert", "H100:8 < 9", "--json").json
    assert sorted(found) == ["alert", "offer", "quantity", "text"]
    assert (found["alert"], found["quantity"]) == ("H100:8 < 9.00", "price_usd_hour")
    assert found["offer"]["price_usd_hour"] == 8.0
    assert found["text"].startswith("H100:8 < 9.00: $8.0000/h")


def test_the_notification_has_the_same(cli: Cli, clouds: Clouds, given: Given, sent: list[Any]) -> None:
    clouds.sell("one", CHEAP)
    done = cli("prices", "--alert", "H100:8 < 9", "--notify", "https://ntfy.sh/secret-topic", "--json")
    [(text, about)] = sent
    found = done.json
    assert found.pop("text") == text
    assert found == about
    assert "secret-topic" not in done.out + done.err


def test_a_notification_that_fails_is_told_and_exits_with_1(
    cli: Cli, clouds: Clouds, given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds.sell("one", CHEAP)
    monkeypatch.setattr(notify, "sender_to", lambda url: lambda text, about: "HTTP 500")
    done = cli("prices", "--alert", "H100 < 2", "--notify", "https://ntfy.sh/secret-topic")
    assert done.code == 1
    assert done.out.startswith("H100 < 2.00:"), "what came true is told all the same"
    assert "error: nobody was notified at https://ntfy.sh/***: HTTP 500" in done.err
    assert "secret-topic" not in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--alert", "H100 sopt < 2"], "did you mean spot?"),
        (["--alert", "H100"], "--alert: 'H100' is not a comparison"),
        (["--alert", "H100 < 2", "--every", "30s"], "not asked for more often than once a minute"),
        (["--alert", "H100 < 2", "--every", "5"], "--every: the duration '5' has no unit"),
        (["--alert", "H100 < 2", "--notify", "http://ntfy.sh/x"], "plain http is for this computer only"),
        (["--alert", "H100 < 2", "--provider", "nobody"], "no provider is called 'nobody'"),
        (["--alert", "H100 < 2", "--gpu", "H100"], "--gpu has no meaning with --alert"),
        (["--alert", "H100 < 2", "--history", "--watch"], "--watch and --history have no meaning with --alert"),
        (["--alert", "H100 < 2", "--sort", "price"], "--sort has no meaning with --alert"),
        (["--alert", "H100 spot < 2", "--on-demand"], "never comes true with --on-demand"),
        (["--alert", "H100 on-demand < 2", "--spot"], "never comes true with --spot"),
        (["--alert", "H100 < 2", "--timeout", "nan"], "--timeout: nan is not a number"),
        (["--notify", "https://ntfy.sh/x"], "belong to --alert"),
        (["--every", "5m"], "belong to --alert"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_asked(
    cli: Cli, clouds: Clouds, given: Given, options: Sequence[str], said: str
) -> None:
    clouds.sell("one", CHEAP)
    done = cli("prices", *options)
    assert done.code == 2
    assert said in done.err
    assert clouds.asked == []


def test_a_gpu_that_no_table_has_is_waited_for_with_a_warning(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.sell("one", at("1", gpu="H1000", gpu_count=1))
    done = cli("prices", "--alert", "H1000 < 2")
    assert done.code == 0
    assert "warning: no GPU is called 'H1000'" in done.err


def test_ctrl_c_ends_it_as_any_other_command(cli: Cli, clouds: Clouds, given: Given) -> None:
    clouds.sell("one", at("32"))

    def interrupt() -> None:
        raise KeyboardInterrupt

    given.before_round[1] = interrupt
    assert cli("prices", "--alert", "H100 < 2").code == 130


def test_a_sleep_that_ends_early_is_slept_on() -> None:
    clock = SimClock()
    clock.after(10, clock.ring)
    notify.sleep_whole(clock, 60)
    assert clock.now() == SimClock().now() + 60
