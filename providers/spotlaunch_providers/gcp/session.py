"""Google's credentials at work: a session that signs each call. The one module that imports google-auth."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import google.auth
import requests
from google.auth import exceptions
from google.auth.credentials import Credentials
from google.auth.transport.requests import AuthorizedSession, Request
from requests.adapters import HTTPAdapter

from spotlaunch.errors import NotAuthorized, Transient
from spotlaunch_providers.gcp.errors import LOGIN

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
SIGN_IN_S = 5.0
_METADATA_HOSTS = ("169.254.169.254", "metadata.google.internal")

# google-auth warns everybody who uses a person's credentials, on stderr.
warnings.filterwarnings("ignore", module=r"google\.auth\._default")


class Signed(AuthorizedSession):
    """An `AuthorizedSession` whose own troubles are ours: `NotAuthorized`, and `Transient` for the network."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(credentials)  # type: ignore[no-untyped-call]
        self.mount("https://", HTTPAdapter(pool_maxsize=32))
        self.mount("http://", HTTPAdapter(pool_maxsize=32))

    def sign_in(self) -> None:
        """Get a token now, once, before many calls side by side would each get one. Raises as `request` does."""
        with _our_words():
            self.credentials.refresh(partial(self._auth_request, timeout=SIGN_IN_S))

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        with _our_words():
            response: requests.Response = super().request(*args, **kwargs)  # type: ignore[no-untyped-call]
        return response


@contextmanager
def _our_words() -> Iterator[None]:
    """google-auth's errors as ours. Its own words hold e-mail addresses and parts of tokens, and say no more."""
    try:
        yield
    except exceptions.TransportError as e:
        raise Transient("the server that gives tokens cannot be reached", hint="is the network up?") from e
    except exceptions.GoogleAuthError as e:
        raise NotAuthorized("the credentials are not good any more", hint=f"run `{LOGIN}`") from e


class _Elsewhere(Request):
    """A transport that answers for the metadata server, off Google's machines, that there is none.

    google-auth would look for it up to three times, three seconds each.
    """

    def __call__(self, url: str, *args: Any, **kwargs: Any) -> Any:
        if any(host in url for host in _METADATA_HOSTS):
            return _Nothing()
        return super().__call__(url, *args, **kwargs)  # type: ignore[no-untyped-call]


class _Nothing:
    status = 404
    headers: Mapping[str, str] = {}
    data = b""


def load(*, file: Path | None, project: str, on_google: bool) -> tuple[Credentials, str]:
    """The credentials, and the project that they name where ``project`` is not known yet (may be empty).

    ``file`` is gcloud's own one, when nothing comes before it: read directly, since google-auth would start
    gcloud (a second) to learn a project that we know. Raises `NotAuthorized`.
    """
    try:
        if file is not None and project:
            credentials, named = google.auth.load_credentials_from_file(str(file), scopes=list(SCOPES))  # type: ignore[no-untyped-call]
        else:
            transport = Request() if on_google else _Elsewhere()
            credentials, named = google.auth.default(scopes=list(SCOPES), request=transport)
    except (exceptions.GoogleAuthError, OSError, ValueError) as e:
        where = "GOOGLE_APPLICATION_CREDENTIALS" if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS") else "gcloud"
        raise NotAuthorized(f"the credentials of {where} cannot be used", hint=f"run `{LOGIN}`") from e
    return credentials, project or named or ""
