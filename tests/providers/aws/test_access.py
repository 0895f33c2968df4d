from __future__ import annotations

import sys
from pathlib import Path

import pytest

from spotlaunch.core.facts import Order
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized, UsageError
from spotlaunch_providers import aws
from spotlaunch_providers.aws import access as access_module
from spotlaunch_providers.aws import credentials
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.credentials import may_be_amazons
from tests.fakes.clouds.aws import ACCOUNT, ROLE_KEY, FakeAws
from tests.providers.aws.conftest import Make, gpus, settings

KEY, SECRET, TOKEN = "AKIAMARKERMARKER0001", "marker-secret-93hf83h", "marker-token-8f38fj30"
MARKERS = (KEY, SECRET, TOKEN)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)


def write_profile(name: str, key: str, region: str) -> None:
    folder = Path.home() / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {SECRET}\n")
    (folder / "config").write_text(f"[profile {name}]\nregion = {region}\n")


def test_credentials_of_the_environment_are_used_and_told_nowhere(cloud: FakeAws, make: Make, keys: None) -> None:
    cloud.keys = {KEY}
    provider = make(auth="", regions="us-east-1")
    offers = provider.offers(gpus("H100"))
    assert offers and all(KEY in c.headers["Authorization"] for c in cloud.called("/ec2/"))
    assert not [m for m in MARKERS if m in repr(offers) + repr(provider) + repr(provider.traits)]
    assert provider.traits.prices_only == ""


def test_credentials_that_aws_does_not_know_are_an_error_and_not_the_public_feed(
    cloud: FakeAws, make: Make, keys: None
) -> None:
    cloud.keys = {"AKIASOMEBODYELSE0001"}
    with pytest.raises(NotAuthorized, match="does not know these credentials") as caught:
        make(auth="", regions="us-east-1").offers(gpus("H100"))
    assert not cloud.called("spot.json")
    assert not [m for m in MARKERS if m in repr(caught.value) + caught.value.hint]


def test_a_profile_gives_credentials_and_the_region_that_is_asked_first(cloud: FakeAws, make: Make) -> None:
    write_profile("work", KEY, "eu-west-1")
    cloud.keys = {KEY}
    assert make(auth="", profile="work").offers(gpus("H100"))
    assert cloud.called("/ec2/eu-west-1/DescribeRegions")


def test_a_profile_that_was_named_wins_over_the_environment(cloud: FakeAws, make: Make, keys: None) -> None:
    write_profile("work", "AKIAPROFILE000000001", "eu-west-1")
    cloud.keys = {"AKIAPROFILE000000001"}
    assert make(auth="", profile="work", regions="us-east-1").offers(gpus("H100"))


def test_a_role_is_assumed_as_the_profile_says(cloud: FakeAws, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    write_profile("work", KEY, "eu-west-1")
    with (Path.home() / ".aws" / "config").open("a") as file:
        file.write(f"[profile role]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/marker\nsource_profile = work\n")
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.url)
    cloud.keys = {KEY}
    offers = make(auth="", profile="role", regions="us-east-1").offers(gpus("H100"))
    assert offers and cloud.called("/sts/[^/]+/AssumeRole")
    assert all(ROLE_KEY in c.headers["Authorization"] for c in cloud.called("/ec2/"))


def test_a_profile_that_is_not_there_is_told(make: Make) -> None:
    with pytest.raises(NotAuthorized, match="nosuch") as caught:
        make(auth="", profile="nosuch").offers(gpus("H100"))
    assert caught.value.hint


def test_half_a_key_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    with pytest.raises(NotAuthorized, match="cannot be had") as caught:
        make(auth="").offers(gpus("H100"))
    assert KEY not in repr(caught.value)


def test_with_auth_none_no_credentials_are_looked_for_or_sent(cloud: FakeAws, make: Make, keys: None) -> None:
    assert make(regions="us-east-1").offers(gpus("H100"))
    assert not [c for c in cloud.calls for m in MARKERS if m in repr(c)]


class FakeResolver:
    """What botocore keeps its chain of credentials in."""

    def __init__(self) -> None:
        self.removed: list[str] = []

    def remove(self, name: str) -> None:
        self.removed.append(name)

    def load_credentials(self) -> None:
        return None


@pytest.mark.parametrize(
    ("amazons", "local", "probed"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_the_metadata_service_is_probed_only_on_amazons_machines(
    cloud: FakeAws, monkeypatch: pytest.MonkeyPatch, amazons: bool, local: bool, probed: bool
) -> None:
    import botocore.session

    resolver = FakeResolver()
    monkeypatch.setattr(access_module, "may_be_amazons", lambda: amazons)
    usual = botocore.session.Session.get_component
    monkeypatch.setattr(
        botocore.session.Session,
        "get_component",
        lambda self, name: resolver if name == "credential_provider" else usual(self, name),
    )
    values = {"endpoint": cloud.url} if local else {}
    assert Access(Settings(provider="aws", values=values)).look() is False
    assert ("iam-role" not in resolver.removed) == probed


@pytest.mark.parametrize(
    ("words", "may_be"),
    [({}, True), ({"sys_vendor": "Amazon EC2\n"}, True), ({"sys_vendor": "Xen", "bios_version": "4.11.amazon"}, True)],
)
def test_a_machine_of_amazons_is_known_by_its_maker(tmp_path: Path, words: dict[str, str], may_be: bool) -> None:
    for name, word in words.items():
        (tmp_path / name).write_text(word)
    assert may_be_amazons(tmp_path) is may_be
    (tmp_path / "sys_vendor").write_text("LENOVO")
    (tmp_path / "bios_version").write_text("N2HET")
    assert may_be_amazons(tmp_path) is False


# -- connecting --------------------------------------------------------------------------------------------


def test_connecting_calls_nobody(cloud: FakeAws, tmp_path: Path) -> None:
    provider = aws.connect(owner="o", folder=tmp_path, settings=settings(cloud))
    assert provider.name == "aws" and not cloud.calls
    assert provider.traits.idempotent_launch and provider.traits.notice_s == 120 and not provider.traits.bids


def test_connecting_does_not_load_boto3(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys\nfrom pathlib import Path\nfrom spotlaunch.core.settings import Settings\n"
        "from spotlaunch_providers import aws\n"
        "aws.connect(owner='o', folder=Path('/nonexistent'), settings=Settings(provider='aws'))\n"
        "assert not {'boto3', 'botocore', 'requests'} & set(sys.modules)\n"
    )
    env = {"PYTHONPATH": ":".join(p for p in sys.path if p)}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=env)


@pytest.mark.parametrize(
    "values",
    [
        {"regions": "us-east-1,us_west_2"},
        {"regions": "us-east-1a"},
        {"endpoint": "http://example.com"},
        {"endpoint": "nonsense"},
        {"advisor_endpoint": "http://example.com"},
        {"auth": "none"},
        {"auth": "none", "endpoint": "https://example.com"},
        {"auth": "maybe"},
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_at_once(values: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        aws.connect(owner="o", folder=tmp_path, settings=Settings(provider="aws", values=values))


def test_without_credentials_nothing_is_launched_and_nothing_pretended(make: Make) -> None:
    provider = make(auth="", regions="us-east-1")
    assert provider.traits.prices_only == "no credentials: prices only"
    order = Order(launch_key="k", job="j", attempt=1, alternatives=())
    calls = (lambda: provider.launch(order), provider.list_machines, lambda: provider.terminate(["i-1"]))
    for call in calls:
        with pytest.raises(NotAuthorized, match="no credentials") as caught:
            call()
        assert "AWS_PROFILE" in caught.value.hint


def test_whether_there_are_credentials_is_known_when_connected(
    cloud: FakeAws, make: Make, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make(auth="").traits.prices_only == ""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert make(auth="").traits.prices_only
    write_profile("work", KEY, "eu-west-1")
    assert make(auth="").traits.prices_only  # the default profile has none
    assert make(auth="", profile="work").traits.prices_only == ""
    assert make(auth="", profile="nosuch").traits.prices_only == ""  # using it tells what is wrong
    (Path.home() / ".aws" / "config").write_text("[default]\ncredential_process = /bin/false\n")
    assert make(auth="").traits.prices_only == ""  # a program is not run to find out
    assert not cloud.calls


def test_on_machines_of_amazons_the_role_counts_until_it_is_asked(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sys_vendor").write_text("Amazon EC2\n")
    monkeypatch.setattr(credentials, "_DMI", tmp_path)
    assert not credentials.at_hand("", local=False)  # AWS_EC2_METADATA_DISABLED is set for tests
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    assert credentials.at_hand("", local=False) and not credentials.at_hand("", local=True)
    (tmp_path / "sys_vendor").write_text("Dell\n")
    assert not credentials.at_hand("", local=False)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/role")
    assert credentials.at_hand("", local=False)
