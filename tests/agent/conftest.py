"""What tests of the agent share: a store on this disk, and one over the S3 wire."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.s3 import CREDENTIALS, make_bucket, s3_server


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/store"


@pytest.fixture
def s3_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """URL and endpoint of a fresh bucket."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    bucket = f"jobs-{secrets.token_hex(4)}"  # servers of one process share their buckets
    with s3_server() as endpoint:
        make_bucket(endpoint, bucket)
        yield f"s3://{bucket}/prefix", endpoint
