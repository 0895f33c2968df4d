"""Where Azure is asked, and as whom: everything that the settings decide, before anybody is called."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import quote

from spotlaunch.core.settings import Settings, is_loopback
from spotlaunch.errors import ProviderError, UsageError
from spotlaunch_providers.azure import credentials
from spotlaunch_providers.azure.constants import ARM, PRICES
from spotlaunch_providers.azure.errors import Judge
from spotlaunch_providers.shared.http import Api, Reply
from spotlaunch_providers.shared.redact import Redactor

# Servers on this computer want some subscription in their paths.
NO_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"


class Headers(Protocol):
    """Gives the Authorization header."""

    def header(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A subscription that may be asked. Its id and its tokens are kept out of every ``repr``."""

    endpoint: str
    subscription: str = field(repr=False)
    tokens: Headers = field(repr=False)
    kinds: tuple[str, ...]

    def path(self, rest: str) -> str:
        """A path under the subscription."""
        return f"subscriptions/{quote(self.subscription, safe='')}/{rest}"

    def api(
        self,
        redact: Redactor,
        *,
        judge: Callable[[Reply], ProviderError | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Api:
        """Resource Manager, with a token that is good now. Raises `NotAuthorized` or `Transient`."""
        sent = {"Authorization": self.tokens.header(), **(headers or {})}
        return Api(self.endpoint, judge=judge or Judge(redact), headers=sent, redact=redact)


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Where prices come from, and the account; or why there is none, and what to do about it."""

    prices: str
    account: Account | None
    why_not: str = ""
    hint: str = ""
    redact: Redactor = field(repr=False)


def access(settings: Settings) -> Access:
    """What ``settings`` and this computer's logins allow. Raises `UsageError` for settings that cannot be meant."""
    endpoint = _base(settings.url("endpoint", ARM))
    prices = _base(settings.url("prices_endpoint", PRICES))
    anonymous = settings.anonymous("endpoint" if settings.get("endpoint") else "prices_endpoint")
    _not_half_here(settings, endpoint, prices)
    subscription = settings.get("subscription_id")
    redact = Redactor((subscription, *credentials.secrets_of(os.environ)))
    if is_loopback(prices) and not settings.get("endpoint"):
        why = "endpoint is not set, and prices_endpoint is an address of this computer"
        return Access(prices=prices, account=None, why_not=why, hint="set endpoint too", redact=redact)
    if anonymous:
        account = Account(
            endpoint=endpoint,
            subscription=subscription or NO_SUBSCRIPTION,
            tokens=credentials.Placeholder(),
            kinds=(),
        )
        return Access(prices=prices, account=account, redact=redact)
    return _with_login(settings, endpoint, prices, redact)


def _with_login(settings: Settings, endpoint: str, prices: str, redact: Redactor) -> Access:
    subscription = settings.get("subscription_id")
    if endpoint.startswith("http://"):
        raise UsageError(
            f"azure: endpoint is {endpoint}: a token must not be sent in the clear",
            hint="set `auth: none` for a server on this computer",
        )
    kinds = credentials.kinds()
    if not subscription:
        hint = "set AZURE_SUBSCRIPTION_ID; `az account show --query id` tells it"
        return Access(prices=prices, account=None, why_not="no subscription is set", hint=hint, redact=redact)
    if not kinds:
        return Access(prices=prices, account=None, why_not="no credentials", hint=credentials.HINT, redact=redact)
    account = Account(endpoint=endpoint, subscription=subscription, tokens=credentials.Tokens(kinds), kinds=kinds)
    return Access(prices=prices, account=account, redact=redact)


def _not_half_here(settings: Settings, endpoint: str, prices: str) -> None:
    """Where the one is a fake on this computer the other must be too: a rehearsal asks nobody real."""
    if settings.get("endpoint") and is_loopback(endpoint) != is_loopback(prices):
        here, there = ("endpoint", "prices_endpoint") if is_loopback(endpoint) else ("prices_endpoint", "endpoint")
        raise UsageError(
            f"azure: {here} is an address of this computer, but {there} is not",
            hint=f"set {there} to an address of this computer too, or take {here} out",
        )


def _base(url: str) -> str:
    """The address without what people copy along with it."""
    for tail in ("/api/retail/prices", "/api/retail", "/api", "/subscriptions", "/providers"):
        url = url.removesuffix(tail)
    return url.rstrip("/")
