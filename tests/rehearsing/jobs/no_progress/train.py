"""As `good`, but it does not say how far it is."""

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
    if step % EVERY == 0 or told:
        save(step)
    if told:
        sys.exit(143)
print("sum", sum(range(STEPS + 1)))
