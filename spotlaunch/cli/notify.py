"""Notifications: a sentence sent to an address of the user's. Addresses hold tokens, and are never shown in full."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from spotlaunch.cli import render
from spotlaunch.core.settings import is_loopback
from spotlaunch.errors import SpotlaunchError, UsageError
from spotlaunch.ports import Clock

TRIES = 4
FIRST_PAUSE_S = 2.0
TIMEOUT_S = 10.0

# Sends a sentence and, for programs, what it is about. Says why it could not, or nothing.
Sender = Callable[[str, Mapping[str, Any]], str]


def sender_to(url: str) -> Sender:
    """What sends to ``url``: http(s) by a POST of JSON, any other scheme by apprise (the extra `notify`).

    Raises `UsageError` at once for an address that cannot be used. Nothing is sent yet.
    """
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), parts.hostname
    except ValueError:  # a bracket too many; the message of urlsplit holds the address
        scheme, host = "", None
    if scheme in ("http", "https"):
        if not host:
            raise UsageError("--notify: this is not an address", hint="write https://host/path")
        if scheme == "http" and not is_loopback(url):
            raise UsageError(
                f"--notify: {shown(url)}: plain http is for this computer only, since addresses hold tokens",
                hint="write https://",
            )
        if not _can_be_posted_to(url):
            raise UsageError(f"--notify: {shown(url)} cannot be posted to", hint="see that host and port are right")
        return _Post(url)
    if not scheme or "://" not in url:
        raise UsageError("--notify: this is not an address", hint="write https://ntfy.sh/your-topic, say")
    return _by_apprise(url)


def _can_be_posted_to(url: str) -> bool:
    """Whether a port that is none, a space in the host, or the like would keep every POST from being sent."""
    import requests  # late: only needed for this

    try:
        requests.Request("POST", url).prepare()
        return urlsplit(url).port != 0
    except (requests.RequestException, ValueError):
        return False


def shown(url: str) -> str:
    """An address without what may be a token: scheme and host, and of other schemes (whose "host" may be one) none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "***"
    if parts.scheme not in ("http", "https") or not host:
        return f"{render.one_line(parts.scheme[:20])}://***" if parts.scheme else "***"
    return f"{parts.scheme}://{render.one_line(host)}/***"


def send(sender: Sender, url: str, text: str, about: Mapping[str, Any], clock: Clock) -> None:
    """Send, trying again a few times with growing pauses. Raises `SpotlaunchError` when nothing helped."""
    for number in range(TRIES):
        trouble = sender(text, about)
        if not trouble:
            return
        render.say(f"the notification to {shown(url)} failed: {trouble}")
        if number < TRIES - 1:
            sleep_whole(clock, FIRST_PAUSE_S * 2**number)
    raise SpotlaunchError(
        f"nobody was notified at {shown(url)}: {trouble}", hint="see that the address is right and can be reached"
    )


def sleep_whole(clock: Clock, seconds: float) -> None:
    """Sleep it all: a clock may end a sleep early."""
    at = clock.now() + seconds
    while clock.now() < at:
        clock.sleep_until(at)


class _Post:
    """A POST of JSON: ``text`` is what Slack and its likes show; the rest is for programs.

    An ntfy topic takes the body as it is, and shows one field of it with a template in the address
    (https://docs.ntfy.sh/publish/, message templating).
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def __repr__(self) -> str:
        return f"a POST to {shown(self._url)}"

    def __call__(self, text: str, about: Mapping[str, Any]) -> str:
        import requests  # late: only needed for this

        body = json.dumps({"text": text, **about}, default=float).encode()
        headers = {"Content-Type": "application/json"}
        try:
            # A redirect would carry the message, and maybe a token, to somebody who was not named.
            answer = requests.post(self._url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
        except requests.RequestException as e:
            return type(e).__name__  # its message holds the address
        return "" if answer.ok and not answer.is_redirect else f"HTTP {answer.status_code}"


def _by_apprise(url: str) -> Sender:
    try:
        apprise: Any = import_module("apprise")  # late: an extra
    except ImportError:
        raise UsageError(
            f"--notify: {shown(url)} needs the package apprise, which is not installed",
            hint="pip install 'spotlaunch[notify]', or use an https:// address",
        ) from None
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its lines may hold addresses
    target = apprise.Apprise()
    if not target.add(url):
        raise UsageError(f"--notify: apprise does not understand {shown(url)}", hint="see its list of services")

    def sender(text: str, about: Mapping[str, Any]) -> str:
        return "" if target.notify(title="spotlaunch", body=text) else "it was not taken"

    return sender
