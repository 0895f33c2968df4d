"""The disk image of a machine: AWS's own for deep learning, or the one that was chosen, and what its disk needs."""

from __future__ import annotations

from dataclasses import dataclass

from spotlaunch.core.facts import Pool
from spotlaunch.core.settings import Settings
from spotlaunch.errors import ProviderError
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.errors import UNKNOWN_CALL, code_of
from spotlaunch_providers.aws.kept import Kept
from spotlaunch_providers.aws.refusals import NOES, refused
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.refused import as_error

# The name of a parameter, as AWS publishes the newest image of a kind in each region. This kind has the NVIDIA driver.
DEFAULT = "/aws/service/deeplearning/ami/{arch}/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
_RESOLVE = "resolve:ssm:"
_DAY_S = 24 * 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image in one region. ``disk_gb``: the least that its root disk must have."""

    id: str
    root: str
    disk_gb: int


class Images:
    """Images by region, kept for a day. The setting ``image`` replaces `DEFAULT`."""

    def __init__(self, access: Access, settings: Settings) -> None:
        self._access = access
        self._usual = settings.get("image") or DEFAULT
        self._found: Kept[tuple[str, str], Image] = Kept(_DAY_S)

    def get(self, name: str, pool: Pool, arch: str, *, deadline: Deadline) -> Image:
        """The image of that ``name`` (an id, or a parameter's name; empty: the usual one) for a pool.

        Raises `InvalidOrder` (with what it refuses) where the region has none of that name.
        """
        return self._found.get(self._key(name, pool, arch), lambda: self._find(name, pool, arch, deadline))

    def forget(self, name: str, pool: Pool, arch: str) -> bool:
        """Drop one that turned out to be gone. Whether it was kept."""
        return self._found.forget(self._key(name, pool, arch))

    def _key(self, name: str, pool: Pool, arch: str) -> tuple[str, str]:
        return pool.region, (name or self._usual).removeprefix(_RESOLVE).replace("{arch}", arch or "x86_64")

    def _find(self, name: str, pool: Pool, arch: str, deadline: Deadline) -> Image:
        region, wanted = self._key(name, pool, arch)
        ami, rows = wanted, []
        try:
            if wanted.startswith("/"):
                ami = self._parameter(region, wanted, deadline)
            elif not wanted.startswith("ami-"):
                raise _no(pool, f"{wanted[:60]!r} is neither an id like ami-0abc nor the name of a parameter")
            rows = self._access.ask(
                *("ec2", "describe_images", "Images"), region=region, deadline=deadline, ImageIds=[ami]
            )["Images"]
        except ProviderError as e:
            if code_of(e) in NOES and not e.refused:
                raise _no(pool, f"there is no {wanted}") from e
            if code_of(e) not in UNKNOWN_CALL or not ami.startswith("ami-"):
                raise
        # EC2 refuses an id that it does not know. A server that shows nothing has no list of images, and says at the
        # launch whether it takes this one.
        told = rows[0] if rows else {}
        root = str(told.get("RootDeviceName") or "/dev/sda1")
        sizes = [(d.get("Ebs") or {}).get("VolumeSize") or 0 for d in told.get("BlockDeviceMappings") or ()]
        return Image(id=ami, root=root, disk_gb=max(sizes, default=0))

    def _parameter(self, region: str, name: str, deadline: Deadline) -> str:
        answer = self._access.ask("ssm", "get_parameter", "Parameter", region=region, deadline=deadline, Name=name)
        return str(answer["Parameter"].get("Value") or "")


def _no(pool: Pool, said: str) -> ProviderError:
    return as_error([refused("InvalidAMIID.NotFound", pool, said=said)])
