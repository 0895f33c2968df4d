"""Every kind of store that tests can have: a local folder, one in memory, and S3 over the wire."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotlaunch.ports import Blobs
from spotlaunch.storage.blobs import open_blobs
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.s3 import CREDENTIALS, make_bucket, s3_server

_bucket_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A running S3 server."""
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def s3_blobs(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """A fresh bucket of it, opened as a user would, under a prefix."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{next(_bucket_numbers)}"
    make_bucket(s3_endpoint, bucket)
    return open_blobs(f"s3://{bucket}/some/prefix", endpoint=s3_endpoint)


@pytest.fixture
def file_blobs(tmp_path: Path) -> Blobs:
    return open_blobs(f"file://{tmp_path}/store")


@pytest.fixture(params=["memory", "file", "s3"])
def blobs(request: pytest.FixtureRequest) -> Blobs:
    """The same test over each kind of store."""
    if request.param == "memory":
        return MemoryBlobs()
    found: Blobs = request.getfixturevalue(f"{request.param}_blobs")
    return found
