"""Each fault of each cloud at the time of a launch: what passes fails no job, what cannot pass fails it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from spotlaunch_providers.aws import access
from spotlaunch_providers.shared.deadline import Deadline
from tests.contract.watched_cloud import CREATE, Watched, watched
from tests.fakes.clouds.all import FAKES
from tests.fakes.clouds.server import FAULTS

# What a person must mend. The first two are bad logins; a request of AWS is signed with the time.
FINAL = {("expired-token", name) for name in FAKES} | {("forbidden", name) for name in FAKES} | {("clock-skew", "aws")}
# Faults of a connection that stays open: each costs real time, until the adapter's own patience is over.
SLOW = ("hang", "drip")
OF_PAGES = ("endless-paging", "empty-pages")

# For so long a quota is left alone.
QUOTA_S = 6 * 3600.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with pytest.MonkeyPatch.context() as patch, watched(tmp_path_factory.mktemp("watched"), patch) as made:
        yield made


@pytest.fixture
def scene(world: Watched) -> Iterator[Callable[[str], Any]]:
    """Makes the world new for one cloud, and gives its fake."""
    used: list[str] = []

    def begin(cloud: str) -> Any:
        world.begin(cloud)
        used.append(cloud)
        return world.fakes[cloud]

    yield begin
    for cloud in used:
        _healed(world.fakes[cloud])
        if world.fakes[cloud].fleet.left():  # by a test that failed: nothing of the next one's
            world.begin(cloud)
            world.pass_time(900)


def _healed(fake: Any) -> None:
    fake.heal()
    fake.refill()
    fake.fleet.never_boot = False
    fake.list_lag_s = 0.0


# -- what passes ---------------------------------------------------------------------------------------------


def _passes(world: Watched, cloud: str, fault: Callable[[Any], object], *, bad_s: float = 40.0) -> None:
    """A job is submitted while there is a fault, which passes: one machine is up once all has settled; then none."""
    fake, name = world.fakes[cloud], world.submit(cloud)
    fault(fake)
    world.pass_time(bad_s)
    _healed(fake)
    _one_and_then_none(world, cloud, name)


def _one_and_then_none(world: Watched, cloud: str, name: str, *, past: int = 0) -> None:
    """The job has one machine once all has settled, of an attempt after ``past``; and none when it is cancelled."""
    fake, traits = world.fakes[cloud], world.providers[cloud].traits

    def has_one() -> bool:
        assert not world.store.job(name).over, world.story(name)
        return any(int(m.key.rsplit("-", 2)[1]) > past for m in world.up(name))

    if not world.pass_time(1800, until=has_one, step_s=300):
        world.clock.sleep(QUOTA_S)
        assert world.pass_time(7200, until=has_one, step_s=300), world.story(name)
    world.pass_time(traits.settle_s + traits.list_interval_s)
    assert len(world.up(name)) == 1, world.story(name)
    world.cancel(name)
    # Google's disks are looked for every ten minutes, and ended once it is sure that they are to have no machine.
    world.pass_time(1800, until=lambda: not fake.fleet.left(), step_s=60)
    assert fake.fleet.left() == [], world.story(name)
    assert world.store.job(name).state == "cancelled"


PASSING = [
    (cloud, fault, only)
    for cloud in FAKES
    for fault in FAULTS
    for only in ("all calls", "creates")
    if fault not in SLOW and (fault, cloud) not in FINAL and not (only == "creates" and fault in OF_PAGES)
]


@pytest.mark.parametrize(("cloud", "fault", "only"), PASSING)
def test_a_fault_that_passes_fails_no_job_and_costs_no_second_machine(
    world: Watched, scene: Any, cloud: str, fault: str, only: str
) -> None:
    scene(cloud)
    path = CREATE[cloud] if only == "creates" else ""
    seconds = {"latency": 0.02, "throttle-retry-after": 30.0}.get(fault, 3600.0)
    _passes(world, cloud, lambda fake: fake.fail(fault, path=path, seconds=seconds))


@pytest.mark.parametrize("cloud", FAKES)
@pytest.mark.parametrize("fault", SLOW)
def test_a_create_that_is_never_answered_is_found_in_the_listing(
    world: Watched, scene: Any, monkeypatch: pytest.MonkeyPatch, cloud: str, fault: str
) -> None:
    fake, name = scene(cloud), world.submit(cloud)
    begin = Deadline.__init__
    with monkeypatch.context() as patch:
        patch.setattr(Deadline, "__init__", lambda self, seconds, **more: begin(self, min(seconds, 1.0), **more))
        patch.setattr(access, "MAKE_S", 1.0)
        fake.fail(fault, path=CREATE[cloud], seconds=0.5)
        world.pass_time(10, until=lambda: bool(world.up(name)))
    _healed(fake)
    _one_and_then_none(world, cloud, name)


def many(fake: Any) -> Any:
    """So many launches: all."""
    return True if fake.name in ("aws", "gcp", "azure") else 9


def _late(fake: Any) -> None:
    """The answer is lost, and the listing does not show the machine for a while."""
    fake.lose_answers(after=many(fake))
    fake.list_lag_s = 45.0


ANYWHERE: dict[str, Callable[[Any], object]] = {
    "answers lost before the launch": lambda fake: fake.lose_answers(before=many(fake)),
    "answers lost after the launch": lambda fake: fake.lose_answers(after=many(fake)),
    "answers lost, and listings lag": _late,
    "spot is dry": lambda fake: fake.run_dry(market="spot"),
    "all is dry": lambda fake: fake.run_dry(),
}


@pytest.mark.parametrize("fault", ANYWHERE)
@pytest.mark.parametrize("cloud", FAKES)
def test_a_launch_that_meets_the_weather_of_clouds_leaves_one_machine(
    world: Watched, scene: Any, cloud: str, fault: str
) -> None:
    scene(cloud)
    _passes(world, cloud, ANYWHERE[fault])


def _fails(code: str, **how: Any) -> Callable[[Any], object]:
    how = how or {"times": 99}
    return lambda fake: fake.fail_launch(code, **how)


OWN: dict[str, list[tuple[str, Callable[[Any], object]]]] = {
    "aws": [
        ("500 that creates", lambda fake: fake.break_after_launch()),
        *((c, _fails(c)) for c in ("MaxSpotInstanceCountExceeded", "VcpuLimitExceeded", "VolumeLimitExceeded")),
        *((c, _fails(c)) for c in ("SpotMaxPriceTooLow", "Unsupported", "RequestLimitExceeded", "InternalError")),
        ("a code nobody knows", _fails("TotallyNew")),
    ],
    "gcp": [
        ("500 that creates", _fails("internalError", creates=True)),
        ("503 that creates", _fails("backendError", creates=True)),
        *((c, _fails(c)) for c in ("ZONE_RESOURCE_POOL_EXHAUSTED", "QUOTA_EXCEEDED", "quotaExceeded")),
        *((c, _fails(c)) for c in ("rateLimitExceeded", "backendError", "IP_SPACE_EXHAUSTED")),
        ("refused, and a disk is left", _fails("ZONE_RESOURCE_POOL_EXHAUSTED", leaves_disk=True)),
        ("a code nobody knows", _fails("TOTALLY_NEW")),
    ],
    "azure": [
        ("500 that creates", lambda fake: fake.lose_answers(after=True, how="500")),
        ("answers and lookups lost", lambda fake: fake.lose_answers(after=True, lookups=True)),
        ("fails while it is made", _fails("AllocationFailed", late=True, times=None)),
        *((c, _fails(c)) for c in ("LowPriorityCores", "Family Cores", "Total Regional Cores", "QuotaExceeded")),
        *((c, _fails(c)) for c in ("SpotPriceGreaterThanProvidedMaxPrice", "TooManyRequests", "Conflict")),
        *((c, _fails(c)) for c in ("InternalServerError", "ResourceGroupBeingDeleted")),
        ("breaks while it is made", _fails("InternalExecutionError", late=True, times=None)),
    ],
    "runpod": [
        *((f"{c} that creates", _fails(f"{c}-made")) for c in ("500", "502", "503", "not-json", "no-id", "409")),
        *((c, _fails(c)) for c in ("capacity", "no-free-gpus", "spend-limit", "429", "500", "500-capacity", "503")),
    ],
    "vast": [
        *((c, _fails(c)) for c in ("503_after_commit", "malformed_after_commit", "unknown_with_new_contract")),
        *((c, _fails(c)) for c in ("stopped_with_new_contract", "no_such_ask", "resources_unavailable")),
        *((c, _fails(c)) for c in ("invalid_price", "too frequent", "500", "503", "unknown")),
        *((c, _fails(c)) for c in ("no-contract", "malformed")),
    ],
}


@pytest.mark.parametrize(
    ("cloud", "what", "fault"), [pytest.param(c, w, f, id=f"{c}-{w}") for c, rows in OWN.items() for w, f in rows]
)
def test_a_launch_that_meets_a_clouds_own_faults_leaves_one_machine(
    world: Watched, scene: Any, cloud: str, what: str, fault: Callable[[Any], object]
) -> None:
    scene(cloud)
    _passes(world, cloud, fault)


# -- machines that do not last -------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["never boots", "vanishes", "is preempted", "is preempted while it is made"])
@pytest.mark.parametrize("cloud", FAKES)
def test_a_machine_that_does_not_last_is_replaced_by_one(world: Watched, scene: Any, cloud: str, way: str) -> None:
    fake, name = scene(cloud), world.submit(cloud)
    fake.fleet.never_boot = way == "never boots"
    if way == "is preempted while it is made" and cloud == "aws":
        fake.evicts_at_creation = "Server.SpotInstanceTermination"
    assert world.pass_time(300, until=lambda: bool(fake.fleet.machines)), world.story(name)
    first = max(fake.fleet.machines.values(), key=lambda m: m.billed_from)
    fake.evicts_at_creation = ""
    if way == "vanishes":
        world.pass_time(30)
        fake.vanish(first.id)
    elif way.startswith("is preempted") and first.alive:
        if way == "is preempted":
            world.pass_time(30)
        fake.preempt(first.id, notice_s=0.0)
    elif way == "never boots":
        world.pass_time(30)
        _healed(fake)
        world.clock.sleep(world.providers[cloud].traits.boot_timeout_s - 60)
    _one_and_then_none(world, cloud, name, past=1)


# -- what cannot pass ----------------------------------------------------------------------------------------


def _cannot_pass(world: Watched, cloud: str, fault: Callable[[Any], object]) -> None:
    fake, name = world.fakes[cloud], world.submit(cloud)
    fault(fake)
    world.pass_time(60, until=lambda: world.store.job(name).over)
    job = world.store.job(name)
    assert job.state == "failed", world.story(name)
    assert "(hint: " in job.reason, job.reason
    _healed(fake)
    world.pass_time(120)
    assert fake.fleet.left() == [], world.story(name)


@pytest.mark.parametrize("only", ["all calls", "creates"])
@pytest.mark.parametrize(("fault", "cloud"), sorted(FINAL))
def test_a_bad_login_fails_the_job_at_once(world: Watched, scene: Any, cloud: str, fault: str, only: str) -> None:
    scene(cloud)
    path = CREATE[cloud] if only == "creates" else ""
    _cannot_pass(world, cloud, lambda fake: fake.fail(fault, path=path, seconds=3600.0))


HOPELESS = {
    "aws": ("InvalidParameterValue", "InvalidAMIID.NotFound", "InvalidUserData.Malformed", "AuthFailure",
            "UnauthorizedOperation", "Blocked", "PendingVerification"),
    "gcp": ("invalid", "notFound", "forbidden", "billingNotEnabled", "SERVICE_DISABLED"),
    "azure": ("InvalidParameter", "PlatformImageNotFound", "AuthorizationFailed", "ReadOnlyDisabledSubscription",
              "MissingSubscriptionRegistration"),
    "runpod": ("401", "402", "403", "404", "422", "registry"),
    "vast": ("auth_error", "forbidden", "invalid_args", "insufficient_credit", "missing_billing", "spend_rate_limit"),
}  # fmt: skip


@pytest.mark.parametrize(("cloud", "code"), [(cloud, code) for cloud, codes in HOPELESS.items() for code in codes])
def test_what_every_launch_is_refused_for_until_a_person_acts_fails_the_job_at_once(
    world: Watched, scene: Any, cloud: str, code: str
) -> None:
    scene(cloud)
    _cannot_pass(world, cloud, _fails(code, times=999))
