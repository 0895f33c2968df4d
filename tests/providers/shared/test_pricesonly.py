from __future__ import annotations

from dataclasses import replace

import pytest

from spotlaunch.core.facts import Order
from spotlaunch.errors import NotAuthorized
from spotlaunch_providers.gcp.adapter import TRAITS
from spotlaunch_providers.shared.pricesonly import PricesOnly


class Shop(PricesOnly):
    def __init__(self, why: str, hint: str) -> None:
        self.traits = replace(TRAITS, prices_only=why)
        self._hint = hint


def test_whatever_would_touch_a_machine_is_refused_with_the_reason_and_what_to_do() -> None:
    order = Order(launch_key="k", job="j", attempt=1, alternatives=())
    shop = Shop("no credentials: prices only", "log in")
    for call in (lambda: shop.launch(order), shop.list_machines, lambda: shop.terminate(["i-1"])):
        with pytest.raises(NotAuthorized) as caught:
            call()
        assert (caught.value.message, caught.value.hint) == ("no credentials: prices only", "log in")
