"""Where a store is: URLs taken apart, and obstore's clients for them. Imports obstore when first asked.

No newer syntax than Python 3.10: this file also runs on the rented machine.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.opening import AZURE_ACCOUNT, Credentials, Opening, as_azure, as_google, as_s3

if TYPE_CHECKING:
    from spotlaunch.storage.erasing import Eraser

KINDS = "file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"

# Any of these means that obstore finds the credentials by itself; otherwise boto3's chain (profiles, SSO) is asked.
_AWS_IN_ENV = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)
# The same for Azure; otherwise its own chain of logins is asked.
_AZURE_IN_ENV = (
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY",
    "AZURE_STORAGE_MASTER_KEY",
    "AZURE_STORAGE_SAS_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_USE_EMULATOR",
    "AZURE_STORAGE_TOKEN",
    "AZURE_SKIP_SIGNATURE",
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
    """One store, three tempers: small documents, reading of any size, writing of large files.

    ``eraser`` deletes, where that takes something else.
    """

    quick: Any
    reader: Any
    writer: Any
    eraser: Eraser | None = None


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
    return _aim(endpoint, region, None if region or _aws_in_env() else _boto3_credentials(place))


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
        provider = Opening(credentials, as_s3)
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
    provider: Any = Opening(credentials, as_google) if credentials is not None else None
    return _three(
        partial(GCSStore, place.bucket, prefix=place.prefix or None, config=config, credential_provider=provider),
        plain_http=endpoint.startswith("http://"),
    )


def _azure(place: Place, endpoint: str, region: str, credentials: Credentials | None) -> Clients:
    from obstore.store import AzureStore

    config: Any = {"endpoint": endpoint} if endpoint else {}
    provider: Any = None
    if credentials is not None:
        provider = Opening(credentials, as_azure)
        config["account_name"] = credentials().env.get(AZURE_ACCOUNT, "")
    elif not _first_env(AZURE_ACCOUNT, "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_USE_EMULATOR"):
        raise BlobsUnavailable(
            f"{place.url} needs the name of the storage account",
            hint="set AZURE_STORAGE_ACCOUNT_NAME, and AZURE_STORAGE_ACCOUNT_KEY or a login",
        )
    elif not _first_env(*_AZURE_IN_ENV):
        provider = _azure_login()
    made = _three(
        partial(AzureStore, place.bucket, prefix=place.prefix or None, config=config, credential_provider=provider),
        plain_http=endpoint.startswith("http://"),
    )
    if credentials is None:
        return made
    from spotlaunch.storage.erasing import Eraser

    eraser = Eraser(credentials, endpoint=endpoint, container=place.bucket, prefix=place.prefix)
    return replace(made, eraser=eraser)


def _azure_login() -> Any:
    """A provider of credentials from `az login` and its likes; None where the library for it is absent."""
    try:
        from obstore.auth.azure import AzureCredentialProvider
    except ImportError:
        return None
    return AzureCredentialProvider()


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
