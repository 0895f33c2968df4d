"""An API key: where it is looked for, and the calls that show it as a bearer token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spotlaunch.core.settings import Settings
from spotlaunch.errors import ProviderError
from spotlaunch_providers.shared.http import Api, Reply
from spotlaunch_providers.shared.redact import Redactor

# A server that wants no credentials may still want to see the header.
PLACEHOLDER = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """``key`` is empty where there is none; ``found`` says where it was, for a person."""

    key: str = field(repr=False, default="")
    found: str = ""
    anonymous: bool = False

    def api(self, endpoint: str, *, judge: Callable[[Reply], ProviderError | None]) -> Api:
        """Calls to ``endpoint`` with the key, if there is one, which is masked in whatever they say."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return Api(endpoint, judge=judge, headers=headers, redact=Redactor([] if self.anonymous else [self.key]))


def api_key(settings: Settings, *, files: Sequence[str], read: Callable[[Path], str]) -> ApiKey:
    """The key in the setting ``api_key``, else in the first of ``files`` where ``read`` finds one (empty: none there).

    With ``auth: none`` no key is looked for. Raises `UsageError` for a setting that cannot be used.
    """
    if settings.anonymous("endpoint"):
        return ApiKey(key=PLACEHOLDER, found="none: auth is `none`", anonymous=True)
    if key := settings.secret("api_key"):
        return ApiKey(key=key, found=settings.origin.get("api_key", "the environment"))
    for name in files:
        if key := read(Path(name).expanduser()):
            return ApiKey(key=key, found=name)
    return ApiKey()
