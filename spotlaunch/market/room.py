"""The market room: asks all providers for offers side by side; one that fails or is slow never fails the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

from spotlaunch.core.facts import Offer, Unusable, Want
from spotlaunch.core.plan import Asked
from spotlaunch.core.rank import SHUT
from spotlaunch.errors import OutcomeUnknown, ProviderError
from spotlaunch.ports import Provider

# A look waits this long for prices; what comes later is there for the next look.
DEADLINE_S = 5.0

# Answers are used again for this share of a provider's shortest rest: a dry pool is not asked about faster
# than it could change.
CACHE_SHARE = 0.5
CACHE_MOST_S = 60.0

# For as long as a machine may be taken, what its job would ask is kept at hand: asked anew when it is so old, which
# leaves time for the answer before it is too old to be bought on.
WARM_S = 200.0

# Who has a notice does not wait longer than this for answers that are not at hand, if others are.
URGENT_S = 1.0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one provider said to one want, and when it was asked."""

    asked_at: float
    offers: tuple[Offer, ...]
    failure: str = ""
    error: str = ""
    hint: str = ""


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

    def ask(self, want: Want, *, deadline_s: float = DEADLINE_S, at_hand_s: float = 0.0) -> Asked:
        """Offers of every provider for ``want``. A provider without an answer yet is named in ``failures``.

        ``at_hand_s``: answers of up to this age are good enough, because a machine is about to be lost.
        """
        self._begin(want, lambda key, provider: self._stale(key, provider, at_hand_s))
        mine = [self._asking[(n, want)] for n in self._providers if (n, want) in self._asking]
        # A provider that is slow or down must not hold up one that has a notice and others to go to.
        wait(mine, timeout=min(URGENT_S, deadline_s) if at_hand_s and len(mine) < len(self._providers) else deadline_s)
        return self._asked(want)

    def keep_warm(self, want: Want) -> None:
        """Have an answer to ``want`` at hand; waits for none."""
        # Not of a rehearsal: asking one takes no time, so nothing is gained.
        self._begin(want, lambda key, of: not of.traits.rehearsal and self._stale(key, of, WARM_S))
        for name in self._providers:
            self._collect((name, want))

    def at_hand(self, want: Want) -> Asked:
        """What is known without asking anybody, however old."""
        return self._asked(want)

    def silent(self) -> tuple[Unusable, ...]:
        """The providers whose newest answer was none."""
        newest: dict[str, _Answer] = {}
        for (name, _), answer in self._answers.items():
            if name not in newest or answer.asked_at >= newest[name].asked_at:
                newest[name] = answer
        return tuple(
            Unusable(
                provider=name,
                error=a.error,
                reason=a.failure,
                hint=a.hint,
                until=a.asked_at + _keeps_s(self._providers[name]),
            )
            for name, a in sorted(newest.items())
            if a.failure
        )

    def _begin(self, want: Want, stale: Callable[[tuple[str, Want], Provider], bool]) -> None:
        for name, provider in self._providers.items():
            key = (name, want)
            if key not in self._asking and stale(key, provider):
                self._asking[key] = self._workers.submit(self._ask_one, provider, want)

    def _asked(self, want: Want) -> Asked:
        offers: list[Offer] = []
        failures: dict[str, str] = {}
        shut: set[str] = set()
        for name in self._providers:
            answer = self._collect((name, want))
            if answer is None:
                failures[name] = "has not answered yet"
            elif answer.failure:
                failures[name] = answer.failure + (f" (hint: {answer.hint})" if answer.hint else "")
                shut |= {name} if answer.error in SHUT else set()
            else:
                offers += answer.offers
        return Asked(offers=tuple(offers), failures=failures, shut=frozenset(shut))

    def _stale(self, key: tuple[str, Want], provider: Provider, at_hand_s: float) -> bool:
        answer = self._answers.get(key)
        most_s = _keeps_s(provider)
        if not provider.traits.rehearsal:  # there a day passes in a minute, and asking costs nothing
            most_s = max(at_hand_s, most_s)
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
        bug = _Answer(self._now(), (), f"{type(error).__name__}: {error}", type(error).__name__)
        self._answers[key] = asking.result() if error is None else bug
        return self._answers[key]

    def _ask_one(self, provider: Provider, want: Want) -> _Answer:
        asked_at = self._now()
        try:
            offers = tuple(provider.offers(want))
        except ProviderError as e:
            unheard = "did not answer: " if isinstance(e, OutcomeUnknown) else ""
            return _Answer(asked_at, (), unheard + e.message, type(e).__name__, e.hint)
        if not provider.traits.rehearsal:
            # By itself: an answer does not wait for its prices to be written down.
            self._workers.submit(self._note, offers)
        return _Answer(asked_at, offers)


def _keeps_s(provider: Provider) -> float:
    """For so long an answer is good."""
    return min(CACHE_MOST_S, provider.traits.rest_s * CACHE_SHARE)
