"""As `good`, but it looks for the last checkpoint itself, by name, and step-9 comes after step-10."""

import json
import os
import signal
import sys
import time
from pathlib import Path

STEPS, EVERY, NAP_S = int(os.environ.get("STEPS", "80")), 5, 0.05

folder = Path(os.environ["SPOTLAUNCH_CHECKPOINT_DIR"])
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(True))


def save(step):
    part = folder / f".step-{step}.json"
    part.write_text(json.dumps({"step": step}))
    part.rename(folder / f"step-{step}.json")


resume = os.environ["SPOTLAUNCH_RESUME"]
newest = max(map(str, folder.glob("step-*.json")), default="")
step = json.loads(Path(newest).read_text())["step"] if newest else 0
while step < STEPS:
    step += 1
    time.sleep(NAP_S)
    with Path(os.environ["SPOTLAUNCH_PROGRESS_FILE"]).open("a") as file:
        print(json.dumps({"step": step, "total": STEPS}), file=file)
    if step % EVERY == 0 or told:
        save(step)
    if told:
        sys.exit(143)
print("sum", sum(range(STEPS + 1)))
