from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from spotlaunch.workers import Workers


def test_calls_run_side_by_side_but_no_more_than_were_allowed() -> None:
    workers, running, most, lock = Workers(3), 0, 0, threading.Lock()

    def call() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    for future in [workers.submit(call) for _ in range(12)]:
        future.result(timeout=5)
    assert most == 3


def test_an_error_comes_back_to_the_caller() -> None:
    with pytest.raises(KeyError):
        Workers(1).submit({}.__getitem__, "x").result(timeout=5)


def test_calls_not_begun_can_be_dropped() -> None:
    workers, gate = Workers(1), threading.Event()
    first, second = workers.submit(gate.wait), workers.submit(gate.wait)
    while not first.running():
        time.sleep(0.001)
    workers.shutdown(wait=False, cancel_futures=True)
    gate.set()
    assert first.result(timeout=5) is True and second.cancelled()
    with pytest.raises(RuntimeError):
        workers.submit(gate.wait)


def test_a_call_that_hangs_does_not_keep_the_process_from_ending() -> None:
    program = (
        "import threading; from spotlaunch.workers import Workers; Workers(2).submit(threading.Event().wait); print(1)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "1\n")
