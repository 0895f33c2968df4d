from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core.answers import Answer
from spotlaunch.core.facts import Offer, Want
from spotlaunch.core.pricehistory import PriceChange
from spotlaunch.errors import StoreUnavailable
from spotlaunch.home import Home
from spotlaunch.storage import columns
from spotlaunch.storage.market import KEEP_ANSWERS_S, MarketStore, open_market
from spotlaunch.storage.pricebook import KEEP_S, SEEN_EVERY_S
from tests.storage.offers import an_offer
from tests.storage.test_database import together

NOW = 10_000.0
HERE = {"one": "f1"}


@pytest.fixture
def market() -> Iterator[MarketStore]:
    made = MarketStore(":memory:")
    yield made
    made.close()


def answer(*offers: Offer, at: float = NOW, provider: str = "one") -> Answer:
    return Answer(
        provider=provider, asked_at=at, offers=offers, start_s=240.0, prices_only="no credentials", missing=("x",)
    )


def recalled(market: MarketStore, want: Want, **changes: object) -> dict[str, Answer]:
    terms = {"settings": HERE, "since": NOW - 300, "until": NOW, **changes}
    return market.recall(want, **terms)  # type: ignore[arg-type]


# -- answers ------------------------------------------------------------------------------------------


def test_an_answer_comes_back_as_it_was(market: MarketStore) -> None:
    said = answer(an_offer(), an_offer(zone="r1b", available="no", why="sold out", on_demand_usd_hour=None))
    market.remember(said, Want(), settings="f1")
    assert recalled(market, Want()) == {"one": said}


def test_an_answer_without_offers_is_an_answer(market: MarketStore) -> None:
    market.remember(answer(), Want(), settings="f1")
    assert recalled(market, Want()) == {"one": answer()}


def test_nothing_is_kept_of_what_belongs_to_the_adapter(market: MarketStore) -> None:
    market.remember(answer(an_offer(extra={"token": "marker"})), Want(), settings="f1")
    assert recalled(market, Want())["one"].offers[0].extra == {}


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"since": NOW + 1, "until": NOW + 300}, "it is too old"),
        ({"since": NOW - 300, "until": NOW - 1}, "the clock was set back since"),
        ({"settings": {"one": "f2"}}, "it was given under other settings"),
        ({"settings": {"two": "f1"}}, "nobody asks this provider"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_an_answer_does_not_count_when(market: MarketStore, terms: dict[str, object], why: str) -> None:
    market.remember(answer(an_offer()), Want(), settings="f1")
    assert recalled(market, Want(), **terms) == {}, why


def test_the_newer_answer_takes_the_place_of_the_older(market: MarketStore) -> None:
    market.remember(answer(an_offer(), at=NOW - 100), Want(), settings="f1")
    market.remember(answer(at=NOW - 10), Want(), settings="f1")
    assert recalled(market, Want())["one"].offers == ()


def test_an_answer_to_a_wider_want_serves_and_only_with_what_is_asked(market: MarketStore) -> None:
    h100, l4 = an_offer(), an_offer(gpu="L4", gpu_count=1, instance_type="l4")
    market.remember(answer(h100, l4), Want(), settings="f1")
    assert recalled(market, Want(gpus=(("H100", 0),)))["one"].offers == (h100,)
    assert recalled(market, Want(gpus=(("h100", 8), ("T4", 1))))["one"].offers == (h100,)
    assert recalled(market, Want(gpus=(("H100", 4),)))["one"].offers == ()


@pytest.mark.parametrize(
    ("asked", "want"),
    [
        (Want(gpus=(("H100", 0),)), Want()),
        (Want(gpus=(("H100", 8),)), Want(gpus=(("H100", 0),))),
        (Want(gpus=(("H100-SXM", 0),)), Want(gpus=(("H100", 0),))),
        (Want(markets=("spot",)), Want()),
        (Want(cpus=8), Want()),
        (Want(image="a"), Want()),
    ],
)
def test_an_answer_to_a_narrower_want_does_not_serve(market: MarketStore, asked: Want, want: Want) -> None:
    market.remember(answer(an_offer()), asked, settings="f1")
    assert recalled(market, want) == {}


def test_the_answer_to_the_same_want_goes_before_a_newer_one_to_a_wider(market: MarketStore) -> None:
    want = Want(gpus=(("H100", 8),))
    exact = answer(an_offer(obtainability=0.9), at=NOW - 20)
    market.remember(exact, want, settings="f1")
    market.remember(answer(an_offer(), at=NOW - 10), Want(), settings="f1")
    assert recalled(market, want) == {"one": exact}


def test_answers_that_nobody_will_want_again_are_dropped(market: MarketStore) -> None:
    market.remember(answer(an_offer()), Want(cpus=1), settings="f1")
    market.remember(answer(an_offer(), at=NOW + KEEP_ANSWERS_S + 1), Want(), settings="f1")
    assert recalled(market, Want(cpus=1)) == {}


def test_an_answer_that_cannot_be_read_counts_as_none(tmp_path: Path) -> None:
    market = MarketStore(tmp_path / "market.db")
    for change in ("head = '[]'", "codes = x'00'", "offers = offers + 1", "head = 'x'", "want = '{}'", "want = '7'"):
        market.remember(answer(an_offer(), an_offer(zone="r1b")), Want(), settings="f1")
        with market._db.writing() as sql:
            sql.execute(f"UPDATE answers SET {change}")
        assert recalled(market, Want()) == {}, change
        with market._db.writing() as sql:
            sql.execute("DELETE FROM answers")
    market.close()


prices = st.decimals(min_value=0, max_value=1000, places=6)
offers_ = st.builds(
    an_offer,
    zone=st.sampled_from(["r1a", "r1b", ""]),
    instance_type=st.text(max_size=5),
    gpu=st.sampled_from(["H100-SXM", "L4", ""]),
    gpu_count=st.integers(0, 8),
    gpu_memory_gb=st.none() | st.floats(0, 200),
    price_usd_hour=prices,
    on_demand_usd_hour=st.none() | prices,
    egress_usd_gb=prices,
    why=st.text(max_size=5),
    obtainability=st.none() | st.floats(0, 1),
    seen_at=st.floats(0, 2e9),
)


@given(st.lists(offers_, max_size=20))
@settings(max_examples=200, deadline=None)
def test_columns_give_back_every_offer_exactly(given_: list[Offer]) -> None:
    head, codes = columns.pack(given_)
    assert columns.unpack(head, codes, len(given_)) == given_
    kept = columns.unpack(head, codes, len(given_), keep=lambda gpu, count: gpu == "L4" and count > 1)
    assert kept == [o for o in given_ if o.gpu == "L4" and o.gpu_count > 1]


def test_columns_know_every_field_of_an_offer() -> None:
    assert {*columns.OFFER, "pool", "extra"} == {f.name for f in fields(Offer)}
    money = {f.name for f in fields(Offer) if "Decimal" in str(f.type)}
    assert money == columns.MONEY


# -- prices -------------------------------------------------------------------------------------------


def history(market: MarketStore, gpu: str = "H100", since: float = 0.0, until: float = 2e9) -> list[list[PriceChange]]:
    return [list(p.changes) for p in market.history(gpu, since=since, until=until)]


def at(time: float, price: str = "12.50", **changes: object) -> Offer:
    return an_offer(seen_at=time, price_usd_hour=Decimal(price), **changes)


def change(time: float, price: str = "12.50", *, on_sale: bool = True) -> PriceChange:
    return PriceChange(at=time, price_usd_hour=Decimal(price), on_sale=on_sale)


def test_only_a_change_makes_a_line(market: MarketStore) -> None:
    noted = [market.note_prices([at(t, p)], now=t) for t, p in ((10, "2"), (20, "2.0"), (30, "1.9"), (40, "1.9"))]
    assert noted == [1, 0, 1, 0]
    assert history(market) == [[change(10, "2"), change(30, "1.9")]]


def test_what_can_no_longer_be_had_is_a_change_too(market: MarketStore) -> None:
    for t, available in ((10, "yes"), (20, "unknown"), (30, "no"), (40, "no"), (50, "yes")):
        market.note_prices([at(t, available=available)], now=t)
    assert history(market) == [[change(10), change(30, on_sale=False), change(50)]]


def test_a_price_comes_back_to_the_last_digit(market: MarketStore) -> None:
    price = "0.1000000000000000055511151231257827"
    market.note_prices([at(10, price)], now=10)
    assert history(market)[0][0].price_usd_hour == Decimal(price)


def test_a_history_begins_with_what_was_in_force(market: MarketStore) -> None:
    for t, price in ((10, "1"), (20, "2"), (30, "3"), (40, "4")):
        market.note_prices([at(t, price)], now=t)
    assert history(market, since=25, until=35) == [[change(20, "2"), change(30, "3")]]
    assert history(market, since=30, until=35) == [[change(30, "3")]]
    assert history(market, until=5) == []


def test_a_family_has_the_history_of_all_its_members_pool_by_pool(market: MarketStore) -> None:
    offers = [at(10), at(10, gpu="H100-PCIe", zone="r1b"), at(10, gpu="L4"), at(10, market="on-demand")]
    market.note_prices(offers, now=10)
    found = market.history("H100", since=0, until=20)
    assert {(p.gpu, p.pool) for p in found} == {(o.gpu, o.pool) for o in offers if o.gpu != "L4"}
    assert {p.gpu_count for p in found} == {8}
    assert market.gpus() == ["H100-PCIe", "H100-SXM", "L4"]


def test_of_one_pool_offered_twice_the_cheaper_price_counts(market: MarketStore) -> None:
    for t in (10.0, 20.0):
        market.note_prices([at(t, "3"), at(t, "2"), at(t, "4")], now=t)
    assert history(market) == [[change(10, "2")]]


def test_old_news_changes_nothing(market: MarketStore) -> None:
    market.note_prices([at(50, "2")], now=50)
    assert market.note_prices([at(40, "3")], now=60) == 0
    assert history(market) == [[change(50, "2")]]


def test_a_clock_that_was_set_back_does_not_stop_the_history(market: MarketStore) -> None:
    market.note_prices([at(10, "1")], now=10)
    market.note_prices([at(5000, "2")], now=5000)
    assert market.note_prices([at(20, "3")], now=20) == 1
    assert history(market) == [[change(10, "1"), change(20, "3")]]


def test_a_price_that_stayed_while_the_clock_was_set_back_is_in_the_history(market: MarketStore) -> None:
    market.note_prices([at(5000, "2")], now=5000)
    market.note_prices([at(20, "2")], now=20)
    assert history(market, until=30) == [[change(20, "2")]]
    assert market.note_prices([at(40, "2")], now=40) == 0


def test_a_price_seen_in_the_future_is_written_down_as_of_now(market: MarketStore) -> None:
    market.note_prices([at(9000, "1")], now=10)
    assert history(market) == [[change(10, "1")]]


def test_one_that_vanished_and_came_back_was_not_on_sale_meanwhile(market: MarketStore) -> None:
    stays = {"zone": "r1b"}
    for t in (0.0, 600.0):
        market.note_prices([at(t), at(t, "20", **stays)], now=t)
    for t in (4000.0, 8000.0, 12000.0):
        market.note_prices([at(t, "20", **stays)], now=t)
    market.note_prices([at(12600.0), at(12600.0, "20", **stays)], now=12600.0)
    assert sorted(history(market), key=len) == [
        [change(0, "20")],
        [change(0), change(SEEN_EVERY_S, on_sale=False), change(12600)],
    ]


def test_when_nobody_looked_nothing_vanished(market: MarketStore) -> None:
    for t in (0.0, 10 * SEEN_EVERY_S):
        market.note_prices([at(t), at(t, "20", zone="r1b")], now=t)
    assert [len(changes) for changes in history(market)] == [1, 1]


def test_it_is_known_until_when_a_price_held(market: MarketStore) -> None:
    market.note_prices([at(10)], now=10)
    market.note_prices([at(20)], now=20)
    later = 10 + SEEN_EVERY_S
    market.note_prices([at(later)], now=later)
    assert [p.seen_at for p in market.history("H100", since=0, until=later)] == [later]
    assert market.history("H100", since=later + 1, until=later + 2) == (), "it was not seen since"


def test_what_is_older_than_a_year_is_forgotten_but_not_the_price_in_force(market: MarketStore) -> None:
    for t, price in ((10, "1"), (20, "2"), (30, "3")):
        market.note_prices([at(t, price), at(t, price, zone="r1b")], now=t)
    year = 25 + KEEP_S
    market.note_prices([at(year, "3")], now=year)
    assert history(market) == [[change(30, "3")], [change(30, "3")]]
    market.note_prices([at(year + 86400, "3")], now=year + 86400)
    assert [p.pool.zone for p in market.history("H100", since=0, until=2e9)] == ["r1a"], "nobody saw the other since"
    with market._db.reading() as sql:
        assert sql.execute("SELECT count(*) FROM changes").fetchone() == (1,)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("123"), st.sampled_from(["yes", "no"])), max_size=30))
@settings(max_examples=100, deadline=None)
def test_the_history_says_at_any_time_what_was_last_seen(seen: list[tuple[str, str, str]]) -> None:
    market = MarketStore(":memory:")
    last: dict[str, tuple[Decimal, bool]] = {}
    for n, (zone, price, available) in enumerate(seen, start=1):
        market.note_prices([at(n, price, zone=zone, available=available)], now=n)
        last[zone] = (Decimal(price), available == "yes")
    found = market.history("H100", since=0, until=100)
    assert {p.pool.zone: (p.changes[-1].price_usd_hour, p.changes[-1].on_sale) for p in found} == last
    for pool in found:
        pairs = list(zip(pool.changes, pool.changes[1:], strict=False))
        assert all(replace(a, at=0) != replace(b, at=0) and a.at < b.at for a, b in pairs)
    market.close()


# -- the file -----------------------------------------------------------------------------------------


def test_the_file_is_its_owners_only_and_beside_the_book(own_home: Path) -> None:
    open_market(Home.find()).close()
    path = Home.find().market
    assert path.name == "market.db"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not Home.find().database.exists()


def test_a_damaged_file_says_what_it_held_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    market = MarketStore(path)
    market.note_prices([an_offer(instance_type=f"t{n}") for n in range(2000)], now=NOW)
    market.close()
    size = path.stat().st_size
    with path.open("r+b") as f:
        f.seek(4096)
        f.write(b"\xff" * (size - 4096))
    with pytest.raises(StoreUnavailable, match=r"the market's memory .* is damaged") as caught:
        MarketStore(path).history("H100", since=0, until=NOW)
    assert "remove market.db" in caught.value.hint
    assert "no job" in caught.value.hint


def test_a_stranger_and_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "market.db"
    sql = sqlite3.connect(path)
    sql.execute("CREATE TABLE recipes (name)")
    with pytest.raises(StoreUnavailable, match="not one of spotlaunch's"):
        MarketStore(path)
    sql.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreUnavailable, match="newer spotlaunch"):
        MarketStore(path)
    sql.close()


def test_a_full_disk_says_so_and_loses_nothing(tmp_path: Path) -> None:
    market = MarketStore(tmp_path / "market.db")
    market.remember(answer(an_offer()), Want(), settings="f1")
    with market._db.reading() as sql:
        pages = sql.execute("PRAGMA page_count").fetchone()[0]
        sql.execute(f"PRAGMA max_page_count = {pages}")
    many = [an_offer(instance_type=f"t{n}") for n in range(5000)]
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        market.remember(answer(*many), Want(), settings="f1")
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        market.note_prices(many, now=NOW)
    assert recalled(market, Want())["one"].offers == (an_offer(),)
    market.close()


def test_many_processes_may_make_it_and_write_to_it_at_once(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from spotlaunch.core.answers import Answer
        from spotlaunch.core.facts import Want
        from spotlaunch.storage.market import MarketStore
        from tests.storage.offers import an_offer
        sys.stdin.readline()
        market, me = MarketStore(Path(sys.argv[1])), sys.argv[2]
        for n in range(20):
            costs = {"price_usd_hour": n, "seen_at": 1000.0 + n}
            offers = tuple(an_offer(provider=me, zone=str(z), **costs) for z in range(20))
            market.remember(Answer(provider=me, asked_at=1000.0 + n, offers=offers), Want(), settings="f1")
            market.note_prices(offers, now=1000.0 + n)
    """
    path = tmp_path / "market.db"
    assert together(code, 4, path) == [""] * 4
    market = MarketStore(path)
    assert len(market.recall(Want(), settings=dict.fromkeys("0123", "f1"), since=0, until=2000)) == 4
    assert {len(p.changes) for p in market.history("H100", since=0, until=2000)} == {20}
    market.close()
