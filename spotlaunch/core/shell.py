"""A shell on a machine: where it may be had, and the command line of OpenSSH that opens it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

# A host that begins with "-" would be an option of ssh; a provider's words are not taken for more than they are.
_PLACE = re.compile(
    r"(?P<user>[A-Za-z_][\w.-]*)@(?P<host>[A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
)
PORT = 22


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a shell may be had. ``host`` is a name or an address, an IPv6 one without brackets."""

    user: str
    host: str
    port: int = PORT


def read_address(text: str) -> Address | None:
    """``user@host:port`` (`facts.SeenMachine.ssh`); None where it is anything else."""
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    port = int(found["port"] or PORT)
    return Address(user=found["user"], host=found["host"].strip("[]"), port=port) if 0 < port < 65536 else None


def ssh_command(address: Address, *, key: str, known_hosts: str, alias: str, command: Sequence[str] = ()) -> list[str]:
    """The arguments of ``ssh``, for a shell or (``command``) for one command there.

    ``key`` and ``known_hosts`` are paths of the job's own. ``alias`` is the name under which the host's key is kept:
    addresses are given to other machines again, names of machines are not. One word of ``command`` is text for the
    shell there, more of them stay the words they are.
    """
    options = {
        "IdentityFile": _path(key),
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": _path(known_hosts),
        "StrictHostKeyChecking": "accept-new",
        "HostKeyAlias": alias,
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        # The host may be a stranger's: the user's own keys, windows and ports stay here, whatever ~/.ssh/config says.
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ClearAllForwardings": "yes",
    }
    line = ["ssh", "-p", str(address.port)]
    for name, value in options.items():
        line += ["-o", f"{name}={value}"]
    line += ["-l", address.user, "--", address.host]
    if command:
        line.append(command[0] if len(command) == 1 else shlex.join(command))
    return line


def _path(path: str) -> str:
    """A path as ssh's options take it: blanks would part it, and ``%`` begins a token."""
    return '"' + path.replace("%", "%%") + '"'
