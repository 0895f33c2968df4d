"""Every price that the loop or a plan sees goes into the history; trouble with it costs them nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from spotlaunch.core.facts import Offer
from spotlaunch.errors import StoreUnavailable
from spotlaunch.home import Home
from spotlaunch.storage.market import MarketStore, open_market


class PriceNotes:
    """Notes prices in the market's memory of ``home``, which is opened with the first of them.

    Called by many threads. Trouble (a full disk, a damaged file) is complained of once, until a note works again.
    """

    def __init__(self, home: Home, *, complain: Callable[[str], None]) -> None:
        self._home = home
        self._complain = complain
        self._turn = threading.Lock()
        self._market: MarketStore | None = None
        self._closed = False
        self._troubled = False

    def __call__(self, offers: Sequence[Offer]) -> None:
        with self._turn:
            if self._closed:
                return  # a slow provider answered after the loop had ended
            try:
                if self._market is None:
                    self._market = open_market(self._home)
                self._market.note_prices(offers, now=time.time())
                self._troubled = False
            except StoreUnavailable as e:
                if not self._troubled:
                    self._complain(f"the history of prices is not written: {e.message} (hint: {e.hint})")
                self._troubled = True

    def close(self) -> None:
        """Let go of the file. What is noted later is dropped."""
        with self._turn:
            self._closed = True
            if self._market is not None:
                self._market.close()
