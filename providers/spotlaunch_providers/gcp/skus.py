"""The price list of Cloud Billing: pure, from tens of thousands of rows to the price of a machine.

Google has no price per machine type there, only per core, per GiB, per GPU and per GiB of local disk, told apart by
words. Whatever is not surely the plain price of a known part is left out: no price is better than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal

from spotlaunch.core.facts import Market
from spotlaunch_providers.gcp import families
from spotlaunch_providers.gcp.shapes import Shape

Part = Literal["core", "ram", "gpu", "ssd"]

# Rows with one of these words are sold on other terms than by the hour to anybody. [3P]
_OTHER_TERMS = re.compile(
    r"sole tenancy|reserved|premium|custom|commitment|\bdws\b|defined duration|calendar mode|capacity optimized"
    r"|extended|suspended|windows|virtual workstation|\bvws\b|licensing",
    re.IGNORECASE,
)
# ` running in Frankfurt`; local disk says ` in Frankfurt`.
_PLACE = re.compile(r"(?: running)? in .*$", re.IGNORECASE)
_SPOT = re.compile(r"^spot preemptible | attached to spot preemptible vms$", re.IGNORECASE)
_CORE = re.compile(r"(?P<series>G2|G4|A2|A3|A3Plus|A3Ultra|N1 Predefined) Instance (?P<part>Core|Ram)", re.IGNORECASE)
_SSD = "ssd backed local storage"
_SERIES = {s.lower(): s for s in ("G2", "G4", "A2", "A3", "A3Plus", "A3Ultra", families.N1)}

# What the list calls GPUs, without "Nvidia", "Tesla" and "GPU", in lower case. Whole words: "A100 80GB" is no "A100".
_GPUS: Mapping[str, str] = {
    "t4": "T4",
    "p4": "P4",
    "v100": "V100",
    "p100": "P100",
    "l4": "L4",
    "a100": "A100",
    "a100 80gb": "A100 80GB",
    "h100 80gb": "H100 80GB",
    "h100 80gb mega": "H100 80GB Mega",
    "h100 80gb plus": "H100 80GB Mega",
    "h100 mega 80gb": "H100 80GB Mega",
    "h200 141gb": "H200 141GB",
    "a4 b200 (1 slice)": "B200",
    "rtx 6000 96gb": "RTX PRO 6000",
    "rtx pro 6000 96gb": "RTX PRO 6000",
    "rtx pro 6000": "RTX PRO 6000",
}

_UNITS: Mapping[Part, Mapping[str, int]] = {
    "core": {"h": 1},
    "ram": {"GiBy.h": 1},
    "gpu": {"h": 1},
    "ssd": {"GiBy.mo": families.HOURS_A_MONTH, "GiBy.h": 1},
}


class Prices:
    """Prices per hour of parts, by region and market, in US dollars."""

    def __init__(self, rows: Mapping[str, Decimal] | None = None) -> None:
        self.rows: dict[str, Decimal] = dict(rows or {})

    def add(self, skus: Iterable[Mapping[str, Any]]) -> None:
        """Take over what a page of the list has on parts that we know.

        Where two rows say the same of one part, the dearer one stays: nobody is promised too low a price.
        """
        for sku in skus:
            if (read := _read(sku)) is None:
                continue
            part, what, market, price = read
            for region in sku.get("serviceRegions") or ():
                key = _key(part, what, market, str(region))
                self.rows[key] = max(price, self.rows.get(key, price))

    def of(self, shape: Shape, market: Market) -> Decimal | None:
        """The price of a whole machine per hour; None where a part of it is not in the list, or not known.

        vCPUs x core + GiB x ram + GPUs x gpu + GiB of local disk x its month / 730 [3P].
        """
        if not shape.gpu_sku:
            return None
        amounts: list[tuple[Part, str, Decimal]] = [("gpu", shape.gpu_sku, Decimal(shape.gpu_count))]
        if shape.cores:
            amounts += [("core", shape.cores, Decimal(shape.vcpus)), ("ram", shape.cores, shape.memory_gib)]
            amounts += [("ssd", "", Decimal(shape.ssd_gib))] if shape.ssd_gib else []
        total = Decimal(0)
        for part, what, amount in amounts:
            price = self.rows.get(_key(part, what, market, shape.region))
            if price is None:
                return None
            total += price * amount
        return plain(total.quantize(Decimal("0.000001")))


def _read(sku: Mapping[str, Any]) -> tuple[Part, str, Market, Decimal] | None:
    """Part, what the list calls it, market and price per hour; None for whatever we do not buy."""
    category = sku.get("category") or {}
    said = str(sku.get("description", ""))
    if category.get("usageType") not in ("OnDemand", "Preemptible") or _OTHER_TERMS.search(said):
        return None
    # The category lies: spot B200 is put down as OnDemand [3P x3]. The words do not.
    spot = category["usageType"] == "Preemptible" or "spot preemptible" in said.lower()
    part, what = _named(_SPOT.sub("", _PLACE.sub("", said).strip()).strip())
    price = _price_hour(sku, part) if part else None
    if part is None or not price:
        return None
    return part, what, "spot" if spot else "on-demand", price


def _named(words: str) -> tuple[Part | None, str]:
    if found := _CORE.fullmatch(words):
        return ("core" if found["part"].lower() == "core" else "ram"), _SERIES[found["series"].lower()]
    if words.lower() == _SSD:
        return "ssd", ""
    plain = " ".join(w for w in words.lower().replace("(1 gpu", "(1").split() if w not in ("nvidia", "tesla", "gpu"))
    gpu = _GPUS.get(plain)
    return ("gpu", gpu) if gpu else (None, "")


def _price_hour(sku: Mapping[str, Any], part: Part) -> Decimal | None:
    infos = sku.get("pricingInfo") or ()
    expression = (infos[-1].get("pricingExpression") or {}) if infos else {}  # the list is in order of time
    # Not said: the unit in which the list has this part.
    hours = _UNITS[part].get(str(expression.get("usageUnit") or next(iter(_UNITS[part]))))
    tiers = expression.get("tieredRates") or ()
    if hours is None or not tiers:
        return None
    price = money(tiers[0].get("unitPrice") or {})
    return price / hours if price is not None else None


def money(value: Mapping[str, Any]) -> Decimal | None:
    """Google's Money in US dollars: whole units as a text, and billionths. None for another currency, or below zero."""
    if value.get("currencyCode", "USD") != "USD":
        return None
    amount = Decimal(int(value.get("units") or 0)) + Decimal(int(value.get("nanos") or 0)).scaleb(-9)
    return plain(amount) if amount >= 0 else None


def plain(amount: Decimal) -> Decimal:
    """The same amount without zeros at its end, and never as 1E+2."""
    return amount.quantize(Decimal(1)) if amount == amount.to_integral_value() else amount.normalize()


def _key(part: Part, what: str, market: Market, region: str) -> str:
    return f"{part}|{what}|{market}|{region}"
