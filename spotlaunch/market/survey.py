"""The survey: what all providers sell right now, for a person who compares. Fresh answers are asked for once.

The room (market/room.py) is for the loop, which looks again in a moment; a survey is asked once, and waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed, wait
from dataclasses import dataclass, replace

from spotlaunch.core.answers import Answer
from spotlaunch.core.facts import Offers, Want
from spotlaunch.core.settings import Settings
from spotlaunch.errors import OutcomeUnknown, StoreUnavailable
from spotlaunch.market.words import masked, why
from spotlaunch.ports import MarketMemory, Provider

# Prices move over minutes; an answer as old as this is still what a person would be told on asking again.
FRESH_S = 300.0

# The slowest cloud answers for all its regions within some seconds. Whoever has not by now is not waited for.
DEADLINE_S = 30.0


def _nobody_hears(news: object) -> None:
    del news


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a survey is given of the world.

    ``settings`` reads what was told to a provider, ``connect`` makes one ready to be asked (slow: it loads the
    cloud's library); ``now`` gives seconds since the epoch; ``workers`` runs all that side by side, and should
    have a worker for each provider. ``memory`` may be missing or in trouble, which ``complain`` hears of once;
    ``asking`` hears who is being asked now, before anybody is waited for.
    """

    settings: Callable[[str], Settings]
    connect: Callable[[str, Settings], Provider]
    now: Callable[[], float]
    workers: Executor
    memory: MarketMemory | None = None
    complain: Callable[[StoreUnavailable], None] = _nobody_hears
    asking: Callable[[Sequence[str]], None] = _nobody_hears


def survey(
    names: Sequence[str],
    want: Want,
    means: Means,
    *,
    max_age_s: float = FRESH_S,
    deadline_s: float = DEADLINE_S,
) -> tuple[Answer, ...]:
    """The answer of each of ``names``, in their order; all are asked side by side, with one deadline in seconds.

    Answers remembered from at most ``max_age_s`` ago are taken without connecting (0: none are). A provider that
    is not set up, fails, has a bug or is too slow has an answer that says so; it never fails the others.
    """
    give_up_at = time.monotonic() + deadline_s
    memory = _Memory(means)
    asked_at = means.now()
    read = {name: means.workers.submit(means.settings, name) for name in names}
    wait(read.values(), timeout=deadline_s / 4)  # reading a file; should one hang, the others still have time
    known = {name: f.result() for name, f in read.items() if f.done() and f.exception() is None}
    found = {name: _failed(name, asked_at, f, deadline_s) for name, f in read.items() if name not in known}
    if max_age_s > 0:
        found |= memory.recall(want, known, since=asked_at - max_age_s, until=asked_at)
    asking = {
        means.workers.submit(_ask, means, settings, want): name for name, settings in known.items() if name not in found
    }
    if asking:
        means.asking(tuple(asking.values()))
    for future in _as_they_come(asking, give_up_at - time.monotonic()):
        name = asking[future]
        if future.exception() is None:
            # Kept while the others are still being waited for.
            found[name] = memory.keep(future.result(), want, known[name])
    for future, name in asking.items():
        if name in found:
            continue
        if future.done() and future.exception() is None:
            # It was in time. The deadline passed while the answers of others were being kept.
            found[name] = memory.keep(future.result(), want, known[name])
        else:
            failed = _failed(name, asked_at, future, deadline_s)
            secrets = known[name].secrets.values()
            found[name] = replace(failed, failure=masked(failed.failure, secrets), hint=masked(failed.hint, secrets))
    return tuple(found[name] for name in names)


def _ask(means: Means, settings: Settings, want: Want) -> Answer:
    asked_at = means.now()
    provider = means.connect(settings.provider, settings)
    found = provider.offers(want)
    traits = provider.traits
    return Answer(
        provider=settings.provider,
        asked_at=asked_at,
        offers=tuple(found),
        missing=found.missing if isinstance(found, Offers) else (),
        start_s=traits.start_s,
        prices_only=traits.prices_only,
        rehearsal=traits.rehearsal,
    )


def _as_they_come(futures: Iterable[Future[Answer]], timeout_s: float) -> Iterator[Future[Answer]]:
    try:
        yield from as_completed(futures, timeout=max(0.0, timeout_s))
    except TimeoutError:
        return  # who has not answered by now is told of below


def _failed(name: str, asked_at: float, future: Future[Answer] | Future[Settings], deadline_s: float) -> Answer:
    """Why there is no answer, in the provider's words where it has any."""
    error = future.exception() if future.done() else None
    if error is None:
        failure, hint = (
            f"has not answered within {deadline_s:g} s",
            "ask again; if that does not help, see its status page",
        )
    elif isinstance(error, OutcomeUnknown):
        failure, hint = f"did not answer: {error.message}", error.hint
    else:
        failure, hint = why(error)
    # On one line each: they become rows of a list.
    return Answer(provider=name, asked_at=asked_at, failure=" ".join(failure.split()), hint=" ".join(hint.split()))


class _Memory:
    """The memory, until it is in trouble: that is told once, and from then on it remembers nothing."""

    def __init__(self, means: Means) -> None:
        self._memory = means.memory
        self._means = means

    def recall(self, want: Want, known: Mapping[str, Settings], *, since: float, until: float) -> dict[str, Answer]:
        if self._memory is None:
            return {}
        try:
            prints = {name: settings.fingerprint for name, settings in known.items()}
            return self._memory.recall(want, settings=prints, since=since, until=until)
        except StoreUnavailable as e:
            self._give_up(e)
            return {}

    def keep(self, answer: Answer, want: Want, settings: Settings) -> Answer:
        """Remember it and its prices. A rehearsal's are not real, and asking it again costs nothing."""
        if self._memory is not None and not answer.rehearsal:
            try:
                self._memory.remember(answer, want, settings=settings.fingerprint)
                self._memory.note_prices(answer.offers, now=self._means.now())
            except StoreUnavailable as e:
                self._give_up(e)
        return answer

    def _give_up(self, trouble: StoreUnavailable) -> None:
        self._memory = None
        self._means.complain(trouble)
