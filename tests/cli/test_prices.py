from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spotlaunch.cli import market, prices, pricetable
from spotlaunch.core.facts import Offer, Offers, Want
from spotlaunch.core.plan import AddAttempt, AddMachine
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized, Transient
from spotlaunch.home import Home
from spotlaunch.storage.market import open_market
from tests.cli.conftest import NOW, Cli
from tests.cli.selling import CHEAP, DRY, PAID, SMALL, STEADY, Clouds, at, installed, usd
from tests.storage.samples import a_job, a_machine, an_attempt, an_event


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Clouds:
    return installed(monkeypatch)


# -- the table --------------------------------------------------------------------------------------------


def test_the_table_has_the_cheapest_useful_hour_first_and_what_is_dry_last(cli: Cli, clouds: Clouds) -> None:
    feed = replace(PAID, source="spot prices of a feed", obtainability=0.35, available="unknown")
    clouds.sell("one", CHEAP, STEADY, DRY, start_s=300.0)
    clouds.sell("two", feed, prices_only="no credentials found")
    done = cli("prices", "--gpu", "H100")
    assert done.out == (
        "provider  zone  type    market     gpu            $/h  $/GPU-h  on-demand $/h  saving %  effective $"
        "/h  available  interrupted %/h    age  note\n"
        "one       r1a   h100x8  spot       H100-SXM:8   12.50   1.5625          55.04        77          13."
        "02        yes              4.1  1m15s  -\n"
        "one       r1c   h100x8  spot       H100-SXM:8  8.0000   1.0000          55.04        85          16."
        "47        yes              400  1m15s  -\n"
        "two       r1    h100x8  on-demand  H100-SXM:8   55.04   6.8800          55.04         -          55."
        "27        35%             0.05  1m15s  spot prices of a feed\n"
        "one       r1b   h100x8  spot       H100-SXM:8  1.0000   0.1250          55.04        98         1.00"
        "00         no             0.00  1m15s  no stock\n"
    )
    assert done.code == 0
    assert done.err == (
        "effective $/h: an hour of useful work, interruptions included, with checkpoints of 10 GB that take 60 s to "
        "write, written as often as is best\n"
        "two: public feed, not what your account is told\n"
        "two: prices only: no credentials found\n"
    )


def test_a_person_sees_the_first_thirty_and_how_many_more_there_are(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", *(at("1", instance_type=f"t{n:02}") for n in range(35)))
    done = cli("prices")
    assert len(done.out.splitlines()) == 1 + 30
    assert "and 5 more (--limit N shows N)\n" in done.err
    assert len(cli("prices", "--limit", 3).out.splitlines()) == 1 + 3
    assert len(cli("prices", "--limit", 40).out.splitlines()) == 1 + 35
    assert len(cli("prices", "--json").json["offers"]) == 35
    assert len(cli("prices", "--json", "--limit", 3).json["offers"]) == 3


def test_a_provider_that_is_cheap_in_many_places_does_not_hide_the_others(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", *(at("1", instance_type=f"t{n:02}") for n in range(35)))
    clouds.sell("two", at("4"), at("5", zone="r1b"))
    clouds.sell("three", at("0.5"))
    err = cli("prices", "--spot").err
    assert err.startswith("and 8 more (--limit N shows N)\n  line 37: two:r1a/h100x8/spot, 4.")
    assert "three" not in err


@pytest.mark.parametrize(
    ("rate", "shown"), [(0.0, "0.00"), (0.00001, "<0.01"), (0.0005, "0.05"), (0.041, "4.1"), (0.18, "18"), (4.0, "400")]
)
def test_interruptions_are_told_in_percent_an_hour(rate: float, shown: str, clouds: Clouds, cli: Cli) -> None:
    clouds.sell("one", at("1", interruptions_per_hour=rate))
    assert cli("prices").out.splitlines()[1].split()[11] == shown


def test_a_clouds_words_cannot_steer_the_terminal(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", at("1", available="no", why="\x1b[2Jgone"), prices_only="no\x1b[1mkey")
    clouds.fail("two", Transient("bad\x1b[31m\nluck", hint="wa\x07it"))
    done = cli("prices")
    assert "\x1b" not in done.out + done.err
    assert "\x07" not in done.err
    assert "two: bad [31m luck (hint: wa it)\n" in done.err


# -- who gave nothing -------------------------------------------------------------------------------------


def test_each_provider_that_gave_nothing_has_a_line_with_the_reason(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY)
    clouds.sell("two")
    clouds.fail("three", NotAuthorized("no credentials were found", hint="set THREE_KEY"))
    clouds.fail("four", TypeError("a bug"))
    done = cli("prices")
    assert done.code == 0
    assert "\ntwo: sells nothing like that\n" in "\n" + done.err
    assert "\nthree: no credentials were found (hint: set THREE_KEY)\n" in "\n" + done.err
    assert "\nfour: TypeError: a bug (hint: this is a mistake" in "\n" + done.err
    assert "Traceback" not in done.err


def test_a_reason_that_was_just_told_is_not_told_in_full_again(cli: Cli, clouds: Clouds) -> None:
    for name, words in (("one", "down"), ("two", "down"), ("three", "dead")):
        clouds.fail(name, Transient(words, hint="wait"))
    clouds.sell("four")
    clouds.sell("five")
    assert cli("prices").err == (
        "nobody sells what you ask for\n"
        "one: down (hint: wait)\ntwo: the same\nthree: dead (hint: wait)\n"
        "four: sells nothing like that\nfive: sells nothing like that\n"
    )
    reasons = [p["reason"] for p in cli("prices", "--json").json["providers"]]
    assert reasons == ["down", "down", "dead", "", ""]


def test_with_no_answer_at_all_it_fails(cli: Cli, clouds: Clouds) -> None:
    clouds.fail("one", Transient("down"))
    for form in ("--json", "--csv", "--refresh"):
        assert cli("prices", form).code == 1
    done = cli("prices")
    assert (done.code, done.out, done.err) == (1, "", "one: down\n")


def test_no_matching_offer_is_an_answer_too_and_says_what_to_leave_out(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY, PAID)
    done = cli("prices", "--gpu", "H100", "--max-price", "1", "--region", "mars-*")
    assert (done.code, done.out) == (0, "")
    assert done.err == "none of 2 offers is what you ask for\nhint: leave out --region or --max-price to see more\n"
    clouds.sell("one")
    assert "nobody sells what you ask for" in cli("prices", "--gpu", "H100", "--refresh").err


def test_a_rehearsal_is_asked_only_when_named_or_alone(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("stage", STEADY, rehearsal=True)
    done = cli("prices")
    assert "stage" in done.out
    assert "stage: a rehearsal, whose prices are not real\n" in done.err
    clouds.sell("one", STEADY)
    assert "stage" not in cli("prices").out
    assert "stage" in cli("prices", "--provider", "stage").out


# -- which ------------------------------------------------------------------------------------------------

EVERYTHING = [CHEAP, STEADY, DRY, PAID, SMALL]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], [SMALL, STEADY, CHEAP, PAID, DRY]),
        (["--gpu", "L4"], [SMALL]),
        (["--gpu", "H100:8", "--gpu", "L4:2"], [STEADY, CHEAP, PAID, DRY]),
        (["--gpu", "H100:4"], []),
        (["--spot", "--gpu", "H100"], [STEADY, CHEAP, DRY]),
        (["--on-demand"], [PAID]),
        (["--region", "*a", "--region", "*b"], [SMALL, STEADY, DRY]),
        (["--max-price", "$8"], [SMALL, CHEAP, DRY]),
        (["--min-gpu-memory", "40GB"], [STEADY, CHEAP, PAID, DRY]),
        (["--sort", "price"], [SMALL, CHEAP, STEADY, PAID, DRY]),
        (["--provider", "two"], []),
    ],
    ids=lambda v: " ".join(v) if v and isinstance(v[0], str) else "",
)
def test_options_say_which_and_in_which_order(
    cli: Cli, clouds: Clouds, arguments: list[str], found: list[Offer]
) -> None:
    clouds.sell("one", *EVERYTHING, start_s=300.0)
    clouds.sell("two")
    rows = cli("prices", "--json", *arguments).json["offers"]
    assert [(r["zone"], r["price_usd_hour"]) for r in rows] == [(o.pool.zone, float(o.price_usd_hour)) for o in found]


def test_providers_are_asked_for_the_gpus_alone_so_that_the_answer_serves_the_next_question(
    cli: Cli, clouds: Clouds
) -> None:
    clouds.sell("one", *EVERYTHING)
    cli("prices", "--gpu", "H100", "--gpu", "L4:2", "--spot", "--max-price", "3")
    assert clouds.asked == [("one", Want(gpus=(("H100", 0), ("L4", 2))))]
    cli("prices", "--gpu", "H100", "--on-demand")
    assert len(clouds.asked) == 1
    cli("prices", "--gpu", "H100", "--refresh")
    assert len(clouds.asked) == 2


def test_an_answer_is_good_for_five_minutes_and_its_age_is_told(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY)
    cli("prices")
    clouds.now = NOW + 200
    found = cli("prices", "--json").json
    assert (found["offers"][0]["age_s"], found["providers"][0]["age_s"]) == (275.0, 200.0)
    assert " 4m35s " in cli("prices").out
    clouds.now = NOW + 301
    cli("prices")
    assert len(clouds.asked) == 2


# -- wrong use --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--gpu", "8xH100"], "write name:count, like H100:8"),
        (["--gpu", "H100:0"], "0 GPUs are not allowed"),
        (["--gpu", ""], "'' is not a GPU"),
        (["--sort", "prise"], "did you mean price?"),
        (["--sort", "x"], "there are: effective, price, availability"),
        (["--json", "--csv"], "--csv and --json exclude each other"),
        (["--watch", "--csv"], "--csv and --watch exclude each other"),
        (["--provider", "On"], "did you mean one?"),
        (["--provider", "\x1b"], "there are: one"),
        (["--max-price", "cheap"], "--max-price: 'cheap' is not an amount of money"),
        (["--min-gpu-memory", "much"], "--min-gpu-memory: "),
        (["--limit", "0"], "--limit"),
        (["--timeout", "0"], "--timeout"),
    ],
)
def test_wrong_use_says_what_to_write_and_asks_nobody(
    cli: Cli, clouds: Clouds, arguments: list[str], says: str
) -> None:
    clouds.sell("one", STEADY)
    done = cli("prices", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err
    assert "\x1b" not in done.err
    assert clouds.asked == []


def test_a_gpu_that_no_table_knows_is_asked_for_all_the_same(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", at("1", gpu="H1000"))
    done = cli("prices", "--gpu", "H1000")
    assert done.err.startswith("warning: no GPU is called 'H1000'; did you mean ")
    assert "H1000:8" in done.out


# -- for scripts ------------------------------------------------------------------------------------------


def test_the_json_has_offers_and_providers(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", at("12", storage_usd_gb_month=usd("0.1"), egress_usd_gb=usd("0.09")), start_s=300.0)
    clouds.fail("two", NotAuthorized("no key", hint="set it"))
    found = cli("prices", "--json").json
    (offer,) = found["offers"]
    effective = offer.pop("effective_usd_hour")
    assert 12 < effective < 14
    assert offer.pop("effective_usd_gpu_hour") == pytest.approx(effective / 8)
    assert offer == {
        "provider": "one",
        "region": "r1",
        "zone": "r1a",
        "instance_type": "h100x8",
        "market": "spot",
        "gpu": "H100-SXM",
        "gpu_count": 8,
        "gpu_memory_gb": 80.0,
        "vcpus": 96,
        "memory_gb": 1024.0,
        "disk_gb": None,
        "price_usd_hour": 12.0,
        "price_usd_gpu_hour": 1.5,
        "on_demand_usd_hour": 55.04,
        "saving_percent": 78.2,
        "storage_usd_hour": 0.0,
        "egress_usd_gb": 0.09,
        "restart_s": 300.0,
        "available": "yes",
        "why": "",
        "obtainability": None,
        "interruptions_per_hour": 0.041,
        "seen_at": NOW - 75,
        "age_s": 75.0,
        "source": "live",
    }
    ok = {"provider": "one", "ok": True, "offers": 1, "reason": "", "hint": ""}
    bad = {"provider": "two", "ok": False, "offers": 0, "reason": "no key", "hint": "set it"}
    asked = {"prices_only": "", "missing": [], "asked_at": NOW, "age_s": 0.0}
    assert found["providers"] == [ok | asked, bad | asked]


def test_json_without_offers_is_json(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one")
    assert cli("prices", "--json").json["offers"] == []


def test_csv_has_the_keys_of_the_json(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY, replace(DRY, why='no "stock",\nsorry'))
    offers = cli("prices", "--json").json["offers"]
    done = cli("prices", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert tuple(offers[0]) == pricetable.CSV_HEAD
    assert [{k: "" if v is None else str(v) for k, v in o.items()} for o in offers] == rows
    assert cli("prices", "--csv", "--gpu", "T4").out.splitlines() == [",".join(pricetable.CSV_HEAD)]


# -- book and memory ----------------------------------------------------------------------------------------


def test_looking_at_prices_makes_no_book(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY)
    cli("prices")
    assert not Home.find().database.exists()
    assert clouds.owners == {market.NOBODY}


def test_what_our_machines_lived_through_counts(cli: Cli, clouds: Clouds, store: Any) -> None:
    clouds.sell("one", STEADY)
    before = cli("prices", "--json").json["offers"][0]["interruptions_per_hour"]
    store.add_job(a_job(), an_event())
    for n in (1, 2, 3):
        taken = {"state": "ended", "outcome": "preempted", "up_at": NOW - 100, "ended_at": NOW - 50}
        machine = a_machine(attempt=n, pool=STEADY.pool)
        store.apply([AddAttempt(attempt=an_attempt(number=n)), AddMachine(machine=replace(machine, **taken))])
    after = cli("prices", "--json", "--refresh").json["offers"][0]["interruptions_per_hour"]
    assert after > before
    assert clouds.owners == {store.owner}


def test_every_price_seen_is_in_the_history(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY, SMALL)
    cli("prices")
    found = open_market(Home.find())
    assert found.gpus() == ["H100-SXM", "L4"]
    found.close()


@pytest.mark.parametrize("file", ["market", "database"])
def test_a_file_that_cannot_be_used_is_told_of_and_done_without(cli: Cli, clouds: Clouds, file: str) -> None:
    clouds.sell("one", STEADY)
    path: Path = getattr(Home.find().prepare(), file)
    path.write_text("dear diary " * 500)
    done = cli("prices")
    assert done.code == 0
    assert "H100-SXM:8" in done.out
    assert done.err.startswith("warning: the ")
    assert "hint: move it away" in done.err


def test_a_secret_is_in_no_output_and_no_file(
    cli: Cli, clouds: Clouds, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "sk-marker-9876"
    told = Settings(provider="one", secrets={"api_key": secret})
    monkeypatch.setattr(market, "settings_of", lambda home, name: replace(told, provider=name))
    clouds.sell("one", replace(STEADY, extra={"token": secret}))
    clouds.fail("two", RuntimeError(f"GET https://x?key={secret} failed"))
    for form in ("--json", "--csv", "--refresh"):
        done = cli("prices", form)
        assert "marker" not in done.out + done.err
    files = [p for p in Path(own_home).rglob("*") if p.is_file()]
    assert files
    assert [p for p in files if b"marker" in p.read_bytes()] == []


# -- watching -----------------------------------------------------------------------------------------------


def watching(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, clouds: Clouds, *draws: Callable[[], None], form: str = ""
) -> str:
    """What ``--watch`` prints, with something happening between its draws; then it is interrupted."""
    left = iter(draws)

    def sleep(seconds: float) -> None:
        clouds.now += seconds
        happens = next(left, None)
        if happens is None:
            raise KeyboardInterrupt
        happens()

    monkeypatch.setattr(prices, "time", SimpleNamespace(sleep=sleep))
    done = cli("prices", "--watch", *([form] if form else []))
    assert done.code == 130
    return done.out


def notes(draw: str) -> dict[str, str]:
    """What the note of each zone's line says."""
    return {
        cells[1].rpartition("/")[2]: " ".join(cells[13:])
        for cells in map(str.split, draw.splitlines())
        if cells[:1] == ["one"]
    }


def test_watching_marks_what_moved_since_the_last_draw(
    cli: Cli, clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds.sell("one", *(at("3", zone=z) for z in ("same", "rises", "falls", "goes")))

    def later() -> None:
        clouds.sell("one", at("3", zone="same"), at("3.25", zone="rises"), at("2", zone="falls"), at("3", zone="comes"))

    first, second, third = watching(cli, monkeypatch, clouds, later, lambda: None).split("\n\n")
    assert set(notes(first).values()) == {"-"}
    found = notes(second)
    assert found["same"] == "-"
    assert found["rises"] == "up 0.2500"
    assert found["falls"] == "down 1.0000"
    assert found["comes"] == "new"
    assert "gone: one:goes/h100x8/spot at 3.0000 $/h" in second
    assert set(notes(third).values()) == {"-"}


def test_who_did_not_answer_has_lost_nothing_and_has_nothing_new_when_it_is_back(
    cli: Cli, clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    clouds.sell("one", at("3", zone="a"))
    draws = [
        lambda: clouds.fail("one", Transient("down")),
        lambda: clouds.sell("one", at("2", zone="a"), at("1", zone="b")),
    ]
    out = watching(cli, monkeypatch, clouds, *draws)
    assert "gone" not in out
    assert notes(out.split("\n\n")[-1])["a"] == "down 1.0000"
    assert notes(out.split("\n\n")[-1])["b"] == "new"


def test_watching_asks_again_for_each_draw(cli: Cli, clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    clouds.sell("one", STEADY)
    out = watching(cli, monkeypatch, clouds, lambda: None, form="--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["providers"][0]["asked_at"] for line in lines] == [NOW, NOW + prices.REDRAW_S]
    assert [list(line) for line in lines] == [["offers", "providers"]] * 2


def test_a_zone_that_does_not_name_its_region_is_shown_with_it(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", at("3", zone="host-7"), at("4", zone="r1a"))
    assert [line.split()[1] for line in cli("prices").out.splitlines()[1:3]] == ["r1/host-7", "r1a"]


def test_who_does_not_sell_in_the_market_asked_for_says_so(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY)
    clouds.sell("two", PAID)
    assert "two: sells nothing like that in the market spot" in cli("prices", "--spot").err
    assert "sells nothing" not in cli("prices").err
    assert "two: sells nothing like that in the market spot" in cli("prices", "--spot", "--provider", "two").err


def test_who_sells_only_what_is_too_dear_says_so(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY)
    clouds.sell("two", at("99"), at("98", zone="r1b"))
    assert "two: none of its 2 offers is what you ask for" in cli("prices", "--max-price", "50").err


def test_what_a_provider_could_not_be_asked_is_told_also_when_it_is_remembered(cli: Cli, clouds: Clouds) -> None:
    lost = [f"region-{n}: did not answer in time" for n in range(5)]
    clouds.sell("one", STEADY)
    whole = clouds.sells["one"]
    clouds.sells["one"] = lambda: Offers(whole(), missing=lost)
    for _ in range(2):
        done = cli("prices")
        assert done.code == 0
        assert f"one: incomplete: {lost[0]}; {lost[1]}; {lost[2]}; and 2 more" in done.err
    assert cli("prices", "--json").json["providers"][0]["missing"] == lost


def test_a_limit_of_nothing_is_blamed_for_showing_nothing(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY)
    assert "hint: leave out --max-price to see more" in cli("prices", "--max-price", "0.01").err


def test_an_empty_region_is_wrong_use(cli: Cli, clouds: Clouds) -> None:
    clouds.sell("one", STEADY)
    assert cli("prices", "--region", "").code == 2
