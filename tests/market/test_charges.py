from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from decimal import Decimal

from spotlaunch.core.facts import Charge
from spotlaunch.core.settings import Settings
from spotlaunch.errors import NotAuthorized
from spotlaunch.market.charges import ask_charges
from spotlaunch.workers import Workers

ONE = Charge(instance_id="i-1", machine_usd=Decimal(1))


def test_who_fails_or_hangs_costs_the_others_nothing_and_tells_no_secret() -> None:
    never = threading.Event()

    def ask(name: str, settings: Settings, ids: Collection[str]) -> Sequence[Charge]:
        if name == "hangs":
            never.wait(20)
        if name == "refuses":
            raise NotAuthorized("the key hush is bad", hint="set another")
        assert ids == {"i-1"}
        return [ONE]

    providers = {n: Settings(provider=n, secrets={"key": "hush"}) for n in ("fine", "hangs", "refuses")}
    told = ask_charges(
        providers, ask, {name: {"i-1"} for name in providers}, workers=Workers(3, name="test"), deadline_s=0.2
    )
    never.set()
    assert [t.provider for t in told] == ["fine", "hangs", "refuses"]
    assert (told[0].charges, told[0].problem) == ({"i-1": ONE}, "")
    assert "has not answered" in told[1].problem
    assert (told[2].problem, told[2].hint) == ("the key *** is bad", "set another")
