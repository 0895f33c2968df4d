"""Sealed things: what comes out, and what does not open."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from spotlaunch.storage.seal import new_key, seal


def opened(key: bytes, sealed: bytes, about: str) -> bytes:
    assert sealed[:3] == b"sl1"
    return ChaCha20Poly1305(key).decrypt(sealed[3:15], sealed[15:], about.encode())


def test_what_is_sealed_opens_with_its_key_under_its_name() -> None:
    key = new_key()
    sealed = seal(key, b"hush", about="jobs/a/start/000001")
    assert opened(key, sealed, "jobs/a/start/000001") == b"hush"
    assert len(sealed) == 3 + 12 + 4 + 16
    assert b"hush" not in sealed


@pytest.mark.parametrize("part", [3, 15, -1])
def test_what_was_touched_does_not_open(part: int) -> None:
    key = new_key()
    sealed = bytearray(seal(key, b"hush", about="jobs/a/pass/000001"))
    sealed[part] ^= 1
    with pytest.raises(InvalidTag):
        opened(key, bytes(sealed), "jobs/a/pass/000001")


def test_a_sealed_thing_put_in_the_place_of_another_does_not_open() -> None:
    key = new_key()
    sealed = seal(key, b"hush", about="jobs/a/pass/000001")
    with pytest.raises(InvalidTag):
        opened(key, sealed, "jobs/a/pass/000002")


def test_no_two_seals_and_no_two_keys_are_alike() -> None:
    key = new_key()
    assert len({seal(key, b"hush", about="x") for _ in range(50)} | {new_key() for _ in range(50)}) == 100
