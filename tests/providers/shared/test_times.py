from __future__ import annotations

import pytest

from spotlaunch_providers.shared.times import seconds


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00.1234567+00:00", 60.123456),
        ("1969-12-31T16:01:00.000-08:00", 60.0),
        ("1970-01-01T00:01:00", 60.0),
        *((nonsense, None) for nonsense in ("", "soon", "0001-01-01T00:00:00+14:00x", None, 60, {})),
    ],
)
def test_a_time_is_read_in_every_form_that_clouds_write_and_nonsense_is_none(told: object, meant: float | None) -> None:
    assert seconds(told) == meant
