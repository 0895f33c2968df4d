"""Sealing what must not lie in the clear in the store: ChaCha20-Poly1305, by the `cryptography` library.

The machine opens it with `agent.unseal`, which needs nothing but the standard library.
"""

from __future__ import annotations

import os

MARK = b"sl1"
KEY_BYTES = 32
NONCE_BYTES = 12


def new_key() -> bytes:
    """A key for `seal`: 32 bytes of chance."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, data: bytes, *, about: str) -> bytes:
    """``data`` so that only ``key`` (32 bytes) opens it: the mark ``sl1``, 12 bytes of nonce, ciphertext, 16 of tag.

    ``about`` is the key of the object that will hold it: under another key it does not open, so that nobody who
    writes to the store can put one sealed thing in the place of another.
    """
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305  # late: slow to import

    nonce = os.urandom(NONCE_BYTES)
    return MARK + nonce + ChaCha20Poly1305(key).encrypt(nonce, data, about.encode())
