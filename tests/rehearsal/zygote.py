"""Watchdogs that die at a chosen line: one process imports everything once, and forks a watchdog for each order.

Orders come as JSON lines on standard input and answers go out as JSON lines. An order says the home, the providers, how
far the watchdog's clock is ahead (so that nobody waits for a settling time), and the line of `watchdog/act.py` at which
it is killed, as `kill -9` would (0: none). The answer says how it ended and which lines it ran through.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from importlib import import_module
from types import FrameType
from typing import Any

from spotlaunch import registry
from spotlaunch.core.wire import Pass
from spotlaunch.home import Home
from spotlaunch.watchdog import act, boots, clouds, serve

REAL_TIME = time.time

# From the hand-over to the workers to the written result.
ACTING = frozenset({"act", "_run", "_launch", "_write", "_forget", "_terminate"})

# Loaded late by those who use them; here once for all watchdogs. Importing them starts no thread.
LOADED = ("boto3", "requests", "obstore.store", "cryptography.hazmat.primitives.ciphers.aead", "tenacity", "urllib3")


def main() -> None:
    # Forked before any thread or connection exists here, so that each child begins as a fresh process does.
    for name in LOADED:
        import_module(name)
    # Nothing boots here.
    boots.Boots.__init__.__kwdefaults__["archive"] = lambda: (b"no agent", "0" * 64)
    serve.make_pass = lambda *of, **how: Pass(env={"AWS_ACCESS_KEY_ID": "none"}, expires_at=REAL_TIME() + 9e4)
    for line in sys.stdin:
        order = json.loads(line)
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            code = _watch(order, write_end)
            os._exit(code)
        os.close(write_end)
        with os.fdopen(read_end) as told:
            lines = sorted({int(word) for word in told.read().split()})
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), "lines": lines}), flush=True)


def _watch(order: dict[str, Any], told: int) -> int:
    os.environ["SPOTLAUNCH_HOME"] = order["home"]
    os.environ.update(order.get("env", {}))
    ahead_s = float(order["ahead_s"])
    # Everything in this process lives that much later.
    time.time = lambda: REAL_TIME() + ahead_s
    names = list(order["providers"])
    registry.provider_names = clouds.provider_names = lambda: names
    trace = _dies_at(int(order["line"]), told)
    threading.settrace(trace)
    sys.settrace(trace)
    look = serve._once

    def look_and_go(watchdog: Any) -> None:
        look(watchdog)
        # What it prepares for later machines is not waited for; its lease is that of a dead process then.
        sys.stderr.flush()
        os._exit(0)

    serve._once = look_and_go
    serve.serve(Home.find(), told=lambda event: None, once=True)
    return 1


def _dies_at(line: int, told: int) -> Any:
    def lines(frame: FrameType, event: str, arg: object) -> Any:
        if event == "line":
            os.write(told, f"{frame.f_lineno} ".encode())
            if frame.f_lineno == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return lines

    def calls(frame: FrameType, event: str, arg: object) -> Any:
        ours = frame.f_code.co_filename == act.__file__ and frame.f_code.co_name in ACTING
        return lines if ours else None

    return calls


if __name__ == "__main__":
    main()
