"""`spotlaunch rehearse FILE`: the user's own job, interrupted on this computer, and whether it resumes properly."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spotlaunch.cli import render
from spotlaunch.cli.submit import pairs
from spotlaunch.core.facts import Offer, Pool
from spotlaunch.core.observed import Seen, SeenAttempt
from spotlaunch.core.rates import Rates
from spotlaunch.core.spec import Spec
from spotlaunch.core.verdict import BAD_RATE_HOUR, Measures, Verdict, verdict
from spotlaunch.home import Home
from spotlaunch.registry import provider_names
from spotlaunch.rehearsing.cast import not_shown
from spotlaunch.rehearsing.outputs import wanted
from spotlaunch.rehearsing.rehearsal import Options, rehearse
from spotlaunch.storage.jobfile import load_job

SEEDS = 1_000_000
_MARKS = {"ok": ("ok  ", render.GREEN), "note": ("note", render.YELLOW), "bad": ("BAD ", render.RED)}


def run(
    file: Path,
    *,
    kills: int,
    minutes: float,
    seed: int | None,
    notice: bool,
    setup: bool,
    compare: list[str],
    compare_command: str,
    env: list[str],
    as_json: bool,
) -> int:
    """Rehearse the job of ``file``. Returns 0 when all is well, 1 when anything is bad.

    Raises `BadFile` and `UsageError` before anything is started, `SpotlaunchError` when it cannot be rehearsed.
    """
    spec = load_job(file, names=provider_names(), env=os.environ, overrides={"env": pairs(env)})
    options = Options(
        kills=kills,
        longest_s=minutes * 60,
        seed=secrets.randbelow(SEEDS) if seed is None else seed,
        notices=notice,
        setup=setup,
        compare=wanted(compare, compare_command, checkpoint_dir=spec.checkpoint.dir),
    )
    cautions = not_shown(spec)
    _announce(spec, options, cautions)
    seen = _rehearse(spec, options)
    found = verdict(seen, rate_per_hour=_usual_rate(spec))
    if as_json:
        render.as_json(rehearsal_json(spec, options, seen, found, cautions))
    else:
        show(spec, options, seen, found)
    return 0 if found.good else 1


def _rehearse(spec: Spec, options: Options) -> Seen:
    """Told to end, it ends all that was started first, also when that was said by SIGTERM."""
    values = {n: os.environ[n] for n in spec.secrets}
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return rehearse(Home.find(), spec, options, secret_values=values, tell=lambda text: render.say(f"  {text}"))
    except KeyboardInterrupt:
        render.say("stopped: its machines are ended, and nothing of it is left")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _announce(spec: Spec, options: Options, cautions: list[str]) -> None:
    longest = render.duration(options.longest_s)
    render.say(f"rehearsing {spec.name}: {options.kills} kills, at most {longest} a run, seed {options.seed}")
    for text in cautions:
        render.say(f"  not shown here: {text}")


def _usual_rate(spec: Spec) -> float:
    """Interruptions an hour of a spot machine with the job's GPU, of which nothing else is known."""
    gpu = spec.resources.gpus[0][0] if spec.resources.gpus else ""
    pool = Pool(provider="", region="", zone="", instance_type="", market="spot")
    return Rates().of(Offer(pool=pool, gpu=gpu, price_usd_hour=0, seen_at=0.0))  # type: ignore[arg-type]


def show(spec: Spec, options: Options, seen: Seen, found: Verdict) -> None:
    """The verdict on stdout."""
    fancy = render.is_fancy()
    print()
    for r in found.remarks:
        mark, colour = _MARKS[r.level]
        shown = f"{colour}{mark}{render.PLAIN}" if fancy else mark
        print(f"{shown}  {r.check:<11}  " + r.text.replace("\n", "\n" + " " * 19))
        if r.where and r.level == "bad":
            print(f"{'':19}at: {r.where}")
        if r.hint:
            print(f"{'':19}hint: {r.hint}")
    print()
    for line in _measured(spec, found.measures):
        print(line)
    made = len(seen.taken)
    good = f"{spec.name} resumes properly: {made} machine{'s' if made != 1 else ''} taken away, nothing wrong seen"
    bad = f"{spec.name} is not ready for machines that are taken away: see what is BAD above"
    print(good if found.good else f"{bad} (again: --seed {options.seed})")


def _measured(spec: Spec, m: Measures) -> list[str]:
    """What was measured, in lines."""
    lines = []
    if m.save_s is not None:
        lines.append(f"time to save when told to stop  {m.save_s:6.1f} s")
    if m.restore_s is not None:
        lines.append(f"time to restore                 {m.restore_s:6.1f} s")
    if m.checkpoint_bytes:
        lines.append(f"size of a checkpoint            {render.size(m.checkpoint_bytes):>8}")
    if m.interval_s is not None and m.bad_interval_s is not None:
        now = "auto" if spec.checkpoint.every_s is None else render.duration(spec.checkpoint.every_s)
        usual, often = render.duration(m.interval_s), render.duration(m.bad_interval_s)
        lines += [
            f"recommended: save every {usual} where {m.rate_per_hour:g} machines an hour are taken, as is usual;",
            f"             every {often} where it is {BAD_RATE_HOUR:g} (the job file says: {now})",
        ]
    return [*lines, ""] if lines else []


def rehearsal_json(spec: Spec, options: Options, seen: Seen, found: Verdict, cautions: Sequence[str]) -> dict[str, Any]:
    """Keys are stable, see docs/reference.md."""
    return {
        "job": spec.name,
        "good": found.good,
        "seed": options.seed,
        "kills": len(seen.taken),
        "not_shown": list(cautions),
        "findings": [asdict(r) for r in found.remarks],
        "measures": asdict(found.measures),
        "attempts": [seen_attempt_json(a) for a in seen.attempts],
    }


def seen_attempt_json(a: SeenAttempt) -> dict[str, Any]:
    """Keys are stable, see docs/reference.md."""
    return {
        "run": a.run,
        "attempt": a.number,
        "notice_s": a.taken.notice_s if a.taken else None,
        "resumed_step": a.resumed_step,
        "first_step": a.first_said,
        "last_step": a.last_said,
        "commits": len(a.commits),
        "left": a.left_why or None,
        "exit_code": a.exit_code,
    }
