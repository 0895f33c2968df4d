"""Answers in other forms than those that our fake gives: shorter ones, and in other letters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spotlaunch_providers.runpod import pods
from tests.fakes.clouds.runpod import FakeRunpod
from tests.fakes.clouds.server import Request
from tests.providers.runpod.conftest import Connect
from tests.providers.runpod.ordering import L40S, an_offer, an_order, listed, stock

POD = {"id": "7h9k2m4n6p", "name": "sl-o-job-1-0", "gpu": {"id": L40S, "count": 1}}


def test_a_listing_goes_on_while_there_is_a_cursor_though_nobody_says_that_there_is_more(
    cloud: FakeRunpod, connect: Connect
) -> None:
    stock(cloud)
    cloud.page_size = 2
    provider = connect()
    keys = [f"sl-o-job-{n}-0" for n in range(5)]
    for key in keys:
        provider.launch(an_order(key=key))
    plain = cloud.answer

    def answer(request: Request) -> Any:
        response, hits = plain(request)
        body: Any = response.body
        if isinstance(body, dict) and "pagination" in body:
            body = {**body, "pagination": {"nextCursor": body["pagination"]["nextCursor"]}}
        return replace(response, body=body), hits

    cloud.answer = answer  # type: ignore[method-assign]
    assert sorted(listed(provider)) == keys


@pytest.mark.parametrize("place", [{"cloud": "secure"}, {"dataCenterId": "us-ks-2"}])
def test_a_place_is_the_same_in_small_letters(place: dict[str, str]) -> None:
    assert not pods.differs({**POD, "cloud": "SECURE", "dataCenterId": "US-KS-2", **place}, an_offer())


def test_the_community_is_known_in_small_letters() -> None:
    pod = {**POD, "cloud": "community", "dataCenterId": "XX-1"}
    assert pods.pool_of(pod).region == "community" and not pods.differs(pod, an_offer(region="community"))


@pytest.mark.parametrize(
    ("gpu", "phase"),
    [({"count": 1}, "running"), ({"count": 0}, "stopped"), ({"id": L40S, "count": 0}, "stopped"), ({}, "stopped")],
)
def test_a_pod_has_its_gpus_though_their_name_is_not_told(gpu: dict[str, object], phase: str) -> None:
    pod = {**POD, "status": "RUNNING", "runtime": {"uptime": 5}, "gpu": gpu}
    assert pods.machine(pod, asked=False).phase == phase
