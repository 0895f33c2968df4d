"""Orders and offers for the tests of launching."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from spotlaunch.core.facts import Offer, Order, Pool, Refused
from spotlaunch_providers.runpod.adapter import RunpodProvider
from spotlaunch_providers.runpod.offers import instance_type
from tests.fakes.clouds.runpod import FakeRunpod

SECRET = "hush-5b1c9e"
SCRIPT = "#!/bin/sh\necho started with start-key-77aa\n"
L40S = "NVIDIA L40S"


def stock(cloud: FakeRunpod) -> None:
    """Machines of each type that is sold, in three data centers and in the community."""
    for gpu in cloud.gpus:
        gpu.free = {"SECURE": dict.fromkeys(("US-KS-2", "US-CA-2", "EU-RO-1"), 16), "COMMUNITY": {"": 16}}


def an_offer(gpu_id: str = L40S, *, count: int = 1, region: str = "US-KS-2", price: str = "", **more: Any) -> Offer:
    """An offer as the catalog of the fake has it; ``price`` of the whole machine."""
    cloud = "COMMUNITY" if region == "community" else "SECURE"
    gpu = more.pop("gpu", "L40S")
    usd = Decimal(price or ("0.79" if cloud == "COMMUNITY" else "0.86")) * (1 if price else count)
    market = more.pop("market", "on-demand")
    pool = Pool(provider="runpod", region=region, zone="", instance_type=instance_type(gpu_id, count), market=market)
    extra = {"gpu_id": gpu_id, "cloud": cloud, "count": str(count)}
    return Offer(pool=pool, gpu=gpu, gpu_count=count, price_usd_hour=usd, seen_at=0.0, extra=extra, **more)


def an_order(*offers: Offer, key: str = "sl-o-job-1-0", **more: Any) -> Order:
    order = Order(
        launch_key=key,
        job="job",
        attempt=1,
        alternatives=offers or (an_offer(),),
        script=SCRIPT,
        agent_env={"SPOTLAUNCH_JOB": "job"},
        secret_env={"TOKEN": SECRET},
    )
    return replace(order, **more)


def names(refused: tuple[Refused, ...]) -> list[tuple[str, str]]:
    return [(r.error, str(r.scope)) for r in refused]


def listed(provider: RunpodProvider) -> list[str]:
    return [m.launch_key for m in provider.list_machines()]
