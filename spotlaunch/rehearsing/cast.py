"""The job as it is rehearsed: the user's own program, on machines that it would not choose."""

from __future__ import annotations

from dataclasses import replace

from spotlaunch.core.facts import Want
from spotlaunch.core.spec import CheckpointSpec, Spec, Where

# Kept of a notice beyond the grace, for the last checkpoint. Who needs less leaves sooner.
LAST_SYNC_S = 10.0

# Granted on top of the grace: this computer may be busy with other things, and a program must not be blamed for it.
BUSY_S = 1.0

# A program that saves as often as it is told to shall be seen to do so: this often within the time of a run.
SAVES_PER_RUN, LEAST_EVERY_S = 60, 1.0


def rehearsed(spec: Spec, provider: str, *, setup: bool, longest_s: float) -> Spec:
    """``spec`` with all that the program sees as it is, and nothing of what money and markets have to do with.

    No limits (these are the rehearsal's own), no deadline, no bucket: nothing of the user's is touched or paid for.
    Checkpoints are wished for often enough that a run of ``longest_s`` sees some.
    """
    c = spec.checkpoint
    often_s = max(LEAST_EVERY_S, longest_s / SAVES_PER_RUN)
    every_s = often_s if c.every_s is None else min(often_s, c.every_s)
    return Spec(
        name=spec.name,
        run=spec.run,
        setup=spec.setup if setup else "",
        workdir=spec.workdir,
        env=spec.env,
        secrets=spec.secrets,
        resources=spec.resources,
        market="spot",
        where=Where(providers=(provider,)),
        checkpoint=replace(c, every_s=every_s, grace_s=c.grace_s + BUSY_S, store=CheckpointSpec().store),
        restart_on_exit=spec.restart_on_exit,
    )


def wanted(spec: Spec) -> Want:
    """What machines must hold for it: the program finds the same `SPOTLAUNCH_GPU` as on a real one."""
    r = spec.resources
    return Want(gpus=r.gpus, cpus=r.cpus, memory_gb=r.memory_gb, disk_gb=r.disk_gb, markets=("spot",))


def notice_s(spec: Spec) -> float:
    """The warning that is given when one is: the whole grace, and time for the last checkpoint."""
    return spec.checkpoint.grace_s + BUSY_S + LAST_SYNC_S


def not_shown(spec: Spec) -> list[str]:
    """What this computer cannot show of this job, a sentence each."""
    said = []
    if spec.resources.gpus:
        said.append("its machines are this computer, and have whatever GPU this has; its memory, CPUs and disk, too")
    if spec.image:
        said.append("there is no container: the command runs with what is installed here, not in `image`")
    if spec.checkpoint.store.url:
        said.append("checkpoints go to a folder of this computer: to your store they may take longer")
    return said
