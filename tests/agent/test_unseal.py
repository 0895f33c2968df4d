"""Opening sealed bytes in plain Python: by the vectors of RFC 8439, and against the library that seals them."""

from __future__ import annotations

import base64
import os
import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.agent.unseal import MAGIC, CannotOpen, block, key_from_text, open_sealed, poly1305

KEY = bytes(range(32))
ABOUT = "jobs/digits/start/000001"


def sealed(key: bytes, data: bytes, about: str, nonce: bytes = b"") -> bytes:
    nonce = nonce or os.urandom(12)
    return MAGIC + nonce + ChaCha20Poly1305(key).encrypt(nonce, data, about.encode())


def test_the_key_stream_is_that_of_the_rfc() -> None:
    # RFC 8439, 2.3.2
    found = block(struct.unpack("<8I", KEY), struct.unpack("<3I", bytes.fromhex("000000090000004a00000000")), 1)
    assert found.hex() == (
        "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e"
    )


def test_the_tag_is_that_of_the_rfc() -> None:
    # RFC 8439, 2.5.2
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b")
    assert poly1305(key, b"Cryptographic Forum Research Group").hex() == "a8061dc1305136c6c22b8baf0c0127a9"


@pytest.mark.parametrize(
    ("key", "message", "tag"),
    [  # RFC 8439, A.3: vectors 7 to 10, where carries are easily lost
        ("02" + "00" * 31, "ff" * 16, "03" + "00" * 15),
        ("02" + "00" * 15 + "ff" * 16, "02" + "00" * 15, "03" + "00" * 15),
        ("01" + "00" * 31, "ff" * 16 + "f0" + "ff" * 15 + "11" + "00" * 15, "05" + "00" * 15),
        ("01" + "00" * 31, "ff" * 16 + "fb" + "fe" * 15 + "01" * 16, "00" * 16),
    ],
)
def test_carries_are_not_lost(key: str, message: str, tag: str) -> None:
    assert poly1305(bytes.fromhex(key), bytes.fromhex(message)).hex() == tag


def test_the_whole_is_that_of_the_rfc() -> None:
    # RFC 8439, A.5, whose associated data is no text: checked through its parts
    key = bytes.fromhex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")
    nonce = bytes.fromhex("000000000102030405060708")
    one_time = block(struct.unpack("<8I", key), struct.unpack("<3I", nonce), 0)[:32]
    assert one_time.hex() == "bdf04aa95ce4de8995b14bb6a18fecaf26478f50c054f563dbc0a21e261572aa"


@given(data=st.binary(max_size=300), key=st.binary(min_size=32, max_size=32), about=st.text(max_size=60))
def test_what_the_library_seals_is_opened(data: bytes, key: bytes, about: str) -> None:
    assert open_sealed(key, sealed(key, data, about), about=about) == data


@given(data=st.binary(max_size=80), bit=st.integers(min_value=0))
def test_a_bent_bit_is_never_opened(data: bytes, bit: int) -> None:
    whole = bytearray(sealed(KEY, data, ABOUT))
    bit %= len(whole) * 8
    whole[bit // 8] ^= 1 << bit % 8
    with pytest.raises(CannotOpen):
        open_sealed(KEY, bytes(whole), about=ABOUT)


def test_another_key_another_object_and_a_part_are_refused() -> None:
    whole = sealed(KEY, b"secret", ABOUT)
    for key, data, about in (
        (bytes(32), whole, ABOUT),
        (KEY, whole, ABOUT + "0"),
        (KEY, whole[:-1], ABOUT),
        (KEY, whole[:20], ABOUT),
        (KEY, b"", ABOUT),
        (KEY[:16], whole, ABOUT),
    ):
        with pytest.raises(CannotOpen) as caught:
            open_sealed(key, data, about=about)
        assert "secret" not in str(caught.value)


def test_a_large_letter_is_opened_in_good_time() -> None:
    data = os.urandom(50_000)
    assert open_sealed(KEY, sealed(KEY, data, ABOUT), about=ABOUT) == data


def test_keys_stand_in_base64() -> None:
    assert key_from_text(base64.b64encode(KEY).decode() + "\n") == KEY
    for text in ("", "not base64!", base64.b64encode(KEY[:31]).decode()):
        with pytest.raises(CannotOpen):
            key_from_text(text)
