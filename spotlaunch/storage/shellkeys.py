"""Keys for shells on machines: one pair for each job that allows a shell, in this home (0600) until the job is over."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from shutil import which

from spotlaunch.errors import StoreUnavailable
from spotlaunch.home import Home

MAKE_TIMEOUT_S = 30.0


def make_key(home: Home, job: str) -> str:
    """Make a pair for ``job`` and keep the private half. Returns the public one, a line in OpenSSH's form.

    Made by ``ssh-keygen`` where there is one. Raises `StoreUnavailable` when the key cannot be written.
    """
    path = home.ssh_key(job)
    forget_key(home, job)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if which("ssh-keygen") is None or not _by_keygen(path, job):
            _by_library(path, job)
        path.chmod(0o600)
        return path.with_suffix(".pub").read_text().strip()
    except OSError as e:
        raise StoreUnavailable(f"cannot write {path}: {e.strerror or e}", hint="is the disk full or read-only?") from e


def forget_key(home: Home, job: str) -> None:
    """Remove the pair of ``job`` and the hosts it has seen. Absent ones are no trouble."""
    path = home.ssh_key(job)
    for made in (path, path.with_suffix(".pub"), home.known_hosts(job)):
        with suppress(OSError):
            made.unlink()


def jobs_with_keys(home: Home) -> list[str]:
    """Names of the jobs that have one: a watchdog may die before it could forget the key of a job that is over."""
    return sorted(p.stem for p in home.ssh_key("x").parent.glob("*.pub"))


def _by_keygen(path: Path, job: str) -> bool:
    line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", _comment(job), "-f", str(path)]
    try:
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=MAKE_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _by_library(path: Path, job: str) -> None:
    from cryptography.hazmat.primitives import serialization  # late: most computers have ssh-keygen
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as f:
        f.write(private)
    path.with_suffix(".pub").write_text(f"{public.decode()} {_comment(job)}\n")


def _comment(job: str) -> str:
    """What the key says of itself, instead of this user's name and computer."""
    return f"spotlaunch-{job}"
