"""Places passed on: what one of our machines leaves is offered at once to a job of ours that waits for the like.

Without it a pool or a quota that only our own machines filled would rest on, and the jobs that wait for it sleep on
by their backoff, while it stands empty.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

from spotlaunch.core.book import Job
from spotlaunch.core.choosing import want_of
from spotlaunch.core.draft import Draft

# How machines end that leave their place to us. Those that were taken away leave it to whoever took it.
_LEFT = frozenset({"finished", "failed", "cancelled", "replaced"})

# What our own machine may have been the cause of.
_FULL = frozenset({"NoCapacity", "QuotaExceeded"})


def pass_on(draft: Draft) -> None:
    """For each machine that ended well in this look: who has waited longest for the same may try at once."""
    before = [m for m in draft.world.book.machines if m.state != "ended"]
    freed = [
        m for m in (draft.machine(b.launch_key) for b in before) if m and m.state == "ended" and m.outcome in _LEFT
    ]
    if not freed:
        return
    waiting: dict[object, deque[Job]] = defaultdict(deque)
    for job in sorted(_waiting(draft), key=lambda j: (j.waiting_since, j.name)):
        waiting[_wish(job)].append(job)
    for machine in freed:
        heirs = waiting.get(_wish(draft.job(machine.job)))
        if heirs:
            draft.lift(machine.pool, _FULL)
            draft.set_job(heirs.popleft(), next_try_at=draft.now)
            draft.wake(draft.now)


def _waiting(draft: Draft) -> Iterable[Job]:
    """Jobs that sleep until their next try, and may have a machine."""
    for known in draft.world.book.jobs:
        job = draft.job(known.name)
        sleeps = job.waiting_since is not None and job.next_try_at > draft.now
        if sleeps and not job.over and job.wanted == "run" and not draft.live(job.name):
            yield job


def _wish(job: Job) -> object:
    """What a machine must be to serve this job: jobs of one wish can take each other's place."""
    return want_of(job), job.spec.where
