"""`spotlaunch rehearse`: wrong use is told before anything is started, and the verdict is one that people can read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spotlaunch.__main__ import run
from spotlaunch.cli.rehearse import show
from spotlaunch.core.observed import Seen
from spotlaunch.core.remarks import Remark
from spotlaunch.core.spec import Spec
from spotlaunch.core.verdict import Measures, Verdict
from spotlaunch.rehearsing.rehearsal import Options


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--compare", "out/x"], "not in the checkpoint folder"),
        (["--env", "X"], "there is no ="),
        (["--kills", "0"], "--kills"),
        (["--minutes", "nan"], "nan is not a number"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_wrong_use_is_told_before_anything_is_started(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("run: 'true'\n")
    assert run(["rehearse", str(file), *words]) == 2
    assert says in capsys.readouterr().err
    assert not Path(os.environ["SPOTLAUNCH_HOME"]).exists()


def test_a_verdict_says_what_is_bad_where_it_was_seen_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    text = "it failed; it printed last:\n    KeyError"
    remarks = (
        Remark(check="kills", level="ok", text="2 of 2"),
        Remark(
            check="resume",
            level="bad",
            text=text,
            where="attempt 2",
            hint="load it",
        ),
    )
    measures = Measures(save_s=1.25, checkpoint_bytes=2_000_000, rate_per_hour=0.041, interval_s=400, bad_interval_s=90)
    spec = Spec(name="digits", run="train")
    seen = Seen(kills=2, notices=True, grace_s=25.0, longest_s=600.0)
    show(spec, Options(seed=7), seen, Verdict(remarks=remarks, measures=measures))
    assert (
        capsys.readouterr().out
        == """
ok    kills        2 of 2
BAD   resume       it failed; it printed last:
                       KeyError
                   at: attempt 2
                   hint: load it

time to save when told to stop     1.2 s
size of a checkpoint              2.0 MB
recommended: save every 6m40s where 0.041 machines an hour are taken, as is usual;
             every 1m30s where it is 0.4 (the job file says: auto)

digits is not ready for machines that are taken away: see what is BAD above (again: --seed 7)
"""
    )
    show(spec, Options(), seen, Verdict(remarks=remarks[:1], measures=Measures()))
    assert "digits resumes properly" in capsys.readouterr().out
