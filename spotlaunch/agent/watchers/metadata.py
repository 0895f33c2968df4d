"""One question to a metadata service. Never through a proxy: it is this machine's own, and nobody else's."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MOST_BYTES = 256 * 1024


@dataclass(frozen=True)
class Answer:
    """``status`` 0: there was none. Names of headers are in small letters."""

    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace").strip()


def ask(
    base: str,
    path: str,
    *,
    headers: Mapping[str, str],
    timeout_s: float,
    method: str = "GET",
    body: bytes | None = None,
) -> Answer:
    """The answer to one request at ``base`` (``http://host``, perhaps with a path). Raises nothing of the network."""
    try:
        parts = urlsplit(base)
        line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    except ValueError:  # the address itself is nonsense
        return Answer()
    try:
        line.request(method, parts.path.rstrip("/") + path, body=body, headers=dict(headers))
        found = line.getresponse()
        names = {name.lower(): value for name, value in found.getheaders()}
        return Answer(status=found.status, body=found.read(MOST_BYTES), headers=names)
    except (OSError, http.client.HTTPException, ValueError):
        return Answer()
    finally:
        line.close()
