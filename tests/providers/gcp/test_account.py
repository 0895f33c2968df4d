from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from google.auth import credentials

from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized, Transient, UsageError
from spotlaunch.home import Home
from spotlaunch_providers import gcp
from spotlaunch_providers.gcp import account as account_module
from spotlaunch_providers.gcp.account import Account
from spotlaunch_providers.gcp.adapter import GcpProvider
from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.gcp import FakeGcp
from tests.fakes.clouds.server import Request, Response, route
from tests.providers.gcp.conftest import NOW, gpus, order

TOKEN = "ya29.MARKER-token-0123456789"


class SigningGcp(FakeGcp):
    """With a server that gives tokens for signed claims, as oauth2.googleapis.com does."""

    def __init__(self) -> None:
        super().__init__(token=TOKEN, filler=20)
        self.revoked = False

    @route("POST", "/token")
    def give(self, request: Request) -> Response:
        if self.revoked:
            said = {"error": "invalid_grant", "error_description": f"Token of {data.SERVICE_ACCOUNT} was revoked."}
            return Response(status=400, body=said)
        return Response(body={"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})


@cache
def private_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture
def signing() -> Iterator[SigningGcp]:
    made = SigningGcp()
    with made.serving():
        yield made


@pytest.fixture
def key_file(signing: SigningGcp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a service account whose tokens come from the fake."""
    # google-auth asks a server of Google's on the side which regions a token may be used in.
    monkeypatch.setattr(
        credentials.CredentialsWithRegionalAccessBoundary,
        "_maybe_start_regional_access_boundary_refresh",
        lambda *args: None,
    )
    path = tmp_path / f"{data.PROJECT}-key.json"
    content = {
        "type": "service_account",
        "project_id": data.PROJECT,
        "private_key_id": "MARKERKEYID",
        "private_key": private_key(),
        "client_email": data.SERVICE_ACCOUNT,
        "token_uri": f"{signing.url}/token",
    }
    path.write_text(json.dumps(content))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


def provider(cloud: FakeGcp, folder: Path, **values: str) -> GcpProvider:
    settings = Settings(provider="gcp", values={"endpoint": cloud.url, "billing_endpoint": cloud.url, **values})
    return GcpProvider(owner="o", folder=folder, account=Account(settings), now=lambda: NOW, ask_s=3)


def test_a_service_account_signs_in_and_names_its_project(signing: SigningGcp, key_file: Path, tmp_path: Path) -> None:
    assert provider(signing, tmp_path / "f").offers(gpus("B200"))
    signed = {c.headers.get("authorization") for c in signing.called("compute|services")}
    assert signed == {f"Bearer {TOKEN}"}
    assert len(signing.called("/token")) == 1


def test_a_service_account_launches_lists_and_ends(signing: SigningGcp, key_file: Path, tmp_path: Path) -> None:
    mine = provider(signing, tmp_path / "f")
    assert mine.traits.prices_only == ""
    launched = mine.launch(order())
    assert [m.instance_id for m in mine.list_machines()] == [launched.instance_id]
    assert mine.terminate([launched.instance_id]) == {} and signing.fleet.left() == []
    assert {c.headers.get("authorization") for c in signing.called("compute")} == {f"Bearer {TOKEN}"}
    assert not [m for m in (TOKEN, data.PROJECT) if m in repr((launched, vars(mine)))]


def test_credentials_that_have_run_out_make_no_machine(signing: SigningGcp, key_file: Path, tmp_path: Path) -> None:
    mine = provider(signing, tmp_path / "f")
    mine.list_machines()
    signing.token = "another"
    signing.revoked = True
    with pytest.raises(NotAuthorized):
        mine.launch(order())
    assert signing.fleet.left() == []


def test_a_project_that_is_set_wins_over_that_of_the_file(signing: SigningGcp, key_file: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"there is no such thing: The resource 'projects/\*\*\*'"):
        provider(signing, tmp_path / "f", project="another-project").offers(gpus("B200"))


def test_a_revoked_key_is_told_without_its_words(signing: SigningGcp, key_file: Path, tmp_path: Path) -> None:
    signing.revoked = True
    with pytest.raises(NotAuthorized, match="not good any more") as caught:
        provider(signing, tmp_path / "f").offers(gpus("B200"))
    assert "gcloud auth application-default login" in caught.value.hint
    assert data.SERVICE_ACCOUNT not in repr(caught.value)


def test_a_token_server_that_is_down_is_a_network_trouble(signing: SigningGcp, key_file: Path, tmp_path: Path) -> None:
    content = json.loads(key_file.read_text())
    key_file.write_text(json.dumps({**content, "token_uri": "http://127.0.0.1:9/token"}))
    with pytest.raises(Transient):
        provider(signing, tmp_path / "f").offers(gpus("B200"))


def test_nothing_that_names_the_account_is_shown_or_kept(signing: SigningGcp, key_file: Path, tmp_path: Path) -> None:
    mine = provider(signing, tmp_path / "f")
    offers = mine.offers(gpus("H100"))
    settings = Settings(provider="gcp", values={"endpoint": signing.url, "billing_endpoint": signing.url})
    findings = gcp.examine(settings=settings)
    kept = [p.name + p.read_text() for p in (tmp_path / "f").iterdir()]
    shown = f"{offers!r} {findings!r} {mine!r} {vars(mine)!r} {kept}"
    marks = (TOKEN, data.PROJECT, data.PROJECT_NUMBER, data.SERVICE_ACCOUNT, "MARKERKEYID", "PRIVATE KEY")
    assert len(kept) == 2 and not [m for m in marks if m in shown]


@pytest.mark.parametrize("content", ["{", "{}", '{"type": "service_account"}', None])
def test_a_file_of_credentials_that_cannot_be_used(
    cloud: FakeGcp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    path = tmp_path / "secret-project-key.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(NotAuthorized, match="GOOGLE_APPLICATION_CREDENTIALS cannot be used") as caught:
        provider(cloud, tmp_path).offers(gpus("B200"))
    assert "secret-project" not in repr(caught.value)


# -- finding them ------------------------------------------------------------------------------------------


def test_without_credentials_connecting_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(NotAuthorized, match="no credentials") as caught:
        gcp.connect(owner="o", folder=tmp_path, settings=Settings(provider="gcp"))
    assert "gcloud auth application-default login" in caught.value.hint
    (finding,) = gcp.examine(settings=Settings(provider="gcp"))
    assert not finding.ok and finding.hint == caught.value.hint


def test_credentials_are_looked_for_in_googles_order_and_no_service_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = tmp_path / "product_name"
    machine.write_text("Google Compute Engine\n")
    monkeypatch.setattr(account_module, "_MACHINE", machine)
    config = tmp_path / "gcloud"
    env = {"CLOUDSDK_CONFIG": str(config)}
    settings = Settings(provider="gcp")
    assert Account(settings, env).kind == "metadata"
    with pytest.raises(NotAuthorized):
        Account(settings, {**env, "NO_GCE_CHECK": "true"})
    config.mkdir()
    (config / "application_default_credentials.json").write_text("{}")
    assert Account(settings, env).kind == "gcloud"
    assert Account(settings, {**env, "GOOGLE_APPLICATION_CREDENTIALS": "x"}).kind == "variable"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pytest takes back the filter that we set
def test_gclouds_own_login_needs_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """gcloud is not installed here, so nothing names the project; google-auth would start it to learn that."""
    login = {"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "r"}
    (tmp_path / "application_default_credentials.json").write_text(json.dumps(login))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NotAuthorized, match="no project is set") as caught:
        Account(Settings(provider="gcp")).session()
    assert "GOOGLE_CLOUD_PROJECT" in caught.value.hint
    from spotlaunch_providers.gcp import session

    monkeypatch.setattr(session.Signed, "sign_in", lambda self: None)
    settings = Settings(provider="gcp", values={"project": "some-project"})
    assert Account(settings).project_path() == "compute/v1/projects/some-project"


def test_off_google_nobody_waits_for_a_metadata_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from google.auth.compute_engine import _metadata

    from spotlaunch_providers.gcp import session

    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", False)
    began = time.monotonic()
    with pytest.raises(NotAuthorized):
        session.load(file=None, project="", on_google=False)
    assert time.monotonic() - began < 0.5


# -- settings ----------------------------------------------------------------------------------------------


def made(**values: str) -> Account:
    return Account(Settings(provider="gcp", values={"auth": "none", "project": "some-project", **values}))


def test_addresses_may_have_their_version_behind_them() -> None:
    for end in ("", "/", "/compute/v1", "/compute/v1/", "/compute"):
        assert made(endpoint=f"http://127.0.0.1:9{end}").endpoint == "http://127.0.0.1:9"
    for end in ("", "/v1", "/v1/"):
        mine = made(endpoint="http://127.0.0.1:9", billing_endpoint=f"http://127.0.0.1:8{end}")
        assert mine.billing_endpoint == "http://127.0.0.1:8"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "endpoint is not an address of this computer"),
        ({"endpoint": "https://compute.googleapis.com"}, "endpoint is not an address of this computer"),
        ({"endpoint": "http://127.0.0.1:9", "project": ""}, "no project is set"),
        ({"endpoint": "http://127.0.0.1:9", "project": "../x"}, "not the id of a project"),
        ({"endpoint": "http://10.0.0.1"}, "plain http"),
    ],
)
def test_settings_that_cannot_be_used_are_told(values: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        made(**values)
    assert caught.value.hint


def test_without_credentials_a_price_list_elsewhere_is_not_read(cloud: FakeGcp, tmp_path: Path) -> None:
    values = {"endpoint": cloud.url, "project": data.PROJECT, "auth": "none"}
    settings = Settings(provider="gcp", values=values)
    offers = gcp.connect(owner="o", folder=tmp_path, settings=settings).offers(gpus("H100"))
    assert {o.pool.market for o in offers} == {"spot"}
    assert all(o.on_demand_usd_hour is None for o in offers)
    assert "cloudbilling skus.list" not in {f.name for f in gcp.examine(settings=settings)}


def test_the_fakes_own_variables_are_all_that_is_needed(cloud: FakeGcp, own_home: Path, tmp_path: Path) -> None:
    from spotlaunch.config import settings_of

    settings = settings_of(Home(own_home), "gcp", cloud.environment(cloud.url))
    assert gcp.connect(owner="o", folder=tmp_path, settings=settings).offers(gpus("B200"))


def test_other_tools_variables_name_the_project(own_home: Path) -> None:
    from spotlaunch.config import settings_of

    for variable in ("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT", "SPOTLAUNCH_GCP_PROJECT"):
        assert settings_of(Home(own_home), "gcp", {variable: "some-project"}).get("project") == "some-project"


def test_importing_and_connecting_load_no_library_of_google(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from spotlaunch.core.settings import Settings
from spotlaunch_providers import gcp
values = {{"endpoint": "http://127.0.0.1:9", "auth": "none", "project": "some-project"}}
gcp.connect(owner="o", folder=Path({str(tmp_path)!r}), settings=Settings(provider="gcp", values=values))
print([m for m in ("google.auth", "requests", "google.cloud") if m in sys.modules])
"""
    root = Path(__file__).parents[3]
    env: dict[str, Any] = {"PYTHONPATH": f"{root}:{root / 'providers'}", "PATH": "/usr/bin:/bin"}
    ran = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]" and ran.stderr == ""


def test_a_token_server_that_hangs_does_not_hold_us_up(signing: SigningGcp, key_file: Path, tmp_path: Path) -> None:
    signing.fail("hang", path="/token")
    settings = Settings(provider="gcp", values={"endpoint": signing.url, "billing_endpoint": signing.url})
    mine = GcpProvider(owner="o", folder=tmp_path, account=Account(settings), ask_s=0.5)
    began = time.monotonic()
    with pytest.raises(Transient):
        mine.offers(gpus("B200"))
    assert time.monotonic() - began < 6
