from __future__ import annotations

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Pool
from spotlaunch_providers.local.errors import CODES, refusal
from spotlaunch_providers.shared.refused import as_error, ends_the_call

POOL = Pool(provider="local", region="r", zone="z", instance_type="t", market="spot")
ELSEWHERE = Pool(provider="local", region="r", zone="y", instance_type="t", market="spot")
OTHER_TYPE = Pool(provider="local", region="r", zone="z", instance_type="u", market="spot")


def told(code: str):  # type: ignore[no-untyped-def]
    return refusal(code, POOL, room=1, taken=1, price=2, cap=1)


@pytest.mark.parametrize("code", CODES)
def test_every_code_becomes_its_error_and_names_what_it_covers(code: str) -> None:
    refused = told(code)
    error = as_error([refused])
    assert type(error) is CODES[code].error
    assert isinstance(error, errors.ProviderError)
    assert refused.error == type(error).__name__
    assert error.message == refused.reason and "{" not in refused.reason
    assert error.refused == (refused,)
    assert refused.scope.covers(POOL)
    assert refused.scope.covers(ELSEWHERE) == (CODES[code].reach != "pool")
    assert refused.scope.covers(OTHER_TYPE) == ends_the_call(refused) == (CODES[code].reach == "cloud")


@pytest.mark.parametrize("code", ["quota", "unauthorized", "no-funds", "unknown-pool"])
def test_what_a_person_must_mend_comes_with_a_hint(code: str) -> None:
    assert told(code).hint
