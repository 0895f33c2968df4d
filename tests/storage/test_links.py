"""Links: one object, for an hour, with nothing of ours in them."""

from __future__ import annotations

import urllib.error
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest

from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.ports import Blobs
from spotlaunch.storage import links
from spotlaunch.storage.links import Link, link
from tests.fakes.s3 import CREDENTIALS

NONE = Settings(provider="store")
KEY = "jobs/a/start/000001"


def test_a_link_to_s3_gives_the_object_to_whoever_has_nothing_else(s3_blobs: Blobs, s3_endpoint: str) -> None:
    s3_blobs.put(KEY, b"letter")
    made = link(BlobStoreRef(url=s3_blobs.url, endpoint=s3_endpoint), "a", KEY, NONE, now=0)
    assert made.header == ""
    with urllib.request.urlopen(made.url, timeout=10) as answer:
        assert answer.read() == b"letter"
    said = parse_qs(urlsplit(made.url).query)
    assert said["X-Amz-Expires"] == ["3600"]
    assert CREDENTIALS["AWS_SECRET_ACCESS_KEY"] not in made.url
    assert made.url not in repr(made)
    s3_blobs.delete([KEY])
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(made.url, timeout=10)


def test_a_folder_of_this_computer_has_no_links() -> None:
    with pytest.raises(BlobsUnavailable, match="a folder of this computer") as refused:
        link(BlobStoreRef(url="file:///tmp/x"), "a", KEY, NONE, now=0)
    assert "checkpoint.store" in refused.value.hint


def test_a_link_that_no_script_could_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "_made", lambda *_: Link(url="https://x/" + "y" * 2190))
    assert link(BlobStoreRef(url="gs://b"), "a", KEY, NONE, now=0)
    monkeypatch.setattr(links, "_made", lambda *_: Link(url="https://x/", header="y" * 2191))
    with pytest.raises(BlobsUnavailable, match="2201 bytes"):
        link(BlobStoreRef(url="gs://b"), "a", KEY, NONE, now=0)
