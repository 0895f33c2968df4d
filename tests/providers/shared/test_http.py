from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spotlaunch.errors import NotAuthorized, OutcomeUnknown, ProviderError, Throttled, Transient
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.http import Api, Reply
from spotlaunch_providers.shared.redact import Redactor
from tests.fakes.clouds.plain import PlainCloud


def judge(reply: Reply) -> ProviderError | None:
    if reply.status == 401:
        return NotAuthorized(f"key-abcdef is not good: {reply.body['error']}")
    return None


@pytest.fixture
def cloud() -> Iterator[PlainCloud]:
    made = PlainCloud()
    with made.serving():
        yield made


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def api(cloud: PlainCloud, pauses: list[float]) -> Api:
    return Api(cloud.url, judge=judge, redact=Redactor(["key-abcdef"]), sleep=pauses.append)


def test_a_read_gives_the_parsed_json_and_names_us(api: Api, cloud: PlainCloud) -> None:
    assert api.get("/thing", deadline=Deadline())["size"] == 3
    assert api.post("search", {"a": 1}, deadline=Deadline()) == {"asked": {"a": 1}}
    assert all(c.headers["User-Agent"].startswith("spotlaunch/") for c in cloud.calls)


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("throttle", Throttled, "too many calls"),
        ("server-error", Transient, "HTTP 500"),
        ("bad-gateway", Transient, "HTTP 502"),
        ("malformed", Transient, "not JSON"),
        ("truncated", Transient, "broke off"),
        ("drop", Transient, "broke off"),
    ],
)
def test_a_read_that_fails_is_repeated_and_then_told(
    api: Api, cloud: PlainCloud, pauses: list[float], kind: str, error: type[ProviderError], words: str
) -> None:
    cloud.fail(kind)
    with pytest.raises(error, match=words):
        api.get("/thing", deadline=Deadline())
    assert len(cloud.calls) == 4
    assert pauses == sorted(pauses) and len(pauses) == 3
    cloud.heal()
    cloud.fail(kind, times=2)
    assert api.get("/thing", deadline=Deadline())["size"] == 3


def test_a_refusal_is_not_repeated_and_its_secrets_are_masked(api: Api, cloud: PlainCloud) -> None:
    cloud.fail("expired-token")
    with pytest.raises(NotAuthorized) as caught:
        api.get("/thing", deadline=Deadline())
    assert len(cloud.calls) == 1
    assert caught.value.message == str(caught.value) == "*** is not good: expired"


def test_what_no_table_knows_is_told_with_its_status(api: Api, cloud: PlainCloud) -> None:
    cloud.fail("forbidden")
    with pytest.raises(OutcomeUnknown, match="HTTP 403"):
        api.get("/thing", deadline=Deadline())


def test_a_cloud_says_how_long_to_wait(api: Api, cloud: PlainCloud, pauses: list[float]) -> None:
    cloud.fail("throttle-retry-after", seconds=2, times=1)
    assert api.get("/thing", deadline=Deadline())["size"] == 3
    assert pauses == [2.0]
    cloud.fail("throttle-retry-after", seconds=60)
    with pytest.raises(Throttled) as caught:
        api.get("/thing", deadline=Deadline(15))
    assert caught.value.retry_after_s == 60
    assert pauses == [2.0], "a pause past the deadline is not begun"


@pytest.mark.parametrize(("kind", "seconds"), [("hang", 0), ("drip", 0.1), ("latency", 9)])
def test_no_answer_is_waited_for_past_the_deadline(cloud: PlainCloud, kind: str, seconds: float) -> None:
    cloud.fail(kind, seconds=seconds)
    began = time.monotonic()
    with pytest.raises(Transient, match=r"in time|longer than"):
        Api(cloud.url, judge=judge).get("/thing", deadline=Deadline(0.5))
    assert time.monotonic() - began < 2


def test_a_date_to_wait_for_is_counted_from_the_clouds_own_clock() -> None:
    def after(value: str, date: str = "Sat, 21 Nov 2026 10:00:00 GMT") -> float | None:
        return Reply(status=429, body="", headers={"Retry-After": value, "Date": date}).retry_after_s

    assert after("Sat, 21 Nov 2026 10:00:30 GMT") == 30
    assert after("Sat, 21 Nov 2026 09:00:00 GMT") == 0
    assert after("7") == 7
    assert after("soon") is None
    assert after("\u00b2") is None
    assert after("Sat, 21 Nov 99999999999 10:00:00 GMT") is None
    assert after("Sat, 21 Nov 2026 10:00:30 GMT", date="") is None


def test_all_pages_are_read(api: Api) -> None:
    deadline = Deadline()
    pages = api.pages(
        lambda token: api.get("/list", params={"page": token}, deadline=deadline),
        lambda p: p["next"],
        deadline=deadline,
    )
    assert [p["items"] for p in pages] == [[1], [2], [3]]


def test_pages_that_do_not_end_are_given_up(api: Api, cloud: PlainCloud) -> None:
    cloud.fail("endless-paging")
    deadline = Deadline()
    with pytest.raises(Transient, match="do not end"):
        list(
            api.pages(
                lambda token: api.get("/list", params={"page": token}, deadline=deadline),
                lambda p: p["next"],
                deadline=deadline,
            )
        )
    assert len(cloud.calls) < 5


def test_our_credentials_are_not_carried_to_another_server(cloud: PlainCloud) -> None:
    api = Api(cloud.url, judge=judge, headers={"Authorization": "Bearer x"}, sleep=lambda s: None)
    with pytest.raises(Transient, match="another server"):
        api.get("http://127.0.0.1:9/thing", deadline=Deadline())
    with pytest.raises(Transient, match="HTTP 302"):
        api.get("/elsewhere", deadline=Deadline())


def test_another_name_of_this_computer_is_the_same_server(cloud: PlainCloud) -> None:
    api = Api(cloud.url, judge=judge, sleep=lambda s: None)
    other = cloud.url.replace("127.0.0.1", "localhost")
    assert other != cloud.url
    assert api.get(f"{other}/thing", deadline=Deadline()) == api.get("/thing", deadline=Deadline())


def test_a_password_in_netrc_does_not_replace_our_own(
    cloud: PlainCloud, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (own_home / ".netrc").write_text("machine 127.0.0.1 login me password them\n")
    (own_home / ".netrc").chmod(0o600)
    Api(cloud.url, judge=judge, headers={"Authorization": "Bearer x"}).get("/thing", deadline=Deadline())
    assert cloud.calls[-1].headers["Authorization"] == "Bearer x"


def test_nobody_there_is_told_in_the_systems_own_words() -> None:
    api = Api("http://127.0.0.1:9", judge=judge, sleep=lambda s: None)
    with pytest.raises(Transient, match="cannot be reached: Connection refused"):
        api.get("/thing", deadline=Deadline())


# -- calls that make or end something ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("throttle", Throttled),
        ("server-error", OutcomeUnknown),
        ("bad-gateway", OutcomeUnknown),
        ("malformed", OutcomeUnknown),
        ("truncated", OutcomeUnknown),
        ("drop", OutcomeUnknown),
        ("hang", OutcomeUnknown),
        ("drip", OutcomeUnknown),
    ],
)
def test_a_call_that_makes_something_is_made_once_and_may_have_worked(
    api: Api, cloud: PlainCloud, pauses: list[float], kind: str, error: type[ProviderError]
) -> None:
    cloud.fail(kind, seconds=0.05)
    with pytest.raises(error) as caught:
        api.once("POST", "/search", body={"a": 1}, deadline=Deadline(0.4))
    assert type(caught.value) is error
    assert len(cloud.calls) == 1 and pauses == []


def test_a_call_that_never_arrived_made_nothing(api: Api, cloud: PlainCloud) -> None:
    for made in (Api("http://127.0.0.1:9", judge=judge), Api("https://127.0.0.1:9", judge=judge)):
        with pytest.raises(Transient):
            made.once("POST", "/search", deadline=Deadline(2.0))
    with pytest.raises(Transient):
        api.once("DELETE", "/thing", deadline=Deadline(0.0))
    assert cloud.calls == []
    https = Api(cloud.url.replace("http://", "https://"), judge=judge)
    with pytest.raises(Transient):
        https.once("POST", "/search", deadline=Deadline(2.0))


def test_a_call_that_works_gives_its_answer(api: Api) -> None:
    assert api.once("POST", "/search", body={"a": 1}, deadline=Deadline()) == {"asked": {"a": 1}}
