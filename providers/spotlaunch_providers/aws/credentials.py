"""Whether there are credentials for AWS, told without a call: a watchdog asks before it uses this provider."""

from __future__ import annotations

import os
from pathlib import Path

# Where Linux says who made the computer. All EC2 machines say Amazon in one of them.
_MAKER = ("sys_vendor", "bios_vendor", "bios_version", "chassis_vendor")
_DMI = Path("/sys/class/dmi/id")

# In containers of Amazon's these name a service of the host, which gives credentials.
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
# Variables that lead to credentials, and the files in which they stand.
_NAMING = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SECRET_ACCESS_KEY")
_FILES = {
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
    "BOTO_CONFIG": "~/.boto",
}
# What of boto3's chain calls a service or another program as soon as it is looked at.
_CALLING = ("iam-role", "container-role", "custom-process")


def at_hand(profile: str, *, local: bool) -> bool:
    """Whether boto3's chain of credentials will find some. ``local``: a server on this computer is meant, for which
    no service of Amazon's is asked.

    What can only be known by asking (the role of an EC2 machine or a container, a program's answer) counts as there.
    """
    if not profile and os.environ.get("AWS_ACCESS_KEY_ID"):
        return True
    if not local and (any(map(os.environ.get, _CONTAINER)) or _metadata_may_tell()):
        return True
    return bool(profile or _something_written()) and _in_chain(profile)


def may_be_amazons(folder: Path = _DMI) -> bool:
    """Whether this computer may be an EC2 machine. Elsewhere the metadata service is a wait of seconds for nobody."""
    words = _makers(folder)
    return not words or any("amazon" in word for word in words)


def _metadata_may_tell() -> bool:
    """Surer than `may_be_amazons`: a computer that does not say who made it is none of Amazon's here."""
    disabled = os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    return not disabled and any("amazon" in word for word in _makers(_DMI))


def _makers(folder: Path) -> list[str]:
    words = []
    for name in _MAKER:
        try:
            words.append((folder / name).read_text().lower())
        except (OSError, UnicodeDecodeError):
            continue
    return words


def _something_written() -> bool:
    """Whether there is a variable or a file at all in which boto3 may find some: loading it takes a while."""
    files = (os.environ.get(variable) or usual for variable, usual in _FILES.items())
    return any(map(os.environ.get, _NAMING)) or any(Path(file).expanduser().exists() for file in files)


def _in_chain(profile: str) -> bool:
    """By boto3's own chain, without what calls."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    session = botocore.session.Session(profile=profile or None)
    try:
        if session.get_scoped_config().get("credential_process"):
            return True
        chain = session.get_component("credential_provider")
        for name in _CALLING:
            chain.remove(name)
        return chain.load_credentials() is not None
    except BotoCoreError:
        return True
