"""Nothing that is secret, or names an account, comes out: planted markers are looked for in all that is left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from spotlaunch.home import Home
from tests.bench.commands import environment
from tests.fakes.clouds.all import FAKES
from tests.fakes.clouds.gcp_data import PROJECT, PROJECT_NUMBER
from tests.fakes.clouds.server import FakeCloud, Response

pytestmark = pytest.mark.e2e

AWS_KEY, AWS_SECRET, AWS_TOKEN = "AKIAMARKERMARKER1234", "marker/secret+key/of/aws+0123456789abcdef", "marker-aws-token"
AWS_ACCOUNT = "918273645546"
SUBSCRIPTION = "0badcafe-1234-4321-8888-feedfacebeef"
RUNPOD_KEY, VAST_KEY = "rpa_MARKERMARKERMARKER", "markervast0123456789abcdef"
MARKERS = (
    AWS_KEY, AWS_SECRET, AWS_TOKEN, AWS_ACCOUNT, PROJECT, PROJECT_NUMBER, SUBSCRIPTION, RUNPOD_KEY, VAST_KEY,
)  # fmt: skip

# What a cloud may say when it refuses: it names the caller, and one that is careless repeats what it was sent.
WORDS = {
    "aws": f"User: arn:aws:iam::{AWS_ACCOUNT}:user/ann with {AWS_KEY} {AWS_SECRET} {AWS_TOKEN} may not",
    "gcp": f"project {PROJECT} (projects/{PROJECT_NUMBER}) may not read projects/{PROJECT}/regions/x",
    "azure": f"subscription '{SUBSCRIPTION}' of /subscriptions/{SUBSCRIPTION}/x may not",
    "runpod": f"Bearer {RUNPOD_KEY}, key {RUNPOD_KEY} may not",
    "vast": f"api_key={VAST_KEY}, key {VAST_KEY} may not",
}


def refusals() -> dict[str, Response]:
    """A refusal in each cloud's own shape, full of markers."""
    xml = f"<Error><Code>UnauthorizedOperation</Code><Message>{WORDS['aws']}</Message></Error>"
    google = {
        "error": {"code": 403, "message": WORDS["gcp"], "errors": [{"reason": "forbidden", "message": WORDS["gcp"]}]}
    }
    return {
        "aws": Response(
            status=403, body=f"<Response><Errors>{xml}</Errors></Response>", headers={"Content-Type": "text/xml"}
        ),
        "gcp": Response(status=403, body=google),
        "azure": Response(status=403, body={"error": {"code": "AuthorizationFailed", "message": WORDS["azure"]}}),
        "runpod": Response(status=403, body={"title": "Forbidden", "status": 403, "detail": WORDS["runpod"]}),
        "vast": Response(status=403, body={"success": False, "error": "forbidden", "msg": WORDS["vast"]}),
    }


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[dict[str, FakeCloud], dict[str, str]]]:
    fakes: dict[str, FakeCloud] = {name: make() for name, make in FAKES.items()}
    with ExitStack() as stack:
        variables: dict[str, str] = dict(environment(Home(tmp_path / "home")))
        for fake in fakes.values():
            variables |= fake.environment(stack.enter_context(fake.serving()))
        for name in ("SPOTLAUNCH_AWS_AUTH", "SPOTLAUNCH_RUNPOD_AUTH", "SPOTLAUNCH_VAST_AUTH"):
            variables.pop(name, None)  # these three have keys
        variables |= {
            "AWS_ACCESS_KEY_ID": AWS_KEY,
            "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
            "AWS_SESSION_TOKEN": AWS_TOKEN,
            "AWS_REGION": "us-east-1",
            "SPOTLAUNCH_GCP_PROJECT": PROJECT,
            "SPOTLAUNCH_AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
            "RUNPOD_API_KEY": RUNPOD_KEY,
            "VAST_API_KEY": VAST_KEY,
        }
        for name, fake in fakes.items():
            said = refusals()[name]
            monkeypatch.setattr(type(fake), "refusals", dict.fromkeys(("forbidden", "expired-token"), said))
        yield fakes, variables


COMMANDS = (
    ("prices", "--gpu", "H100"),
    ("prices", "--gpu", "H100", "--json", "--refresh"),
    ("prices", "--csv"),
    ("gpus",),
    ("check",),
    ("check", "--json"),
    ("prices", "--history", "--gpu", "H100", "--json"),
)


def look_everywhere(home: Path, said: str) -> None:
    """Fail where a marker is found: in what was printed, or in any file that was left, as text or as bytes."""
    found = [m for m in MARKERS if m in said]
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [f"{m} in {path.relative_to(home)}" for m in MARKERS if m.encode() in content or m in path.name]
    assert found == []


@pytest.mark.parametrize("fault", ["", "forbidden"], ids=["all well", "all refused"])
def test_markers_planted_as_credentials_come_out_nowhere(
    clouds: tuple[dict[str, FakeCloud], dict[str, str]], tmp_path: Path, fault: str
) -> None:
    fakes, variables = clouds
    home = tmp_path / "home"
    for fake in fakes.values():
        if fault:
            fake.fail(fault)
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "spotlaunch", *command],
            env=variables,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert "Traceback" not in done.stderr
        look_everywhere(home, done.stdout + done.stderr)
        if command[-1] == "--refresh" and not fault:
            assert {o["provider"] for o in json.loads(done.stdout)["offers"]} == set(FAKES)
    assert all(fake.calls for fake in fakes.values())
    assert {oct(p.stat().st_mode & 0o777) for p in home.rglob("*") if p.is_file()} <= {"0o600"}
