"""The job file that `spotlaunch init` writes: it runs as it is, and shows every key there is.

Lines like ``#key:`` and ``#  key:`` hold keys, at their defaults or with an example: without the ``#`` they
count. All other lines that begin with ``#`` are prose.
"""

JOB_TEMPLATE = """\
# A job for spotlaunch. It runs as it is, on the rehearsal provider `local`, which rents nothing:
#
#     spotlaunch submit job.yaml --follow
#
# To use a key that is commented out, take away its `#` (and that of the key it stands under).

# What the job is called: a-z, 0-9 and -, at most 32.
name: hello

# The command. It saves checkpoints into $SPOTLAUNCH_CHECKPOINT_DIR, and when it is started again on another
# machine it finds them there. This one counts for twenty seconds, in place of training.
run: |
  exec python3 - <<'EOF'
  import json, os, signal, sys, time
  from pathlib import Path

  total = int(os.environ["STEPS"])
  checkpoints = Path(os.environ["SPOTLAUNCH_CHECKPOINT_DIR"])
  progress = Path(os.environ["SPOTLAUNCH_PROGRESS_FILE"])

  def save(step):
      # Written under another name and then renamed: a checkpoint is whole, or it is not there.
      part = checkpoints / ".part"
      part.write_text(json.dumps({"step": step}))
      part.rename(checkpoints / f"step-{step:06d}.json")

  # SIGTERM says that the machine is about to be taken away: the loop looks here, saves and leaves.
  told = []
  signal.signal(signal.SIGTERM, lambda *_: told.append(True))

  checkpoints.mkdir(parents=True, exist_ok=True)
  newest = max(checkpoints.glob("step-*.json"), default=None)
  step = json.loads(newest.read_text())["step"] if newest else 0
  print(f"beginning at step {step} of {total}", flush=True)

  while step < total:
      time.sleep(0.2)  # here a real program would train
      step += 1
      with progress.open("a") as file:
          print(json.dumps({"step": step, "total": total}), file=file)
      if step % 10 == 0 or step == total or told:
          save(step)
      if told and step < total:
          print(f"told to leave, saved step {step}", flush=True)
          sys.exit(143)  # anything but 0: not finished yet
  print("done", flush=True)
  EOF

# Variables the command sees, next to the SPOTLAUNCH_... ones.
env: {STEPS: "100"}

# Where it may run: providers by name, regions and places to leave out as patterns. All, if this key is absent.
where:
  providers: [local]
#  regions: ["us-*", "eu-*"]
#  exclude: ["aws:us-east-1"]

# Run once on each machine, before the command.
#setup: pip install -r requirements.txt

# The folder that is sent along, but for what .gitignore and .spotlaunchignore say.
#workdir: .

# A container image: the machine itself where a provider rents containers, else the command runs in it with the GPUs.
#image: pytorch/pytorch:latest

# The disk image of virtual machines, by provider; by default one that has the NVIDIA driver.
#vm_images: {aws: ami-0123456789abcdef0}

# Variables whose values come from your environment when you submit, and are never written down here.
#secrets: [WANDB_API_KEY]

# What a machine must have at least. gpu: name:count, or a list of them when any will do.
#resources:
#  gpu: ["H100:8", "A100-80GB:8"]
#  cpus: 8+
#  memory_gb: 64+
#  disk_gb: 100

# auto (spot machines, and on-demand ones when there are none), spot, or on-demand.
#market: auto

# When it must be done: so long after you submit it, or a time (2030-01-31T18:00, in this computer's zone where it
# names none). Then on-demand is paid for as late and as little as the deadline allows. work: the compute time it needs.
# policy: how that is decided, see docs/deadlines.md.
#deadline: 60h
#work: 40h
#policy: slack

# Where to stop: dollars per hour of one machine, dollars and machine time of the whole job, and attempts.
#limits:
#  price_usd_hour: 30
#  cost_usd: 500
#  runtime: 48h
#  attempts: 50

# With market auto: how long to look for spot before paying for on-demand, whether to go back, and
# how often to look for that.
#fallback:
#  patience: 20m
#  return_to_spot: true
#  look_every: 5m

# dir: the folder, inside the working directory, that the command saves into. every: how often to save (auto: as often
# as costs the least, from how long it takes and how often machines are taken). keep: how many. grace: the time to save
# after SIGTERM. signal: what tells the command that `every` has changed (none, USR1 or USR2). store: where to;
# file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix.
#checkpoint:
#  dir: checkpoints
#  every: auto
#  keep: 3
#  grace: 25s
#  signal: none
#  store: s3://my-bucket/spotlaunch

# Exit codes that mean "start me again" rather than "I failed".
#restart_on_exit: [75]

# Whether `spotlaunch ssh` may open a shell on its machines, with a key made for this job alone.
#ssh: false
"""
