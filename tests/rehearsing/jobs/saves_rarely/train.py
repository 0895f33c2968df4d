"""As `good`, but it saves every second or so, and ends at once when told to stop."""

import json
import os
import sys
import time
from pathlib import Path

STEPS, EVERY, NAP_S = int(os.environ.get("STEPS", "90")), 25, 0.05

folder = Path(os.environ["SPOTLAUNCH_CHECKPOINT_DIR"])
told = []


def save(step):
    part = folder / f".step-{step:06d}.json"
    part.write_text(json.dumps({"step": step}))
    part.rename(folder / f"step-{step:06d}.json")
    for old in sorted(folder.glob("step-*.json"))[:-2]:
        old.unlink()


resume = os.environ["SPOTLAUNCH_RESUME"]
step = json.loads(Path(resume).read_text())["step"] if resume else 0
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
