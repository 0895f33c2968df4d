"""Words of a cloud without what is secret or names an account: they end up in tables, logs and the book."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Shapes that clouds put into their messages, whoever asked. Better one mask too many than an account told.
_SHAPES = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        r"(?<=bearer )[\w.~+/=-]{6,}",
        r"(?<=api_key=)[^&\s\"']+",
        r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b",
        r"\barn:aws[\w-]*:[^\s\"',)]+",
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",  # an Azure subscription or tenant
        r"\b[0-9]{12}\b",  # an AWS account; a GCP project number
        r"(?<=projects/)[\w:.-]+",
        r"(?<=project[: ]['\"])[^'\"]+(?=['\"])",
        r"\b[\w.+-]+@[\w-]+\.[\w.]+\b",  # service accounts and people
        r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*",  # a JWT
    )
)
MASK = "***"
LONGEST = 300


class Redactor:
    """Masks ``values`` (keys, tokens, account names) and whatever looks like one."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        # Longest first, so that no part of a longer one is left standing. Very short ones would mask words.
        self._values = sorted({v for v in values if len(v) >= 4}, key=len, reverse=True)

    def __call__(self, text: object) -> str:
        """One line of ``text``, masked and not too long."""
        said = " ".join(str(text).split())
        for value in self._values:
            said = said.replace(value, MASK)
        for shape in _SHAPES:
            said = shape.sub(MASK, said)
        return said if len(said) <= LONGEST else said[: LONGEST - 4] + " ..."
