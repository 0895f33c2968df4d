"""`spotlaunch submit FILE`: check the file, show the plan, write the job down, wake the watchdog."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spotlaunch.cli import cautions, render
from spotlaunch.cli import follow as follower
from spotlaunch.cli.book import open_book
from spotlaunch.cli.plan import plan_json, show_plan
from spotlaunch.core.condition import Condition, parse_when
from spotlaunch.core.jobfile import Overrides
from spotlaunch.core.spec import Spec
from spotlaunch.core.units import Unreadable
from spotlaunch.errors import SpotlaunchError, UsageError
from spotlaunch.home import Home
from spotlaunch.registry import provider_names
from spotlaunch.storage.jobfile import load_job
from spotlaunch.storage.store import SqliteStore
from spotlaunch.submission import Preview, preview, refuse_deadline, refuse_impossible, refuse_limits, submit
from spotlaunch.watchdog.background import ensure_awake
from spotlaunch.watchdog.clouds import connect_all, launchable
from spotlaunch.watchdog.serve import SystemClock


def run(
    file: Path, *, follow: bool, dry_run: bool, yes: bool, env: list[str], name: str, when: str | None, as_json: bool
) -> int:
    """Submit the job of ``file``. Returns the exit code: 0, or with ``follow`` the job's own.

    ``when``: the condition that it is held for, or None. An empty text (of a variable never set, say) is refused.

    Raises `BadFile` and `UsageError` before anything is written; `SpotlaunchError` when no offer can ever
    fit, a limit cannot be met, or a store cannot be used.
    """
    overrides: Overrides = {"env": pairs(env)}
    condition = _condition(when)
    if name:
        overrides["name"] = name
    spec = load_job(file, names=provider_names(), env=os.environ, overrides=overrides)
    home = Home.find()
    if condition is not None and (spec.deadline_s is not None or spec.deadline_at is not None or spec.policy):
        hint = "leave out --when: a policy waits for cheap machines by itself, as long as the deadline allows"
        raise UsageError("--when does not go with a deadline or a policy in the job file", hint=hint)
    with open_book(home) as store:
        found, missing = look(home, store, spec, condition)
        known = cautions.of_plan(home, spec, found)
        if not as_json:
            show_plan(spec, found, missing, known)
        refuse_limits(spec, found)
        refuse_deadline(found, file, now=time.time())
        refuse_impossible(found)
        if dry_run:
            from spotlaunch.cli.forecast import brief_json, show_brief  # late: nothing else needs the simulator

            if as_json:
                plan = plan_json(spec, found, missing, known)
                render.as_json({"job": None, "plan": plan, **brief_json(spec, store.jobs(), found)})
            else:
                show_brief(spec, store.jobs(), found)
            return 0
        if not yes and not as_json and sys.stdin.isatty() and not _agreed():
            render.say("nothing was submitted")
            return 1
        values = {n: os.environ[n] for n in spec.secrets}
        clock = SystemClock()
        job = submit(
            home,
            store,
            spec,
            secret_values=values,
            clock=clock,
            owner=store.owner,
            exact_name=bool(name),
            when=condition,
        )
        _awaken(home, store, job.name)
        if as_json:
            render.as_json({"job": job.name, "plan": plan_json(spec, found, missing, known)}, line=follow)
        elif not follow:
            print(job.name, flush=True)
            render.say(f"see: spotlaunch status {job.name}, spotlaunch logs --follow {job.name}")
        return follower.run(home, store, job.name, as_json=as_json) if follow else 0


def _awaken(home: Home, store: SqliteStore, name: str) -> None:
    """A watchdog for the job, which exists by now: whoever is told of trouble must not submit it again."""
    try:
        ensure_awake(home, store)
    except SpotlaunchError as e:
        raise SpotlaunchError(f"{name} is submitted, but waits: {e.message}", hint=e.hint) from e


def _condition(when: str | None) -> Condition | None:
    """What is written after ``--when``. Raises `UsageError`."""
    try:
        return None if when is None else parse_when(when)
    except Unreadable as e:
        raise UsageError(f"--when: {e.message}", hint=e.hint) from e


def look(home: Home, store: SqliteStore, spec: Spec, when: Condition | None) -> tuple[Preview, Mapping[str, str]]:
    """Ask the providers that the job may use; say which of those it names are not usable."""
    names = spec.where.providers or tuple(provider_names())
    connected, errors = connect_all(home, owner=store.owner, names=names)
    providers, missing = launchable(connected)
    missing |= {n: e.message + (f" (hint: {e.hint})" if e.hint else "") for n, e in errors.items()}
    return preview(home, store, spec, providers, SystemClock(), store.owner, when=when), missing


def pairs(texts: list[str]) -> dict[str, str]:
    """``K=V`` texts as a mapping. Raises `UsageError`."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--env {text}: there is no =", hint="write --env NAME=VALUE")
        found[key] = value
    return found


def _agreed() -> bool:
    sys.stderr.write("submit this job? [Y/n] ")
    sys.stderr.flush()
    answer: Any = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() in ("", "y", "yes")
