"""RunPod: its own data centers ("secure") and machines of its partners ("community"), on demand only.

This module stays light; connecting loads the rest.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spotlaunch.core.facts import Billing
from spotlaunch.core.settings import Setting
from spotlaunch.errors import UsageError

if TYPE_CHECKING:
    from spotlaunch.core.facts import Charge, Finding
    from spotlaunch.core.settings import Settings
    from spotlaunch_providers.runpod.adapter import RunpodProvider

SETTINGS = {
    "endpoint": Setting(help="the API's address, with or without /v2 (default: https://api.runpod.io)"),
    "image": Setting(help="the container image of pods whose job names none (default: RunPod's own PyTorch image)"),
    "cuda": Setting(help="the least CUDA version of a host's driver, where the image's tag names none (default: 12.8)"),
    "registry": Setting(help="the id at RunPod of the login to a private container registry (default: none)"),
    "auth": Setting(help="`none`: send no key; for a server on this computer"),
    "api_key": Setting(help="the API key", env=("RUNPOD_API_KEY",), secret=True),
}


def connect(*, owner: str, folder: Path, settings: Settings) -> RunpodProvider:
    """RunPod as ``settings`` say, ready to be asked. Calls nothing.

    Without a key it answers from the public catalog. Raises `UsageError` for a setting that cannot be used.
    """
    del folder  # nothing is kept
    from spotlaunch_providers.runpod.adapter import RunpodProvider
    from spotlaunch_providers.runpod.asking import Asking
    from spotlaunch_providers.runpod.pods import Container

    cuda = settings.get("cuda")
    if cuda and not re.fullmatch(r"\d+\.\d+", cuda):
        raise UsageError(
            f"runpod: cuda is {cuda[:40]!r} ({settings.origin.get('cuda', '')})", hint="write it like 12.8"
        )
    told = {key: text for key in ("image", "cuda", "registry") if (text := settings.get(key))}
    return RunpodProvider(Asking.of(settings), owner=owner, container=Container(**told))


# Bills are made every five minutes [D]. Amounts are not rounded.
BILLING = Billing(lag_s=600.0)


def charges(*, settings: Settings, instance_ids: Collection[str], since_at: float, until_at: float) -> Sequence[Charge]:
    """What pods have cost so far. See `registry.charges`."""
    from spotlaunch_providers.runpod.asking import Asking
    from spotlaunch_providers.runpod.bill import charges as ask

    return ask(Asking.of(settings), instance_ids, since_at=since_at, until_at=until_at)


def examine(*, settings: Settings) -> Sequence[Finding]:
    """Where the key was found, which calls it may make, and what the account holds. See `registry.examine`."""
    from spotlaunch_providers.runpod.asking import Asking
    from spotlaunch_providers.runpod.examination import examine as look

    return look(Asking.of(settings))
