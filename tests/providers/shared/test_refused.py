from __future__ import annotations

import pytest

from spotlaunch import errors
from spotlaunch.core.facts import Pool, Scope
from spotlaunch_providers.shared.refused import as_error, ends_the_call, of_error

POOL = Pool(provider="cloud", region="r", zone="z", instance_type="t", market="spot")
ALL = Scope(provider="cloud")


def test_the_last_refusal_names_the_error_and_all_are_told() -> None:
    quota = of_error(errors.QuotaExceeded("too many", hint="ask for more"), ALL)
    dry = of_error(errors.NoCapacity("dry", hint="wait", retry_after_s=7.0), Scope.of(POOL))
    error = as_error([quota, dry])
    assert type(error) is errors.NoCapacity
    assert (error.message, error.hint, error.retry_after_s) == ("dry", "wait", 7.0)
    assert error.refused == (quota, dry)


@pytest.mark.parametrize("scope", [ALL, Scope(provider="cloud", market="spot"), Scope.of(POOL)])
def test_only_what_the_whole_account_was_refused_ends_the_call(scope: Scope) -> None:
    assert ends_the_call(of_error(errors.OutOfFunds("no money"), scope)) == (scope == ALL)
