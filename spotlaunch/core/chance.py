"""Chance as a hash: same key, same draw. So a run is a function of its inputs, and retries spread out."""

from __future__ import annotations

import hashlib


def draw(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but ``parts``."""
    text = "\x1f".join(str(p) for p in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / 2**56
