"""The shape of the house, drawn from the code: which way imports run, who may print, sleep and name a provider."""

from __future__ import annotations

import ast

import pytest

from tests.shape import arrows, habits
from tests.shape.source import ROOT, Module, module, our_modules


@pytest.fixture(scope="module")
def house() -> list[Module]:
    return our_modules()


def test_imports_run_one_way(house: list[Module]) -> None:
    found = arrows.broken(house)
    assert not found, "\n" + "\n".join(found)


def test_only_the_right_places_print_exit_sleep_or_name_a_provider(house: list[Module]) -> None:
    found = [problem for m in house for problem in habits.broken(m)]
    assert not found, "\n" + "\n".join(found)


def test_files_have_one_noun_and_functions_fit_a_screen(house: list[Module]) -> None:
    found = [problem for m in house for problem in habits.too_long(m)]
    assert not found, "\n" + "\n".join(found)


def test_what_runs_on_a_rented_machine_needs_no_newer_python_than_3_10(house: list[Module]) -> None:
    mine = arrows.agent_modules(house)
    assert len(mine) > 20
    for m in mine:
        ast.parse(m.text, filename=m.path, feature_version=(3, 10))


def test_no_exception_is_kept_for_a_file_that_is_gone() -> None:
    named = {path for path, _ in habits.MAY_NAME_A_PROVIDER} | set(habits.MAY_SPEAK) | set(habits.MAY_SLEEP)
    assert {path for path in named if not (ROOT / path).is_file()} == set()


# The rules can fail: each of these would be found, with its line.
CORE, WATCHDOG = ("spotlaunch.core.new", "spotlaunch/core/new.py"), ("spotlaunch.watchdog.new", "spotlaunch/w.py")
ADAPTER = ("spotlaunch_providers.aws.new", "providers/spotlaunch_providers/aws/new.py")
AGENT = ("spotlaunch.agent.new", "spotlaunch/agent/new.py")

WRONG_WAY = [
    (CORE, "import time", "imports time"),
    (CORE, "from pathlib import Path", "imports pathlib Path"),
    (CORE, "import pydantic", "imports pydantic"),
    (CORE, "open('x')", "calls open()"),
    (CORE, "from spotlaunch.storage.store import SqliteStore", "core imports spotlaunch.storage.store"),
    (CORE, "def f():\n    from spotlaunch.ports import Clock", "core imports spotlaunch.ports"),
    (WATCHDOG, "from spotlaunch.cli.app import app", "watchdog imports spotlaunch.cli.app"),
    (WATCHDOG, "from spotlaunch_providers.aws import connect", "loaded by the registry"),
    (ADAPTER, "from spotlaunch.core.book import Book", "providers imports spotlaunch.core.book"),
    (ADAPTER, "from spotlaunch.storage.store import SqliteStore", "providers imports spotlaunch.storage.store"),
    (ADAPTER, "from spotlaunch_providers.local.adapter import LocalProvider", "share the port and the kit"),
    (AGENT, "from spotlaunch.core.book import Book", "agent imports spotlaunch.core.book"),
    (AGENT, "import yaml", "the agent would need yaml"),
    (("spotlaunch.attic.new", "spotlaunch/attic/new.py"), "", "has no rule"),
]
BAD_HABITS = [
    (WATCHDOG, 'if provider == "aws": pass', "has 'aws'"),
    (WATCHDOG, "print('x')", "prints or exits"),
    (WATCHDOG, "import sys; sys.exit(1)", "prints or exits"),
    (WATCHDOG, "raise SystemExit", "prints or exits"),
    (ADAPTER, "import time; time.sleep(1)", "sleeps"),
    (ADAPTER, "from time import sleep; sleep(1)", "sleeps"),
    (CORE, "try: pass\nexcept Exception: pass", "catches everything"),
    (CORE, "try: pass\nexcept: pass", "catches everything"),
]


@pytest.mark.parametrize(("where", "text", "says"), WRONG_WAY)
def test_an_import_that_runs_the_wrong_way_is_found(where: tuple[str, str], text: str, says: str) -> None:
    found = arrows.broken([module(*where, text)])
    assert [problem for problem in found if says in problem and where[1] in problem], found


@pytest.mark.parametrize(("where", "text", "says"), BAD_HABITS)
def test_a_bad_habit_is_found(where: tuple[str, str], text: str, says: str) -> None:
    found = list(habits.broken(module(*where, text)))
    assert [problem for problem in found if says in problem and where[1] in problem], found


def test_a_cycle_is_found_also_through_a_late_import() -> None:
    one = module("spotlaunch.core.one", "one.py", "from spotlaunch.core.two import x")
    two = module("spotlaunch.core.two", "two.py", "def f():\n    from spotlaunch.core import one")
    assert "closes the cycle" in "\n".join(arrows.broken([one, two]))
