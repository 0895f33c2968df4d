"""One question to Google from beginning to end: which calls, in which order, and until when each is worth making.

    machine types ──> histories of a zone a region ──> scores ──> histories of other zones   } side by side
    price list, unless it is in the cache                                                    }

Prices come first: what has no price cannot be offered, while an offer without a score is still one. Scores and the
other zones are asked about cheapest first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from spotlaunch.core.facts import Want
from spotlaunch.errors import InvalidOrder, NotFound, OutcomeUnknown, ProviderError, Throttled, Transient
from spotlaunch_providers.gcp import advice, families, histories, shapes
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.advice import History
from spotlaunch_providers.gcp.answers import aggregated, mapping, understood
from spotlaunch_providers.gcp.cache import Cache
from spotlaunch_providers.gcp.offers import Seen
from spotlaunch_providers.gcp.pricelist import list_prices
from spotlaunch_providers.gcp.shapes import Shape
from spotlaunch_providers.gcp.skus import Prices
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api
from spotlaunch_providers.shared.side_by_side import side_by_side

T = TypeVar("T")

# Parts of the whole time, after which the rest is left to what comes later.
HISTORIES_UNTIL, PRICES_UNTIL, SCORES_UNTIL = 0.7, 0.85, 0.9
ZONES_UNTIL = 0.8  # makes rates exact: not worth waiting to the end
AT_A_TIME = 32
# Both have the methods in their discovery documents of 2026-11-06; of v1, Google's own notes say that its server
# turned questions about spot down for a while [3P].
ADVICE_VERSIONS = ("v1", "beta")
# There is a call a pool, no batch, and nobody knows how many Google likes [not verified]. With all GPUs in all regions
# one zone of each is about 500. What is over waits for the next question, when the others come from the cache.
MOST_HISTORIES = 960
MOST_ZONES = 240
MOST_SCORES = 96


@dataclass(kw_only=True)
class Asking:
    """Asks for one want. Questions to the advice API stop once it says that we may not ask, or not so much."""

    account: Account
    cache: Cache
    deadline: Deadline
    now: Callable[[], float] = time.time
    path: str = field(init=False)
    api: Api = field(init=False)
    _version: dict[str, str] = field(default_factory=dict)
    _missing: list[str] = field(default_factory=list)

    def seen(self, want: Want) -> Seen:
        """Everything that was found out. Raises the first error when there is nothing to offer because of it."""
        # Signing in is a call as well, to a server of its own.
        (path,) = side_by_side([self.account.project_path], deadline=self.deadline, name="gcp-sign-in")
        self.path = _good(path)
        self.api = self.account.compute()
        machines, listed = side_by_side(
            [lambda: self._machines(want), self._prices], deadline=self.deadline, name="gcp"
        )
        if isinstance(machines, ProviderError):
            raise machines
        assert isinstance(machines, _Machines)
        prices = listed if isinstance(listed, Prices) else self.cache.price_list(self.now()).prices
        found = Seen(
            shapes=machines.shapes,
            histories=machines.histories,
            scores=machines.scores,
            prices=prices,
            missing=(*self._missing, *_missing(machines.error, listed)),
        )
        if found.shapes and not prices.rows and not any(h.price_usd_hour for h in found.histories.values()):
            errors = [e for e in (machines.error, listed) if isinstance(e, ProviderError)]
            if errors:
                raise errors[0]
        return found

    # -- machines ----------------------------------------------------------------------------------------

    def _machines(self, want: Want) -> _Machines:
        found = tuple(s for s in self._shapes(want) if shapes.wanted(s, want, self.account.regions))
        if "spot" not in want.markets or not found:
            return _Machines(shapes=found)
        known = self.cache.histories(self.now())
        error = self._ask_histories(histories.first_zones(found, known)[:MOST_HISTORIES], known, HISTORIES_UNTIL)
        told = histories.everywhere(found, known)
        if isinstance(error, Throttled):
            return _Machines(shapes=found, histories=told, error=error)
        cheapest = histories.cheapest(found, told, self.cache.price_list(self.now()).prices)
        scores = self._scores(cheapest[:MOST_SCORES])
        if error is None or isinstance(error, (NotFound, InvalidOrder)):
            rest = [s for s in (*cheapest, *found) if not s.attached and s.pool not in known]
            self._ask_histories(list(dict.fromkeys(rest))[:MOST_ZONES], known, ZONES_UNTIL)
            told = histories.everywhere(found, known)
        return _Machines(shapes=found, histories=told, scores=scores, error=error)

    def _shapes(self, want: Want) -> list[Shape]:
        series = families.series_for(want.gpus)
        kinds = families.attached_for(want.gpus) if self._prices_parts() else ()
        n1 = sorted({name for kind in kinds for names in kind.shapes.values() for name in names})
        words = [kind.accelerator for kind in kinds]
        lists = {
            "built in": ("machineTypes", f"({'|'.join(series)})-.*", shapes.machine_types) if series else None,
            "n1": ("machineTypes", f"({'|'.join(n1)})", shapes.machine_types) if kinds else None,
            "attached": ("acceleratorTypes", f"({'|'.join(words)})", shapes.accelerator_zones) if kinds else None,
        }
        asked = {name: what for name, what in lists.items() if what is not None}
        calls = [lambda what=what: self._listed(*what) for what in asked.values()]
        answers = dict(zip(asked, side_by_side(calls, deadline=self.deadline, name="gcp-types"), strict=True))
        good = {name: a for name, a in answers.items() if not isinstance(a, ProviderError)}
        found = [s for zone, m in good.get("built in", ()) if (s := shapes.built_in(zone, m)) is not None]
        found += shapes.attached(good.get("n1", ()), good.get("attached", ()), kinds)
        errors = {name: a for name, a in answers.items() if isinstance(a, ProviderError)}
        if errors and not found:
            raise next(iter(errors.values()))
        self._missing += [f"the list of machines with GPUs {name}: {e.message}" for name, e in errors.items()]
        return found

    def _prices_parts(self) -> bool:
        """Whether prices can be put together at all: GPUs of N1 have no other."""
        return self.account.sells_on_demand

    def _listed(self, kind: str, names: str, read: Callable[[Mapping[str, Any]], Any]) -> list[Any]:
        path, words = f"{self.path}/aggregated/{kind}", f'name eq "{names}"'
        return aggregated(self.api, path, read, words=words, deadline=self.deadline)

    # -- advice ------------------------------------------------------------------------------------------

    def _ask_histories(self, missing: Sequence[Shape], known: dict[str, History], until: float) -> ProviderError | None:
        """Put the histories of these pools into ``known`` and into the cache. Returns the worst error."""
        now, deadline = self.now(), self._until(until)

        def ask(shape: Shape) -> History:
            question = advice.history_question(shape.machine_type, shape.zone)
            answer = self._advise("capacityHistory", shape.region, question, deadline)
            return understood(lambda: advice.history(answer, now=now))

        answers = self._side_by_side([lambda s=s: ask(s) for s in missing], deadline)  # type: ignore[misc]
        for shape, answer in zip(missing, answers, strict=True):
            if isinstance(answer, History):
                known[shape.pool] = answer
            elif isinstance(answer, (NotFound, InvalidOrder)):
                known[shape.pool] = History(at=now)  # Google has none of this machine type: no use to ask again soon
        if missing:
            self.cache.keep_histories(known)
        errors = [a for a in answers if isinstance(a, ProviderError)]
        return min(errors, key=lambda e: isinstance(e, (NotFound, InvalidOrder)), default=None)

    def _scores(self, asked: Sequence[Shape]) -> dict[tuple[str, str], float]:
        """Scores by machine and zone."""

        def ask(shape: Shape) -> float | None:
            question = advice.capacity_question(shape.machine_type, shape.zone)
            answer = self._advise("capacity", shape.region, question, deadline)
            return understood(lambda: advice.obtainability(answer))

        deadline = self._until(SCORES_UNTIL)
        answers = self._side_by_side([lambda s=s: ask(s) for s in asked], deadline)  # type: ignore[misc]
        return {
            (shape.name, shape.zone): score
            for shape, score in zip(asked, answers, strict=True)
            if isinstance(score, float)
        }

    def _advise(self, what: str, region: str, question: Any, deadline: Deadline) -> Mapping[str, Any]:
        """An answer of the advice API, from the first version of it that answers at all."""
        versions = (self._version[what],) if what in self._version else ADVICE_VERSIONS
        for version in versions:
            path = f"{self.account.project_path(version)}/regions/{region}/advice/{what}"
            try:
                answer = mapping(self.api.post(path, question, deadline=deadline))
            except (NotFound, InvalidOrder):
                if version == versions[-1]:
                    raise
            else:
                self._version[what] = version
                return answer
        raise AssertionError("there is a version")

    def _side_by_side(self, calls: Sequence[Callable[[], T]], deadline: Deadline) -> list[T | ProviderError]:
        """All of the calls; but when one is refused or throttled, those that have not begun are not made."""
        closed: list[ProviderError] = []

        def once(call: Callable[[], T]) -> T:
            if closed:
                raise closed[0]
            try:
                return call()
            except ProviderError as e:
                if _closes(e):
                    closed.append(e)
                raise

        made = [lambda c=c: once(c) for c in calls]
        return side_by_side(made, deadline=deadline, most=AT_A_TIME, name="gcp-advice")

    def _prices(self) -> Prices:
        if not self._prices_parts():
            return Prices()
        return list_prices(self.account, self.cache, now=self.now(), deadline=self._until(PRICES_UNTIL))

    def _until(self, part: float) -> Deadline:
        """A deadline of its own, when ``part`` of the whole time is over."""
        return Deadline(max(0.0, self.deadline.left_s() - (1 - part) * self.deadline.seconds))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Machines:
    shapes: tuple[Shape, ...]
    histories: Mapping[str, History] = field(default_factory=dict)
    scores: Mapping[tuple[str, str], float] = field(default_factory=dict)
    error: ProviderError | None = None


def _missing(histories: ProviderError | None, listed: object) -> list[str]:
    """What is not among the offers because of these errors. A type that Google has no history of is no error."""
    found = []
    if histories is not None and not isinstance(histories, (NotFound, InvalidOrder)):
        found.append(f"spot prices of some machines: {histories.message}")
    if isinstance(listed, ProviderError):
        found.append(f"on-demand prices: {listed.message}")
    return found


def _closes(error: object) -> bool:
    """Whether an error is about all calls of its kind: missing rights or too many calls, not one machine type."""
    return isinstance(error, ProviderError) and not isinstance(
        error, (NotFound, InvalidOrder, Transient, OutcomeUnknown)
    )


def _good(answer: T | ProviderError) -> T:
    if isinstance(answer, ProviderError):
        raise answer
    return answer
