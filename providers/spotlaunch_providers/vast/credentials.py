"""The API key: from the environment, or from the file that Vast.ai's own command keeps it in."""

from __future__ import annotations

import os
from pathlib import Path

from spotlaunch.core.settings import Settings
from spotlaunch_providers.shared.apikey import ApiKey, api_key

HINT = "set VAST_API_KEY to a key from https://cloud.vast.ai/manage-keys/, or run `vastai set api-key KEY`"

LONGEST = 512  # more is no key


def credentials(settings: Settings) -> ApiKey:
    """What to show Vast.ai. Raises `UsageError` for a bad setting."""
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    files = (f"{config}/vastai/vast_api_key", "~/.vast_api_key")
    return api_key(settings, files=files, read=_of_file)


def _of_file(path: Path) -> str:
    """The file holds the key and nothing else."""
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""  # no file, or one that is not ours to complain about
    return key if len(key) <= LONGEST and key.isprintable() and " " not in key else ""
