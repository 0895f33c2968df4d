from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core import wire
from spotlaunch.core.wire import Ask, Entry, Manifest, ManifestFile, OrderDoc, Status, decode, encode

DOCUMENTS = [
    OrderDoc(job="digits", attempt=3, run="python train.py", env={"A": "é"}, secrets=["TOKEN"], predecessor=2),
    Status(attempt=3, at=1.5, phase="running", progress={"step": 4}, notes=[{"at": 1.0, "kind": "n", "text": "t"}]),
    Entry(number=7, epoch=3, step=40, manifest="jobs/digits/ckpt/x/manifest.json", by="b", at=2.0),
    Manifest(epoch=3, step=40, at=2.0, files=[ManifestFile(path="a", size=3, sha256="00", object="o")]),
    Ask(kind="leave", reason="because", at=3.0),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: type(d).__name__)
def test_what_is_written_is_read_again(document: object) -> None:
    assert decode(type(document), encode(document)) == document


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: type(d).__name__)
def test_a_reader_ignores_what_a_newer_writer_added(document: object) -> None:
    raw = json.loads(encode(document))
    raw["from_the_future"] = {"x": 1}
    for file in raw.get("files", []):
        file["from_the_future"] = 1
    assert decode(type(document), json.dumps(raw).encode()) == document


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b"null", b"{}", b'{"attempt": 1}', b"\xff"])
def test_what_is_no_such_document_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(Status, data)


def test_equal_values_are_equal_bytes() -> None:
    one = OrderDoc(job="d", attempt=1, run="r", env={"A": "1", "B": "2"})
    other = OrderDoc(job="d", attempt=1, run="r", env={"B": "2", "A": "1"})
    assert encode(one) == encode(other)


def test_a_manifest_knows_its_size() -> None:
    files = [ManifestFile(path=str(n), size=n, sha256="", object="") for n in (3, 4)]
    assert Manifest(epoch=1, step=1, at=0.0, files=files).size == 7


@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_the_order_of_keys_is_the_order_of_numbers(a: int, b: int) -> None:
    for key in (wire.order_key, wire.register_key, wire.status_key, wire.ask_key):
        assert (key("digits", a) < key("digits", b)) == (a < b)
