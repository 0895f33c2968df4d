"""`spotlaunch ssh JOB`: a shell on a job's machine, where the job file allows it and the provider gives one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from spotlaunch.cli.book import open_book
from spotlaunch.cli.listings import connect_for_machines, list_all
from spotlaunch.core.book import Job, Machine
from spotlaunch.core.facts import SeenMachine
from spotlaunch.core.shell import Address, read_address, ssh_command
from spotlaunch.errors import SpotlaunchError
from spotlaunch.home import Home
from spotlaunch.workers import Workers


def run(name: str, *, attempt: int | None, command: Sequence[str]) -> int:
    """Open the shell, or run ``command`` there. Returns ssh's exit code.

    Raises `NoSuchJob`, and `SpotlaunchError` (with a hint) when there is no shell to be had.
    """
    home = Home.find()
    with open_book(home) as store:
        job = store.job(name)
        _refuse_unallowed(home, job)
        machine = _machine(job, store.machines(name), attempt)
        seen = _seen(home, machine, owner=store.owner)
    line = ssh_command(
        _address(machine, seen),
        key=str(home.ssh_key(name)),
        known_hosts=str(home.known_hosts(name)),
        alias=machine.launch_key,
        command=command,
    )
    if shutil.which(line[0]) is None:
        raise SpotlaunchError("there is no program called ssh here", hint="install OpenSSH's client")
    code = subprocess.run(line, check=False).returncode
    return code if code >= 0 else 128 - code


def _refuse_unallowed(home: Home, job: Job) -> None:
    if not job.spec.ssh:
        raise SpotlaunchError(
            f"{job.name} allows no shell on its machines",
            hint="write `ssh: true` into the job file, and submit it again",
        )
    if job.over:
        raise SpotlaunchError(f"{job.name} is over ({job.state}): it has no machine, and its key is gone")
    if not home.ssh_key(job.name).exists():
        raise SpotlaunchError(
            f"the key of {job.name} is not in {home.ssh_key(job.name).parent}",
            hint="a shell can be opened only where the job was submitted",
        )


def _machine(job: Job, machines: Sequence[Machine], attempt: int | None) -> Machine:
    """The newest machine that is up, of that attempt if one is named."""
    mine = [m for m in machines if attempt in (None, m.attempt)]
    if attempt is not None and not mine:
        raise SpotlaunchError(f"{job.name} has no attempt {attempt}", hint=f"see `spotlaunch status {job.name}`")
    up = [m for m in mine if m.state in ("up", "ending")]
    if up:
        return up[-1]
    whose = f"attempt {attempt} of {job.name}" if attempt is not None else job.name
    coming = any(m.state in ("intended", "launching") for m in mine)
    raise SpotlaunchError(
        f"{whose} has no machine now" + (": one is being launched" if coming else ""),
        hint="try again in a minute" if coming else f"see `spotlaunch status {job.name}`",
    )


def _seen(home: Home, machine: Machine, *, owner: str) -> SeenMachine:
    """The machine as its provider lists it now."""
    provider = machine.pool.provider
    connected = connect_for_machines(home, [provider], owner=owner)
    workers = Workers(1, name="ssh")
    try:
        listings, silent = list_all(connected.providers, workers)
    finally:
        workers.shutdown(wait=False)
    for s in (*connected.silent, *silent):
        raise SpotlaunchError(f"{provider} cannot be asked where the machine is: {s.reason}", hint=s.hint)
    for seen in listings[provider].machines:
        if seen.instance_id == machine.instance_id and seen.phase != "gone":
            return seen
    raise SpotlaunchError(
        f"{machine.instance_id} is not in the listing of {provider}: it is gone, or just being made",
        hint=f"see `spotlaunch status {machine.job}`",
    )


def _address(machine: Machine, seen: SeenMachine) -> Address:
    what = f"{seen.instance_id} at {machine.pool.provider}"
    if seen.phase == "stopped":
        raise SpotlaunchError(f"{what} is stopped: nothing runs there any more")
    if not seen.ssh and seen.phase == "starting":
        raise SpotlaunchError(f"{what} has no address yet: it is starting", hint="try again in a minute")
    if not seen.ssh:
        raise SpotlaunchError(
            f"{what} gives no shell: its provider tells no address for one",
            hint=f"`spotlaunch logs {machine.job}` tells what the job prints",
        )
    address = read_address(seen.ssh)
    if address is None:
        raise SpotlaunchError(f"{what} has an address that cannot be read: {seen.ssh[:80]!r}")
    return address
