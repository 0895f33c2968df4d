from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given

from spotlaunch.core.account import Account, Period, account
from spotlaunch.core.facts import Pool
from spotlaunch.report.page import page
from tests.report.samples import HOUR, LLAMA, NOW, a_job_called, a_life, a_report, a_story, one_job
from tests.report.test_markup import ANY, Read

OURS = {"html", "head", "meta", "title", "link", "style", "body", "header", "main", "footer", "section", "div", "span"}
OURS |= {"h1", "h2", "p", "small", "a", "ul", "li", "dl", "dt", "dd", "data", "time", "figure", "figcaption"}
OURS |= {
    "table",
    "caption",
    "thead",
    "tbody",
    "tfoot",
    "tr",
    "th",
    "td",
    "svg",
    "rect",
    "line",
    "path",
    "polyline",
    "text",
}


def amounts(text: str) -> list[Decimal]:
    return [Decimal(a["value"] or "") for tag, a in Read(text).tags if tag == "data"]


def hostile(text: str) -> Account:
    """A story in which every word that may come from outside is ``text``."""
    pool = Pool(provider=text, region=text, zone=text, instance_type=text, market="spot")
    job = a_job_called(text)
    attempt, machine = a_life(text, 1, NOW - 10 * HOUR, (pool, "1", 0.0, 4.0, (0, 10), "preempted"))
    machine = replace(machine, gpu=text, reason=text, instance_id=text, cheapest_pool=text)
    return account([job], [replace(attempt, reason=text)], [machine], Period(until_at=NOW))


@given(ANY.filter(bool))
def test_no_word_of_a_job_or_a_cloud_becomes_markup(text: str) -> None:
    plain, odd = Read(page(a_report(hostile("plain")))), Read(page(replace(a_report(hostile(text)), zone=text)))
    assert [tag for tag, _ in odd.tags] == [tag for tag, _ in plain.tags]
    assert [sorted(a) for _, a in odd.tags] == [sorted(a) for _, a in plain.tags]


@pytest.mark.parametrize("name", [None, "llama", "runs", "waits"])
def test_the_page_is_made_of_elements_that_fetch_and_run_nothing(name: str | None) -> None:
    text = page(a_report(one_job(a_story(), name) if name else None))
    tags = Read(text).tags
    assert {tag for tag, _ in tags} <= OURS
    assert not any(key.startswith("on") or key in ("src", "style", "srcset") for _, a in tags for key in a)
    assert [a["href"] for tag, a in tags if tag == "link"] == ["data:,"]
    assert all((a["href"] or "").startswith("#job-") for tag, a in tags if tag == "a")
    assert not re.search(r"https?:|@import|url\(", text)


def test_the_policy_of_the_page_lets_in_its_style_and_nothing_else() -> None:
    (policy,) = [
        a["content"] for t, a in Read(page(a_report())).tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None and policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy and "script" not in policy


def test_the_sums_of_all_jobs_are_those_of_the_account_to_the_last_digit() -> None:
    whole = a_story()
    t = whole.totals
    told = amounts(page(a_report(whole)))
    assert told[:5] == [t.spent_usd, t.on_demand_usd, t.saved_usd, t.effective_usd_hour, t.lost_usd]
    (foot,) = re.findall(r"<tfoot>.*?</tfoot>", page(a_report(whole)).partition("<section")[0])
    assert amounts(foot) == [t.spent_usd, t.on_demand_usd, t.saved_usd, t.lost_usd, t.effective_usd_hour]
    for job in whole.jobs:
        assert {job.totals.spent_usd, job.totals.on_demand_usd, job.totals.lost_usd} <= set(told)


def test_one_job_is_told_with_every_machine_and_what_its_provider_billed() -> None:
    whole = one_job(a_story(), "llama")
    text = page(a_report(whole))
    time, _ = re.findall(r"<table>.*?</table>", text)
    assert sum(amounts(time)[:-1]) == amounts(time)[-1] == whole.totals.spent_usd
    assert {line.totals.spent_usd for line in whole.lines} | {Decimal("43.19")} <= set(amounts(text))
    assert "step 15,000 of 15,000 (100%); 4 attempts; 3 interruptions" in text
    assert "<h1>spotlaunch: llama</h1>" in text and ">Providers<" not in text


def test_it_says_when_it_was_made_for_what_and_what_is_estimated() -> None:
    said = Read(page(a_report(a_story(since_at=NOW - 24 * HOUR)))).said
    assert "Made 2026-10-" in said and "from 2026-10-2" in said and "Times are those of UTC." in said
    assert "1 machine still up: counted until this page was made" in said
    assert "Estimates, marked with ~" in said and "~$" in said
    assert "from the beginning until then" in Read(page(a_report())).said


def test_a_price_history_that_cannot_be_read_is_said_and_costs_nothing_else() -> None:
    said = Read(page(replace(a_report(), prices={}, prices_trouble="market.db is damaged"))).said
    assert "No price history: market.db is damaged." in said
    assert "No price of these pools is remembered of other times." in said


def test_jobs_without_a_machine_and_no_job_at_all_make_a_page_too() -> None:
    assert "No machine was billed in this period." in page(a_report(one_job(a_story(), "waits")))
    assert "There is no job yet." in page(a_report(account([], [], [], Period(until_at=NOW))))


def test_a_machine_that_has_just_come_up_can_be_drawn() -> None:
    job = a_job_called("new")
    attempt, machine = a_life("new", 1, NOW, (LLAMA[0][0], "1", -1e-7, 0.0, (0, 0), "finished"))
    made = account([replace(job, submitted_at=NOW)], [attempt], [machine], Period(until_at=NOW))
    assert "nan" not in page(a_report(made)) and "inf" not in Read(page(a_report(made))).said
