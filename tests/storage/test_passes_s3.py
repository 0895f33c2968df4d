"""Passes to S3 and its likes: what they open, and which way they are made."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from obstore.exceptions import PermissionDeniedError

from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.core.wire import Pass
from spotlaunch.errors import BlobsUnavailable, NoSuchObject
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.passes import make_pass, opens, sts
from spotlaunch.storage.passes.folder import folder_of
from tests.fakes.s3 import CREDENTIALS, client, make_bucket
from tests.storage.policies import allows

NOW = 1_800_000_000.0
ROLE = "arn:aws:iam::123456789012:role/machines"
R2 = "https://0123456789abcdef.r2.cloudflarestorage.com"

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
prefixes = st.text(alphabet="ab/-*?$.{}", max_size=8).map(lambda p: p.strip("/").replace("?", "").replace("#", ""))


def told(secrets: Mapping[str, str] | None = None, **values: str) -> Settings:
    return Settings(provider="store", values=values, secrets=secrets or {})


@pytest.fixture(autouse=True)
def own_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


# -- the policy --------------------------------------------------------------------------------------------


@given(prefix=prefixes, job=names, other=names, rest=st.text(alphabet="ab/*?-", min_size=1, max_size=6))
def test_a_policy_opens_one_jobs_folder_and_no_other(prefix: str, job: str, other: str, rest: str) -> None:
    folder = folder_of(BlobStoreRef(url=f"s3://bkt/{prefix}", region="us-east-1"), job, told())
    policy = sts.policy(folder)
    root = f"{folder.place.prefix}/".lstrip("/")
    mine, theirs = f"{root}jobs/{job}/{rest}", f"{root}jobs/{other}/{rest}"
    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"):
        assert allows(policy, action, f"arn:aws:s3:::bkt/{mine}")
        assert allows(policy, action, f"arn:aws:s3:::bkt/{theirs}") == (job == other)
        assert not allows(policy, action, f"arn:aws:s3:::bkt-2/{mine}")
        assert not allows(policy, action, f"arn:aws:s3:::bkt/{root}jobs/{job}{rest[0].replace('/', 'x')}")
    for listed in (f"{root}jobs/{job}/", f"{root}jobs/{job}/register/"):
        assert allows(policy, "s3:ListBucket", "arn:aws:s3:::bkt", prefix=listed)
    for listed in (root, f"{root}jobs/", f"{root}jobs/{job}", f"{root}jobs/{job}-2/", ""):
        assert not allows(policy, "s3:ListBucket", "arn:aws:s3:::bkt", prefix=listed)
    assert not allows(policy, "s3:ListBucket", "arn:aws:s3:::bkt", prefix=None)


def test_a_job_whose_name_begins_like_anothers_is_not_opened() -> None:
    policy = sts.policy(folder_of(BlobStoreRef(url="s3://bkt/team", region="us-east-1"), "a", told()))
    assert allows(policy, "s3:GetObject", "arn:aws:s3:::bkt/team/jobs/a/owner.json")
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::bkt/team/jobs/a-2/owner.json")
    assert not allows(policy, "s3:GetObject", "arn:aws:s3:::bkt/team/x/jobs/a/owner.json")


@pytest.mark.parametrize(("prefix", "other"), [("te*m", "teaXm"), ("$", "x"), ("*", "secret")])
def test_special_letters_of_a_prefix_mean_themselves(prefix: str, other: str) -> None:
    policy = sts.policy(folder_of(BlobStoreRef(url=f"s3://bkt/{prefix}", region="us-east-1"), "a", told()))
    assert allows(policy, "s3:GetObject", f"arn:aws:s3:::bkt/{prefix}/jobs/a/x")
    assert not allows(policy, "s3:GetObject", f"arn:aws:s3:::bkt/{other}/jobs/a/x")
    assert not allows(policy, "s3:ListBucket", "arn:aws:s3:::bkt", prefix=f"{other}/jobs/a/")


@pytest.mark.parametrize(("region", "arn"), [("cn-north-1", "arn:aws-cn:"), ("us-gov-west-1", "arn:aws-us-gov:")])
def test_other_parts_of_aws_have_other_names(region: str, arn: str) -> None:
    policy = sts.policy(folder_of(BlobStoreRef(url="s3://bkt", region=region), "a", told()))
    assert all(s["Resource"].startswith(arn) for s in policy["Statement"])


# -- against a server that checks signatures and policies ------------------------------------------------------


@pytest.fixture
def bucket(s3_endpoint: str) -> str:
    name = "passes-bucket"
    if name not in [b["Name"] for b in client(s3_endpoint).list_buckets()["Buckets"]]:
        make_bucket(s3_endpoint, name)
    return name


def session_of(found: Pass, endpoint: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=found.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found.env["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=found.env["AWS_SESSION_TOKEN"],
    )


def test_a_pass_of_a_role_opens_its_job_and_is_refused_elsewhere(s3_endpoint: str, bucket: str) -> None:
    """moto knows no session policies, so what was sent as one becomes the role's only policy; it checks signatures."""
    from moto.core import set_initial_no_auth_action_count
    from moto.sts.models import sts_backends

    iam = boto3.client(
        "iam", endpoint_url=s3_endpoint, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    iam.create_role(
        RoleName="machines", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )
    ref = BlobStoreRef(url=f"s3://{bucket}/team", endpoint=s3_endpoint, region="us-east-1")
    found = make_pass(ref, "a", told(role=ROLE, sts_endpoint=s3_endpoint), now=NOW)
    sent = sts_backends["123456789012"]["aws"].assumed_roles[-1].policy
    assert json.loads(sent) == sts.policy(folder_of(ref, "a", told()))
    iam.put_role_policy(RoleName="machines", PolicyName="session", PolicyDocument=_without_conditions(sent))
    blobs, own = open_blobs(ref.url, endpoint=s3_endpoint, credentials=lambda: found), session_of(found, s3_endpoint)
    own_keys = client(s3_endpoint)
    own_keys.put_object(Bucket=bucket, Key="team/jobs/a-2/order/1", Body=b"theirs")

    @set_initial_no_auth_action_count(0)
    def as_the_machine() -> None:
        own.put_object(Bucket=bucket, Key="team/jobs/a/one", Body=b"mine")
        assert own.get_object(Bucket=bucket, Key="team/jobs/a/one")["Body"].read() == b"mine"
        own.delete_object(Bucket=bucket, Key="team/jobs/a/one")
        blobs.put("jobs/a/two", b"through our own door")
        for call, key in (("get_object", "team/jobs/a-2/order/1"), ("delete_object", "team/jobs/b/x")):
            with pytest.raises(ClientError) as refused:
                getattr(own, call)(Bucket=bucket, Key=key)
            assert refused.value.response["Error"]["Code"] == "AccessDenied"
        with pytest.raises(BlobsUnavailable, match="may not"):
            blobs.get("jobs/a-2/order/1")
        with pytest.raises(BlobsUnavailable, match="may not"):
            blobs.put("jobs/a-2/order/1", b"mine now")

    as_the_machine()
    assert blobs.get("jobs/a/two") == b"through our own door"


def _without_conditions(policy: str) -> str:
    """moto denies every call that a statement with a condition is about."""
    document = json.loads(policy)
    document["Statement"] = [s for s in document["Statement"] if "Condition" not in s]
    return json.dumps(document)


@pytest.mark.parametrize("there", [True, False])
def test_a_server_that_tells_no_stranger_what_there_is_not_is_understood(
    s3_endpoint: str, bucket: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a narrow pass some answer 403 where others answer 404."""
    found = Pass(env={"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}, expires_at=9e9)
    blobs = open_blobs(f"s3://{bucket}/quiet-{there}", endpoint=s3_endpoint, credentials=lambda: found)
    if there:
        blobs.put("jobs/a/ask/1", b"x")

    class Reader:
        def get(self, key: str) -> None:
            raise PermissionDeniedError("403 Forbidden: AccessDenied")

        head = get

    monkeypatch.setattr(blobs, "_clients", replace(blobs._clients, reader=Reader()))
    for read in (lambda: blobs.get("jobs/a/ask/1"), lambda: blobs.get_file("jobs/a/ask/1", Path("/dev/null"))):
        with pytest.raises(BlobsUnavailable if there else NoSuchObject):
            read()


# -- which way ---------------------------------------------------------------------------------------------------


class Sts:
    """Answers as AWS does; ``most_s`` is what a role allows."""

    def __init__(self, most_s: int = 43_200, code: str = "") -> None:
        self.most_s = most_s
        self.code = code
        self.asked: list[dict[str, Any]] = []

    def _answer(self, verb: str, **asked: Any) -> dict[str, Any]:
        self.asked.append({"verb": verb, **asked})
        code = "ValidationError" if asked["DurationSeconds"] > self.most_s else self.code
        if code:
            text = "User: arn:aws:iam::918273645546:user/ann is not authorized, hush"
            raise ClientError({"Error": {"Code": code, "Message": text}}, verb)
        ends = datetime.fromtimestamp(NOW + asked["DurationSeconds"], UTC)
        made = {"AccessKeyId": "ASIA1", "SecretAccessKey": "short", "SessionToken": "token", "Expiration": ends}
        return {"Credentials": made}

    def assume_role(self, **asked: Any) -> dict[str, Any]:
        return self._answer("assume_role", **asked)

    def get_federation_token(self, **asked: Any) -> dict[str, Any]:
        return self._answer("get_federation_token", **asked)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Sts:
    made = Sts()
    monkeypatch.setattr(sts, "_client", lambda folder: made)
    return made


AT_AWS = BlobStoreRef(url="s3://bkt/team", region="us-east-1")
SERVER = BlobStoreRef(url="s3://bkt/team", endpoint="https://minio.example", region="us-east-1")


def test_a_users_keys_make_a_federated_session_with_the_policy(aws: Sts) -> None:
    found = make_pass(AT_AWS, "a", told(), now=NOW, lasts_s=7200)
    assert found == Pass(
        env={"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "short", "AWS_SESSION_TOKEN": "token"},
        expires_at=NOW + 7200,
    )
    asked = aws.asked[0]
    assert (asked["verb"], asked["Name"]) == ("get_federation_token", "sl-a")
    assert json.loads(asked["Policy"]) == sts.policy(folder_of(AT_AWS, "a", told()))


def test_a_role_is_assumed_where_one_is_set_for_as_long_as_it_allows(aws: Sts) -> None:
    assert make_pass(AT_AWS, "a", told(role=ROLE), now=NOW).expires_at == NOW + 12 * 3600
    aws.most_s = 3600
    assert make_pass(AT_AWS, "a", told(role=ROLE), now=NOW).expires_at == NOW + 3600
    assert {a["RoleArn"] for a in aws.asked} == {ROLE}
    assert {json.dumps(json.loads(a["Policy"])) for a in aws.asked} == {
        json.dumps(sts.policy(folder_of(AT_AWS, "a", told())))
    }


def test_temporary_credentials_without_a_role_are_told_what_to_do(aws: Sts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "sso")
    with pytest.raises(BlobsUnavailable, match="temporary") as refused:
        make_pass(AT_AWS, "a", told(), now=NOW)
    assert "SPOTLAUNCH_STORE_ROLE" in refused.value.hint
    assert aws.asked == []
    assert "temporary" in opens(AT_AWS, told())
    assert "nothing else" in opens(AT_AWS, told(role=ROLE))


@pytest.mark.parametrize(
    ("code", "says", "hint"),
    [
        ("AccessDenied", "may not", "SPOTLAUNCH_STORE_ROLE"),
        ("ExpiredToken", "run out", "log in"),
        ("Unheard", "Unheard", "get-caller-identity"),
    ],
)
def test_a_refusal_is_told_by_its_code_and_never_in_awss_words(aws: Sts, code: str, says: str, hint: str) -> None:
    aws.code = code
    with pytest.raises(BlobsUnavailable, match=says) as refused:
        make_pass(AT_AWS, "a", told(), now=NOW)
    assert hint in refused.value.hint
    assert "918273645546" not in refused.value.message + refused.value.hint
    assert "hush" not in refused.value.message


def test_without_any_credentials_there_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(BlobsUnavailable, match="no AWS credentials"):
        make_pass(AT_AWS, "a", told(), now=NOW)


def test_another_server_is_asked_for_a_session_and_without_one_nothing_of_ours_is_sent(aws: Sts) -> None:
    assert make_pass(SERVER, "a", told(), now=NOW).env["AWS_SESSION_TOKEN"] == "token"
    aws.code = "NotImplemented"
    with pytest.raises(BlobsUnavailable, match="your own keys are not sent") as refused:
        make_pass(SERVER, "a", told(), now=NOW)
    for way in ("STS_ENDPOINT", "CLOUDFLARE_TOKEN", "MACHINE_ACCESS_KEY_ID"):
        assert f"SPOTLAUNCH_STORE_{way}" in refused.value.hint
    assert {asked["verb"] for asked in aws.asked} == {"assume_role"}


def test_a_server_with_assume_role_is_asked_by_it(aws: Sts) -> None:
    found = make_pass(SERVER, "a", told(sts_endpoint="https://minio.example"), now=NOW)
    assert found.env["AWS_SESSION_TOKEN"] == "token"
    assert aws.asked[0]["verb"] == "assume_role"


def test_a_key_made_for_machines_is_sent_and_its_reach_told() -> None:
    settings = told({"machine_secret_access_key": "theirs"}, machine_access_key_id="MACHINES")
    found = make_pass(SERVER, "a", settings, now=NOW)
    assert found == Pass(env={"AWS_ACCESS_KEY_ID": "MACHINES", "AWS_SECRET_ACCESS_KEY": "theirs"}, expires_at=0.0)
    assert "the whole bucket bkt" in opens(SERVER, settings)


def test_ones_own_key_is_not_sent_even_when_told_to() -> None:
    settings = told({"machine_secret_access_key": "x"}, machine_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"])
    with pytest.raises(BlobsUnavailable, match="your own"):
        make_pass(SERVER, "a", settings, now=NOW)


def test_what_a_pass_opens_is_said_in_words() -> None:
    assert "s3://bkt/team/jobs/<job>/ and nothing else" in opens(AT_AWS, told())
    assert "if this server answers AssumeRole" in opens(SERVER, told())
    assert "no pass" in opens(BlobStoreRef(url="file:///tmp/x"), told())
    assert "names no store" in opens(BlobStoreRef(url="ftp://x"), told())


def test_a_folder_of_this_computer_needs_no_pass() -> None:
    assert make_pass(BlobStoreRef(url="file:///tmp/x"), "a", told(), now=NOW) == Pass()


def test_a_pass_shows_no_secret_of_itself(aws: Sts) -> None:
    assert "short" not in repr(make_pass(AT_AWS, "a", told(), now=NOW))


# -- Cloudflare --------------------------------------------------------------------------------------------------


class Cloudflare(BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str, dict[str, str], Any]]] = []
    answer: ClassVar[tuple[int, Any]] = (200, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        status, answer = type(self).answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def cloudflare() -> Iterator[str]:
    Cloudflare.asked.clear()
    made = {"accessKeyId": "tmp", "secretAccessKey": "short", "sessionToken": "jwt"}
    Cloudflare.answer = (200, {"success": True, "errors": [], "result": made})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cloudflare)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/client/v4"
    server.shutdown()
    server.server_close()


def at_r2(endpoint: str = R2) -> BlobStoreRef:
    return BlobStoreRef(url="s3://bkt/team", endpoint=endpoint, region="auto")


def test_r2_is_asked_for_credentials_of_the_prefix(cloudflare: str) -> None:
    settings = told({"cloudflare_token": "cf-token"}, cloudflare_endpoint=cloudflare)
    found = make_pass(at_r2(), "a", settings, now=NOW, lasts_s=7200)
    assert found.env == {"AWS_ACCESS_KEY_ID": "tmp", "AWS_SECRET_ACCESS_KEY": "short", "AWS_SESSION_TOKEN": "jwt"}
    assert found.expires_at == NOW + 7200
    path, headers, body = Cloudflare.asked[0]
    assert path == "/client/v4/accounts/0123456789abcdef/r2/temp-access-credentials"
    assert headers["authorization"] == "Bearer cf-token"
    assert body == {
        "bucket": "bkt",
        "parentAccessKeyId": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "permission": "object-read-write",
        "prefixes": ["team/jobs/a/"],
        "ttlSeconds": 7200,
    }


def test_a_bucket_of_a_jurisdiction_is_asked_about_in_it(cloudflare: str) -> None:
    settings = told({"cloudflare_token": "cf-token"}, cloudflare_endpoint=cloudflare)
    make_pass(at_r2("https://0123.eu.r2.cloudflarestorage.com"), "a", settings, now=NOW)
    assert Cloudflare.asked[0][1]["cf-r2-jurisdiction"] == "eu"


@pytest.mark.parametrize("answer", [(403, {"errors": [{"code": 10000, "message": "cf-token"}]}), (200, {}), (500, [])])
def test_what_cloudflare_refuses_is_told_without_the_token(cloudflare: str, answer: tuple[int, Any]) -> None:
    Cloudflare.answer = answer
    settings = told({"cloudflare_token": "cf-token"}, cloudflare_endpoint=cloudflare)
    with pytest.raises(BlobsUnavailable, match=f"HTTP {answer[0]}") as refused:
        make_pass(at_r2(), "a", settings, now=NOW)
    assert "cf-token" not in refused.value.message + refused.value.hint
    assert "SPOTLAUNCH_STORE_CLOUDFLARE_TOKEN" in refused.value.hint
