"""The page in headless Chromium. Skipped where there is none; `make test` installs it where it may."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from spotlaunch.core.account import Account
from spotlaunch.core.facts import Pool
from spotlaunch.report.page import page
from spotlaunch.report.words import usd
from tests.report.browser import chromium, dump, measured, network
from tests.report.samples import a_report, a_story

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no Chromium that runs: apt-get install chromium (make test does, as root)"
)
PHONE, DESK = 360, 1280
LONG = Pool(
    provider="runpod", region="EU-RO-1", zone="", instance_type="8x-NVIDIA RTX 6000 Ada Generation " * 2, market="spot"
)


def wordy() -> Account:
    """A story with the longest words there may be."""
    whole = a_story()
    llama = whole.jobs[0]
    lines = [replace(x, machine=replace(x.machine, pool=LONG, reason="x" * 400)) for x in llama.lines[:1]]
    job = replace(llama.job, name="a" * 32, reason="y" * 400)
    return replace(whole, jobs=(replace(llama, job=job, lines=(*lines, *llama.lines[1:])), *whole.jobs[1:]))


@pytest.mark.parametrize("whole", [a_story(), wordy()], ids=["story", "long words"])
def test_it_fits_a_phone_and_a_desk_and_shows_the_accounts_totals(tmp_path: Path, whole: Account) -> None:
    found = measured(page(a_report(whole)), tmp_path, (PHONE, DESK))
    assert set(found) == {PHONE, DESK}
    for width, told in found.items():
        assert told["cards"] == "grid", "the page's own policy kept its style out"
        assert (told["across"], told["beyond"], told["small"]) == (width, [], 0)
        t = whole.totals
        shown = [(Decimal(value), text) for value, text in told["data"]]
        sums = [t.spent_usd, t.on_demand_usd, t.saved_usd, t.effective_usd_hour or Decimal(0), t.lost_usd]
        assert shown[:5] == [(amount, usd(amount)) for amount in sums]
        for job in whole.jobs:
            assert job.job.name in told["said"]
            assert (job.totals.spent_usd, usd(job.totals.spent_usd)) in shown


def test_what_is_too_wide_is_found(tmp_path: Path) -> None:
    wide = page(a_report()).replace("</main>", "<table><tr><td>" + "w" * 99 + "<td>x</table></main>", 1)
    told = measured(wide, tmp_path, (PHONE,))[PHONE]
    assert told["across"] > PHONE and any(e.startswith("TABLE w") for e in told["beyond"])


def test_it_asks_nothing_of_the_network(tmp_path: Path) -> None:
    ours, tampered, theirs = (tmp_path / f"{name}.html" for name in ("ours", "tampered", "theirs"))
    ours.write_text(page(a_report()))
    # What its policy forbids is not fetched, even if it were there.
    tampered.write_text(page(a_report()).replace("</main>", '<img src="http://one.invalid/b.png"></main>'))
    theirs.write_text(
        '<link rel="stylesheet" href="http://fonts.googleapis.com/a.css"><img src="http://127.0.0.1:8009/two.png">'
    )
    for file, expected in (
        (theirs, {"fonts.googleapis.com", "127.0.0.1:8009"}),
        (ours, set[str]()),
        (tampered, set[str]()),
    ):
        with network() as (flag, asked):
            made = dump(file, tmp_path / f"profile-{file.stem}", flag, "--proxy-bypass-list=<-loopback>")
            assert made
        assert set(asked) == expected, file.stem
