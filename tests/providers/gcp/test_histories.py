from __future__ import annotations

from decimal import Decimal

from spotlaunch_providers.gcp.advice import History
from spotlaunch_providers.gcp.histories import cheapest, everywhere, first_zones
from spotlaunch_providers.gcp.shapes import Shape
from spotlaunch_providers.gcp.skus import Prices


def machine(
    zone: str, name: str = "g2-standard-4", gpu: str = "L4", count: int = 1, *, attached: bool = False
) -> Shape:
    return Shape(
        name=name,
        machine_type=name,
        zone=zone,
        region=zone[:-2],
        gpu=gpu,
        gpu_count=count,
        accelerator="",
        vcpus=4,
        memory_gib=Decimal(16),
        ssd_gib=0,
        arch="x86_64",
        attached=attached,
    )


def told(price: str | None, rate: float | None = None) -> History:
    return History(at=1.0, price_usd_hour=None if price is None else Decimal(price), interruptions_per_hour=rate)


A, B, C, ELSEWHERE = machine("r1-a"), machine("r1-b"), machine("r1-c"), machine("r2-b")


def test_one_zone_of_each_region_is_asked_about_first() -> None:
    found = [C, ELSEWHERE, B, A, machine("r3-a", "n1", attached=True)]
    assert first_zones(found, {}) == [A, ELSEWHERE]
    assert first_zones(found, {C.pool: told("1")}) == [ELSEWHERE]


def test_a_zone_keeps_its_own_history_and_borrows_where_it_has_none() -> None:
    known = {A.pool: told(None), B.pool: told("1", 0.1), C.pool: told("2", 0.2)}
    assert everywhere([A, B, C, ELSEWHERE], known) == {
        A.pool: known[B.pool],
        B.pool: known[B.pool],
        C.pool: known[C.pool],
    }
    assert everywhere([A], {A.pool: told(None)}) == {A.pool: told(None)}


def test_the_cheapest_come_first_and_the_gpus_in_turn() -> None:
    eight = machine("r1-a", "a4-highgpu-8g", "B200", 8)
    two = machine("r1-a", "g2-standard-24", "L4", 2)
    histories = {A.pool: told("0.3"), B.pool: told("0.2"), two.pool: told("0.5"), eight.pool: told("40")}
    assert cheapest([A, C, eight, two, B], histories, Prices()) == [B, eight, two, A]
