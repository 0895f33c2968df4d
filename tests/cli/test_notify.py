"""Notifications: where they may go, what is sent, what is said when it fails; and never the address in full."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from spotlaunch.cli import notify
from spotlaunch.errors import SpotlaunchError, UsageError
from tests.sim.clock import SimClock

TOKEN = "T0KEN-hush"


class Inbox:
    """A web hook on this computer: what it was sent, and what it answers."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.answers: list[int] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.bodies.append(json.loads(body))
                inbox.paths.append(self.path)
                code = inbox.answers.pop(0) if inbox.answers else 200
                self.send_response(code)
                if code == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/{TOKEN}?key={TOKEN}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    made = Inbox()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_hook_is_sent_text_and_what_it_is_about(inbox: Inbox) -> None:
    clock = SimClock()
    notify.send(notify.sender_to(inbox.url), inbox.url, "cheap", {"price": Decimal("1.5")}, clock)
    assert (inbox.bodies, clock.now()) == ([{"text": "cheap", "price": 1.5}], SimClock().now())


def test_what_fails_is_tried_again_with_growing_pauses(inbox: Inbox, capsys: pytest.CaptureFixture[str]) -> None:
    inbox.answers = [500, 429]
    clock = SimClock()
    notify.send(notify.sender_to(inbox.url), inbox.url, "cheap", {}, clock)
    assert len(inbox.bodies) == 3
    assert clock.now() - SimClock().now() == 2 + 4
    said = capsys.readouterr().err
    assert "the notification to http://127.0.0.1/*** failed: HTTP 500" in said
    assert TOKEN not in said


def test_what_keeps_failing_is_told_and_given_up(inbox: Inbox, capsys: pytest.CaptureFixture[str]) -> None:
    inbox.answers = [403] * 9
    with pytest.raises(SpotlaunchError, match=r"nobody was notified at http://127\.0\.0\.1/") as caught:
        notify.send(notify.sender_to(inbox.url), inbox.url, "cheap", {}, SimClock())
    assert len(inbox.bodies) == notify.TRIES
    assert TOKEN not in caught.value.message + caught.value.hint + capsys.readouterr().err


def test_a_host_that_cannot_be_reached_is_no_stack_trace_with_an_address(inbox: Inbox) -> None:
    inbox.server.shutdown()
    inbox.server.server_close()
    trouble = notify.sender_to(inbox.url)("cheap", {})
    assert trouble == "ConnectionError"


def test_a_redirect_is_not_followed(inbox: Inbox) -> None:
    inbox.answers = [302]
    assert notify.sender_to(inbox.url)("cheap", {}) == "HTTP 302"
    assert len(inbox.paths) == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"http://ntfy.sh/{TOKEN}", "http://ntfy.sh/***: plain http is for this computer only"),
        (f"https:///{TOKEN}", "this is not an address"),
        (f"ntfy.sh/{TOKEN}", "this is not an address"),
        (TOKEN, "this is not an address"),
        (f"https://[{TOKEN}", "this is not an address"),
        (f"mailto:{TOKEN}", "this is not an address"),
        (f"https://ntfy.sh:99999/{TOKEN}", "https://ntfy.sh/*** cannot be posted to"),
        (f"https://ntfy.sh:https/{TOKEN}", "https://ntfy.sh/*** cannot be posted to"),
        (f"https://ntfy .sh/{TOKEN}", "https://ntfy .sh/*** cannot be posted to"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_shown(url: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        notify.sender_to(url)
    assert message in caught.value.message
    assert caught.value.hint
    assert TOKEN not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            f"https://user:{TOKEN}@hooks.slack.com:8443/services/{TOKEN}?a={TOKEN}#{TOKEN}",
            "https://hooks.slack.com/***",
        ),
        (f"slack://{TOKEN}/{TOKEN}", "slack://***"),
        (f"https://[{TOKEN}", "***"),
        (TOKEN, "***"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_token(url: str, shown: str) -> None:
    assert notify.shown(url) == shown


def test_nothing_that_sends_shows_its_address() -> None:
    assert TOKEN not in repr(notify.sender_to(f"https://ntfy.sh/{TOKEN}"))


# -- apprise, which is an extra ---------------------------------------------------------------------------


class Apprise:
    """As much of apprise as we use."""

    sent: list[tuple[str, str]]
    works = True

    def __init__(self) -> None:
        self.urls: list[str] = []

    def add(self, url: str) -> bool:
        self.urls.append(url)
        return not url.startswith("nonsense")

    def notify(self, *, title: str, body: str) -> bool:
        Apprise.sent.append((self.urls[0], body))
        return Apprise.works


@pytest.fixture
def apprise(monkeypatch: pytest.MonkeyPatch) -> type[Apprise]:
    Apprise.sent, Apprise.works = [], True
    monkeypatch.setitem(sys.modules, "apprise", SimpleNamespace(Apprise=Apprise))
    return Apprise


def test_other_schemes_go_through_apprise(apprise: type[Apprise]) -> None:
    url = f"tgram://{TOKEN}/123"
    notify.send(notify.sender_to(url), url, "cheap", {}, SimClock())
    assert apprise.sent == [(url, "cheap")]


def test_what_apprise_could_not_send_is_tried_again_and_told(apprise: type[Apprise]) -> None:
    apprise.works = False
    url = f"tgram://{TOKEN}/123"
    with pytest.raises(SpotlaunchError) as caught:
        notify.send(notify.sender_to(url), url, "cheap", {}, SimClock())
    assert len(apprise.sent) == notify.TRIES
    assert TOKEN not in caught.value.message


def test_a_scheme_that_apprise_does_not_know_is_refused(apprise: type[Apprise]) -> None:
    with pytest.raises(UsageError, match=r"apprise does not understand nonsense://\*\*\*"):
        notify.sender_to(f"nonsense://{TOKEN}")


def test_without_apprise_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(UsageError, match="needs the package apprise") as caught:
        notify.sender_to(f"tgram://{TOKEN}/123")
    assert "pip install 'spotlaunch[notify]'" in caught.value.hint
    assert TOKEN not in caught.value.message
