"""A rehearsal cloud on this machine: pools from a market file, machines that are processes. Costs nothing.

This module stays light: it is also imported by every machine's host process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from spotlaunch.core.facts import Billing
from spotlaunch.core.settings import Setting

if TYPE_CHECKING:
    from spotlaunch.core.settings import Settings
    from spotlaunch_providers.local.adapter import LocalProvider

SETTINGS = {"market": Setting(help="the market file that says what is sold, or `default` for the built-in one")}

BILLING = Billing(why_not="a rehearsal: nothing is billed")


def connect(*, owner: str, folder: Path, settings: Settings) -> LocalProvider:
    """The rehearsal cloud that lives in ``folder``, as ``owner`` sees it.

    A market file with mistakes does not stop it: machines can still be listed and ended, while `offers` and
    `launch` raise `NotAuthorized` with every problem of the file.
    """
    from spotlaunch_providers.local.adapter import LocalProvider
    from spotlaunch_providers.local.choice import remember

    remember(folder, settings.get("market"))
    return LocalProvider(owner=owner, folder=folder)
