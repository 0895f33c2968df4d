"""The API key: from the environment, or from the file that Vast.ai's own command keeps it in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from spotlaunch.core.settings import Settings

HINT = "set VAST_API_KEY to a key from https://cloud.vast.ai/manage-keys/, or run `vastai set api-key KEY`"

# A server that wants no credentials may still want to see the header.
PLACEHOLDER = "none"
LONGEST = 512  # more is no key


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """``key`` is empty where there is none; ``found`` says where it was, for a person."""

    key: str = field(repr=False, default="")
    found: str = ""
    anonymous: bool = False


def credentials(settings: Settings) -> Credentials:
    """What to show Vast.ai. With ``auth: none`` no key is looked for. Raises `UsageError` for a bad setting."""
    if settings.anonymous("endpoint"):
        return Credentials(key=PLACEHOLDER, found="none: auth is `none`", anonymous=True)
    if key := settings.secret("api_key"):
        return Credentials(key=key, found=settings.origin.get("api_key", "the environment"))
    config = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    for name in (f"{config}/vastai/vast_api_key", "~/.vast_api_key"):
        if key := _of_file(Path(name).expanduser()):
            return Credentials(key=key, found=name)
    return Credentials()


def _of_file(path: Path) -> str:
    """The file holds the key and nothing else."""
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""  # no file, or one that is not ours to complain about
    return key if len(key) <= LONGEST and key.isprintable() and " " not in key else ""
