"""What of a job file counts in a rehearsal, and what comes out of two runs that are compared."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from spotlaunch.core.spec import BlobStoreRef, CheckpointSpec, Limits, Resources, Spec, Where
from spotlaunch.errors import UsageError
from spotlaunch.rehearsing.cast import not_shown, notice_s, rehearsed, wanted
from spotlaunch.rehearsing.outputs import Wanted, compare
from spotlaunch.rehearsing.outputs import wanted as wanted_outputs

SPEC = Spec(
    name="big",
    run="train",
    setup="install",
    image="pytorch:1",
    env={"A": "1"},
    secrets=("KEY",),
    resources=Resources(gpus=(("H100", 8),), cpus=96),
    market="on-demand",
    where=Where(providers=("aws",), regions=("eu-*",), exclude=("local:*",)),
    limits=Limits(price_usd_hour=Decimal("0.01"), cost_usd=Decimal("0.01"), runtime_s=60, attempts=1),
    checkpoint=CheckpointSpec(every_s=60, grace_s=90, keep=2, store=BlobStoreRef(url="s3://bucket/prefix")),
    restart_on_exit=(75,),
)


def test_the_program_is_the_users_and_money_markets_and_the_users_store_do_not_come_into_it() -> None:
    played = rehearsed(SPEC, "here", setup=True, longest_s=6000)
    for key in ("name", "run", "setup", "env", "secrets", "resources", "restart_on_exit"):
        assert getattr(played, key) == getattr(SPEC, key)
    assert (played.market, played.where.providers, played.where.exclude) == ("spot", ("here",), ())
    assert (played.limits, played.image, played.checkpoint.store.url) == (Limits(), "", "")
    c = played.checkpoint
    assert (c.every_s, c.grace_s, c.keep, c.dir) == (60, 91, 2, "checkpoints")
    assert rehearsed(SPEC, "here", setup=False, longest_s=600).setup == ""


@pytest.mark.parametrize(
    ("every_s", "longest_s", "told_s"), [(None, 600, 10), (3600, 600, 10), (5, 600, 5), (None, 6, 1)]
)
def test_a_program_that_saves_as_often_as_it_is_told_to_is_told_to_often(
    every_s: float | None, longest_s: float, told_s: float
) -> None:
    spec = replace(SPEC, checkpoint=replace(SPEC.checkpoint, every_s=every_s))
    assert rehearsed(spec, "here", setup=True, longest_s=longest_s).checkpoint.every_s == told_s


def test_machines_are_sold_as_the_job_wants_them_and_its_grace_fits_into_the_notice() -> None:
    want = wanted(SPEC)
    assert (want.gpus, want.cpus, want.markets) == ((("H100", 8),), 96, ("spot",))
    assert notice_s(SPEC) > 90


def test_what_this_computer_cannot_show_is_said() -> None:
    said = " ".join(not_shown(SPEC))
    assert "GPU" in said and "container" in said and "your store" in said
    assert not_shown(Spec(name="small", run="train")) == []


@pytest.mark.parametrize("path", ["/tmp/x", "out/x", "checkpoints/../x", "../checkpoints/x", "checkpoints-2/x"])
def test_only_what_outlives_its_machine_can_be_compared(path: str) -> None:
    with pytest.raises(UsageError) as e:
        wanted_outputs([path], "", checkpoint_dir="checkpoints")
    assert path in e.value.message and "checkpoints/" in e.value.hint


def test_files_and_folders_are_compared_byte_for_byte(tmp_path: Path) -> None:
    for run in ("alone", "rehearsed"):
        folder = tmp_path / run / "ckpt" / "deep"
        folder.mkdir(parents=True)
        (folder / "same").write_text("1")
        (folder / "other").write_text(f"of {run[:5]}")
    (tmp_path / "alone" / "ckpt" / "gone").write_text("1")
    want = wanted_outputs(
        ["ckpt/deep/same", "ckpt/deep/other", "ckpt/gone", "ckpt", "ckpt/never"], "", checkpoint_dir="ckpt"
    )
    found = list(compare(want, tmp_path / "alone", tmp_path / "rehearsed", longest_s=10))
    assert [c.equal for c in found] == [True, False, False, False, None]
    assert "2 of 3 files differ" in found[3].detail
    same = compare(want, tmp_path / "alone", tmp_path / "alone", longest_s=10)
    assert [c.equal for c in same] == [True, True, True, True, None]


@pytest.mark.parametrize(
    ("command", "equal"), [('cmp "$ALONE/a" "$REHEARSED/a"', True), ("echo no; exit 3", False), ("sleep 9", None)]
)
def test_a_command_compares_by_its_exit_code_and_not_for_ever(tmp_path: Path, command: str, equal: bool | None) -> None:
    for run in ("alone", "rehearsed"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "a").write_text("1")
    (found,) = compare(Wanted(command=command), tmp_path / "alone", tmp_path / "rehearsed", longest_s=0.5)
    assert found.equal is equal
    assert equal is not False or found.detail == "exit code 3; no"
