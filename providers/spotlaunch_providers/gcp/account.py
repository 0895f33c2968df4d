"""Who asks Google: where the credentials are, which project pays, and the two APIs with both built in."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from spotlaunch.core.settings import Settings, is_loopback
from spotlaunch.errors import NotAuthorized, ProviderError, UsageError
from spotlaunch_providers.gcp.choices import choices
from spotlaunch_providers.gcp.errors import LOGIN, judge
from spotlaunch_providers.shared.http import Api, Reply, plain_session
from spotlaunch_providers.shared.redact import Redactor

if TYPE_CHECKING:
    import requests

COMPUTE = "https://compute.googleapis.com"
BILLING = "https://cloudbilling.googleapis.com"

Kind = Literal["none", "variable", "gcloud", "metadata"]
WHERE: Mapping[Kind, str] = {
    "none": "not needed (auth: none)",
    "variable": "the file that GOOGLE_APPLICATION_CREDENTIALS names",
    "gcloud": "gcloud's application default credentials",
    "metadata": "the service account of this machine",
}

# The machine's maker, where Linux tells it: on Google's there is a metadata server, elsewhere it is not asked for.
_MACHINE = Path("/sys/class/dmi/id/product_name")
_ON_GOOGLE = ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP", "K_SERVICE", "CLOUD_RUN_JOB", "CLOUD_SHELL")

# As the discovery document of Compute Engine has it; `example.com:` stands before projects of old domains.
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Account:
    """Settings and credentials together. Making one calls no network and loads no library.

    Raises `UsageError` for a setting that cannot be used, `NotAuthorized` where there are no credentials.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
        self.endpoint = _without(settings.url("endpoint", COMPUTE), "/compute/v1", "/compute")
        self.billing_endpoint = _without(settings.url("billing_endpoint", BILLING), "/v1")
        self.regions = frozenset(settings.words("regions"))
        self.choices = choices(settings)
        self.anonymous = settings.anonymous("endpoint")
        self._project = settings.get("project")
        if self._project and not _PROJECT.fullmatch(self._project):
            raise UsageError(
                f"gcp: project ({settings.origin.get('project', '')}) is not the id of a project",
                hint="`gcloud projects list` shows the ids",
            )
        if self.anonymous and not self._project:
            raise UsageError("gcp: auth is none, but no project is set", hint="set SPOTLAUNCH_GCP_PROJECT")
        self.kind: Kind = "none" if self.anonymous else _find(environ)
        self._gcloud_file = _gcloud_file(environ)
        self._lock = threading.Lock()
        self._session: requests.Session | None = None

    @property
    def sells_on_demand(self) -> bool:
        """Whether the billing catalog can be read: without credentials, only one of this computer."""
        return not self.anonymous or is_loopback(self.billing_endpoint)

    def project_path(self, version: str = "v1") -> str:
        """Where the project's own resources are. Signs in; raises `NotAuthorized` and `Transient`."""
        self.session()
        return f"compute/{version}/projects/{quote(self._project, safe=':')}"

    def compute(self) -> Api:
        """The Compute Engine API."""
        return self._api(self.endpoint, "compute.googleapis.com")

    def billing(self) -> Api:
        """The Cloud Billing catalog."""
        return self._api(self.billing_endpoint, "cloudbilling.googleapis.com")

    def changes(self, judge: Callable[[Reply], ProviderError | None]) -> Api:
        """The Compute Engine API for a call that makes something, whose answers ``judge`` reads."""
        session = self.session()
        return Api(self.endpoint, judge=judge, session=lambda: session, redact=self.redactor())

    def session(self) -> requests.Session:
        """The session that signs calls, one for both APIs. The first call signs in: `NotAuthorized`, `Transient`."""
        with self._lock:
            if self._session is None:
                self._session = plain_session() if self.anonymous else self._signed()
            return self._session

    def redactor(self) -> Redactor:
        """Masks the project, and the rest by its shape."""
        return Redactor([self._project, self._project.rpartition(":")[2]])

    def _api(self, base_url: str, service: str) -> Api:
        session = self.session()  # first, since it may be what tells the project
        return Api(base_url, judge=partial(judge, service=service), session=lambda: session, redact=self.redactor())

    def _signed(self) -> requests.Session:
        from spotlaunch_providers.gcp.session import Signed, load  # late: google-auth takes a while to load

        credentials, self._project = load(
            file=self._gcloud_file if self.kind == "gcloud" else None,
            project=self._project,
            on_google=self.kind == "metadata",
        )
        if not self._project:
            raise NotAuthorized(
                "no project is set, and the credentials name none",
                hint="set GOOGLE_CLOUD_PROJECT, or providers.gcp.project in config.yaml",
            )
        session = Signed(credentials)
        session.sign_in()
        return session


def _find(environ: Mapping[str, str]) -> Kind:
    """Where google-auth will find credentials, in its own order, without loading them."""
    if environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
        return "variable"
    if _gcloud_file(environ).is_file():
        return "gcloud"
    if environ.get("NO_GCE_CHECK") != "true" and (any(environ.get(v) for v in _ON_GOOGLE) or _made_by_google()):
        return "metadata"
    raise NotAuthorized(
        "no credentials: Google tells prices only to those who sign in",
        hint=f"run `{LOGIN}`, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account",
    )


def _gcloud_file(environ: Mapping[str, str]) -> Path:
    folder = environ.get("CLOUDSDK_CONFIG")
    base = Path(folder) if folder else Path.home() / ".config" / "gcloud"
    return base / "application_default_credentials.json"


def _made_by_google() -> bool:
    try:
        return _MACHINE.read_text().startswith("Google")
    except (OSError, UnicodeDecodeError):
        return False


def _without(url: str, *ends: str) -> str:
    """An address without the version path that people may have written behind it."""
    for end in ends:
        if url.endswith(end):
            return url.removesuffix(end)
    return url
