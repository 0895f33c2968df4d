"""Where a store is: URLs taken apart, and obstore's clients for them. Imports obstore when first asked.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable

# Gives the pass that opens a store now; another one later, when that was renewed.
Credentials = Callable[[], Pass]

# A pass is said to be good for so long only: obstore asks again for each request when less than five minutes are
# left, and asking costs nothing. So a renewed pass is used at once, and not when the old one is about to end.
ASK_AGAIN_S = 60.0

KINDS = "file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"

# Any of these means that obstore finds the credentials by itself; otherwise boto3's chain (profiles, SSO) is asked.
_AWS_IN_ENV = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)


@dataclass(frozen=True)
class Place:
    """A store's URL in its parts. ``bucket`` is the folder for ``file``, the container for ``az``."""

    url: str
    scheme: str
    bucket: str
    prefix: str = ""


@dataclass(frozen=True)
class Clients:
    """One store, three tempers: small documents, reading of any size, writing of large files."""

    quick: Any
    reader: Any
    writer: Any


def parse(url: str) -> Place:
    """The parts of ``url``. Raises `BlobsUnavailable` with a hint when it is of no known kind."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return Place(url=url, scheme="file", bucket=unquote(parts.path))
    if parts.scheme in ("s3", "gs", "az") and parts.netloc:
        return Place(url=url, scheme=parts.scheme, bucket=parts.netloc, prefix=parts.path.strip("/"))
    raise BlobsUnavailable(f"{url!r} names no store", hint=f"write {KINDS}")


def whereabouts(place: Place, endpoint: str, region: str) -> tuple[str, str]:
    """Endpoint and region with what the environment and the AWS profile say filled in.

    Somebody who has neither (a rented machine) finds the same store by them.
    """
    if place.scheme != "s3":
        return endpoint, region
    own = endpoint and region
    return _aim(endpoint, region, None if own or _aws_in_env() else _boto3_credentials(place))


def clients(place: Place, *, endpoint: str, region: str, credentials: Credentials | None = None) -> Clients:
    """Clients for ``place``, opened by ``credentials`` or else by what is found in the environment.

    Raises `BlobsUnavailable` when they cannot be made.
    """
    if place.scheme == "file":
        return _local(place)
    make = {"s3": _s3, "gs": _google, "az": _azure}[place.scheme]
    from obstore.exceptions import BaseError

    try:
        return make(place, endpoint, region, credentials)
    except (BaseError, ValueError) as e:
        raise BlobsUnavailable(
            f"cannot open the store {place.url}: {str(e).splitlines()[0]}",
            hint="check the URL, and that the credentials of this cloud are set up here",
        ) from e


def _local(place: Place) -> Clients:
    from obstore.store import LocalStore

    root = Path(place.bucket)
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as e:
        raise BlobsUnavailable(
            f"cannot make the folder {root}: {e.strerror or e}", hint="choose a folder that you can write to"
        ) from e
    store = LocalStore(prefix=root)
    return Clients(quick=store, reader=store, writer=store)


def _s3(place: Place, endpoint: str, region: str, credentials: Credentials | None) -> Clients:
    from obstore.store import S3Store

    provider: Any = None
    if credentials is not None:
        provider = _Opening(credentials, _as_s3)
    elif not _aws_in_env():
        provider = _boto3_credentials(place)
    endpoint, region = _aim(endpoint, region, provider)
    config: Any = {"virtual_hosted_style_request": False, "region": region}
    if endpoint:
        config["endpoint"] = endpoint
    return _three(
        partial(S3Store, place.bucket, prefix=place.prefix or None, config=config, credential_provider=provider),
        plain_http=endpoint.startswith("http://"),
    )


def _aim(endpoint: str, region: str, provider: Any) -> tuple[str, str]:
    endpoint = endpoint or _first_env("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
    region = (
        region or _first_env("AWS_REGION", "AWS_DEFAULT_REGION") or getattr(provider, "config", {}).get("region", "")
    )
    # R2 and most S3-compatible servers take any region; AWS itself needs the right one.
    return endpoint, region or ("auto" if endpoint else "us-east-1")


def _aws_in_env() -> bool:
    return any(os.environ.get(name) for name in _AWS_IN_ENV)


def _boto3_credentials(place: Place) -> Any:
    """A provider of credentials from boto3's own chain; None where boto3 is absent (the rented machine)."""
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider

        boto_error = import_module("botocore.exceptions").BotoCoreError  # it comes with boto3
    except ImportError:
        return None
    try:
        return Boto3CredentialProvider()
    except boto_error as e:  # a profile that there is not, a file of settings that cannot be read
        raise BlobsUnavailable(
            f"the AWS credentials for {place.url} cannot be used: {e}",
            hint="check AWS_PROFILE, and the files that `aws configure` writes",
        ) from e
    except ValueError as e:
        raise BlobsUnavailable(
            f"there are no AWS credentials for {place.url}",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run `aws configure`",
        ) from e


def _google(place: Place, endpoint: str, region: str, credentials: Credentials | None) -> Clients:
    from obstore.store import GCSStore

    config: Any = {"base_url": endpoint} if endpoint else {}
    provider: Any = _Opening(credentials, _as_google) if credentials is not None else None
    return _three(
        partial(GCSStore, place.bucket, prefix=place.prefix or None, config=config, credential_provider=provider),
        plain_http=endpoint.startswith("http://"),
    )


def _azure(place: Place, endpoint: str, region: str, credentials: Credentials | None) -> Clients:
    from obstore.store import AzureStore

    config: Any = {"endpoint": endpoint} if endpoint else {}
    provider: Any = None
    if credentials is not None:
        provider = _Opening(credentials, _as_azure)
        config["account_name"] = credentials().env.get(AZURE_ACCOUNT, "")
    elif not _first_env(AZURE_ACCOUNT, "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_USE_EMULATOR"):
        raise BlobsUnavailable(
            f"{place.url} needs the name of the storage account",
            hint="set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or a login",
        )
    return _three(
        partial(AzureStore, place.bucket, prefix=place.prefix or None, config=config, credential_provider=provider),
        plain_http=endpoint.startswith("http://"),
    )


# -- a pass in obstore's words ----------------------------------------------------------------------------

# The names under which a `Pass` holds what opens a store; those of other tools where they have some.
AWS_ID, AWS_SECRET, AWS_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
GOOGLE_TOKEN = "GOOGLE_BEARER_TOKEN"
AZURE_ACCOUNT, AZURE_SAS = "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_SAS_TOKEN"
PASS_NAMES = (AWS_ID, AWS_SECRET, AWS_TOKEN, GOOGLE_TOKEN, AZURE_ACCOUNT, AZURE_SAS)


class _Opening:
    """What obstore calls for credentials: today's pass, in the form that its kind of store wants."""

    def __init__(self, credentials: Credentials, form: Callable[[Mapping[str, str]], dict[str, Any]]) -> None:
        self._credentials = credentials
        self._form = form

    def __call__(self) -> dict[str, Any]:
        found = self._credentials()
        ends = datetime.fromtimestamp(time.time() + ASK_AGAIN_S, timezone.utc)  # noqa: UP017 (Python 3.10)
        return {**self._form(found.env), "expires_at": ends if found.expires_at else None}


def _as_s3(env: Mapping[str, str]) -> dict[str, Any]:
    return {"access_key_id": env[AWS_ID], "secret_access_key": env[AWS_SECRET], "token": env.get(AWS_TOKEN)}


def _as_google(env: Mapping[str, str]) -> dict[str, Any]:
    return {"token": env[GOOGLE_TOKEN]}


def _as_azure(env: Mapping[str, str]) -> dict[str, Any]:
    return {"sas_token": env[AZURE_SAS]}


def _three(make: Any, *, plain_http: bool) -> Clients:
    """An unreachable store must be known within some ten seconds, a slow link must still carry large files."""

    def client(retries: int, give_up_s: float, limits: Mapping[str, str]) -> Any:
        return make(
            client_options={"allow_http": plain_http, "connect_timeout": "3s", **limits},
            retry_config={
                "max_retries": retries,
                "retry_timeout": timedelta(seconds=give_up_s),
                "backoff": {
                    "init_backoff": timedelta(seconds=0.1),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            },
        )

    return Clients(
        quick=client(1, 8, {"timeout": "5s"}),
        reader=client(1, 20, {"timeout": "120s", "read_timeout": "5s"}),
        writer=client(2, 60, {"timeout": "60s"}),
    )


def _first_env(*names: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
