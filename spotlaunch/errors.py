"""Errors, named by the reaction they call for.

If two errors lead to the same next step they are one class with two messages. Every error says what
happened and, in ``hint``, what a person can do about it. This module imports nothing of ours, so that
every room of the house may raise and handle the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spotlaunch.core.facts import Refused


class SpotlaunchError(Exception):
    """Base of all our errors: a message for people and, where there is one, a hint what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


# -- what a provider may answer ------------------------------------------------------------------------


class ProviderError(SpotlaunchError):
    """A provider said no. ``refused`` tells each alternative that was refused, with its scope."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        refused: Sequence[Refused] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.refused = tuple(refused)
        self.retry_after_s = retry_after_s


class NoCapacity(ProviderError):
    """This scope is dry. Reaction: it rests for minutes; the next offer is tried now."""


class QuotaExceeded(ProviderError):
    """This account may not have more. Reaction: the scope rests for hours; tell once how to raise it."""


class PriceTooLow(ProviderError):
    """Our cap is under the market. Reaction: the pool rests until the price has had time to move."""


class NotAuthorized(ProviderError):
    """The account may not do this. Reaction: the provider rests until the settings change; tell once."""


class OutOfFunds(ProviderError):
    """The account is empty. Reaction: as for `NotAuthorized`."""


class InvalidOrder(ProviderError):
    """Never this offer for this job. Reaction: if all offers are invalid the job fails with the reason."""


class Throttled(ProviderError):
    """Too many calls. Reaction: the provider is left alone for ``retry_after_s``. Says nothing of the world."""


class Transient(ProviderError):
    """Surely nothing happened. Reaction: a short rest, then again."""


class OutcomeUnknown(ProviderError):
    """It may have happened. Reaction: look at listings until ``settle_s``, then adopt or renumber.

    Anything a provider answers that its table of codes does not know is this, never a failure.
    """


class NotFound(ProviderError):
    """It is gone. For `terminate` that means done."""


# -- what our own rooms may answer ---------------------------------------------------------------------


class StaleWrite(SpotlaunchError):
    """Someone else moved the book since we looked. Reaction: drop the result and look again."""


class LeaseHeld(SpotlaunchError):
    """Another watchdog is awake. Reaction: leave the loop to it, and say who it is."""


class StoreUnavailable(SpotlaunchError):
    """The book cannot be read or written (full disk, read-only folder). Reaction: tell; try again later."""


class BlobsUnavailable(SpotlaunchError):
    """Object storage did not answer, or said no. Reaction: keep what is at hand and try again."""


class AlreadyExists(SpotlaunchError):
    """A create-only object has been written before, by us or by another. Reaction: read it and decide."""


class NoSuchObject(SpotlaunchError):
    """There is no object of that key."""


class Superseded(SpotlaunchError):
    """A newer attempt has claimed the job. Reaction: this agent leaves without writing a thing."""


class NoSuchJob(SpotlaunchError):
    """The book has no job of that name."""


# -- what a person did ---------------------------------------------------------------------------------


class UsageError(SpotlaunchError):
    """Wrong use. Reaction: say how it is meant; exit code 2."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One thing wrong with a file: where, which key, what was found, what is allowed."""

    line: int
    column: int
    key: str
    message: str
    hint: str = ""

    def render(self, file: str) -> str:
        """``job.yaml:4:10: resources.gpu: what is wrong`` and, on a second line, the hint."""
        place = f"{file}:{self.line}:{self.column}: "
        key = f"{self.key}: " if self.key else ""
        return f"{place}{key}{self.message}" + (f"\n  hint: {self.hint}" if self.hint else "")


class BadFile(UsageError):
    """A file of the user's with problems, all told at once."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(p.render(file) for p in problems))
        self.file = file
        self.problems = tuple(problems)
