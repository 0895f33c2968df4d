"""A pass to the store in the words of obstore, which asks for it anew with each request.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from spotlaunch.core.wire import Pass

# Gives the pass that opens a store now; another one later, when that was renewed.
Credentials = Callable[[], Pass]

# A pass is said to be good for so long only: obstore asks again for each request when less than five minutes are
# left, and asking costs nothing. So a renewed pass is used at once, and not when the old one is about to end.
ASK_AGAIN_S = 60.0

# The names under which a `Pass` holds what opens a store; those of other tools where they have some.
AWS_ID, AWS_SECRET, AWS_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
GOOGLE_TOKEN = "GOOGLE_BEARER_TOKEN"
AZURE_ACCOUNT, AZURE_SAS = "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_SAS_TOKEN"


class Opening:
    """What obstore calls for credentials: today's pass, in the form that its kind of store wants."""

    def __init__(self, credentials: Credentials, form: Callable[[Mapping[str, str]], dict[str, Any]]) -> None:
        self._credentials = credentials
        self._form = form

    def __call__(self) -> dict[str, Any]:
        ends = datetime.fromtimestamp(time.time() + ASK_AGAIN_S, timezone.utc)  # noqa: UP017 (Python 3.10)
        return {**self._form(self._credentials().env), "expires_at": ends}


def as_s3(env: Mapping[str, str]) -> dict[str, Any]:
    return {"access_key_id": env[AWS_ID], "secret_access_key": env[AWS_SECRET], "token": env.get(AWS_TOKEN)}


def as_google(env: Mapping[str, str]) -> dict[str, Any]:
    return {"token": env[GOOGLE_TOKEN]}


def as_azure(env: Mapping[str, str]) -> dict[str, Any]:
    return {"sas_token": env[AZURE_SAS]}
