"""What a person may choose of every machine at Google: image, network, disk, account. From the settings."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spotlaunch.core.settings import Settings
from spotlaunch.errors import UsageError

# Ubuntu with NVIDIA's driver, by Canonical for Google; free of charge. Family names are [3P].
IMAGE = "projects/ubuntu-os-accelerator-images/global/images/family/ubuntu-accelerator-2404-amd64-with-nvidia-580"
NETWORK = "global/networks/default"

_WORD = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_PATH = re.compile(r"[\w.:/-]+")
_EMAIL = re.compile(r"[\w.-]+@[\w.-]+|default")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """``subnetwork`` is a name that each region has, or a path. ``disk_type``: empty means by machine family.

    ``service_account``: what the machine's programs act as; empty: nobody.
    """

    image: str = IMAGE
    network: str = NETWORK
    subnetwork: str = ""
    external_ip: bool = True
    disk_type: str = ""
    service_account: str = ""

    def interface(self, region: str) -> dict[str, object]:
        """The machine's way into the network: no rule that lets anybody in is made."""
        made: dict[str, object] = {"network": self.network}
        if self.subnetwork:
            plain = "/" not in self.subnetwork
            path = f"regions/{region}/subnetworks/{self.subnetwork}" if plain else self.subnetwork
            made = {"subnetwork": path}
        if self.external_ip:
            made["accessConfigs"] = [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]
        return made


def choices(settings: Settings) -> Choices:
    """What the settings choose. Raises `UsageError` for what Google could not understand."""
    network = _checked(settings, "network", _PATH)
    if network and "/" not in network:
        network = f"global/networks/{network}"
    told = _checked(settings, "external_ip", re.compile("yes|no|true|false", re.IGNORECASE)).lower() or "yes"
    return Choices(
        image=image(_checked(settings, "image", _PATH)) or IMAGE,
        network=network or NETWORK,
        subnetwork=_checked(settings, "subnetwork", _PATH),
        external_ip=told in ("yes", "true"),
        disk_type=_checked(settings, "disk_type", _WORD),
        service_account=_checked(settings, "service_account", _EMAIL),
    )


def image(words: str) -> str:
    """An image as a person names it: a path stays, a bare name is one of the project."""
    return words if "/" in words or not words else f"global/images/{words}"


def _checked(settings: Settings, key: str, form: re.Pattern[str]) -> str:
    value = settings.get(key)
    if value and not form.fullmatch(value):
        raise UsageError(
            f"gcp: {key} ({settings.origin.get(key, 'the settings')}) is {value[:60]!r}, which cannot be one",
            hint="docs/providers/gcp.md shows what may stand there",
        )
    return value
