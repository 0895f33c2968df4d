from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.facts import Offer
from spotlaunch.home import Home
from spotlaunch.storage.market import open_market
from spotlaunch.storage.pricenotes import PriceNotes
from tests.storage.offers import an_offer


def seen_now(**changes: Any) -> Offer:
    return an_offer(seen_at=time.time(), **changes)


def history(home: Home) -> int:
    market = open_market(home)
    found = market.history("H100", since=0, until=2e9)
    market.close()
    return len(found)


def test_prices_go_into_the_history_of_the_home(own_home: Path) -> None:
    home, complaints = Home.find(), list[str]()
    notes = PriceNotes(home, complain=complaints.append)
    assert not home.market.exists(), "nothing is made before there is a price"
    notes([seen_now()])
    notes([seen_now(zone="r1b")])
    notes.close()
    assert (history(home), complaints) == (2, [])


def test_trouble_is_complained_of_once_and_again_after_it_was_over(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, complaints = Home.find().prepare(), list[str]()
    notes = PriceNotes(home, complain=complaints.append)
    home.market.write_text("dear diary " * 500)
    notes([seen_now()])
    notes([seen_now()])
    assert len(complaints) == 1
    assert complaints[0].startswith("the history of prices is not written: the market's memory ")
    assert "(hint: move it away" in complaints[0]
    home.market.unlink()
    notes([seen_now()])
    assert (history(home), len(complaints)) == (1, 1)
    with notes._market._db.reading() as sql:  # type: ignore[union-attr]
        sql.execute("PRAGMA query_only = 1")
    notes([seen_now(zone="r1b")])
    assert len(complaints) == 2
    notes.close()


def test_what_comes_after_the_end_is_dropped(own_home: Path) -> None:
    complaints: list[str] = []
    notes = PriceNotes(Home.find(), complain=complaints.append)
    notes.close()
    notes.close()
    notes([seen_now()])
    assert complaints == []
    assert not Home.find().market.exists()
