"""A market that is sold for a rehearsal: what the job wants, to be had at any time."""

from __future__ import annotations

from pathlib import Path

import pytest

from spotlaunch.core.facts import Want
from spotlaunch.ports import RehearsalCloud
from spotlaunch_providers.local.adapter import LocalProvider


@pytest.mark.parametrize("notice_s", [0.0, 27.5])
def test_it_sells_what_a_job_wants_whatever_that_is_and_whatever_was_sold_before(
    tmp_path: Path, notice_s: float
) -> None:
    provider = LocalProvider(owner="me", folder=tmp_path / "new")
    assert isinstance(provider, RehearsalCloud)
    for want in (Want(), Want(gpus=(("H100", 8), ("A100", 8)), cpus=96, memory_gb=1000.5, disk_gb=2000)):
        provider.sell(want, notice_s=notice_s)
        found = provider.offers(want)
        assert {o.available for o in found} == {"yes"} and len(found) > 1
        for offer in found:
            assert (offer.gpu, offer.gpu_count) == (("H100", 8) if want.gpus else ("", 0))
            assert offer.vcpus >= want.cpus and offer.memory_gb >= want.memory_gb
            assert offer.disk_gb is None or offer.disk_gb >= want.disk_gb
            assert offer.pool.market == "spot" and offer.interruptions_per_hour is None
        assert provider.traits.notice_s == notice_s
