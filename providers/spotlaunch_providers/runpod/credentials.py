"""The API key: from the environment, or from the file that RunPod's own tools keep it in."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spotlaunch.core.settings import Settings

FILE = "~/.runpod/config.toml"
HINT = (
    "set RUNPOD_API_KEY to a key from https://console.runpod.io/user/settings, or run `runpodctl config --apiKey KEY`"
)

# A server that wants no credentials may still want to see the header.
PLACEHOLDER = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """``key`` is empty where there is none; ``found`` says where it was, for a person."""

    key: str = field(repr=False, default="")
    found: str = ""
    anonymous: bool = False


def credentials(settings: Settings) -> Credentials:
    """What to show RunPod. With ``auth: none`` no key is looked for. Raises `UsageError` for a bad setting."""
    if settings.anonymous("endpoint"):
        return Credentials(key=PLACEHOLDER, found="none: auth is `none`", anonymous=True)
    if key := settings.secret("api_key"):
        return Credentials(key=key, found=settings.origin.get("api_key", "the environment"))
    if key := _of_file(Path(FILE).expanduser()):
        return Credentials(key=key, found=FILE)
    return Credentials()


def _of_file(path: Path) -> str:
    """runpodctl writes ``apikey`` at the top, RunPod's Python library ``api_key`` under ``[default]``."""
    try:
        with path.open("rb") as file:
            words = tomllib.load(file)
    except (OSError, ValueError):
        return ""  # no file, or one that is not ours to complain about
    return _key(words) or _key(words.get("default"))


def _key(words: Any) -> str:
    if not isinstance(words, Mapping):
        return ""
    folded = {str(k).lower().replace("_", ""): v for k, v in words.items()}
    key = folded.get("apikey")
    return key.strip() if isinstance(key, str) else ""
