"""Who is awake: the lease of this process, and whether the holder of another is still alive."""

from __future__ import annotations

import os
import secrets
import socket

import psutil

from spotlaunch.ports import Lease

# Process start times are read with the kernel's tick: two readings may differ by this much.
START_SLACK_S = 1.0


def own_lease(until: float) -> Lease:
    """A lease for this very process."""
    return Lease(
        token=secrets.token_hex(8),
        host=socket.gethostname(),
        pid=os.getpid(),
        process_started_at=psutil.Process().create_time(),
        until=until,
    )


def is_dead(lease: Lease) -> bool:
    """Whether the holder is known to be gone: a process of this host which no longer runs.

    Of another host nothing is known; there the lease has to run out.
    """
    if lease.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(lease.pid)
        started_at = process.create_time()
        return process.status() == psutil.STATUS_ZOMBIE or abs(started_at - lease.process_started_at) > START_SLACK_S
    except psutil.NoSuchProcess:
        return True


def is_awake(lease: Lease | None, now: float) -> bool:
    """Whether somebody holds the loop now."""
    return lease is not None and lease.until > now and not is_dead(lease)
