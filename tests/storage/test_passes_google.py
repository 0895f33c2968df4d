"""Passes and links to Google: what is asked of its token service, and what the condition lets through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote

import google.auth
import pytest
from google.auth.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.errors import BlobsUnavailable
from spotlaunch.storage.passes import boundary, make_pass, opens
from spotlaunch.storage.passes.folder import Folder, folder_of

NONE = Settings(provider="store")
names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


def a_folder(job: str = "a", url: str = "gs://bkt/team") -> Folder:
    return folder_of(BlobStoreRef(url=url), job, NONE)


class Login(Credentials):
    def refresh(self, request: Any) -> None:
        self.token, self.expiry = "users-own-token", datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)


class Answer:
    def __init__(self, status: int, body: object) -> None:
        self.status, self.data, self.headers = status, json.dumps(body).encode(), {}


class Google:
    """Google's token service, as google-auth calls it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.logins: list[Login] = []
        self.answer = Answer(200, {"access_token": "downscoped", "token_type": "Bearer", "expires_in": 3600})

    def __call__(self, url: str, method: str = "GET", body: Any = None, **_: Any) -> Answer:
        text = body.decode() if isinstance(body, bytes) else body
        self.asked.append((url, {k: v[0] for k, v in parse_qs(text).items()}))
        return self.answer


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    logins: list[Login] = []
    monkeypatch.setattr(google.auth, "default", lambda scopes: (logins.append(Login()) or logins[-1], "project"))
    made = Google()
    made.logins = logins
    monkeypatch.setattr(boundary, "_request", lambda: made)
    boundary._login.cache_clear()
    yield made
    boundary._login.cache_clear()


def strings(expression: str) -> list[str]:
    """The texts that a condition compares with, as Google reads them."""
    return [re.sub(r"\\(.)", r"\1", s) for s in re.findall(r"'((?:[^'\\]|\\.)*)'", expression)]


def rule(asked: dict[str, str]) -> dict[str, Any]:
    rules = json.loads(unquote(asked["options"]))["accessBoundary"]["accessBoundaryRules"]
    assert len(rules) == 1
    found: dict[str, Any] = rules[0]
    return found


def test_a_pass_is_a_token_for_the_jobs_folder(service: Google) -> None:
    found = make_pass(BlobStoreRef(url="gs://bkt/team"), "a", NONE, now=0)
    assert found.env == {"GOOGLE_BEARER_TOKEN": "downscoped"}
    assert 3500 < found.expires_at - datetime.now(UTC).timestamp() < 3700
    url, asked = service.asked[0]
    assert url == "https://sts.googleapis.com/v1/token"
    assert rule(asked) == {
        "availableResource": "//storage.googleapis.com/projects/_/buckets/bkt",
        "availablePermissions": ["inRole:roles/storage.objectUser"],
        "availabilityCondition": {
            "expression": "resource.name.startsWith('projects/_/buckets/bkt/objects/team/jobs/a/') || "
            "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('team/jobs/a/')"
        },
    }
    assert "team/jobs/<job>/ and nothing else" in opens(BlobStoreRef(url="gs://bkt/team"), NONE)


@given(job=names, other=names, prefix=st.text(alphabet="ab'\\/-", max_size=8))
def test_no_other_jobs_objects_and_listings_fit(job: str, other: str, prefix: str) -> None:
    folder = a_folder(job, f"gs://bkt/{prefix}")
    objects, _, _, listed = strings(boundary.folder_rule(folder))
    root = f"{folder.place.prefix}/".lstrip("/")
    assert f"projects/_/buckets/bkt/objects/{root}jobs/{job}/x".startswith(objects)
    assert f"projects/_/buckets/bkt/objects/{root}jobs/{other}/x".startswith(objects) == (job == other)
    assert f"{root}jobs/{job}/register/".startswith(listed)
    assert not any(text.startswith(listed) for text in ("", root, f"{root}jobs/", f"{root}jobs/{job}-2/"))


def test_a_link_without_a_key_to_sign_is_a_token_for_one_object(service: Google) -> None:
    url, header = boundary.object_link(a_folder(), "team/jobs/a/start/000001")
    assert url == "https://storage.googleapis.com/bkt/team/jobs/a/start/000001"
    assert header == "Authorization: Bearer downscoped"
    found = rule(service.asked[0][1])
    assert found["availablePermissions"] == ["inRole:roles/storage.objectViewer"]
    assert found["availabilityCondition"]["expression"] == (
        "resource.name == 'projects/_/buckets/bkt/objects/team/jobs/a/start/000001'"
    )


def test_a_refusal_is_told_without_googles_words(service: Google) -> None:
    service.answer = Answer(403, {"error": "access_denied", "error_description": "users-own-token"})
    with pytest.raises(BlobsUnavailable, match="Google gave no token") as refused:
        make_pass(BlobStoreRef(url="gs://bkt/team"), "a", NONE, now=0)
    assert "users-own-token" not in refused.value.message
    assert "gcloud auth application-default login" in refused.value.hint


def test_a_login_is_looked_for_once_and_again_after_trouble(service: Google) -> None:
    folder, fine = a_folder(), service.answer
    for _ in range(3):
        boundary.by_boundary(folder)
    assert len(service.logins) == 1
    service.answer = Answer(400, {"error": "invalid_grant"})
    with pytest.raises(BlobsUnavailable):
        boundary.by_boundary(folder)
    service.answer = fine
    boundary.by_boundary(folder)
    assert len(service.logins) == 2
