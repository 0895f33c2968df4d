"""GPUs by name: wishes, the words of the clouds, families, slices."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.gpus import GPUS, canonical, gpu_matches, gpu_memory_gb, gpu_problem, parse_gpu, slice_name
from spotlaunch.core.gputable import FAMILY_ALIASES, MAKER_WORDS
from spotlaunch.core.units import Unreadable
from tests.core.gpu_words import CLOUD_WORDS

FAMILIES = {
    family: {g.name for g in GPUS.values() if family in g.families} for g in GPUS.values() for family in g.families
}
MEMBERS = sorted(GPUS)
NAMES = sorted({*GPUS, *FAMILIES})


# What people write


@pytest.mark.parametrize(
    ("text", "gpu"),
    [
        ("H100:8", ("H100", 8)),
        ("H100", ("H100", 1)),
        ("RTX 4090:2", ("RTX 4090", 2)),
        ("T4", ("T4", 1)),
        ("RTX6000-Ada", ("RTX6000-Ada", 1)),
        ("L4-1of8", ("L4-1of8", 1)),
        ("RTXPRO6000-MIG-1g.24gb:2", ("RTXPRO6000-MIG-1g.24gb", 2)),
    ],
)
def test_a_gpu_is_a_name_and_a_count(text: str, gpu: tuple[str, int]) -> None:
    assert parse_gpu(text) == gpu


def test_every_name_and_alias_can_be_written_in_a_job_file() -> None:
    aliases = chain.from_iterable(g.aliases for g in GPUS.values())
    words = [w for w in (*NAMES, *aliases) if "(" not in w] + [
        "NVIDIA RTX PRO 6000 Blackwell Server Edition MIG 1g.24gb"
    ]
    assert [w for w in words if parse_gpu(f"{w}:8") != (w, 8)] == []


@pytest.mark.parametrize(("text", "like"), [("8xH100", "H100:8"), ("H100x8", "H100:8"), ("4 x T4", "T4:4")])
def test_a_gpu_written_the_other_way_round_is_told_the_right_way(text: str, like: str) -> None:
    with pytest.raises(Unreadable) as caught:
        parse_gpu(text)
    assert like in caught.value.hint


@pytest.mark.parametrize("text", ["", ":8", "H100:", "H100:x", "H100:0", "H100:-1", "H100:99999", "H100:8:8", "A/B"])
def test_what_is_not_a_gpu_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_gpu(text)


@pytest.mark.parametrize(
    ("wanted", "note"),
    [
        ("H10", "no GPU is called 'H10'; did you mean H100?"),
        ("nvidia h10", "no GPU is called 'nvidia h10'; did you mean H100?"),
        ("4090", "no GPU is called '4090'; did you mean RTX4090?"),
        ("zzzzzz", "no GPU is called 'zzzzzz'; `spotlaunch gpus` shows all names"),
        ("L4-8of8", "no GPU is called 'L4-8of8'; `spotlaunch gpus` shows all names"),
    ],
)
def test_an_unknown_name_gets_a_note_with_the_nearest_one(wanted: str, note: str) -> None:
    assert gpu_problem(wanted) == note


@pytest.mark.parametrize("wanted", [*NAMES, "h100_sxm", "NVIDIA H100 80GB HBM3", "L4-1of8", "H100-SXM-MIG-1g.10gb", ""])
def test_a_known_name_gets_no_note(wanted: str) -> None:
    assert gpu_problem(wanted) == ""


# What the clouds call them: every name in the fact sheets


@pytest.mark.parametrize(("word", "name"), CLOUD_WORDS.items())
def test_every_word_of_the_clouds_has_its_name(word: str, name: str) -> None:
    assert canonical(word) == name
    assert gpu_matches(word, word)


FACTS = Path(__file__).parents[2].parent / "shared" / "facts"


@pytest.mark.skipif(not FACTS.is_dir(), reason="the fact sheets are not beside this checkout")
def test_every_name_that_can_be_found_in_the_fact_sheets_is_known() -> None:
    big, small = ((FACTS / f"{sheet}.md").read_text("utf-8") for sheet in ("aws-gcp-azure", "runpod-vast"))
    accelerators = set(re.findall(r"\bnvidia-(?:tesla-|rtx-pro-)?(?!580)[a-z]{0,2}[0-9]+[a-z]?(?:-[a-z0-9]+)*\b", big))
    prose = set(
        re.findall(
            r"\b(?:NVIDIA|Nvidia|Tesla|Instinct|RTX|RTXA|Q RTX)[- ](?:[A-Z]+[- ]?)?[0-9]{1,4}[A-Za-z]*", big + small
        )
    )
    amazon = set(re.findall(r"^\| [gp][0-9][^|]*\| ([A-Z][A-Za-z0-9 ]+?) \|", big, re.MULTILINE)) - {"L4 slice"}
    assert {"nvidia-h100-mega-80gb", "nvidia-gb300"} <= accelerators
    assert {"T4g", "RTX PRO Server 6000"} <= amazon
    assert [word for word in sorted(accelerators | amazon | prose) if gpu_problem(word)] == []


@pytest.mark.parametrize(
    ("word", "memory_gb", "name"),
    [
        ("A100", 40960 / 1024, "A100-40GB"),
        ("A100", 81920 / 1024, "A100-80GB"),
        ("A100 SXM4", 39.5, "A100-40GB-SXM"),
        ("A100 SXM4", 81559 / 1024, "A100-80GB-SXM"),
        ("A100_PCIE", 40536 / 1024, "A100-40GB-PCIe"),
        ("A100 SXM", 80, "A100-80GB-SXM"),
        ("A100 PCIe", 85.9, "A100-80GB-PCIe"),  # 80 GiB in bytes
        ("V100", 16160 / 1024, "V100-16GB"),
        ("V100", 32, "V100-32GB"),
        ("V100 SXM2", 32, "V100-SXM-32GB"),
        ("H100", 93.6, "H100-NVL"),
        ("H100", 80, "H100-80GB"),
        ("H200", 141, "H200"),
        ("NVIDIA H200", 140.4, "H200-SXM"),
        ("nvidia-tesla-a100", 40, "A100-40GB-SXM"),
        ("nvidia-tesla-a100", 80, "A100-80GB"),
        ("RTX 3080", 10, "RTX3080-10GB"),
        ("RTX 4060 Ti", 16380 / 1024, "RTX4060Ti-16GB"),
        ("L4", 22888 / 1024, "L4"),
        ("L4", 2.8, "L4"),  # a slice is for the adapter to say
        ("RTX 4090", 48, "RTX4090"),
        ("V100", 5, "V100"),  # no V100 has that
        ("A100", 0, "A100"),
        ("A100", float("nan"), "A100"),
        ("Wonder 9", 80, "Wonder 9"),
    ],
)
def test_memory_settles_what_a_word_leaves_open_and_nothing_else(word: str, memory_gb: float, name: str) -> None:
    assert canonical(word, memory_gb=memory_gb) == name


@pytest.mark.parametrize(
    "word", ["Wonder 9", "wonder_9", "NVIDIA H1000", "H100 SXM9", "nvidia-l4-vws", "L4-9of8", "☃H100"]
)
def test_an_unknown_word_comes_back_as_it_came(word: str) -> None:
    assert canonical(f" {word}\n") == word
    assert gpu_memory_gb(word) is None


@given(st.text(max_size=40))
def test_a_canonical_name_is_its_own_canonical_name(word: str) -> None:
    assert canonical(canonical(word)) == canonical(word)


@given(st.sampled_from(NAMES), st.floats(min_value=0, max_value=1000))
def test_memory_never_leads_out_of_the_family(name: str, memory_gb: float) -> None:
    found = canonical(name, memory_gb=memory_gb)
    assert canonical(found) == found
    assert gpu_matches(name, found)


def test_no_two_gpus_and_no_two_families_share_a_word() -> None:
    def fold(word: str) -> str:
        return re.sub(r"[\s_-]+", "", word.lower())

    members = [fold(w) for g in GPUS.values() for w in {fold(w) for w in (g.name, *g.aliases)}]
    families = [fold(w) for name in FAMILIES for w in {fold(w) for w in (name, *FAMILY_ALIASES.get(name, ()))}]
    assert sorted(members) == sorted(set(members))
    assert sorted(families) == sorted(set(families))
    assert not {fold(n) for n in GPUS} & set(families)
    assert set(FAMILY_ALIASES) <= set(FAMILIES)


@pytest.mark.parametrize("name", MEMBERS)
def test_every_alias_leads_to_its_gpu_however_it_is_written(name: str) -> None:
    for word in (name, *GPUS[name].aliases):
        for written in (word, word.upper(), word.lower(), word.replace(" ", "_"), word.replace(" ", "-"), f" {word} "):
            assert canonical(written) == name
    assert {canonical(maker + name) for maker in MAKER_WORDS[name]} == {name}


def test_a_family_holds_at_least_two_and_each_gpu_is_filed_under_its_own_name() -> None:
    assert {family for family, members in FAMILIES.items() if len(members) < 2} == set()
    assert all(name == gpu.name and gpu.memory_gb > 0 for name, gpu in GPUS.items())


# Memory and slices


@pytest.mark.parametrize(
    ("name", "gb"),
    [
        ("L4", 24),
        ("A10G", 24),
        ("L40S", 48),
        ("H200-SXM", 141),
        ("H200", 141),
        ("B200", 180),
        ("RTXPRO6000", 96),
        ("nvidia-l4", 24),
        ("A100-80GB", 80),
        ("A100", None),
        ("H100", None),
        ("RTXPRO6000-1of4", 24),
        ("A10-1of6", 4),
        ("L4-1of8", 3),
        ("A100-1of2", None),
        ("RTXPRO6000-MIG-1g.24gb", 24),
        ("H100-SXM-MIG-1g.10gb", 10),
        ("Wonder-1of2", None),
        ("", None),
    ],
)
def test_memory_is_known_where_the_name_tells_it(name: str, gb: float | None) -> None:
    assert gpu_memory_gb(name) == gb


def test_a_slice_is_named_by_its_fraction() -> None:
    assert slice_name("L4", 8) == "L4-1of8"
    assert slice_name("nvidia-rtx-pro-6000", 4) == "RTXPRO6000-1of4"
    assert slice_name("NVIDIA A10", 1) == "A10"
    assert canonical("l4_1OF8") == "L4-1of8"


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.integers(min_value=2, max_value=999))
def test_no_slice_serves_who_wants_a_whole_gpu_nor_the_other_way_round(wanted: str, have: str, parts: int) -> None:
    for part in (slice_name(have, parts), f"{have}-MIG-1g.{parts}gb"):
        assert gpu_matches(part, part)
        assert gpu_matches(part, part.lower().replace("-", "_"))
        assert gpu_matches(part, wanted) == gpu_matches(wanted, part) == (canonical(wanted) == canonical(part))


def test_a_slice_serves_only_who_wants_that_very_slice() -> None:
    assert not gpu_matches("H100-1of2", "H100-SXM-1of2")
    assert not gpu_matches("L4-1of8", "L4-1of4")
    assert not gpu_matches("Wonder", "Wonder-1of2")
    assert not gpu_matches("Wonder", "Wonder_MIG_1g.5gb")
    assert gpu_matches("Wonder-1of2", "wonder 1of2")


# Wishes against what there is


@pytest.mark.parametrize(
    ("wanted", "have", "serves"),
    [
        ("H100", "H100", True),
        ("h100", "H100-SXM", True),
        ("H100", "H100-NVL", True),
        ("H100", "NVIDIA H100 80GB HBM3", True),
        ("NVIDIA H100 80GB HBM3", "H100-SXM", True),
        ("h100_sxm", "H100-SXM", True),
        ("H100-SXM", "H100", False),
        ("H100-SXM", "H100-PCIe", False),
        ("H100-80GB", "H100-NVL", False),
        ("H100-SXM", "H200-SXM", False),
        ("NVIDIA H200", "H200-NVL", True),  # the driver's word for the SXM card, but a person's for any
        ("A100", "A100-80GB", True),
        ("A100", "A100-SXM", True),
        ("A100", "A100-40GB-PCIe", True),
        ("A100-80GB", "A100-80GB-SXM", True),
        ("A100-80GB", "A100-80GB-PCIe", True),
        ("A100-80GB", "A100", False),
        ("A100-80GB", "A100-SXM", False),
        ("A100-80GB", "A100-40GB", False),
        ("A100-80GB", "A100-40GB-SXM", False),
        ("V100", "V100-FHHL-16GB", True),
        ("V100-32GB", "V100-SXM-32GB", True),
        ("V100-32GB", "V100-SXM-16GB", False),
        ("RTX 4090", "RTX-4090", True),
        ("rtx_4090", "RTX 4090", True),
        ("A10", "A100", False),
        ("A10", "A10G", False),
        ("A10", "A100-80GB-SXM", False),
        ("L4", "L40", False),
        ("L4", "L40S", False),
        ("L40", "L40S", False),
        ("T4", "T4g", False),
        ("B200", "GB200", False),
        ("RTX6000", "RTX6000-Ada", False),
        ("RTX6000", "RTXA6000", False),
        ("RTX4090", "RTX4090D", False),
        ("RTX3090", "RTX3090Ti", False),
        ("RTX4080", "RTX 4080 SUPER", False),
        ("RTXPRO6000", "RTXPRO6000-WK", False),
        ("RTXPRO6000", "RTXPRO6000-MaxQ", False),
        ("RTXPRO6000", "RTXPRO6000-MIG-1g.24gb", False),
        ("RTXPRO6000", "RTXPRO6000-1of2", False),
        ("H100", "H100-New", False),
        ("RTX", "RTX-4090", False),
        ("RTX", "RTX4090", False),
        ("H100", "", False),
        ("", "H100", False),
        ("", "", False),
        ("-", "-", False),
        # names of rehearsal machines
        ("Wonder", "wonder", True),
        ("Wonder 9", "WONDER-9", True),
        ("Wonder9", "wonder_9", True),
        ("Wonder", "Wonder-9", True),
        ("Wonder", "Wonder-9-Super", True),
        ("Wonder-9", "Wonder", False),
        ("Wonder", "Wonderful", False),
    ],
)
def test_a_family_covers_its_members_and_nothing_is_guessed(wanted: str, have: str, serves: bool) -> None:
    assert gpu_matches(wanted, have) is serves


@given(st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_a_wish_is_served_by_itself_its_members_and_nobody_else(wanted: str, have: str) -> None:
    mine, theirs = FAMILIES.get(wanted, {wanted}), FAMILIES.get(have, {have})
    assert gpu_matches(wanted, have) == (theirs <= mine)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_word_of_a_cloud_or_a_person_makes_it_stumble(wanted: str, have: str) -> None:
    assert isinstance(gpu_matches(wanted, have), bool)
    assert gpu_problem(wanted).isprintable()
    assert not (gpu_matches(wanted, "H100-SXM") and gpu_problem(wanted))


def test_a_hundred_thousand_offers_are_matched_in_a_moment() -> None:
    words = [*CLOUD_WORDS, *(f"Wonder-{n}" for n in range(1000))]
    start = perf_counter()
    for n in range(100_000):
        gpu_matches("H100", words[n % len(words)])
    assert perf_counter() - start < 3.0
