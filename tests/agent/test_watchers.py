"""Watchers against metadata services of this test: what they hear, and that nothing a service does can harm the job."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotlaunch.agent.settings import Settings
from spotlaunch.agent.watchers import gce, imds, scheduled_events
from spotlaunch.agent.watchers.choose import watcher_for
from spotlaunch.agent.watchers.gce import MAINTENANCE, PREEMPTED, Gce
from spotlaunch.agent.watchers.imds import ACTION, REBALANCE, Imds, moment
from spotlaunch.agent.watchers.metadata import Answer, ask
from spotlaunch.agent.watchers.scheduled_events import ScheduledEvents
from spotlaunch.agent.watchers.watcher import ABSENT_PAUSE_S, LONGEST_PAUSE_S, Ears, Pace, Question, Watcher
from tests.fakes.clouds.server import FakeCloud, Request, Response, route
from tests.fakes.machine import Machine, order, soon

NOWHERE = "http://127.0.0.1:1"


@dataclass
class Heard:
    notices: list[float | None] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    def _notice(self, deadline_at: float | None) -> None:
        self.at.append(time.monotonic())
        self.notices.append(deadline_at)

    @property
    def ears(self) -> Ears:
        return Ears(notice=self._notice, danger=self.words.append)


class Service(FakeCloud):
    """All three services on one port; ``says`` is what they say, by the path that we know it by."""

    name = "metadata"

    def __init__(self) -> None:
        super().__init__()
        self.says: dict[str, Any] = {PREEMPTED: "FALSE", MAINTENANCE: "NONE"}
        self.changed = threading.Condition()
        self.tags = True
        self.hangs = True
        self.token = "t-1"
        self.acknowledged: list[str] = []
        self.refusals = {"server-error": Response(status=500, body="oops")}  # type: ignore[misc]

    def say(self, path: str, what: Any) -> None:
        with self.changed:
            self.says[path] = what
            self.changed.notify_all()

    @route("PUT", "/latest/api/token")
    def give_token(self, request: Request) -> Response:
        assert "X-aws-ec2-metadata-token-ttl-seconds" in request.headers
        return Response(body=self.token)

    @route("GET", "/latest/meta-data/.*")
    def aws(self, request: Request) -> Response:
        if request.headers.get("X-aws-ec2-metadata-token") != self.token:
            return Response(status=401)
        said = self.says.get(request.path)
        return Response(status=404) if said is None else Response(body=said)

    @route("GET", "/computeMetadata/v1/.*")
    def google(self, request: Request) -> Response:
        if request.headers.get("Metadata-Flavor") != "Google":
            return Response(status=403)
        if self.hangs and request.query.get("wait_for_change") == "true":
            known = request.query.get("last_etag", self._tag(request.path))
            with self.changed:
                until_s = float(request.query.get("timeout_sec", "60"))
                self.changed.wait_for(lambda: self._tag(request.path) != known, timeout=until_s)
        headers = {"ETag": self._tag(request.path)} if self.tags else {}
        return Response(body=self.says[request.path], headers=headers)

    def _tag(self, path: str) -> str:
        return str(abs(hash(self.says[path])))

    @route("GET", "/metadata/scheduledevents")
    def events(self, request: Request) -> Response:
        if request.headers.get("Metadata") != "true":
            return Response(status=400)
        return Response(body=self.says.get("events", {"DocumentIncarnation": 1, "Events": []}))

    @route("POST", "/metadata/scheduledevents")
    def start_requests(self, request: Request) -> Response:
        self.acknowledged += [wish["EventId"] for wish in request.json["StartRequests"]]
        return Response()

    @route("GET", "/metadata/instance/compute/name")
    def vm_name(self, request: Request) -> Response:
        said = self.says.get("name")
        return Response(status=404) if said is None else Response(body=said)


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    with found.serving():
        yield found


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def running() -> Iterator[Callable[[Watcher], Watcher]]:
    """Starts a watcher, and stops it at the end."""
    started: list[Watcher] = []

    def run(watcher: Watcher) -> Watcher:
        watcher.start()
        started.append(watcher)
        return watcher

    yield run
    for watcher in started:
        watcher.stop()


def event(kind: str = "Preempt", name: str = "vm-1", **more: Any) -> dict[str, Any]:
    usual = {
        "EventId": f"e-{kind}",
        "EventType": kind,
        "Resources": [name],
        "EventStatus": "Scheduled",
        "NotBefore": "",
    }
    return {"DocumentIncarnation": 2, "Events": [{**usual, **more}]}


# -- EC2 -------------------------------------------------------------------------------------------


def test_an_interruption_is_a_notice_with_its_time(service: Service, heard: Heard) -> None:
    watcher = Imds(heard.ears, base=service.url)
    assert watcher.turn() == 1.0
    assert heard.notices == []
    service.say(ACTION, json.dumps({"action": "terminate", "time": "2026-09-18T08:22:00Z"}))
    watcher.turn()
    assert heard.notices == [1789719720.0]
    assert len(service.called("api/token")) == 1, "one token serves for hours"


def test_a_rebalance_recommendation_is_told_once_and_is_no_notice(service: Service, heard: Heard) -> None:
    watcher = Imds(heard.ears, base=service.url)
    service.say(REBALANCE, json.dumps({"noticeTime": "2026-09-18T08:22:00Z"}))
    for _ in range(3):
        watcher.turn()
    assert len(heard.words) == 1
    assert heard.notices == []


def test_a_token_that_is_over_is_renewed(service: Service, heard: Heard) -> None:
    watcher = Imds(heard.ears, base=service.url)
    watcher.turn()
    service.token = "t-2"
    service.say(ACTION, json.dumps({"action": "stop", "time": "soon"}))
    watcher.turn()
    assert heard.notices == [None], "without a time that can be read it is a notice all the same"


@pytest.mark.parametrize("said", ["{}", "[]", '"x"', '{"action": "dance"}', '{"action": ["terminate"]}', "7"])
def test_what_is_no_interruption_is_no_notice(said: str, service: Service, heard: Heard) -> None:
    service.say(ACTION, said)
    Imds(heard.ears, base=service.url).turn()
    assert heard.notices == []


def test_times_of_ec2_are_utc() -> None:
    assert moment("1970-01-01T00:01:00Z") == 60.0
    assert moment(None) is None
    assert moment("tomorrow") is None


# -- Google ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tags", [True, False])
def test_a_preemption_is_heard_while_the_request_hangs(
    tags: bool, service: Service, heard: Heard, running: Callable[[Watcher], Watcher]
) -> None:
    service.tags = tags
    running(Gce(heard.ears, base=service.url, notice_s=30.0, now=lambda: 1000.0))
    soon(lambda: any("wait_for_change" in c.query for c in service.called("preempted")), "the hanging request")
    time.sleep(0.5)
    before = len(service.called("preempted"))
    assert before < 8, "it hangs, and does not ask again and again"
    began_at = time.monotonic()
    service.say(PREEMPTED, "TRUE")
    soon(lambda: heard.notices, "the notice")
    assert heard.notices[0] == 1030.0
    assert heard.at[0] - began_at < 0.3


def test_maintenance_that_ends_the_machine_is_a_notice_and_one_that_moves_it_is_none(
    service: Service, heard: Heard, running: Callable[[Watcher], Watcher]
) -> None:
    service.says[MAINTENANCE] = "MIGRATE_ON_HOST_MAINTENANCE"
    running(Gce(heard.ears, base=service.url, notice_s=30.0, now=lambda: 1000.0))
    soon(lambda: len(service.called("maintenance")) > 1, "two questions")
    assert heard.notices == []
    service.say(MAINTENANCE, "TERMINATE_ON_HOST_MAINTENANCE")
    soon(lambda: heard.notices, "the notice")
    assert heard.notices == [1060.0]
    assert len(heard.words) == 1


def test_a_server_that_does_not_hang_is_asked_once_a_second(
    service: Service, heard: Heard, running: Callable[[Watcher], Watcher]
) -> None:
    service.hangs = False
    running(Gce(heard.ears, base=service.url, notice_s=30.0))
    time.sleep(2.5)
    assert len(service.called("preempted")) <= 5
    service.say(PREEMPTED, "TRUE")
    soon(lambda: heard.notices, "the notice", within_s=5.0)


def test_a_preemption_that_was_missed_while_the_server_was_away_is_heard(service: Service, heard: Heard) -> None:
    service.tags = False
    watcher = Gce(heard.ears, base=service.url, notice_s=120.0, now=lambda: 1000.0)
    turn = watcher._preempted.turn
    turn()
    fault = service.fail("server-error", path="preempted")
    service.says[PREEMPTED] = "TRUE"
    assert turn() > 0
    fault.times = 0
    began_at = time.monotonic()
    turn()
    assert heard.notices == [1120.0]
    assert time.monotonic() - began_at < 2.0, "asked for as it is, not for its next change"


# -- Azure -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Preempt", "Terminate", "Reboot", "Redeploy"])
def test_an_event_that_ends_the_job_here_is_a_notice_once(kind: str, service: Service, heard: Heard) -> None:
    watcher = ScheduledEvents(heard.ears, base=service.url)
    assert watcher.turn() == 1.0
    service.say("events", event(kind, NotBefore=formatdate(5000, usegmt=True)))
    for _ in range(3):
        watcher.turn()
    assert heard.notices == [5000.0]


def test_events_of_others_and_short_pauses_are_none(service: Service, heard: Heard) -> None:
    watcher = ScheduledEvents(heard.ears, base=service.url)
    service.say("name", "vm-1")
    for said in (event(name="vm-2"), event("Freeze"), {"Events": None}, {"Events": [7, {}]}, [], "x", {}):
        service.say("events", said if not isinstance(said, str) else json.dumps(said))
        watcher.turn()
    assert heard.notices == []
    service.say("events", event(name="vm-1"))
    watcher.turn()
    assert heard.notices == [None], "it has begun: nobody knows how much time is left"


@pytest.mark.parametrize("name", ["VM-1", "{}", "<html>a page</html>", ""])
def test_an_event_of_this_machine_is_heard_however_its_name_is_told(name: str, service: Service, heard: Heard) -> None:
    watcher = ScheduledEvents(heard.ears, base=service.url)
    service.say("name", name)
    service.say("events", event(name="vm-1"))
    watcher.turn()
    assert heard.notices == [None]


def test_an_event_that_is_scheduled_later_tells_its_time_then_and_its_start_is_no_news(
    service: Service, heard: Heard
) -> None:
    watcher = ScheduledEvents(heard.ears, base=service.url)
    for not_before, status in (("", "Scheduled"), (formatdate(5000, usegmt=True), "Scheduled"), ("", "Started")):
        service.say("events", event(NotBefore=not_before, EventStatus=status))
        watcher.turn()
    assert heard.notices == [None, 5000.0]


def test_an_event_is_acknowledged_only_when_we_say_so(service: Service, heard: Heard) -> None:
    watcher = ScheduledEvents(heard.ears, base=service.url)
    watcher.acknowledge()
    service.say("events", event())
    watcher.turn()
    assert service.acknowledged == []
    watcher.acknowledge()
    assert service.acknowledged == ["e-Preempt"]


def test_times_of_azure_are_read() -> None:
    assert scheduled_events.moment("Mon, 19 Sep 2016 18:29:47 GMT") == 1474309787.0
    for text in ("", None, 7, "Mon"):
        assert scheduled_events.moment(text) is None


# -- whatever a service does -----------------------------------------------------------------------


def every_watcher(heard: Heard, base: str) -> list[Watcher]:
    return [
        Imds(heard.ears, base=base, look_s=0.0),
        Gce(heard.ears, base=base, notice_s=30.0, look_s=0.0),
        ScheduledEvents(heard.ears, base=base, look_s=0.0),
    ]


@pytest.mark.parametrize("fault", ["server-error", "bad-gateway", "drop", "truncated", "malformed"])
def test_a_service_in_trouble_is_no_notice_no_crash_and_no_hot_loop(
    fault: str, service: Service, heard: Heard, running: Callable[[Watcher], Watcher]
) -> None:
    service.fail(fault)
    for watcher in every_watcher(heard, service.url):
        running(watcher)
    time.sleep(1.5)
    assert heard.notices == []
    assert len(service.calls) < 60
    service.heal()
    service.say(PREEMPTED, "TRUE")
    service.say(ACTION, json.dumps({"action": "terminate", "time": "2026-09-18T08:22:00Z"}))
    service.say("events", event())
    soon(lambda: len(heard.notices) >= 3, "three notices", within_s=25.0)


def test_an_absent_service_is_asked_ever_more_seldom(heard: Heard) -> None:
    for watcher in every_watcher(heard, NOWHERE):
        for question in watcher.questions():
            pauses = [question._turn() for _ in range(12)]
            assert pauses == sorted(pauses)
            assert pauses[0] < 1.0
            assert pauses[-1] == ABSENT_PAUSE_S
    assert heard.notices == []


def test_a_service_that_has_answered_once_is_asked_again_soon() -> None:
    pace = Pace()
    pace.after_answer()
    assert max(pace.after_failure() for _ in range(20)) == LONGEST_PAUSE_S


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_a_service_that_refuses_from_the_beginning_is_there_and_asked_again_soon(
    status: int, service: Service, heard: Heard
) -> None:
    service.refusals = {"server-error": Response(status=status)}  # type: ignore[misc]
    service.fail("server-error")
    for watcher in every_watcher(heard, service.url):
        for question in watcher.questions():
            assert max(question._turn() for _ in range(12)) <= LONGEST_PAUSE_S


def test_a_slow_service_is_waited_for(service: Service, heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imds, "TIMEOUT_S", imds.TIMEOUT_S / 10)
    service.fail("latency", seconds=4.0 / 10)
    service.say(ACTION, json.dumps({"action": "terminate", "time": "2026-09-18T08:22:00Z"}))
    Imds(heard.ears, base=service.url).turn()
    assert heard.notices == [1789719720.0]


def test_an_address_that_is_none_is_no_answer() -> None:
    for base in ("", "http://", "http://[", "http://x:port", "nonsense", NOWHERE):
        assert ask(base, "/x", headers={}, timeout_s=0.2) == Answer()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    said=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(
                st.sampled_from(["Events", "EventId", "EventType", "NotBefore", "Resources", "action", "time"]), x
            )
        ),
    )
)
def test_no_answer_of_any_shape_ends_a_watcher(said: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in (json.dumps(said).encode(), repr(said).encode()):
        for module in (gce, imds, scheduled_events):
            monkeypatch.setattr(module, "ask", lambda *a, body=body, **k: Answer(status=200, body=body))
        for watcher in every_watcher(Heard(), NOWHERE):
            for question in watcher.questions():
                stop = threading.Event()

                def once(turn: Callable[[], float] = question._turn, stop: threading.Event = stop) -> float:
                    stop.set()
                    return turn()

                Question(once, "the test").work(stop)


def test_the_metadata_service_is_never_asked_through_a_proxy(
    service: Service, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, NOWHERE)
    service.say("events", event())
    ScheduledEvents(heard.ears, base=service.url).turn()
    assert len(heard.notices) == 1


def test_the_source_chooses_the_watcher(tmp_path: Path, heard: Heard) -> None:
    def chosen(source: str) -> Watcher | None:
        told = Settings(
            store_url="", store_endpoint="", store_region="", job="j", attempt=1, scratch=tmp_path, notice_source=source
        )
        return watcher_for(told, heard.ears, {"SPOTLAUNCH_METADATA_AWS": "http://here"})

    imds = chosen("imds")
    assert isinstance(imds, Imds)
    assert imds._base == "http://here"
    assert isinstance(chosen("gce"), Gce)
    assert isinstance(chosen("scheduled-events"), ScheduledEvents)
    assert chosen("") is None
    assert chosen("of tomorrow") is None


# -- the whole agent -------------------------------------------------------------------------------


@pytest.mark.e2e
def test_a_notice_reaches_the_mailbox_at_once_and_is_acknowledged_after_the_last_checkpoint(
    service: Service, tmp_path: Path, store_url: str
) -> None:
    env = {"SPOTLAUNCH_NOTICE_SOURCE": "scheduled-events", "SPOTLAUNCH_METADATA_AZURE": service.url}
    with Machine(tmp_path, store_url, order(env={"STEPS": "100000"}, report_every_s=5.0), env=env) as m:
        soon(lambda: m.status is not None and m.status.phase == "running" and m.head().step > 0, "running")
        deadline = time.time() + 30
        service.say("events", event(NotBefore=formatdate(deadline, usegmt=True)))
        told = time.monotonic()
        status = m.when(lambda s: s.notice_at is not None, "the notice in the mailbox")
        assert time.monotonic() - told < 3.0, "asked once a second, and a busy computer"
        assert abs((status.notice_deadline_at or 0) - deadline) < 2
        assert service.acknowledged == [] or m.status.phase == "left"  # type: ignore[union-attr]
        last = m.left()
        assert last.left_why == "notice"
        assert m.head().step == last.step
        assert service.acknowledged == ["e-Preempt"]


@pytest.mark.e2e
def test_a_preemption_that_is_told_is_in_the_mailbox_within_a_moment(
    service: Service, tmp_path: Path, store_url: str
) -> None:
    env = {
        "SPOTLAUNCH_NOTICE_SOURCE": "gce",
        "SPOTLAUNCH_METADATA_GCP": service.url,
        "SPOTLAUNCH_NOTICE_S": "120",
    }
    with Machine(tmp_path, store_url, order(env={"STEPS": "100000"}, report_every_s=5.0), env=env) as m:
        m.phase("running")
        soon(lambda: any("wait_for_change" in c.query for c in service.called("preempted")), "the hanging request")
        told = time.time()
        service.say(PREEMPTED, "TRUE")
        status = m.when(lambda s: s.notice_at is not None, "the notice in the mailbox")
        assert status.notice_at is not None
        assert status.notice_at - told < 1.0, "a tenth of a second where nothing else runs"
        assert abs((status.notice_deadline_at or 0) - told - 120) < 2
        assert m.left().left_why == "notice"


@pytest.mark.e2e
def test_a_machine_in_danger_stores_a_checkpoint_and_goes_on(service: Service, tmp_path: Path, store_url: str) -> None:
    env = {"SPOTLAUNCH_NOTICE_SOURCE": "imds", "SPOTLAUNCH_METADATA_AWS": service.url}
    doc = order(env={"STEPS": "100000"}, checkpoint_every_s=1000.0)
    with Machine(tmp_path, store_url, doc, env=env) as m:
        m.when(lambda s: s.commits == 1, "the first checkpoint")
        service.say(REBALANCE, json.dumps({"noticeTime": "2026-09-18T08:22:00Z"}))
        status = m.when(lambda s: s.commits > 1, "another, long before its time")
        assert [n["text"] for n in status.notes if n["kind"] == "danger"]
        assert status.phase == "running"
        m.ask("leave")
        m.left()
