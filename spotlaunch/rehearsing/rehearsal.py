"""A whole rehearsal: the stage, the runs on it, what they made. What was seen comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from spotlaunch.core.observed import Comparison, Seen
from spotlaunch.core.spec import Spec
from spotlaunch.errors import SpotlaunchError
from spotlaunch.home import Home
from spotlaunch.rehearsing import outputs
from spotlaunch.rehearsing.cast import notice_s, rehearsed, wanted
from spotlaunch.rehearsing.conductor import Conductor, Wish
from spotlaunch.rehearsing.outputs import Wanted
from spotlaunch.rehearsing.stage import rehearsal_cloud, stage
from spotlaunch.storage.blobs import open_blobs


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """``longest_s``: the undisturbed run gets so much time, and all interrupted runs together."""

    kills: int = 5
    longest_s: float = 600.0
    seed: int = 0
    notices: bool = True
    setup: bool = True
    compare: Wanted = field(default_factory=Wanted)


def rehearse(
    home: Home, spec: Spec, options: Options, *, secret_values: Mapping[str, str], tell: Callable[[str], None]
) -> Seen:
    """Rehearse ``spec`` in a folder of its own below ``home``, whose book is not touched.

    Raises `SpotlaunchError` where it cannot be done at all: no room, a working directory too large, and so on.
    """
    warned_s = notice_s(spec) if options.notices else 0.0
    wish = Wish(
        kills=options.kills,
        longest_s=options.longest_s,
        seed=options.seed,
        notices=options.notices,
        notice_s=warned_s,
        alone=bool(options.compare),
    )
    with stage(home.prepare(), wanted(spec), notice_s=warned_s) as on:
        played = rehearsed(spec, rehearsal_cloud(), setup=options.setup, longest_s=options.longest_s)
        conductor = Conductor(on, played, wish, secret_values=secret_values, stay=(home.path,), tell=tell)
        c = spec.checkpoint
        seen = replace(conductor.perform(), every_s=c.every_s, grace_s=c.grace_s)
        if options.compare:
            seen = replace(seen, comparisons=_comparisons(on.home.path / "outputs", conductor, seen, options))
    return seen


def _comparisons(folder: Path, conductor: Conductor, seen: Seen, options: Options) -> tuple[Comparison, ...]:
    """Of the undisturbed run and the last interrupted one, if both have come to their end."""
    alone = [r.number for r in seen.runs if r.alone and r.state == "finished"]
    disturbed = [r.number for r in seen.runs if not r.alone and r.state == "finished"]
    want = options.compare
    if not alone or not disturbed:
        which = "neither run" if not alone and not disturbed else "not both runs"
        whats = [*want.paths, *([want.command] if want.command else [])]
        return tuple(Comparison(what=w, equal=None, detail=f"{which} came to an end") for w in whats)
    places = {"alone": alone[-1], "rehearsed": disturbed[-1]}
    for name, run in places.items():
        job, observer = conductor.jobs[run], conductor.observers[run]
        attempts = [a.number for a in seen.attempts if a.run == run]
        output, directory = observer.output(attempts), job.spec.checkpoint.dir
        try:
            outputs.fetch(open_blobs(job.store_url), job.name, folder / name, checkpoint_dir=directory, output=output)
        except SpotlaunchError as e:
            return (Comparison(what="the last checkpoint", equal=None, detail=e.message),)
    return tuple(outputs.compare(want, folder / "alone", folder / "rehearsed", longest_s=options.longest_s))
