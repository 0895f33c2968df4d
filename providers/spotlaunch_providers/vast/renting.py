"""What is sent to rent a machine, what it will cost, and whether it is what was offered. Pure.

Fields of a create: vast-ai/docs, api-reference/openapi/yaml/create_instance.yaml. It calls `env` a text, which its own
client does not send, and which is ignored; an object is what works.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from spotlaunch.core.facts import Offer, Order, Refused
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.errors import OTHER, TOO_DEAR, TOO_LONG, UNFIT, refused
from spotlaunch_providers.vast.offers import shape_name, usd

# Names of ours in a container's environment. The listing shows them, and nothing secret is among them.
REGION = "SPOTLAUNCH_REGION"
SHELL = "SPOTLAUNCH_SHELL"

_MICRO = Decimal("0.000001")


def disk_gb(order: Order) -> float:
    """How much disk to rent. It cannot grow later."""
    return max(order.disk_gb or figures.DISK_GB, figures.LEAST_DISK_GB)


def paid_usd_hour(order: Order, offer: Offer) -> Decimal:
    """What an hour will cost, with the disk of the order where that is another than the offer's price holds."""
    more_gb = Decimal(str(disk_gb(order))) - Decimal(offer.extra.get("disk_gb") or "0")
    storage = Decimal(offer.extra.get("disk_usd_gb_month") or "0")
    if not more_gb or not storage:
        return offer.price_usd_hour
    more = more_gb * storage / figures.HOURS_PER_MONTH
    return (offer.price_usd_hour + more).quantize(_MICRO, ROUND_HALF_UP)


def turned_down(order: Order, offer: Offer) -> Refused | None:
    """Why an alternative is not even asked for; None: it may be."""
    extra = offer.extra
    if not extra.get("ask_contract_id", "").isdecimal():
        return refused(UNFIT, offer.pool, "without the number of its ask")
    named = shape_name(offer.gpu_count, extra.get("gpu_name", ""))
    if offer.pool.instance_type != named or offer.pool.zone != f"m{extra.get('machine_id')}":
        return refused(UNFIT, offer.pool, f"there is no {offer.pool.instance_type} at {offer.pool.zone}")
    if offer.pool.market == "spot" and not extra.get("bid_usd_hour"):
        return refused(UNFIT, offer.pool, "without a bid")
    if sum(len(word.encode()) for word in _command(order)) > figures.MOST_COMMAND_BYTES:
        return refused(TOO_LONG, offer.pool)
    cap, price = order.price_cap_usd_hour, paid_usd_hour(order, offer)
    if cap is not None and price > cap:
        return refused(TOO_DEAR, offer.pool, f"${price} an hour, the cap is ${cap}")
    return None


def body(order: Order, offer: Offer, *, image: str) -> dict[str, Any]:
    """The body of the create. A ``price`` makes it a bid, whatever was searched for, and is what is paid."""
    told: dict[str, Any] = {
        "image": order.image or image,
        "label": order.launch_key,
        "disk": disk_gb(order),
        "env": {REGION: offer.pool.region},
        # Else a bid that cannot start would be kept, stopped, and its disk billed.
        "cancel_unavail": True,
    }
    if offer.pool.market == "spot":
        told["price"] = float(offer.extra["bid_usd_hour"])
    if order.ssh_key:
        # In `args` mode there is no shell. In this one Vast.ai's own program starts in place of the image's, and runs
        # the script; the way in is by Vast.ai's own host, so that no port of the machine's is needed.
        return told | {
            "runtype": "ssh_proxy",
            "onstart": order.script,
            "env": {**told["env"], SHELL: "1"},
        }
    return told | {"runtype": "args", "args": _command(order)}


def another(order: Order, offer: Offer, row: Mapping[str, Any]) -> Refused | None:
    """Why a contract is not what was offered and has to be ended; None: it is, as far as it tells."""
    given = shape_name(row.get("num_gpus"), str(row.get("gpu_name") or ""))
    if row.get("num_gpus") and row.get("gpu_name") and given != offer.pool.instance_type:
        return refused(OTHER, offer.pool, f"{given} instead of {offer.pool.instance_type}")
    if isinstance(row.get("is_bid"), bool) and row["is_bid"] != (offer.pool.market == "spot"):
        return refused(OTHER, offer.pool, f"not {offer.pool.market}")
    price, most = told_usd_hour(row), _most_usd_hour(order, offer)
    if price is not None and price > most + _MICRO:
        return refused(TOO_DEAR, offer.pool, f"${price} an hour when it was taken, and ${most} at most will do")
    return None


def agreed_usd_hour(order: Order, offer: Offer, row: Mapping[str, Any]) -> Decimal:
    """What is paid: a bid is [D], a host's price is what the contract says (it may have moved a little)."""
    paid, told = paid_usd_hour(order, offer), told_usd_hour(row)
    moved = told is not None and abs(told - paid) > figures.SMALLEST_STEP_USD
    return told if moved and told is not None and offer.pool.market == "on-demand" else paid


def _most_usd_hour(order: Order, offer: Offer) -> Decimal:
    """More than this was not offered. A bid that were meant by the GPU, and not by the slice, would show by it: whoever
    bids pays less than on demand."""
    paid = paid_usd_hour(order, offer)
    most = max(paid, offer.on_demand_usd_hour or paid) * (1 + figures.PRICE_MARGIN)
    return min(most, order.price_cap_usd_hour) if order.price_cap_usd_hour is not None else most


def told_usd_hour(row: Mapping[str, Any]) -> Decimal | None:
    """What a contract costs an hour with its disk, if it tells."""
    price = usd(row.get("dph_total"))
    return price.quantize(_MICRO, ROUND_HALF_UP) if price else None


def _command(order: Order) -> list[str]:
    return ["/bin/sh", "-c", order.script]
