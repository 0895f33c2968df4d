"""Words for people about a provider that gave nothing: why, what to do, and nothing secret."""

from __future__ import annotations

from collections.abc import Iterable

from spotlaunch.errors import SpotlaunchError


def why(error: BaseException) -> tuple[str, str]:
    """What went wrong, and a hint. Any error that is not one of ours is a mistake in the adapter."""
    if isinstance(error, SpotlaunchError):
        return error.message, error.hint
    return f"{type(error).__name__}: {error}", "this is a mistake in its adapter: please report it"


def masked(text: str, secrets: Iterable[str]) -> str:
    """Without the values of secrets, which a cloud's message, or an address in it, may hold."""
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text
