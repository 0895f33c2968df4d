"""Opening what the watchdog has sealed, with the standard library alone: ChaCha20-Poly1305 (RFC 8439).

A fresh machine has no library for it, and must open its letter before it can install one. Sealed bytes are
``sl1``, 12 bytes of nonce, the ciphertext, 16 bytes of tag; the object's key in the store is bound to them, so that
nobody can put one object in the place of another. Letters are a few kilobytes: plain Python is quick enough.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct

from spotlaunch.errors import SpotlaunchError

MAGIC = b"sl1"
KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
_MASK = 0xFFFFFFFF
_PRIME = (1 << 130) - 5
_CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
# The two halves of a double round.
_COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


class CannotOpen(SpotlaunchError, ValueError):
    """Not sealed with this key for this object, or bent on the way. Reaction: do not use a byte of it."""


def key_from_text(text: str) -> bytes:
    """A key as it stands in scripts and documents: 32 bytes in base64. Raises `CannotOpen`."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as e:
        raise CannotOpen("the key is not base64") from e
    if len(key) != KEY_BYTES:
        raise CannotOpen(f"the key has {len(key)} bytes instead of {KEY_BYTES}")
    return key


def open_sealed(key: bytes, data: bytes, *, about: str) -> bytes:
    """What was sealed in ``data`` with ``key`` (32 bytes) for the object of key ``about``. Raises `CannotOpen`."""
    if len(key) != KEY_BYTES:
        raise CannotOpen(f"the key has {len(key)} bytes instead of {KEY_BYTES}")
    if not data.startswith(MAGIC) or len(data) < len(MAGIC) + NONCE_BYTES + TAG_BYTES:
        raise CannotOpen(f"{about}: this is not sealed")
    nonce, rest = data[len(MAGIC) :][:NONCE_BYTES], data[len(MAGIC) + NONCE_BYTES :]
    cipher, tag = rest[:-TAG_BYTES], rest[-TAG_BYTES:]
    words = struct.unpack("<8I", key), struct.unpack("<3I", nonce)
    expected = poly1305(block(*words, 0)[:32], _padded(about.encode()) + _padded(cipher) + _lengths(about, cipher))
    if not hmac.compare_digest(expected, tag):
        raise CannotOpen(f"{about}: it was sealed with another key or for another object, or it is damaged")
    stream = b"".join(block(*words, n + 1) for n in range(-(-len(cipher) // 64)))[: len(cipher)]
    return (int.from_bytes(cipher, "little") ^ int.from_bytes(stream, "little")).to_bytes(len(cipher), "little")


def block(key: tuple[int, ...], nonce: tuple[int, ...], counter: int) -> bytes:
    """64 bytes of the key stream (RFC 8439, 2.3)."""
    first = [*_CONSTANTS, *key, counter & _MASK, *nonce]
    x = list(first)
    for _ in range(10):
        for a, b, c, d in _COLUMNS + _DIAGONALS:
            _quarter(x, a, b, c, d)
    return struct.pack("<16I", *((now + before) & _MASK for now, before in zip(x, first, strict=True)))


def poly1305(key: bytes, message: bytes) -> bytes:
    """The tag of ``message`` under a one-time key of 32 bytes (RFC 8439, 2.5)."""
    r, s = int.from_bytes(key[:16], "little") & _CLAMP, int.from_bytes(key[16:], "little")
    total = 0
    for start in range(0, len(message), 16):
        total = (total + int.from_bytes(message[start : start + 16] + b"\x01", "little")) * r % _PRIME
    return ((total + s) & ((1 << 128) - 1)).to_bytes(16, "little")


def _quarter(x: list[int], a: int, b: int, c: int, d: int) -> None:
    for left, right in ((16, 12), (8, 7)):
        x[a] = (x[a] + x[b]) & _MASK
        x[d] = _turned(x[d] ^ x[a], left)
        x[c] = (x[c] + x[d]) & _MASK
        x[b] = _turned(x[b] ^ x[c], right)


def _turned(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (32 - bits))) & _MASK


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def _lengths(about: str, cipher: bytes) -> bytes:
    return struct.pack("<QQ", len(about.encode()), len(cipher))
