"""`make rehearsal`: the demo job on five fake clouds, each of its machines taken away, as a story to watch.

`make smoke` is the short form, tests/e2e/test_smoke.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.support import one_at_a_time
from tests.fakes.clouds.all import FAKES
from tests.fakes.s3 import CREDENTIALS
from tests.rehearsal.ground import FiveClouds, five_clouds, python_for_jobs
from tests.rehearsal.play import DIGEST, Play

DEMO = Path(__file__).parents[2] / "configs" / "demo"
EPOCHS, STORY_EPOCHS, EPOCH_SECONDS = "160", "800", "0.3"


def main() -> int:
    os.environ.update(CREDENTIALS)
    with tempfile.TemporaryDirectory(prefix="spotlaunch-rehearsal-") as folder, five_clouds(Path(folder)) as ground:
        wanted = alone(Path(folder))
        print(f"uninterrupted, the demo job ends with {wanted[:16]}...\n", flush=True)
        rehearse(ground, wanted)
    print("\nthe rehearsal is over: every job ended with the same weights, and nothing is left behind")
    return 0


def rehearse(ground: FiveClouds, wanted: str) -> None:
    """Six jobs: one goes through all that can happen, and on five each machine is taken away, twice a job."""
    play = Play(ground, say=lambda line: print(line, flush=True))
    # Long enough until pools that refused have rested and spot can be had again.
    story = ground.submit(demo_job(ground, "story", [], epochs=STORY_EPOCHS))
    clouds = play.whole_story(story)
    play.finished(story, digest=alone(ground.folder, STORY_EPOCHS), within_s=400)
    names = [
        ground.submit(demo_job(ground, f"demo-{here}", [here, there]))
        for here, there in zip(FAKES, [*list(FAKES)[1:], next(iter(FAKES))], strict=True)
    ]
    lost = play.harry(names, times=2, within_s=400)
    for name in names:
        play.finished(name, digest=wanted, within_s=300)
    for name in [story, *names]:
        one_at_a_time(ground.register(name))
    ground.nothing_is_left()
    rows = ground.bills_agree([story, *names])
    print(f"\n{story} went through {' -> '.join(clouds)}; the others lost machines at:")
    for name, where in lost.items():
        print(f"  {name}: {', '.join(where)}")
    worst_s = max(abs(ours - theirs) for _, ours, theirs in rows)
    print(f"{len(rows)} machines; our bill differs from the clouds' by at most {worst_s:.2f} s a machine")


def demo_job(ground: FiveClouds, name: str, providers: list[str], *, epochs: str = EPOCHS) -> Path:
    """The demo's training script, as a job for these clouds."""
    where = {"where": {"providers": providers}} if providers else {}
    file = ground.five_job(name, steps=1, nap_s=0, **where)
    text = file.read_text()
    env = {"PATH": f"{python_for_jobs()}:{os.environ['PATH']}", "EPOCHS": epochs, "EPOCH_SECONDS": EPOCH_SECONDS}
    # Without word of its progress nobody knows how long it has to go: a minute's rest would not pay for a move to spot.
    run = "exec env -u SPOTLAUNCH_PROGRESS_FILE python3 train.py"
    keys = {**json.loads(text), "run": run, "workdir": str(DEMO), "env": env}
    file.write_text(json.dumps(keys))
    return file


def alone(folder: Path, epochs: str = EPOCHS) -> str:
    """What the demo job prints at its end when nobody interrupts it."""
    env = {**os.environ, "EPOCHS": epochs, "EPOCH_SECONDS": "0"}
    done = subprocess.run(
        [sys.executable, str(DEMO / "train.py")], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    (found,) = DIGEST.findall(done.stdout)
    return str(found)


if __name__ == "__main__":
    sys.exit(main())
