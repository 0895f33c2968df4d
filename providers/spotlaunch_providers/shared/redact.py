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
# So much of a text is looked at: more would be cut off anyway, and looking takes long.
READ = 4000


class Redactor:
    """Masks ``values`` (keys, tokens, account names) and whatever looks like one."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        # Very short ones would mask words.
        self._values = tuple(re.compile(re.escape(v)) for v in sorted({v for v in values if len(v) >= 4}))

    def __call__(self, text: object) -> str:
        """One line of ``text``, masked and not too long."""
        said = " ".join(str(text).split())
        if len(said) > READ:
            # No word is cut in two, for half a secret would not be found. A text without words is none for people.
            said = said[:READ].rpartition(" ")[0] + " ..."
        # Found in the words as they came: a mask in the middle of an address would hide the rest of it.
        found = sorted(m.span() for mask in (*self._values, *_SHAPES) for m in mask.finditer(said))
        parts, done = [], 0
        for start, end in found:
            if start >= done:
                parts += [said[done:start], MASK]
            done = max(done, end)
        said = "".join(parts) + said[done:]
        return said if len(said) <= LONGEST else said[: LONGEST - 4] + " ..."
