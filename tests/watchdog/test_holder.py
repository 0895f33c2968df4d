from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

from spotlaunch.watchdog.holder import is_awake, is_dead, own_lease
from tests.core.worlds import NOW

OURS = own_lease(NOW + 60)


def test_our_own_lease_names_this_very_process_and_is_alive() -> None:
    assert (OURS.pid, OURS.until) == (os.getpid(), NOW + 60)
    assert not is_dead(OURS)


def test_two_leases_of_one_process_have_different_tokens() -> None:
    assert own_lease(NOW).token != OURS.token


def test_a_process_that_is_gone_is_dead_also_before_it_was_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead(replace(OURS, pid=child.pid)), "a zombie runs no loop"
    finally:
        child.wait()
    assert is_dead(replace(OURS, pid=child.pid))


def test_a_later_process_of_the_same_number_is_not_the_holder() -> None:
    assert is_dead(replace(OURS, process_started_at=OURS.process_started_at - 100))
    assert not is_dead(replace(OURS, process_started_at=OURS.process_started_at + 0.02))


def test_of_another_host_nothing_is_known() -> None:
    assert not is_dead(replace(OURS, host="elsewhere", pid=2**22 + 1))


def test_somebody_is_awake_who_lives_and_whose_lease_has_not_run_out() -> None:
    assert is_awake(OURS, NOW)
    assert not is_awake(OURS, NOW + 61)
    assert not is_awake(replace(OURS, process_started_at=1.0), NOW)
    assert not is_awake(None, NOW)
