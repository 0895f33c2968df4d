"""Extras: what is paid beside a machine's price, for its disk and for traffic to the job's store. Estimates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from spotlaunch.core.book import Job
from spotlaunch.core.facts import Offer, Traits


def extras(offer: Offer, job: Job, traits: Traits) -> dict[str, Any]:
    """What a machine of ``offer`` costs beside its price, as fields of `core.book.Alternative` and `Machine`."""
    return {
        "storage_usd_gb_month": offer.storage_usd_gb_month,
        "egress_usd_gb": egress_usd_gb(offer, job, traits),
    }


def disk_gb(job: Job, traits: Traits) -> float:
    """The disk that is rented with a machine for ``job``."""
    return job.spec.resources.disk_gb or traits.disk_gb


def egress_usd_gb(offer: Offer, job: Job, traits: Traits) -> Decimal:
    """What a GB costs between a machine of ``offer`` and the job's store, either way.

    What leaves the machine's cloud is paid there. What comes in is paid where the store is, whose price nobody tells
    us, and which is taken to be the same. Nothing is paid within a region; nor within a cloud where the store does not
    say in which region it is. A folder of this computer costs nothing to write to.
    """
    scheme = job.store_url.partition(":")[0]
    if scheme == "file":
        return Decimal(0)
    # With an address of its own it is somebody else's store that speaks the same language.
    at_home = scheme == traits.home_store and not job.store_endpoint
    if at_home and job.store_region in ("", offer.pool.region):
        return Decimal(0)
    return offer.egress_usd_gb
