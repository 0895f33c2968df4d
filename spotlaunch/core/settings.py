"""Settings: what a person told one provider, and where each word stood. Pure values; `spotlaunch.config` reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from spotlaunch.errors import UsageError

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One key that a provider knows. ``env``: other tools' variables that set it too, first one wins.

    A ``secret`` is read from the environment only: config.yaml is a file that people show to each other.
    """

    help: str
    env: tuple[str, ...] = ()
    secret: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings of one provider. ``origin`` tells where each value stood, for messages."""

    provider: str
    values: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    secrets: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    origin: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def get(self, key: str, default: str = "") -> str:
        """The value as it was written, or ``default``."""
        return self.values.get(key) or default

    def secret(self, key: str) -> str:
        """The value of a secret, or an empty text."""
        return self.secrets.get(key, "")

    def words(self, key: str) -> tuple[str, ...]:
        """A list: what stood between commas (a YAML list arrives that way too)."""
        return tuple(w.strip() for w in self.get(key).split(",") if w.strip())

    def url(self, key: str, default: str) -> str:
        """An address without a slash at its end. Raises `UsageError` for one that cannot be used.

        Plain http is for this computer only: anywhere else it would send credentials in the clear.
        """
        text = self.get(key, default).rstrip("/")
        where = self.origin.get(key, "the default")
        parts = _split(text)
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(
                f"{self.provider}: {key} is {_shown(text)} ({where}), which is not an address",
                hint="write https://host, or http://127.0.0.1:port for a server on this computer",
            )
        if parts.username is not None or parts.password is not None:
            raise UsageError(f"{self.provider}: {key} holds a password ({where})", hint="take it out of the address")
        if parts.scheme == "http" and not is_loopback(text):
            raise UsageError(
                f"{self.provider}: {key} is {_shown(text)} ({where}): plain http is for this computer only",
                hint="write https://",
            )
        return text

    def anonymous(self, *keys: str) -> bool:
        """Whether ``auth: none`` was set. Raises `UsageError` unless each endpoint of ``keys`` is on this computer."""
        auth = self.get("auth")
        if auth == "":
            return False
        if auth != "none":
            raise UsageError(
                f"{self.provider}: auth is {auth[:40]!r} ({self.origin.get('auth', '')})",
                hint="the only value is `none`, for a server on this computer; else leave it out",
            )
        for key in keys:
            if not self.get(key) or not is_loopback(self.url(key, "")):
                raise UsageError(
                    f"{self.provider}: auth is none, but {key} is not an address of this computer",
                    hint=f"set {key} to http://127.0.0.1:port, or take `auth` out",
                )
        return True

    @property
    def fingerprint(self) -> str:
        """Changes with the settings, so that answers of other settings are not taken for ours. Tells no secret."""
        parts = [f"{k}={v}" for k, v in sorted(self.values.items())] + sorted(self.secrets)
        return hashlib.sha256("\n".join([self.provider, *parts]).encode()).hexdigest()[:16]


def is_loopback(url: str) -> bool:
    """Whether an address is of this computer, whatever a name server says."""
    parts = _split(url)
    host = (parts.hostname or "") if parts is not None else ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _split(url: str) -> SplitResult | None:
    """The parts of an address; None where it has a bracket too many, or a port that is none."""
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _shown(text: str) -> str:
    """An address for a message, without what may be secret in it."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return "***"
    host = parts.netloc.rpartition("@")[2]
    return repr(f"{parts.scheme}://{host}{parts.path}" if parts.scheme else text[:60])
