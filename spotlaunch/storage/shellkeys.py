"""Keys for shells on machines: one pair for each job that allows a shell, in this home (0600) until the job is over."""

from __future__ import annotations

import os
from contextlib import suppress

from spotlaunch.errors import StoreUnavailable
from spotlaunch.home import Home


def make_key(home: Home, job: str) -> str:
    """Make a pair for ``job`` and keep the private half. Returns the public one, a line in OpenSSH's form.

    Raises `StoreUnavailable` when the key cannot be written.
    """
    from cryptography.hazmat.primitives import serialization as forms  # late: slow to import
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = home.ssh_key(job)
    forget_key(home, job)
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, forms.NoEncryption())
    public = key.public_key().public_bytes(forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH)
    line = f"{public.decode()} spotlaunch-{job}"  # instead of this user's name and computer
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as f:
            f.write(private)
        path.with_suffix(".pub").write_text(line + "\n")
    except OSError as e:
        raise StoreUnavailable(f"cannot write {path}: {e.strerror or e}", hint="is the disk full or read-only?") from e
    return line


def forget_key(home: Home, job: str) -> None:
    """Remove the pair of ``job`` and the hosts it has seen. Absent ones are no trouble."""
    path = home.ssh_key(job)
    for made in (path, path.with_suffix(".pub"), home.known_hosts(job)):
        with suppress(OSError):
            made.unlink()


def jobs_with_keys(home: Home) -> list[str]:
    """Names of the jobs that have one: a watchdog may die before it could forget the key of a job that is over."""
    return sorted(p.stem for p in home.ssh_key("x").parent.glob("*.pub"))
