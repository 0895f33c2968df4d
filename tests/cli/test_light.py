"""Looking must be quick: what `--help` and `status` import, as whole processes of their own. Times: `make bench`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from spotlaunch.core.facts import Want
from spotlaunch.home import Home
from tests.bench.commands import environment
from tests.bench.markets import remember

HEAVY = {"boto3", "botocore", "google", "azure", "obstore", "pydantic", "yaml", "requests", "spotlaunch_providers"}
HEAVY |= {"numpy", "matplotlib"}
TELL = """
import sys
from spotlaunch.__main__ import run
code = run(sys.argv[1:])
sys.stderr.write("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})))
sys.exit(code)
"""


def imported_by(*arguments: str) -> set[str]:
    command = [sys.executable, "-P", "-c", TELL, *arguments]
    done = subprocess.run(command, env=environment(Home.find()), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["--help"], ["submit", "--help"], ["--version"]], ids=" ".join)
def test_asking_for_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert imported_by(*arguments) & (HEAVY | {"psutil", "rich", "sqlite3"}) == set()


@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["cost"], ["cost", "--json"]], ids=" ".join)
def test_status_imports_no_cloud_and_no_job_file_reader(arguments: list[str]) -> None:
    assert imported_by(*arguments) & (HEAVY | {"rich"}) == set()


@pytest.mark.parametrize("arguments", [["prices", "--gpu", "H100"], ["prices", "--json"]], ids=" ".join)
def test_prices_just_seen_are_shown_without_a_cloud(arguments: list[str]) -> None:
    remember(Home.find().prepare(), 100, Want())
    # Providers say which settings they know; that part of them is light, and all that is loaded of them.
    assert imported_by(*arguments) & (HEAVY - {"spotlaunch_providers"} | {"rich", "urllib3", "ssl"}) == set()
