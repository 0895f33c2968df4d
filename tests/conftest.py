"""No test may touch the real home or a real account."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

# The same examples each time, so that what passed here passes there: a change is not refused for what it did not
# touch. `HYPOTHESIS_PROFILE=searching` looks for new ones; what that finds becomes a test of its own.
# And never refused for being slow: the computer may be busy.
_SLOW = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile(
    "settled", derandomize=True, database=None, max_examples=20, deadline=None, suppress_health_check=_SLOW
)
hypothesis.settings.register_profile("searching", max_examples=1000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "settled"))

# What cloud SDKs and object stores read. A test that needs one sets it itself, to a false value.
_CREDENTIALS = (
    "AWS_",
    "AZURE_",
    "ARM_",
    "GOOGLE_",
    "GCLOUD_",
    "CLOUDSDK_",
    "GCE_",
    "RUNPOD_",
    "VAST_",
    "VASTAI_",
    "R2_",
    "CLOUDFLARE_",
    "S3_",
    "OBJECT_STORE_",
)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``SPOTLAUNCH_HOME`` and ``HOME`` in a folder of this test, no credentials, no colour, no metadata service."""
    for name in list(os.environ):
        if name.startswith((*_CREDENTIALS, "SPOTLAUNCH_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("SPOTLAUNCH_HOME", str(home / ".spotlaunch"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_COLOR", "1")
    return home
