"""The values of a job file: how each is read from what was written.

The leaves are `yamltree.Scalar`, so every reader starts from text. Each raises `Unreadable` with a message and
a hint; `core.jobfile` turns those into problems with a place. Whatever is known of the world outside (provider
names, the submitter's environment) comes in as the `Known` of the validation context.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, NamedTuple, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, ValidationInfo

from spotlaunch.core import units
from spotlaunch.core.names import check_env_name
from spotlaunch.core.policy import POLICIES
from spotlaunch.core.spec import MarketWish
from spotlaunch.core.units import Unreadable, quoted
from spotlaunch.core.yamltree import Scalar, found

MAX_TEXT_BYTES = 100_000  # Linux gives a program no argument or variable above 128 KiB
SCHEMES = ("file", "s3", "gs", "az")
MARKETS = get_args(MarketWish)
_TRUTH = {**dict.fromkeys(("true", "yes", "on"), True), **dict.fromkeys(("false", "no", "off"), False)}
_DATE = re.compile(r"\d{4}-")
_GLOB = re.compile(r"[A-Za-z0-9_.*?\[\]!-]+")


def utc(wall_s: float) -> float:
    """The moment at which a clock of UTC shows this."""
    return wall_s


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What a job file is checked against: provider names, the environment, the names given with ``--env``.

    ``now`` (0: not known, so that nothing is over) and ``local``, the moment (seconds since the epoch) at which the
    clock on the wall shows a time (`units.read_moment`): both of the computer where the job is submitted.
    """

    providers: Collection[str]
    env: Mapping[str, str]
    given: Collection[str] = ()
    now: float = 0.0
    local: Callable[[float], float] = utc


def closest(word: str, words: Collection[str]) -> str:
    """``did you mean ...?`` for a word that is nearly one of ``words``, else all of them."""
    near = get_close_matches(word[:60].lower(), words, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else "there are: " + ", ".join(words)


def _known(info: ValidationInfo) -> Known:
    assert isinstance(info.context, Known)
    return info.context


# -- readers: a Scalar in, a plain value out --------------------------------------------------------------


def _text(value: Any) -> str:
    """Any single value, as written, without blanks around it."""
    if not isinstance(value, Scalar) or value.is_null:
        raise Unreadable(f"found {found(value)} where a single value is meant")
    if not value.text.strip():
        raise Unreadable("is empty", hint="write a value, or leave the key out")
    if len(value.text.encode(errors="replace")) > MAX_TEXT_BYTES:
        raise Unreadable("is longer than 100 kB", hint="put it into a file in the working directory")
    return value.text.strip()


def reader(read: Callable[[str], Any]) -> BeforeValidator:
    """A reader of text as a validator of a single value."""
    return BeforeValidator(lambda value: read(_text(value)))


def read_command(value: Any) -> str:
    """Shell text. Kept whole: blanks and the last line break may matter in a here-document."""
    text = _text(value)
    assert isinstance(value, Scalar)
    if value.is_number:
        raise Unreadable(f"found {found(value)} where a command is meant", hint="write a shell command")
    return value.text if "\n" in text else text


def read_word(text: str) -> str:
    """A text without blanks in it."""
    if re.search(r"\s", text):
        raise Unreadable(f"{quoted(text)} holds blanks")
    return text


def read_truth(text: str) -> bool:
    """``true``, and what else YAML has ever meant by it."""
    if text.lower() not in _TRUTH:
        raise Unreadable(f"{quoted(text)} is not allowed", hint="write true or false")
    return _TRUTH[text.lower()]


def read_market(text: str) -> str:
    """One of `MARKETS`."""
    if text in MARKETS:
        return text
    raise Unreadable(f"{quoted(text)} is not a market", hint=closest(text.replace("_", "-"), MARKETS))


class Deadline(NamedTuple):
    """Seconds after the submission, or seconds since the epoch: one of the two."""

    after_s: float | None = None
    at: float | None = None


def read_deadline(value: Any, info: ValidationInfo) -> Deadline:
    """A duration from the submission, or a time: ISO 8601, in the submitter's own zone where it names none."""
    text, known = _text(value), _known(info)
    if not _DATE.match(text):
        return Deadline(after_s=positive(units.read_duration_s)(text))
    wall_s, ahead_s = units.read_moment(text)
    if known.now and wall_s - known.now > units.MAX_DURATION_S:
        raise Unreadable(f"{quoted(text)} is in more than ten years")
    at = known.local(wall_s) if ahead_s is None else wall_s - ahead_s
    if at <= known.now:
        hint = "write a later time, or a duration from now on like 60h"
        if ahead_s is None:
            hint += "; a time without a zone is of this computer's zone"
        raise Unreadable(f"{quoted(text)} is over: it was {units.write_about(known.now - at)} ago", hint=hint)
    return Deadline(at=at)


def read_policy(text: str) -> str:
    """The name of a policy that there is."""
    if text in POLICIES:
        return text
    hint = closest(text.replace("_", "-"), POLICIES)
    names = ", ".join(POLICIES)
    raise Unreadable(f"{quoted(text)} is not a policy", hint=hint if names in hint else f"{hint} There are: {names}")


def positive(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """``read``, which then refuses zero."""

    def read_positive(text: str) -> Any:
        value = read(text)
        if value <= 0:
            raise Unreadable(f"{quoted(text)} is not above zero", hint="for no limit leave the key out")
        return value

    return read_positive


def whole(*, least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers in these bounds."""
    return lambda text: units.read_whole(text, least=least, most=most)


def read_every(text: str) -> float | None:
    """``auto`` and 0 are None: as often as is best."""
    return None if text == "auto" else units.read_duration_s(text) or None


# What a program may be sent when it shall look at its interval again. No other is free for a program's own use.
SIGNALS = ("USR1", "USR2")


def read_signal(text: str) -> str:
    """The name of a signal without its SIG, or nothing for ``none``."""
    name = text.upper().removeprefix("SIG")
    if name == "NONE":
        return ""
    if name in SIGNALS:
        return name
    hint = f"write {' or '.join(SIGNALS)}; or none, and let the program read $SPOTLAUNCH_CHECKPOINT_EVERY_FILE"
    raise Unreadable(f"{quoted(text)} is not a signal for this", hint=hint)


def read_inside(text: str) -> str:
    """A path in the working directory, but not all of it: else restoring would overwrite the program."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or not path.parts or text.startswith("~"):
        hint = "write a relative path like checkpoints, without .."
        raise Unreadable(f"{quoted(text)} is not a folder inside the working directory", hint=hint)
    return str(path)


def _url(text: str) -> SplitResult:
    try:
        return urlsplit(read_word(text))
    except ValueError as e:  # half of an IPv6 address
        raise Unreadable(f"{quoted(text)} is not a url") from e


def read_store_url(text: str) -> str:
    """The url of a store, of one of `SCHEMES`, with nothing secret in it."""
    parts = _url(text)
    if not parts.scheme or parts.scheme not in SCHEMES:
        hint = "write file:///absolute/path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
        if parts.scheme == "r2":
            hint = f'for Cloudflare R2 write {{url: "s3://{parts.netloc}", endpoint: "https://..."}}'
        elif text.startswith(("/", "~", ".")):
            hint = f"for a folder on this computer write file://{text if text[0] == '/' else '/absolute/path'}"
        raise Unreadable(f"{quoted(text)} is not a store that spotlaunch knows", hint=hint)
    if parts.query or parts.fragment or "@" in parts.netloc:
        hint = "keys and passwords come from the environment or the cloud's own settings, never from the file"
        raise Unreadable("holds more than a place (an @, ? or #)", hint=hint)
    if parts.scheme == "file" and (parts.netloc or not parts.path.strip("/")):
        raise Unreadable(f"{quoted(text)} names no folder", hint="write file:/// and an absolute path")
    if parts.scheme != "file" and not parts.netloc:
        raise Unreadable(f"{quoted(text)} names no bucket", hint=f"write {parts.scheme}://bucket/prefix")
    return text.rstrip("/")


def read_endpoint(text: str) -> str:
    """The url of an S3-compatible service."""
    parts = _url(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise Unreadable(f"{quoted(text)} is not an endpoint", hint="write https:// and the host")
    return text.rstrip("/")


def read_glob(text: str) -> str:
    """A region, or a pattern of regions."""
    if not _GLOB.fullmatch(text):
        raise Unreadable(f"{quoted(text)} is not a region", hint="write a name or a pattern like us-east-1 or us-*")
    return text


def read_provider(value: Any, info: ValidationInfo) -> str:
    """The name of a provider that there is, as a value or as a key."""
    name, known = value if isinstance(value, str) else _text(value), _known(info)
    if name not in known.providers:
        raise Unreadable(f"no provider is called {quoted(name)}", hint=closest(name, known.providers))
    return name


def read_excluded(value: Any, info: ValidationInfo) -> str:
    """``provider:region``, both patterns."""
    text, known = _text(value), _known(info)
    provider, colon, region = text.partition(":")
    if not colon or not _GLOB.fullmatch(provider) or not _GLOB.fullmatch(region):
        hint = f"write provider:region, like aws:us-east-1 or {text if _GLOB.fullmatch(text) else 'aws'}:*"
        raise Unreadable(f"{quoted(text)} is not a place to leave out", hint=hint)
    # A misspelt exclusion would exclude nothing, and the job would run just where it must not.
    if not any(fnmatchcase(name, provider) for name in known.providers):
        raise Unreadable(f"no provider is called {quoted(provider)}", hint=closest(provider, known.providers))
    return text


def read_secret(value: Any, info: ValidationInfo) -> str:
    """The name of a secret that is set where the job is submitted."""
    name, known = check_env_name(_text(value)), _known(info)
    if name in known.given:
        raise Unreadable("is a secret, and given with --env as well", hint="leave out --env: it would be stored")
    if not known.env.get(name):
        what = "is empty" if name in known.env else "is not set"
        raise Unreadable(f"the secret {name} {what} in your environment", hint=f"export {name}=... and submit again")
    return name


def read_env_value(value: Any) -> str:
    """As written: ``3.10`` and ``on`` stay "3.10" and "on". Only nothing at all is refused."""
    if isinstance(value, Scalar) and value.is_null:
        hint = 'write "" for an empty value; a value from your own environment goes under `secrets`'
        raise Unreadable("has no value", hint=hint)
    if isinstance(value, Scalar) and not value.text.strip():
        return value.text
    _text(value)
    return str(value.text)


def one_or_many(value: Any) -> Any:
    """``[aws]`` and ``aws`` mean the same."""
    return [value] if isinstance(value, Scalar) else value
