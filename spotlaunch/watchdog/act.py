"""Acting: mark, call, write the result. The one place where exceptions become facts.

Calls run on workers, so that a slow cloud does not keep the loop from a notice elsewhere. Anything may crash
between any two lines here: the mark before a launch, and the sweep after it, are what makes that safe.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import partial
from threading import Lock

from spotlaunch.core import results
from spotlaunch.core.book import Job
from spotlaunch.core.facts import Order, Traits
from spotlaunch.core.plan import Call, Launch, PutAsk, Terminate, World, Write
from spotlaunch.errors import (
    AlreadyExists,
    BlobsUnavailable,
    OutcomeUnknown,
    ProviderError,
    SpotlaunchError,
    StaleWrite,
    StoreUnavailable,
)
from spotlaunch.ports import Provider
from spotlaunch.storage.mailbox import Mailbox

# Job, call, the values of its secrets, the provider's traits -> the order as the provider shall get it.
Prepare = Callable[[Job, Launch, Mapping[str, str], Traits], Order]


def with_secrets(job: Job, call: Launch, secrets: Mapping[str, str], traits: Traits) -> Order:
    """The order of a machine on this computer: its agent gets the job's secrets through its environment."""
    return replace(call.order, secret_env=dict(secrets))


class Actor:
    """Makes the calls of a plan and writes what came of them.

    ``apply`` writes under the watchdog's lease; ``secrets`` gives a job's secret values by name; ``prepare`` makes
    ready what a machine needs (`watchdog.boots`); ``done`` is called after every result, so that the loop looks
    again; ``complain`` takes a line for the log.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        *,
        mailbox: Callable[[Job], Mailbox],
        apply: Callable[[Sequence[Write]], None],
        secrets: Callable[[str], Mapping[str, str]],
        now: Callable[[], float],
        workers: Executor,
        done: Callable[[], None],
        complain: Callable[[str], None],
        prepare: Prepare = with_secrets,
    ) -> None:
        self._providers = providers
        self._mailbox = mailbox
        self._apply = apply
        self._secrets = secrets
        self._prepare = prepare
        self._now = now
        self._workers = workers
        self._done = done
        self._complain = complain
        self._lock = Lock()
        self._in_flight: set[str] = set()
        self._pending: set[Future[None]] = set()

    def in_flight(self) -> frozenset[str]:
        """Launch keys whose call has been given to a worker and whose result is not yet written."""
        with self._lock:
            return frozenset(self._in_flight)

    def pending(self) -> list[Future[None]]:
        """Calls under way."""
        with self._lock:
            return list(self._pending)

    def act(self, world: World, calls: Sequence[Call]) -> None:
        """Hand all calls to the workers."""
        jobs = {j.name: j for j in world.book.jobs}
        for call in calls:
            if isinstance(call, Launch):
                with self._lock:
                    self._in_flight.add(call.order.launch_key)
            future = self._workers.submit(self._run, world, jobs, call)
            with self._lock:
                self._pending.add(future)
            future.add_done_callback(partial(self._forget, call))

    def _forget(self, call: Call, future: Future[None]) -> None:
        with self._lock:
            self._pending.discard(future)
        error = future.exception()
        if error is not None:
            # Nobody foresaw it, so nobody knows what was done: what is in the book stays as it is (a launch
            # stays `launching`), and the listing will tell.
            self._complain("a call broke: " + "".join(traceback.format_exception(error)))
        if not isinstance(call, PutAsk):
            # An ask is answered by mail, and repeated by every look until then: to look again because it was
            # put would be a hot loop.
            self._done()

    def _run(self, world: World, jobs: Mapping[str, Job], call: Call) -> None:
        if isinstance(call, Launch):
            try:
                self._launch(world, jobs[call.order.job], call)
            finally:
                # Also when this thread dies of something unforeseen: the listing will tell what was made.
                with self._lock:
                    self._in_flight.discard(call.order.launch_key)
        elif isinstance(call, Terminate):
            self._terminate(call)
        else:
            self._ask(jobs, call)

    def _launch(self, world: World, job: Job, call: Launch) -> None:
        values = self._secrets(job.name)
        missing = [name for name in job.spec.secrets if name not in values]
        if missing:
            why = f"the values of its secrets are gone: {', '.join(missing)}"
            hint = "submit the job again from a shell that has them"
            self._write(results.not_begun(call, "secrets_gone", why, hint, self._now()))
            return
        try:
            self._mailbox(job).put_order(call.doc)
        except (BlobsUnavailable, AlreadyExists) as e:
            why = f"the checkpoint store cannot be written: {e.message}"
            self._write(results.not_begun(call, "store_down", why, e.hint, self._now()))
            return
        try:
            order = self._prepare(job, call, values, world.traits[call.provider])
        except SpotlaunchError as e:
            why = f"what its machine needs cannot be made ready: {e.message}"
            self._write(results.not_begun(call, "not_ready", why, e.hint, self._now()))
            return
        if not self._write(results.tried(call, self._now())):
            return  # it was cancelled, or another watchdog took over: no call
        try:
            answer = self._providers[call.provider].launch(order)
        except ProviderError as e:
            if not self._write(results.not_launched(world, call, e, self._now())) and isinstance(e, OutcomeUnknown):
                self._write(results.no_longer_wanted(call, "", self._now()))
        else:
            if not self._write(results.launched(world, job, call, answer, self._now())):
                self._write(results.no_longer_wanted(call, answer.instance_id, self._now()))

    def _terminate(self, call: Terminate) -> None:
        if call.provider not in self._providers:
            self._complain(f"{call.provider}: {', '.join(call.instance_ids)} did not end yet: it cannot be used now")
            return
        try:
            failures = self._providers[call.provider].terminate(call.instance_ids)
        except ProviderError as e:
            failures = dict.fromkeys(call.instance_ids, e.message)
        # Nothing to write: what still shows in the listing is asked to end again.
        for instance_id, why in failures.items():
            self._complain(f"{call.provider}: {instance_id} did not end yet: {why}")

    def _ask(self, jobs: Mapping[str, Job], call: PutAsk) -> None:
        try:
            self._mailbox(jobs[call.job]).put_ask(call.attempt, call.ask)
        except BlobsUnavailable as e:
            # Asked again by the next look, until it is heard or its patience is over.
            self._complain(f"{call.job}: attempt {call.attempt} could not be asked to {call.ask.kind}: {e.message}")

    def _write(self, writes: Sequence[Write]) -> bool:
        """Write a result, unless the book has moved on: then the next look knows better than we do."""
        try:
            self._apply(writes)
        except StaleWrite as e:
            self._complain(f"a result came too late and was dropped: {e.message}")
            return False
        except StoreUnavailable as e:
            # A machine that was launched stays `launching` in the book; the listing will tell.
            self._complain(f"a result could not be written down: {e.message}")
            return False
        return True
