"""Accounts: what each provider lets us do. Everything is asked side by side, once, with one deadline.

One that is not set up, fails, hangs or has a bug has an account that says so; it never fails the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed, wait
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from spotlaunch.core.facts import Finding, Want
from spotlaunch.core.settings import Settings
from spotlaunch.market.words import masked, why
from spotlaunch.ports import Provider

T = TypeVar("T")

DEADLINE_S = 20.0

# Enough to see that it can be asked. For everything that it sells some clouds take hundreds of calls, and one
# (which allows ten a minute) would then refuse whoever looks at prices next.
TRIED = Want(gpus=(("H100", 1),))

# Two calls each, beside being connected and examined: one that hangs must not keep another from being asked.
WORKERS_EACH = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """What a provider lets us do. ``problem`` (with ``hint``) says why nothing can be launched there, if so.

    ``offers`` (to `TRIED`) and ``machines`` count what it answered and what it runs of ours; None where it did
    not say.
    ``prices_only``, ``rehearsal``, ``strangers`` and ``shares_disk`` are its traits of these names.
    """

    provider: str
    offers: int | None = None
    machines: int | None = None
    prices_only: str = ""
    rehearsal: bool = False
    strangers: bool = False
    shares_disk: bool = False
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    hint: str = ""

    @property
    def usable(self) -> bool:
        """Whether machines can be had there."""
        return not self.problem and not self.prices_only


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What looking is given of the world; ``workers`` should have `WORKERS_EACH` for each provider.

    ``examine`` asks a provider what the account may do, ``connect`` makes it ready to be asked for the rest.
    """

    examine: Callable[[Settings], Sequence[Finding]]
    connect: Callable[[Settings], Provider]
    workers: Executor


def look(providers: Mapping[str, Settings], means: Means, *, deadline_s: float = DEADLINE_S) -> tuple[Account, ...]:
    """The account at each of ``providers`` (name to settings), in their order, within ``deadline_s``."""
    give_up_at = time.monotonic() + deadline_s
    examining = {n: means.workers.submit(means.examine, s) for n, s in providers.items()}
    connecting = {n: means.workers.submit(means.connect, s) for n, s in providers.items()}
    name_of = {future: n for n, future in connecting.items()}
    asking: dict[str, tuple[Future[int], Future[int] | None]] = {}
    try:
        for future in as_completed(name_of, timeout=deadline_s):
            if future.exception() is None:
                asking[name_of[future]] = _ask(future.result(), means.workers)
    except TimeoutError:
        pass  # who is not connected by now is told of below
    waited: list[Future[Any]] = [*examining.values(), *(f for pair in asking.values() for f in pair if f is not None)]
    wait(waited, timeout=max(0.0, give_up_at - time.monotonic()))
    return tuple(
        _without_secrets(_account(n, examining[n], connecting[n], asking.get(n), deadline_s), settings)
        for n, settings in providers.items()
    )


def _ask(provider: Provider, workers: Executor) -> tuple[Future[int], Future[int] | None]:
    """What a job would need of it: offers, and its machines where it can have any."""
    offers = workers.submit(lambda: len(provider.offers(TRIED)))
    if provider.traits.prices_only:
        return offers, None
    return offers, workers.submit(lambda: len(provider.list_machines()))


def _account(
    name: str,
    examining: Future[Sequence[Finding]],
    connecting: Future[Provider],
    asking: tuple[Future[int], Future[int] | None] | None,
    deadline_s: float,
) -> Account:
    trouble = _trouble(examining, deadline_s)
    findings = (_unexamined(*trouble),) if trouble else tuple(examining.result())
    if trouble := _trouble(connecting, deadline_s):
        return Account(provider=name, findings=findings, problem=trouble[0], hint=trouble[1])
    traits = connecting.result().traits
    account = Account(
        provider=name,
        findings=findings,
        prices_only=traits.prices_only,
        rehearsal=traits.rehearsal,
        strangers=traits.strangers,
        shares_disk=traits.shares_disk,
    )
    assert asking is not None  # it is connected
    offers, machines = asking
    account = replace(account, offers=_result(offers), machines=None if machines is None else _result(machines))
    trouble = _trouble(offers, deadline_s) or (machines and _trouble(machines, deadline_s)) or None
    return account if trouble is None else replace(account, problem=trouble[0], hint=trouble[1])


def _result(future: Future[T]) -> T | None:
    return future.result() if future.done() and future.exception() is None else None


def _trouble(future: Future[T], deadline_s: float) -> tuple[str, str] | None:
    """Why a call gave nothing, and what to do about it; None where it gave something."""
    if not future.done():
        return f"has not answered within {deadline_s:g} s", "try again; if that does not help, see its status page"
    error = future.exception()
    return None if error is None else why(error)


def _unexamined(problem: str, hint: str) -> Finding:
    return Finding(kind="call", name="examine the account", ok=False, detail=problem, hint=hint)


def _without_secrets(account: Account, settings: Settings) -> Account:
    secrets = settings.secrets.values()
    return replace(
        account,
        problem=masked(account.problem, secrets),
        hint=masked(account.hint, secrets),
        prices_only=masked(account.prices_only, secrets),
        findings=tuple(
            replace(f, detail=masked(f.detail, secrets), hint=masked(f.hint, secrets)) for f in account.findings
        ),
    )
