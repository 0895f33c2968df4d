from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from spotlaunch import errors
from spotlaunch.core.settings import Settings
from spotlaunch_providers.azure import connect
from spotlaunch_providers.azure.account import access
from spotlaunch_providers.azure.credentials import KINDS, Tokens, kinds, reason
from tests.providers.azure.conftest import SUBSCRIPTION

PRINCIPAL = {"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_SECRET": "s"}


@pytest.fixture
def nowhere(tmp_path: Path) -> dict[str, str]:
    """An environment without a trace of Azure."""
    return {"HOME": str(tmp_path), "PATH": str(tmp_path / "bin")}


def tool(home: Path, name: str) -> None:
    path = home / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_a_computer_without_a_trace_of_azure_has_none(nowhere: dict[str, str], tmp_path: Path) -> None:
    assert kinds(nowhere, tag_file=tmp_path / "none") == ()


@pytest.mark.parametrize("left_out", PRINCIPAL)
def test_a_service_principal_needs_all_three(nowhere: dict[str, str], tmp_path: Path, left_out: str) -> None:
    whole = {**nowhere, **PRINCIPAL}
    assert kinds(whole, tag_file=tmp_path / "none") == ("environment",)
    del whole[left_out]
    assert kinds(whole, tag_file=tmp_path / "none") == ()


def test_a_login_of_a_tool_counts_only_with_the_tool(nowhere: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".azure").mkdir()
    (tmp_path / ".azure" / "azureProfile.json").write_text("{}")
    assert kinds(nowhere, tag_file=tmp_path / "none") == ()
    tool(tmp_path, "az")
    assert kinds(nowhere, tag_file=tmp_path / "none") == ("cli",)


def test_the_metadata_service_is_asked_only_on_a_machine_of_azure(nowhere: dict[str, str], tmp_path: Path) -> None:
    tag = tmp_path / "chassis_asset_tag"
    tag.write_text("7783-7084-3265-9085-8269-3286-77\n")
    assert kinds(nowhere, tag_file=tag) == ("managed_identity",)
    tag.write_text("Amazon EC2")
    assert kinds(nowhere, tag_file=tag) == ()


def test_without_credentials_there_are_prices_and_a_hint_and_azures_libraries_are_not_loaded(
    nowhere: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", nowhere["PATH"])
    monkeypatch.setattr("spotlaunch_providers.azure.credentials._TAG_FILE", tmp_path / "none")
    for values, why in (({}, "no subscription is set"), ({"subscription_id": SUBSCRIPTION}, "no credentials")):
        before = set(sys.modules)
        provider = connect(owner="me", folder=tmp_path, settings=Settings(provider="azure", values=values))
        assert not [m for m in sys.modules.keys() - before if m.partition(".")[0] == "azure"]
        assert why in provider.traits.prices_only and "prices only" in provider.traits.prices_only
        with pytest.raises(errors.NotAuthorized) as caught:
            provider.list_machines()
        assert caught.value.hint


def test_only_what_was_found_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    import azure.identity

    made: list[dict[str, object]] = []

    def credential(**options: object) -> object:
        made.append(options)
        return SimpleNamespace(get_token=lambda *a: SimpleNamespace(token="t", expires_on=time.time() + 3600))

    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", credential)
    assert Tokens(("cli",)).header() == "Bearer t"
    left_out = {name for name, value in made[0].items() if value is True}
    assert "exclude_cli_credential" not in left_out
    assert left_out >= {
        f"exclude_{kind}_credential" for kind in (*KINDS, "interactive_browser", "broker") if kind != "cli"
    }


def test_every_word_for_a_kind_is_one_of_azures_own() -> None:
    from azure.identity import DefaultAzureCredential

    everything = (*KINDS, "interactive_browser", "shared_token_cache", "visual_studio_code", "broker")
    left = DefaultAzureCredential(**{f"exclude_{kind}_credential": True for kind in everything if kind != "cli"})
    assert [type(c).__name__ for c in left.credentials] == ["AzureCliCredential"]


class Source:
    """A credential that counts, and fails when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails: Exception | None = None
        self.lives_s = 3600.0
        self.lock = threading.Lock()

    def get_token(self, *scopes: str) -> object:
        with self.lock:
            self.asked += 1
        if self.fails:
            raise self.fails
        return SimpleNamespace(token=f"token-{self.asked}", expires_on=time.time() + self.lives_s)


def test_a_token_is_shared_by_all_until_it_nears_its_end() -> None:
    source = Source()
    tokens = Tokens((), make=lambda: source)
    with ThreadPoolExecutor(8) as workers:
        assert set(workers.map(lambda _: tokens.header(), range(20))) == {"Bearer token-1"}
    source.lives_s = 200
    tokens._held.expires_on = time.time() + 200
    assert tokens.header() == "Bearer token-2"
    assert "token-" not in repr(tokens)


LONG = """DefaultAzureCredential failed to retrieve a token from the included credentials.
Attempted credentials:
\tEnvironmentCredential: Authentication failed: AADSTS7000215: Invalid client secret provided for \
5ec2e700-aaaa-4bbb-8ccc-0123456789ab. Ensure the secret being sent is the value. Trace ID: 1 Correlation ID: 2
To mitigate this issue, please refer to the troubleshooting guidelines here at https://aka.ms/x."""


def test_a_login_that_fails_is_told_in_one_sentence_without_ids() -> None:
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

    source = Source()
    source.fails = ClientAuthenticationError(LONG)
    with pytest.raises(errors.NotAuthorized) as caught:
        Tokens((), make=lambda: source).header()
    assert caught.value.message == "no token: AADSTS7000215: Invalid client secret provided for ***."
    assert "az login" in caught.value.hint
    source.fails = ServiceRequestError("Failed to resolve 'login.microsoftonline.com'")
    with pytest.raises(errors.Transient, match="no token: Failed to resolve"):
        Tokens((), make=lambda: source).header()


def test_a_secret_that_azure_says_again_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.core.exceptions import ClientAuthenticationError

    monkeypatch.setenv("AZURE_CLIENT_SECRET", "hush-marker-secret")
    source = Source()
    source.fails = ClientAuthenticationError("Authentication failed: hush-marker-secret is not the secret.")
    with pytest.raises(errors.NotAuthorized) as caught:
        Tokens((), make=lambda: source).header()
    assert caught.value.message == "no token: Authentication failed: *** is not the secret."


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            "DefaultAzureCredential failed.\nAttempted credentials:\n\tAzureCliCredential: Please run 'az login' to"
            " set up an account\nTo mitigate this issue",
            "Please run 'az login' to set up an account",
        ),
        ("Simple. And more.", "Simple."),
        ("", "Azure gave no reason"),
    ],
)
def test_the_reason_is_the_sentence_that_tells_why(said: str, why: str) -> None:
    assert reason(said) == why


def test_with_a_login_the_account_is_asked_and_its_id_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRINCIPAL.items():
        monkeypatch.setenv(name, f"{value}-marker")
    reach = access(Settings(provider="azure", values={"subscription_id": SUBSCRIPTION}))
    assert reach.account is not None and "environment" in reach.account.kinds
    assert SUBSCRIPTION not in repr(reach) and "-marker" not in repr(reach)
