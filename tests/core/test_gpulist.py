"""The list of GPUs: a line for each that is sold or known, and the cheapest of each that can be had."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from spotlaunch.core.facts import Offer
from spotlaunch.core.gpulist import GpuLine, gpu_list, price_usd_gpu_hour
from spotlaunch.core.gpus import GPUS
from tests.core.worlds import a_pool, an_offer


def offer(price: str, gpu: str = "H100-SXM", count: int = 8, **changes: Any) -> Offer:
    pool = replace(a_pool(), **{k: changes.pop(k) for k in ("provider", "zone", "market") if k in changes})
    return an_offer(price, pool, gpu=gpu, gpu_count=count, **changes)


def lines(*offers: Offer) -> dict[str, GpuLine]:
    return {line.gpu: line for line in gpu_list(offers)}


def test_a_line_has_who_sells_it_its_memory_and_its_families() -> None:
    line = lines(offer("16", provider="b"), offer("20", provider="a"))["H100-SXM"]
    assert (line.providers, line.memory_gb, line.known) == (("a", "b"), 80.0, True)
    assert "H100" in line.families


def test_the_cheapest_of_each_market_is_by_the_gpu_and_can_be_had() -> None:
    small, large = offer("3", count=1), offer("16", zone="z2")
    gone = offer("1", zone="z3", available="no")
    paid = offer("40", zone="z4", market="on-demand")
    line = lines(small, large, gone, paid)["H100-SXM"]
    assert (line.spot, line.on_demand) == (large, paid)
    assert price_usd_gpu_hour(large) == Decimal(2)


def test_who_has_none_now_sells_it_all_the_same() -> None:
    line = lines(offer("1", available="no"))["H100-SXM"]
    assert (line.providers, line.spot, line.on_demand) == (("cloud",), None, None)


def test_a_word_that_the_table_lacks_stands_as_it_came() -> None:
    line = lines(offer("1", gpu="Frobnicator 9", count=1, gpu_memory_gb=11.5))["Frobnicator 9"]
    assert (line.known, line.families, line.memory_gb) == (False, (), 11.5)
    unsure = [offer("1", gpu="X1", count=1, gpu_memory_gb=g, zone=f"z{g}") for g in (8.0, 16.0)]
    assert lines(*unsure)["X1"].memory_gb is None


def test_every_gpu_of_the_table_has_a_line_also_when_nobody_sells_it() -> None:
    found = lines()
    assert set(found) == set(GPUS)
    assert all(line.providers == () and line.spot is None for line in found.values())


def test_machines_without_a_gpu_have_no_line() -> None:
    assert "" not in lines(offer("1", gpu="", count=0))


def test_lines_stand_by_name_whatever_the_order_of_offers() -> None:
    offers = [offer("1", gpu=g, count=1) for g in ("zebra", "L4", "aardvark")]
    names = [line.gpu for line in gpu_list(offers)]
    assert names == [line.gpu for line in gpu_list(reversed(offers))]
    assert names == sorted(names, key=str.casefold)
