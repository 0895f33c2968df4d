from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from spotlaunch.core.settings import Settings
from spotlaunch.errors import (
    InvalidOrder,
    NoCapacity,
    NotAuthorized,
    OutcomeUnknown,
    PriceTooLow,
    QuotaExceeded,
    Throttled,
    Transient,
)
from spotlaunch_providers import runpod
from spotlaunch_providers.runpod import figures
from spotlaunch_providers.runpod.adapter import RunpodProvider
from spotlaunch_providers.runpod.asking import Asking
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.runpod_rules import problem
from tests.providers.runpod.conftest import KEY, Connect, settings
from tests.providers.runpod.ordering import SCRIPT, SECRET, an_offer, an_order, listed, names, stock


@pytest.fixture(autouse=True)
def plenty(cloud: FakeRunpod) -> None:
    stock(cloud)


@pytest.fixture
def provider(connect: Connect) -> RunpodProvider:
    return connect()


def sent(cloud: FakeRunpod) -> list[dict[str, Any]]:
    return [c.json for c in cloud.calls if c.method == "POST" and c.path == "/v2/pods"]


# -- what is asked for -------------------------------------------------------------------------------------


def test_a_pod_bears_the_key_as_its_name_and_runs_the_script_in_the_place_of_the_images_command(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    offer = an_offer(count=2, vcpus=9, memory_gb=65)
    launched = provider.launch(an_order(offer, disk_gb=33.2))
    (body,) = sent(cloud)
    assert set(body.pop("env")) == {"SPOTLAUNCH_END"}
    assert body == {
        "name": "sl-o-job-1-0",
        "image": figures.IMAGE,
        "cloud": "SECURE",
        "gpu": {
            "id": "NVIDIA L40S",
            "count": 2,
            "minCudaVersion": "12.8",
            "minRamPerGpu": 33,
            "minVcpuCountPerGpu": 5,
        },
        "disk": 34,
        "dataCenterIds": ["US-KS-2"],
        "entrypoint": ["/bin/sh", "-c"],
        "cmd": [SCRIPT],
    }
    assert launched.offer is offer and launched.instance_id in cloud.pods


def test_the_community_has_no_data_centers_to_choose(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    launched = provider.launch(an_order(an_offer(region="community")))
    (body,) = sent(cloud)
    assert body["cloud"] == "COMMUNITY" and "dataCenterIds" not in body
    assert launched.offer.pool.region == provider.list_machines()[0].pool.region == "community"


def test_the_secure_cloud_as_a_whole_gives_a_data_center_which_the_answer_tells(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    launched = provider.launch(an_order(an_offer(region="secure")))
    assert "dataCenterIds" not in sent(cloud)[0]
    assert launched.offer.pool.region == provider.list_machines()[0].pool.region == "US-KS-2"


@pytest.mark.parametrize(
    ("image", "cuda"),
    [
        ("pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", "12.4"),
        ("runpod/pytorch:1.0.2-cu1281-torch280-ubuntu2404", "12.8"),
        ("nvidia/cuda:13.0.1-runtime-ubuntu24.04", "13.0"),
        ("registry.example:5000/cuda11.8/me", "12.8"),  # not of the image's own name
        ("me/focus:118", "12.8"),
        ("me/mine:cu118", "11.8"),
        ("", "12.8"),
    ],
)
def test_a_hosts_driver_is_as_new_as_the_image_needs(
    provider: RunpodProvider, cloud: FakeRunpod, image: str, cuda: str
) -> None:
    provider.launch(an_order(image=image))
    assert sent(cloud)[0]["gpu"]["minCudaVersion"] == cuda
    assert sent(cloud)[0]["image"] == (image or figures.IMAGE)


def test_gpus_without_cuda_are_not_asked_for_it(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    provider.launch(an_order(an_offer("AMD Instinct MI300X OAM", gpu="MI300X", price="2.49")))
    assert "minCudaVersion" not in sent(cloud)[0]["gpu"]


def test_image_cuda_and_registry_may_be_set(cloud: FakeRunpod, tmp_path: Any) -> None:
    given = settings(cloud, key=KEY)
    given = replace(given, values={**given.values, "image": "me/mine:v1", "cuda": "12.1", "registry": "cr_1"})
    provider = runpod.connect(owner="o", folder=tmp_path, settings=given)
    assert provider.traits.container_image == "me/mine:v1"
    provider.launch(an_order())
    provider.launch(an_order(image="other/image:v2"))
    assert [(b["image"], b["gpu"]["minCudaVersion"], b["registry"]) for b in sent(cloud)] == [
        ("me/mine:v1", "12.1", "cr_1"),
        ("other/image:v2", "12.1", "cr_1"),
    ]


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (5, 20), (20, 20), (20.5, 21), (400, 400)])
def test_a_disk_is_always_asked_for_and_never_a_tiny_one(
    provider: RunpodProvider, cloud: FakeRunpod, asked: float, given: int
) -> None:
    provider.launch(an_order(disk_gb=asked))
    assert sent(cloud)[0]["disk"] == given


def test_a_shell_is_there_for_the_key_of_the_order_only(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    provider.launch(an_order())
    provider.launch(an_order(key="sl-o-job-2-0", ssh_key="ssh-ed25519 AAAAC3 job"))
    without, given = sent(cloud)
    assert "ports" not in without and "PUBLIC_KEY" not in without["env"] and without["cmd"] == [SCRIPT]
    assert given["ports"] == ["22/tcp"] and given["env"]["PUBLIC_KEY"] == "ssh-ed25519 AAAAC3 job"
    assert "sshd" in given["cmd"][0] and given["cmd"][0].endswith(SCRIPT)
    assert "startSsh" not in given, "the keys of the account have no business there"


def test_nothing_secret_is_sent(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    provider.launch(an_order())
    (call,) = cloud.called("/v2/pods")
    assert SECRET.encode() not in call.body and KEY.encode() not in call.body
    assert b"SPOTLAUNCH_JOB" not in call.body


def test_an_api_without_commands_gets_them_as_arguments(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.takes_commands = False
    launched = provider.launch(an_order())
    first, second = sent(cloud)
    assert "cmd" in first and "cmd" not in second and "entrypoint" not in second
    assert cloud.fleet.machines[launched.instance_id].script == SCRIPT
    assert launched.refused == () and len(cloud.fleet.up()) == 1


# -- what is not even asked for ----------------------------------------------------------------------------


def test_nothing_above_the_cap_is_asked_for(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    order = an_order(price_cap_usd_hour=Decimal("0.85"))
    with pytest.raises(PriceTooLow, match=r"costs \$0.86 an hour, more than the cap of \$0.85"):
        provider.launch(order)
    assert sent(cloud) == []
    cheaper = an_order(an_offer(), an_offer(region="community"), price_cap_usd_hour=Decimal("0.85"))
    launched = provider.launch(cheaper)
    assert launched.offer.pool.region == "community" and names(launched.refused)[0][0] == "PriceTooLow"


def test_spot_is_refused_as_a_market_and_asked_for_once(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    launched = provider.launch(an_order(an_offer(market="spot"), an_offer(market="spot", region="EU-RO-1"), an_offer()))
    assert names(launched.refused) == [("InvalidOrder", "runpod:spot")]
    assert len(sent(cloud)) == 1


@pytest.mark.parametrize("extra", [{}, {"gpu_id": "NVIDIA L4", "cloud": "SECURE", "count": "1"}, {"count": "x"}])
def test_a_type_that_is_not_what_the_offer_was_made_of_is_invalid(
    provider: RunpodProvider, cloud: FakeRunpod, extra: dict[str, str]
) -> None:
    with pytest.raises(InvalidOrder, match="no machine type 1x-NVIDIA-L40S"):
        provider.launch(an_order(replace(an_offer(), extra=extra)))
    assert sent(cloud) == []


def test_an_order_without_alternatives_is_invalid(provider: RunpodProvider) -> None:
    with pytest.raises(InvalidOrder):
        provider.launch(replace(an_order(), alternatives=()))


# -- what came of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", ["500", "500-capacity", "500-spot", "502", "503", "409", "not-json", "no-id"])
def test_after_an_answer_that_settles_nothing_no_other_alternative_is_tried(
    provider: RunpodProvider, cloud: FakeRunpod, failure: str
) -> None:
    cloud.fail_launch("capacity")
    cloud.fail_launch(f"{failure}-made")
    with pytest.raises(OutcomeUnknown) as caught:
        provider.launch(an_order(an_offer(), an_offer(region="EU-RO-1"), an_offer(region="community")))
    assert len(sent(cloud)) == 2
    assert names(caught.value.refused) == [("NoCapacity", "runpod:US-KS-2/1x-NVIDIA-L40S/on-demand")]
    assert listed(provider) == ["sl-o-job-1-0"], "what was made all the same is found by its key"


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1)])
def test_a_lost_answer_is_neither_success_nor_failure(
    provider: RunpodProvider, cloud: FakeRunpod, before: int, after: int
) -> None:
    cloud.lose_answers(before=before, after=after)
    with pytest.raises(OutcomeUnknown):
        provider.launch(an_order(an_offer(), an_offer(region="EU-RO-1")))
    assert len(sent(cloud)) == 1
    assert len(listed(provider)) == after


def test_a_create_that_hangs_is_given_up_at_the_deadline(connect: Connect, cloud: FakeRunpod) -> None:
    cloud.fail("hang", path="/v2/pods")
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="in time"):
        connect(launch_s=0.5).launch(an_order(an_offer(), an_offer(region="EU-RO-1")))
    assert time.monotonic() - began < 3 and len(sent(cloud)) == 1


def test_a_call_that_never_left_has_made_nothing() -> None:
    nobody = Settings(provider="runpod", values={"endpoint": "http://127.0.0.1:9"}, secrets={"api_key": KEY})
    with pytest.raises(Transient, match="Connection refused") as caught:
        RunpodProvider(Asking.of(nobody), owner="o").launch(an_order(an_offer(), an_offer(region="EU-RO-1")))
    assert names(caught.value.refused) == [("Transient", "runpod")]


def test_no_create_is_begun_too_late_to_hear_of_its_end(connect: Connect, cloud: FakeRunpod) -> None:
    cloud.fail("latency", seconds=0.9)
    cloud.fail_launch("capacity", times=3)
    with pytest.raises(NoCapacity):
        connect(launch_s=1.0).launch(an_order(an_offer(), an_offer(region="EU-RO-1")))
    assert len(sent(cloud)) == 1


def test_a_key_that_may_not_create_is_told_after_two_tries_and_blames_no_pool(
    provider: RunpodProvider, cloud: FakeRunpod
) -> None:
    cloud.fail_launch("403", times=3)
    alternatives = [an_offer(region=r) for r in ("US-KS-2", "EU-RO-1", "US-CA-2")]
    with pytest.raises(NotAuthorized, match="the API key may not do this") as caught:
        provider.launch(an_order(*alternatives))
    assert len(sent(cloud)) == 2
    assert names(caught.value.refused) == [("NotAuthorized", "runpod")]
    assert "read and write" in caught.value.hint


@pytest.mark.parametrize("other", ["capacity", ""])
def test_a_pool_that_is_forbidden_to_a_good_key_is_a_quota(
    provider: RunpodProvider, cloud: FakeRunpod, other: str
) -> None:
    cloud.fail_launch("403")
    pool = "runpod:US-KS-2/1x-NVIDIA-L40S/on-demand"
    order = an_order(an_offer(), an_offer(region="EU-RO-1"))
    if other:
        cloud.fail_launch(other)
        with pytest.raises(NoCapacity) as caught:
            provider.launch(order)
        assert names(caught.value.refused)[0] == ("QuotaExceeded", pool)
    else:
        assert names(provider.launch(order).refused) == [(QuotaExceeded.__name__, pool)]


def test_throttling_says_how_long_and_ends_the_call(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.fail_launch("429")
    with pytest.raises(Throttled) as caught:
        provider.launch(an_order(an_offer(), an_offer(region="EU-RO-1")))
    assert len(sent(cloud)) == 1
    (refused,) = caught.value.refused
    assert (refused.retry_after_s, str(refused.scope)) == (12, "runpod")


@pytest.mark.parametrize(
    ("gives", "words"),
    [
        ({"count": 1}, "gave 1 x NVIDIA L40S in EU-RO-1 instead"),
        ({"id": "NVIDIA L4"}, "2 x NVIDIA L4 in EU-RO-1 instead"),
        ({"gpu": None, "cpu": {"id": "cpu5c"}}, "no GPU in EU-RO-1 instead"),
        ({"cloud": "COMMUNITY"}, "2 x NVIDIA L40S in community instead"),
        ({"dataCenterId": "US-CA-2"}, "2 x NVIDIA L40S in US-CA-2 instead"),
    ],
)
def test_a_pod_that_is_another_than_was_ordered_is_ended_and_the_next_is_tried(
    provider: RunpodProvider, cloud: FakeRunpod, gives: dict[str, Any], words: str
) -> None:
    cloud.gives = gives
    with pytest.raises(NoCapacity, match=words) as caught:
        provider.launch(an_order(an_offer(count=2), an_offer(count=2, region="EU-RO-1")))
    assert len(sent(cloud)) == 2 == len(caught.value.refused)
    assert cloud.fleet.left() == []


@pytest.mark.parametrize("cap", [None, "5"])
def test_a_pod_that_bills_more_than_its_offer_is_ended(
    provider: RunpodProvider, cloud: FakeRunpod, cap: str | None
) -> None:
    cloud.charges = 1.2
    with pytest.raises(PriceTooLow, match=r"was offered at \$0.86 an hour and bills \$1.03"):
        provider.launch(an_order(price_cap_usd_hour=Decimal(cap) if cap else None))
    assert cloud.fleet.left() == []


def test_a_little_dearer_is_still_no_more_than_the_cap(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.charges = 1.03
    assert provider.launch(an_order()).offer.price_usd_hour == Decimal("0.8858")
    with pytest.raises(PriceTooLow):
        provider.launch(an_order(price_cap_usd_hour=Decimal("0.87"), launch_key="sl-o-job-2-0"))
    assert [m.key for m in cloud.fleet.up()] == ["sl-o-job-1-0"]


@pytest.mark.parametrize("cost", [None, 0, 0.0, "much"])
def test_what_the_answer_does_not_tell_yet_is_taken_as_ordered(
    provider: RunpodProvider, cloud: FakeRunpod, monkeypatch: pytest.MonkeyPatch, cost: object
) -> None:
    sparse = {"dataCenterId": None, "cost": cost, "runtime": None}
    monkeypatch.setattr(
        cloud, "row", lambda p: {k: v for k, v in (FakeRunpod.row(cloud, p) | sparse).items() if k != "gpu"}
    )
    offer = an_offer()
    assert provider.launch(an_order(offer)).offer is offer


def test_the_secure_cloud_as_a_whole_is_not_the_community(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.gives = {"cloud": "COMMUNITY"}
    with pytest.raises(NoCapacity, match="in community instead"):
        provider.launch(an_order(an_offer(region="secure")))
    assert cloud.fleet.left() == []


def test_a_count_of_one_may_be_left_out(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.gives = {"gpu": {"id": "NVIDIA L40S", "vcpuCount": 8, "memory": 32}}
    launched = provider.launch(an_order())
    (seen,) = provider.list_machines()
    assert seen.pool == launched.offer.pool == an_offer().pool and seen.phase != "stopped"
    with pytest.raises(NoCapacity):
        provider.launch(an_order(an_offer(count=2)))


def test_a_discount_is_the_price_that_is_kept(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.charges = 0.5
    assert provider.launch(an_order()).offer.price_usd_hour == Decimal("0.43")


def test_a_wrong_pod_that_cannot_be_ended_is_left_to_the_sweep(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    cloud.charges = 2.0
    cloud.fail("server-error", path="/v2/pods/")
    with pytest.raises(PriceTooLow):
        provider.launch(an_order())
    cloud.heal()
    assert listed(provider) == ["sl-o-job-1-0"]


def test_a_launch_key_is_a_name_and_no_token(provider: RunpodProvider, cloud: FakeRunpod) -> None:
    assert not provider.traits.idempotent_launch
    provider.launch(an_order())
    provider.launch(an_order())
    assert listed(provider) == ["sl-o-job-1-0"] * 2


def test_what_runpod_says_is_told_without_the_key(
    provider: RunpodProvider, cloud: FakeRunpod, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = problem(400, f"no go for {KEY} of me@example.com")
    monkeypatch.setattr(cloud, "_route", lambda r: said)
    with pytest.raises(InvalidOrder) as caught:
        provider.launch(an_order())
    told = f"{caught.value!r} {caught.value.message} {caught.value.refused}"
    assert "no go for" in told and KEY not in told and "me@example.com" not in told
    assert "start-key" not in repr(an_order())
