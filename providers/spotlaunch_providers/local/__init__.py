"""A rehearsal cloud on this machine: pools from a market file, machines that are processes. Costs nothing.

This module stays light: it is also imported by every machine's host process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spotlaunch_providers.local.adapter import LocalProvider


def connect(*, owner: str, folder: Path) -> LocalProvider:
    """The rehearsal cloud that lives in ``folder``, as ``owner`` sees it.

    A market file with mistakes does not stop it: machines can still be listed and ended, while `offers` and
    `launch` raise `NotAuthorized` with every problem of the file.
    """
    import os

    from spotlaunch_providers.local.adapter import LocalProvider
    from spotlaunch_providers.local.choice import VARIABLE, remember

    remember(folder, os.environ.get(VARIABLE, ""))
    return LocalProvider(owner=owner, folder=folder)
