"""The API key: from the environment, or from the file that RunPod's own tools keep it in."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spotlaunch.core.settings import Settings
from spotlaunch_providers.shared.apikey import ApiKey, api_key

FILE = "~/.runpod/config.toml"
HINT = (
    "set RUNPOD_API_KEY to a key from https://console.runpod.io/user/settings, or run `runpodctl config --apiKey KEY`"
)


def credentials(settings: Settings) -> ApiKey:
    """What to show RunPod. Raises `UsageError` for a bad setting."""
    return api_key(settings, files=(FILE,), read=_of_file)


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
