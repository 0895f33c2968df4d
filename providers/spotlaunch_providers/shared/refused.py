"""Alternatives that were turned down, whichever cloud did it, and the error that tells of them all."""

from __future__ import annotations

from collections.abc import Sequence

from spotlaunch import errors
from spotlaunch.core.facts import Refused, Scope


def of_error(error: errors.ProviderError, scope: Scope) -> Refused:
    """What ``error`` refuses, in its own words."""
    return Refused(
        scope=scope,
        error=type(error).__name__,
        reason=error.message,
        hint=error.hint,
        retry_after_s=error.retry_after_s,
    )


def ends_the_call(refused: Refused) -> bool:
    """Whether no other alternative needs to be tried after this: the account itself was turned down."""
    return refused.scope == Scope(provider=refused.scope.provider)


def as_error(refused: Sequence[Refused]) -> errors.ProviderError:
    """The error of the last refusal, which tells of all of them."""
    last = refused[-1]
    kind: type[errors.ProviderError] = getattr(errors, last.error)
    return kind(last.reason, hint=last.hint, refused=refused, retry_after_s=last.retry_after_s)
