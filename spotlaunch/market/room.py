"""The market room: asks all providers for offers side by side; one that fails or is slow never fails the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from spotlaunch.core.facts import Offer, Want
from spotlaunch.core.plan import Asked
from spotlaunch.errors import OutcomeUnknown, ProviderError
from spotlaunch.ports import Provider

# A look waits this long for prices; what comes later is there for the next look.
DEADLINE_S = 5.0

# Answers are used again for this share of a provider's shortest rest: a dry pool is not asked about faster
# than it could change.
CACHE_SHARE = 0.5
CACHE_MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one provider said to one want, and when it was asked."""

    asked_at: float
    offers: tuple[Offer, ...]
    failure: str


class Room:
    """Offers by want, from all of ``providers``, each asked at most once in a while.

    ``now`` gives seconds since the epoch; ``workers`` runs the asking side by side. ``note`` is given the offers
    of each answer whose prices are real, by a worker.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        now: Callable[[], float],
        workers: Executor,
        note: Callable[[Sequence[Offer]], None] = lambda offers: None,
    ) -> None:
        self._providers = providers
        self._now = now
        self._workers = workers
        self._note = note
        self._answers: dict[tuple[str, Want], _Answer] = {}
        self._asking: dict[tuple[str, Want], Future[_Answer]] = {}

    def ask(self, want: Want, *, deadline_s: float = DEADLINE_S) -> Asked:
        """Offers of every provider for ``want``. A provider without an answer yet is named in ``failures``."""
        for name, provider in self._providers.items():
            key = (name, want)
            if key not in self._asking and self._stale(key, provider):
                self._asking[key] = self._workers.submit(self._ask_one, provider, want)
        mine = [self._asking[(n, want)] for n in self._providers if (n, want) in self._asking]
        wait(mine, timeout=deadline_s)
        offers: list[Offer] = []
        failures: dict[str, str] = {}
        for name in self._providers:
            answer = self._collect((name, want))
            if answer is None:
                failures[name] = "has not answered yet"
            elif answer.failure:
                failures[name] = answer.failure
            else:
                offers += answer.offers
        return Asked(offers=tuple(offers), failures=failures)

    def _stale(self, key: tuple[str, Want], provider: Provider) -> bool:
        answer = self._answers.get(key)
        most_s = min(CACHE_MOST_S, provider.traits.rest_s * CACHE_SHARE)
        # Asked in the future: the clock was set back, and nobody knows how old the answer is.
        return answer is None or not 0 <= self._now() - answer.asked_at <= most_s

    def _collect(self, key: tuple[str, Want]) -> _Answer | None:
        """The newest answer; one that is being asked anew counts only once it is there."""
        asking = self._asking.get(key)
        if asking is None:
            return self._answers.get(key)
        if not asking.done():
            return None
        del self._asking[key]
        error = asking.exception()
        # An adapter's bug becomes a row that says so, as any other failure: it must not fail the rest.
        bug = _Answer(self._now(), (), f"{type(error).__name__}: {error}")
        self._answers[key] = asking.result() if error is None else bug
        return self._answers[key]

    def _ask_one(self, provider: Provider, want: Want) -> _Answer:
        asked_at = self._now()
        try:
            offers = tuple(provider.offers(want))
        except OutcomeUnknown as e:
            return _Answer(asked_at, (), f"did not answer: {e.message}")
        except ProviderError as e:
            return _Answer(asked_at, (), e.message + (f" (hint: {e.hint})" if e.hint else ""))
        if not provider.traits.rehearsal:
            # By itself: an answer does not wait for its prices to be written down.
            self._workers.submit(self._note, offers)
        return _Answer(asked_at, offers, "")
