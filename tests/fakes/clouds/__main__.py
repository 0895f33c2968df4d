"""Start the fake clouds and say how to reach them: `make fakes`, or `python -m tests.fakes.clouds [NAME...]`.

`--latency SECONDS` delays every answer; `--fault NAME:KIND[:SECONDS]` scripts a fault (may be repeated).
Prints one `export NAME=value` line per variable, so that `eval "$(make -s fakes-env)"` points a shell at them.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack

from tests.fakes.clouds.all import FAKES
from tests.fakes.clouds.server import FAULTS

# Fixed, so that the variables can be set once in a shell.
FIRST_PORT = 18101


def main(arguments: list[str]) -> int:
    asked = _parse(arguments)
    if asked.env:
        for n, make in enumerate(FAKES.values()):
            _tell(make().environment(f"http://127.0.0.1:{asked.port + n}"))
        return 0
    with ExitStack() as stack:
        for n, (name, make) in enumerate(FAKES.items()):
            if asked.names and name not in asked.names:
                continue
            cloud = make()
            for fault in asked.fault:
                of, kind, *seconds = fault.split(":")
                if of == name:
                    cloud.fail(kind, seconds=float(seconds[0]) if seconds else 1.0)
            if asked.latency:
                cloud.fail("latency", seconds=asked.latency)
            url = stack.enter_context(cloud.serving(asked.port + n if asked.port else 0))
            _tell(cloud.environment(url))
        print("# the fakes are up; Ctrl-C ends them", file=sys.stderr, flush=True)
        over = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: over.set())
        over.wait()
    return 0


def _tell(variables: Mapping[str, str]) -> None:
    for variable, value in variables.items():
        print(f"export {variable}={value}", flush=True)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.clouds", description="Start the fake clouds.")
    parser.add_argument("names", nargs="*", choices=[*FAKES, []], help="which; all, if none is named")
    parser.add_argument("--port", type=int, default=FIRST_PORT, help="the first port; 0: free ones")
    parser.add_argument("--env", action="store_true", help="only print the variables, for fakes that are up")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="delay every answer")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME:KIND[:SECONDS]", help="one of: " + ", ".join(FAULTS)
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
