"""What every provider must do. A provider's own test inherits `ProviderContract` and gives it a `cloud`.

    class TestAws(ProviderContract):
        @pytest.fixture
        def cloud(self): ...

Nothing here knows a provider's name; what differs between providers is read from its traits.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Offer, Order, Pool, SeenMachine, Want
from spotlaunch.ports import Provider
from tests.fakes.waiting import eventually

SECRET = "hush-5b1c9e"


class Cloud(Protocol):
    """The cloud behind a provider, and what a test may do to it."""

    provider: Provider
    stranger: Provider  # the same account, as another owner sees it

    def run_dry(self, pool: Pool) -> None:
        """From now on this pool has no machine to give; what is up stays up."""
        ...

    def lose_answers(self) -> None:
        """From now on every launch ends in a broken connection, before or after the cloud has acted on it."""
        ...

    def break_listing(self) -> None:
        """From now on the machines cannot be listed, or not all of them."""
        ...

    def heal(self) -> None:
        """Take back all of these."""
        ...


class ProviderContract:
    """The suite. At least two pools must be on offer, with room for four machines together."""

    want = Want(cpus=1)

    @pytest.fixture
    def cloud(self) -> Iterator[Cloud]:
        raise NotImplementedError("give the suite a cloud")

    # -- helpers -----------------------------------------------------------------------------------------

    def sellable(self, cloud: Cloud) -> list[Offer]:
        """Offers that are not known to be unavailable, cheapest first."""
        found = [o for o in cloud.provider.offers(self.want) if o.available != "no"]
        return sorted(found, key=lambda o: o.price_usd_hour)

    def order(self, key: str, alternatives: Sequence[Offer]) -> Order:
        return Order(
            launch_key=key,
            job="job",
            attempt=1,
            alternatives=tuple(alternatives),
            agent_env={"SPOTLAUNCH_JOB": "job"},
            secret_env={"TOKEN": SECRET},
        )

    def bearing(self, provider: Provider, key: str) -> list[SeenMachine]:
        return [m for m in provider.list_machines() if m.launch_key == key]

    def listed(self, cloud: Cloud, key: str) -> SeenMachine:
        """The machine of that key, once its provider lists it."""
        settle_s = cloud.provider.traits.settle_s
        return eventually(lambda: self.bearing(cloud.provider, key), within_s=settle_s + 1)[0]

    def gone(self, cloud: Cloud, instance_id: str) -> None:
        """Wait until the listing does not show the machine any more."""
        eventually(lambda: instance_id not in {m.instance_id for m in cloud.provider.list_machines()})

    # -- traits and offers -------------------------------------------------------------------------------

    def test_traits_are_times_that_can_be_waited_for(self, cloud: Cloud) -> None:
        traits = cloud.provider.traits
        assert 0 <= traits.settle_s <= 600
        assert 0 < traits.list_interval_s <= 300
        assert 0 < traits.rest_s <= traits.max_rest_s
        assert traits.boot_timeout_s > 0 and traits.silence_s > 0 and traits.notice_s >= 0

    def test_offers_tell_exact_prices_and_when_they_were_seen(self, cloud: Cloud) -> None:
        offers = cloud.provider.offers(self.want)
        assert len(offers) >= 2
        for offer in offers:
            assert type(offer.price_usd_hour) is Decimal and offer.price_usd_hour > 0
            assert offer.on_demand_usd_hour is None or type(offer.on_demand_usd_hour) is Decimal
            assert abs(offer.seen_at - time.time()) < 3600
            assert offer.gpu_count >= 0 and bool(offer.gpu) == bool(offer.gpu_count)

    def test_offers_are_of_this_provider_and_name_each_pool_once(self, cloud: Cloud) -> None:
        pools = [o.pool for o in cloud.provider.offers(self.want)]
        assert {p.provider for p in pools} == {cloud.provider.name}
        assert len(set(pools)) == len(pools)
        assert all(p.region and p.instance_type for p in pools)

    def test_what_is_not_available_is_told_with_a_reason(self, cloud: Cloud) -> None:
        for offer in cloud.provider.offers(self.want):
            assert offer.available != "no" or offer.why

    def test_asking_for_what_nobody_sells_is_no_error(self, cloud: Cloud) -> None:
        assert cloud.provider.offers(Want(gpus=(("NOSUCHGPU", 64),), memory_gb=10**6)) is not None

    # -- launching ---------------------------------------------------------------------------------------

    def test_a_launch_answers_with_an_id_and_the_offer_it_took(self, cloud: Cloud) -> None:
        offers = self.sellable(cloud)
        launched = cloud.provider.launch(self.order("sl-o-job-1-0", offers))
        assert launched.instance_id
        assert launched.offer == offers[0]
        assert launched.refused == ()

    def test_a_launch_does_not_wait_for_the_boot(self, cloud: Cloud) -> None:
        cloud.provider.launch(self.order("sl-o-job-1-0", self.sellable(cloud)))
        assert self.listed(cloud, "sl-o-job-1-0").phase == "starting"

    def test_a_machine_is_listed_with_its_key_and_pool_within_the_settling_time(self, cloud: Cloud) -> None:
        launched = cloud.provider.launch(self.order("sl-o-job-1-0", self.sellable(cloud)))
        seen = self.listed(cloud, "sl-o-job-1-0")
        assert seen.instance_id == launched.instance_id
        assert seen.pool == launched.offer.pool
        assert seen.ending_reason == ""

    def test_a_launch_key_that_is_running_does_not_start_a_second_machine(self, cloud: Cloud) -> None:
        if not cloud.provider.traits.idempotent_launch:
            pytest.skip("this provider cannot know")
        order = self.order("sl-o-job-1-0", self.sellable(cloud))
        first = cloud.provider.launch(order)
        again = cloud.provider.launch(order)
        assert again.instance_id == first.instance_id
        assert again.offer.pool == first.offer.pool
        self.listed(cloud, "sl-o-job-1-0")
        assert len(self.bearing(cloud.provider, "sl-o-job-1-0")) == 1

    def test_launches_side_by_side_give_each_key_one_machine(self, cloud: Cloud) -> None:
        offers = self.sellable(cloud)
        keys = [f"sl-o-job-{n}-0" for n in range(1, 5)]
        with ThreadPoolExecutor(4) as workers:
            made = list(workers.map(lambda key: cloud.provider.launch(self.order(key, offers)), keys))
        assert len({m.instance_id for m in made}) == 4
        for key, machine in zip(keys, made, strict=True):
            assert self.listed(cloud, key).instance_id == machine.instance_id

    def test_refused_alternatives_are_told_also_when_the_launch_succeeds(self, cloud: Cloud) -> None:
        dry, good = self.sellable(cloud)[:2]
        cloud.run_dry(dry.pool)
        launched = cloud.provider.launch(self.order("sl-o-job-1-0", [dry, good]))
        assert launched.offer.pool == good.pool
        (refused,) = launched.refused
        assert refused.error == "NoCapacity"
        assert refused.scope.covers(dry.pool) and not refused.scope.covers(good.pool)
        assert refused.reason

    def test_when_all_are_refused_the_error_tells_of_each(self, cloud: Cloud) -> None:
        offers = self.sellable(cloud)[:2]
        for offer in offers:
            cloud.run_dry(offer.pool)
        with pytest.raises(errors.NoCapacity) as caught:
            cloud.provider.launch(self.order("sl-o-job-1-0", offers))
        refused = caught.value.refused
        assert [r.error for r in refused] == ["NoCapacity", "NoCapacity"]
        assert all(r.scope.covers(o.pool) for r, o in zip(refused, offers, strict=True))
        assert self.bearing(cloud.provider, "sl-o-job-1-0") == []

    def test_a_machine_type_that_does_not_exist_is_an_invalid_order(self, cloud: Cloud) -> None:
        good = self.sellable(cloud)[0]
        made_up = replace(good, pool=replace(good.pool, instance_type="no-such-type"))
        with pytest.raises(errors.InvalidOrder) as caught:
            cloud.provider.launch(self.order("sl-o-job-1-0", [made_up]))
        assert caught.value.refused[0].scope.covers(made_up.pool)

    def test_nothing_above_the_price_cap_is_started(self, cloud: Cloud) -> None:
        good = self.sellable(cloud)[0]
        order = replace(self.order("sl-o-job-1-0", [good]), price_cap_usd_hour=good.price_usd_hour / 2)
        with pytest.raises(errors.PriceTooLow) as caught:
            cloud.provider.launch(order)
        assert caught.value.refused[0].error == "PriceTooLow"
        assert self.bearing(cloud.provider, "sl-o-job-1-0") == []

    # -- lost answers ------------------------------------------------------------------------------------

    def test_a_lost_answer_leaves_no_machine_or_one_that_its_key_finds(self, cloud: Cloud) -> None:
        offers = self.sellable(cloud)
        cloud.lose_answers()
        keys = [f"sl-o-job-{n}-0" for n in range(1, 5)]
        for key in keys:
            with pytest.raises(errors.OutcomeUnknown):
                cloud.provider.launch(self.order(key, offers))
        cloud.heal()
        time.sleep(cloud.provider.traits.settle_s)
        assert all(len(self.bearing(cloud.provider, key)) <= 1 for key in keys)

    def test_repeating_a_launch_whose_answer_was_lost_ends_with_one_machine(self, cloud: Cloud) -> None:
        if not cloud.provider.traits.idempotent_launch:
            pytest.skip("this provider cannot know: it is listed first")
        order = self.order("sl-o-job-1-0", self.sellable(cloud))
        cloud.lose_answers()
        with pytest.raises(errors.OutcomeUnknown):
            cloud.provider.launch(order)
        cloud.heal()
        launched = cloud.provider.launch(order)
        assert self.listed(cloud, "sl-o-job-1-0").instance_id == launched.instance_id
        assert len(self.bearing(cloud.provider, "sl-o-job-1-0")) == 1

    # -- listing and ending ------------------------------------------------------------------------------

    def test_a_listing_that_is_not_whole_is_an_error(self, cloud: Cloud) -> None:
        cloud.provider.launch(self.order("sl-o-job-1-0", self.sellable(cloud)))
        cloud.break_listing()
        with pytest.raises(errors.ProviderError):
            cloud.provider.list_machines()
        cloud.heal()
        self.listed(cloud, "sl-o-job-1-0")

    def test_a_strangers_machines_are_never_listed(self, cloud: Cloud) -> None:
        cloud.stranger.launch(self.order("sl-x-job-1-0", self.sellable(cloud)))
        cloud.provider.launch(self.order("sl-o-job-1-0", self.sellable(cloud)))
        self.listed(cloud, "sl-o-job-1-0")
        eventually(lambda: self.bearing(cloud.stranger, "sl-x-job-1-0"))
        assert self.bearing(cloud.provider, "sl-x-job-1-0") == []
        assert self.bearing(cloud.stranger, "sl-o-job-1-0") == []

    def test_an_ended_machine_leaves_the_listing(self, cloud: Cloud) -> None:
        launched = cloud.provider.launch(self.order("sl-o-job-1-0", self.sellable(cloud)))
        self.listed(cloud, "sl-o-job-1-0")
        assert cloud.provider.terminate([launched.instance_id]) == {}
        self.gone(cloud, launched.instance_id)

    def test_ending_a_machine_at_once_after_its_launch_is_heard(self, cloud: Cloud) -> None:
        launched = cloud.provider.launch(self.order("sl-o-job-1-0", self.sellable(cloud)))
        assert cloud.provider.terminate([launched.instance_id]) == {}
        time.sleep(min(1.0, cloud.provider.traits.settle_s))
        self.gone(cloud, launched.instance_id)

    def test_ending_one_machine_leaves_the_others_alone(self, cloud: Cloud) -> None:
        offers = self.sellable(cloud)
        first = cloud.provider.launch(self.order("sl-o-job-1-0", offers))
        second = cloud.provider.launch(self.order("sl-o-job-2-0", offers))
        self.listed(cloud, "sl-o-job-2-0")
        cloud.provider.terminate([first.instance_id])
        self.gone(cloud, first.instance_id)
        assert self.listed(cloud, "sl-o-job-2-0").instance_id == second.instance_id

    def test_ending_what_is_absent_or_has_ended_is_done_already(self, cloud: Cloud) -> None:
        launched = cloud.provider.launch(self.order("sl-o-job-1-0", self.sellable(cloud)))
        absent = _like(launched.instance_id)
        for _ in range(3):
            assert cloud.provider.terminate([launched.instance_id, absent]) == {}
        self.gone(cloud, launched.instance_id)
        assert cloud.provider.terminate([launched.instance_id, absent]) == {}
        assert cloud.provider.terminate([]) == {}

    # -- secrets -----------------------------------------------------------------------------------------

    def test_no_secret_shows_in_what_may_be_printed(self, cloud: Cloud) -> None:
        order = self.order("sl-o-job-1-0", self.sellable(cloud))
        launched = cloud.provider.launch(order)
        seen = self.listed(cloud, "sl-o-job-1-0")
        assert not any(SECRET in repr(value) for value in (order, launched, seen, vars(cloud.provider)))
        cloud.run_dry(order.alternatives[0].pool)
        refused = replace(order, launch_key="sl-o-job-2-0", alternatives=order.alternatives[:1])
        with pytest.raises(errors.ProviderError) as caught:
            cloud.provider.launch(refused)
        assert SECRET not in f"{caught.value!r} {caught.value.hint} {caught.value.refused}"


def _like(instance_id: str) -> str:
    """An id of the same form that is nobody's."""
    return re.sub(r"[0-9]", "0", instance_id)
