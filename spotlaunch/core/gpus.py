"""GPUs by name: what a person asks for, and whether a machine has it."""

from __future__ import annotations

import re

from spotlaunch.core.units import Unreadable, quoted

MAX_COUNT = 1024  # beyond any machine; a larger number is a typing mistake

_WISH = re.compile(r"([A-Za-z0-9][A-Za-z0-9 ._-]{0,39})(?::([0-9]{1,9}))?")
# `8xH100` and `H100x8` would pass as names, of GPUs that nobody sells.
_TURNED = re.compile(
    r"(?P<n1>[0-9]{1,4})\s*[x*]\s*(?P<gpu1>[a-z].*)|(?P<gpu2>[a-z]+[0-9]+[a-z]?)\s*[x*]\s*(?P<n2>[0-9]{1,2})",
    re.IGNORECASE,
)


def parse_gpu(text: str) -> tuple[str, int]:
    """``H100:8`` as ``("H100", 8)``; without a count, one. Raises `Unreadable`.

    The name is kept as written: which names there are is for the providers to say.
    """
    found = _WISH.fullmatch(text.strip())
    turned = _TURNED.fullmatch(text.strip())
    if found is None or turned:
        like = f"{turned['gpu1'] or turned['gpu2']}:{turned['n1'] or turned['n2']}" if turned else "H100:8"
        raise Unreadable(f"{quoted(text)} is not a GPU", hint=f"write name:count, like {like}")
    count = int(found[2] or 1)
    if not 1 <= count <= MAX_COUNT:
        raise Unreadable(
            f"{count} GPUs are not allowed",
            hint="for a machine without a GPU leave `gpu` out" if count == 0 else f"the most is {MAX_COUNT}",
        )
    return found[1].strip(), count


def gpu_matches(wanted: str, have: str) -> bool:
    """Whether a machine with the GPU ``have`` serves somebody who asked for ``wanted``.

    Case, spaces and underscores do not matter. A family covers its members (``H100`` covers ``H100-SXM``,
    ``A100`` covers ``A100-80GB``), a member only itself. Nothing is guessed beyond that.
    """
    want, got = _plain(wanted), _plain(have)
    return bool(want) and (got == want or got.startswith(want + "-"))


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip()).lower()
