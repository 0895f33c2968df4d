from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.facts import Want
from spotlaunch.core.gpus import gpu_matches
from spotlaunch_providers.aws.shapes import known_shapes, shape_of, wanted
from tests.fakes.clouds.aws_data import has_gpus, instance_types


def told(name: str, **gpu: Any) -> dict[str, Any]:
    """What the API says of a type, with the words on its GPU changed."""
    answer = copy.deepcopy(instance_types()[name])
    answer["GpuInfo"]["Gpus"][0].update(gpu)
    return answer


def test_the_table_for_those_without_credentials_says_what_the_api_says() -> None:
    said = {s.instance_type: s for s in map(shape_of, instance_types().values()) if s is not None}
    assert len(said) == 65
    table = known_shapes()
    assert set(table) == set(said)
    for name, shape in said.items():
        mine = table[name]
        assert (mine.gpu, mine.gpu_count, mine.vcpus, mine.memory_gb, mine.arch) == (
            *(shape.gpu, shape.gpu_count, shape.vcpus, shape.memory_gb, shape.arch),
        )
        assert mine.gpu_memory_gb == shape.gpu_memory_gb and mine.markets == shape.markets


@pytest.mark.parametrize(
    ("size", "gpu", "gb"), [("large", "L4-1of8", 3), ("xlarge", "L4-1of8", 3), ("2xlarge", "L4-1of4", 6)]
)
def test_a_slice_says_which_part_of_a_gpu_it_is(size: str, gpu: str, gb: float) -> None:
    shape = shape_of(instance_types()[f"g6f.{size}"])
    assert shape is not None and (shape.gpu, shape.gpu_count, shape.gpu_memory_gb) == (gpu, 1, gb)


@given(
    st.integers(0, 8),
    st.integers(1, 8),
    st.floats(0.01, 0.95),
    st.sampled_from(["L4", "A100", "H100", "NVIDIA", "RTX PRO Server 6000"]),
    st.integers(0, 300_000),
)
def test_no_part_of_a_gpu_ever_serves_who_asked_for_a_whole_one(
    count: int, logical: int, part: float, name: str, mib: int
) -> None:
    words = {"Count": count, "LogicalGpuCount": logical, "GpuPartitionSize": part, "Name": name}
    shape = shape_of(told("g6f.xlarge", **words, MemoryInfo={"SizeInMiB": mib}))
    assert shape is not None and shape.gpu_count == logical
    assert not [gpu for gpu in ("L4", "A100", "H100", "RTXPRO6000") if gpu_matches(gpu, shape.gpu)]


def test_a_gpu_without_a_count_and_without_a_part_is_not_offered() -> None:
    assert shape_of(told("g6.xlarge", Count=0, GpuPartitionSize=1.0)) is None


@pytest.mark.parametrize("name", ["NVIDIA", "", "  nvidia "])
def test_a_gpu_whose_name_tells_nothing_is_looked_up_by_family(name: str) -> None:
    shape = shape_of(told("p5en.48xlarge", Name=name))
    assert shape is not None and shape.gpu == "H200-SXM"


def test_a_gpu_that_nobody_knows_is_shown_as_it_came() -> None:
    shape = shape_of(told("p5.48xlarge", Name="H900", MemoryInfo={"SizeInMiB": 409600}))
    assert shape is not None and (shape.gpu, shape.gpu_memory_gb) == ("H900", 400.0)


def test_the_gpus_of_a_machine_with_two_kinds_of_entries_are_added_up() -> None:
    answer = told("p5.4xlarge", Count=2)
    answer["GpuInfo"]["Gpus"].append(copy.deepcopy(answer["GpuInfo"]["Gpus"][0]))
    shape = shape_of(answer)
    assert shape is not None and shape.gpu_count == 4


def test_usage_classes_decide_the_markets() -> None:
    def sold(*classes: str) -> set[str] | None:
        shape = shape_of({**told("p5.48xlarge"), "SupportedUsageClasses": list(classes)})
        return None if shape is None else set(shape.markets)

    assert sold("spot") == {"spot"}
    assert sold("capacity-block", "on-demand") == {"on-demand"}
    assert sold("capacity-block") is None and sold() is None


def test_an_ultraserver_is_not_sold_by_the_hour_whatever_its_usage_classes_say() -> None:
    answer = {**instance_types()["p6e-gb200.36xlarge"], "SupportedUsageClasses": ["on-demand", "spot"]}
    assert shape_of(answer) is None


def test_all_types_with_gpus_are_found_by_the_letters_that_are_asked_for() -> None:
    named = {name for name in instance_types() if has_gpus(name)}
    assert len(named) == 66 and all(name.startswith(("g", "p")) for name in named)


def test_a_count_of_gpus_narrows_what_is_wanted() -> None:
    found = wanted(known_shapes().values(), Want(gpus=(("H100", 8), ("L4", 1))))
    assert {(s.gpu, s.gpu_count) for s in found} == {("H100-SXM", 8), ("L4", 1)}
    assert len(wanted(known_shapes().values(), Want())) == 65
