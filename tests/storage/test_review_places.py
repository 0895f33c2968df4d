"""What went wrong in a review of opening stores."""

from __future__ import annotations

import pytest

from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.places import _AWS_IN_ENV


def test_a_profile_that_there_is_not_is_trouble_with_the_store_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _AWS_IN_ENV:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(BlobsUnavailable, match="no-such-profile") as caught:
        open_blobs("s3://bucket/prefix")
    assert "AWS_PROFILE" in caught.value.hint
