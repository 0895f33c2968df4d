"""Whatever EC2 does to the calls of a launch: never two machines for one key, none where it was said that none was
made, and none above the cap."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch import errors
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.adapter import AwsProvider
from tests.fakes.clouds.aws import FakeAws
from tests.fakes.clouds.aws_codes import LAUNCH_CODES
from tests.providers.aws import conftest
from tests.providers.aws.conftest import an_offer, an_order

OFFERS = [
    an_offer(price="0.3"),
    an_offer(zone="us-east-1b", price="0.4"),
    an_offer("g5.xlarge", price="0.5"),
    an_offer(market="on-demand", price="0.8"),
    an_offer(region="eu-west-2", zone="eu-west-2a", price="0.9"),
]
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeAws]:
    made = FakeAws()
    with made.serving():
        yield made


@pytest.fixture(scope="module")
def provider(cloud: FakeAws) -> Iterator[AwsProvider]:
    given = conftest.settings(cloud, regions="us-east-1,eu-west-2")
    with tempfile.TemporaryDirectory() as folder:
        yield AwsProvider(owner="o", folder=Path(folder), access=Access(given, tries=1), settings=given)


FAULTS = st.one_of(
    st.sampled_from(sorted(LAUNCH_CODES)).map(lambda code: ("code", code)),
    st.sampled_from(["us-east-1a", "us-east-1b", "us-east-1c"]).map(lambda zone: ("dry", zone)),
    st.sampled_from(["before", "after", "both", "500"]).map(lambda how: ("lost", how)),
    st.sampled_from(["malformed", "truncated", "drop", "bad-gateway", "throttle"]).map(lambda kind: ("fault", kind)),
    st.just(("lag", "")),
)


def strike(cloud: FakeAws, kind: str, what: str) -> None:
    if kind == "code":
        cloud.fail_launch(what, times=1)
    elif kind == "dry":
        cloud.run_dry(zone=what)
    elif kind == "lost" and what == "500":
        cloud.break_after_launch()
    elif kind == "lost":
        cloud.lose_answers(before=what in ("before", "both"), after=what in ("after", "both"))
    elif kind == "fault":
        cloud.fail(what, times=1, path="RunInstances|DescribeInstances$")
    else:
        cloud.list_lag_s = 60.0


@settings(max_examples=60, deadline=None)
@given(
    offers=st.lists(st.sampled_from(OFFERS), min_size=1, max_size=5, unique_by=lambda o: o.pool),
    cap=st.sampled_from([None, Decimal("0.45"), Decimal("0.85")]),
    rounds=st.lists(st.lists(FAULTS, max_size=2), min_size=1, max_size=3),
)
def test_a_key_never_has_two_machines_and_a_refusal_never_one(
    cloud: FakeAws, provider: AwsProvider, offers: list, cap: Decimal | None, rounds: list
) -> None:
    key = f"sl-o-job-{next(NUMBERS)}-0"
    unknown = False
    for faults in rounds:
        cloud.heal()
        cloud.refill()
        cloud.list_lag_s = 0.0
        for kind, what in faults:
            strike(cloud, kind, what)
        try:
            launched = provider.launch(an_order(*offers, key=key, price_cap_usd_hour=cap))
        except errors.OutcomeUnknown:
            unknown = True
        except errors.ProviderError as e:
            assert e.refused
            made = [m for m in cloud.fleet.machines.values() if m.key == key]
            assert unknown or not made
        else:
            assert launched.instance_id in cloud.instances
            assert cap is None or launched.offer.price_usd_hour <= cap
        if unknown:
            break  # the watchdog does not use a key again whose outcome it does not know
    assert len([m for m in cloud.fleet.machines.values() if m.key == key]) <= 1
