"""Keeping secrets out of what leaves the machine, in a stream that may cut them anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHORTEST = 4  # shorter values are not secrets, and would mask half the output
MASK = b"***"


class Masker:
    """Replaces secret values by ``***``. Holds back the few bytes that may be the beginning of one."""

    def __init__(self, values: Iterable[str]) -> None:
        # Of a secret of several lines (a key file), each line is one.
        found = {line.strip().encode() for value in values for line in value.splitlines()}
        self._secrets = sorted((s for s in found if len(s) >= SHORTEST), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._secrets))) if self._secrets else None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be told now of all that was fed so far."""
        if self._pattern is None:
            return data
        data = self._held + data
        cut = len(data) - self._open_end(data)
        for match in self._pattern.finditer(data):
            if match.start() < cut < match.end():
                cut = match.start()
        self._held = data[cut:]
        return self._pattern.sub(MASK, data[:cut])

    def rest(self) -> bytes:
        """What was held back, when nothing more will come."""
        held, self._held = self._held, b""
        return self.mask(held)

    def mask(self, data: bytes) -> bytes:
        """A whole text at once."""
        return self._pattern.sub(MASK, data) if self._pattern is not None else data

    def _open_end(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a secret."""
        longest = max(map(len, self._secrets))
        for start in range(max(0, len(data) - longest + 1), len(data)):
            if any(secret.startswith(data[start:]) for secret in self._secrets):
                return len(data) - start
        return 0
