"""What the fake AWS has to sell at the moment: prices, pools that are dry, quotas, and refusals that a test scripts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fakes.clouds import aws_data as data
from tests.fakes.clouds.aws_codes import LAUNCH_CODES
from tests.fakes.clouds.aws_ground import AwsGround
from tests.fakes.clouds.aws_rules import Refused

# Codes as Service Quotas has them: vCPUs in a region.
QUOTAS = {
    "L-3819A6DF": ("All G and VT Spot Instance Requests", 64.0),
    "L-7212CCBC": ("All P4, P3 and P2 Spot Instance Requests", 0.0),
    "L-C4BD4855": ("All P5 Spot Instance Requests", 0.0),
    "L-DB2E81BA": ("Running On-Demand G and VT instances", 96.0),
    "L-417A185B": ("Running On-Demand P instances", 0.0),
}


@dataclass(kw_only=True)
class _Failure:
    code: str
    times: int | None
    message: str


class AwsMarket(AwsGround):
    """``names_zones``: whether a refusal names zones that have machines. ``quotas`` may be changed, and count for
    launches with ``enforces_quotas``."""

    def __init__(self) -> None:
        super().__init__()
        self.names_zones = True
        self.enforces_quotas = False
        self.quotas = {code: value for code, (_, value) in QUOTAS.items()}
        self._dry: list[dict[str, str]] = []
        self._prices: list[tuple[dict[str, str], float]] = []
        self._failures: list[_Failure] = []

    def run_dry(self, **where: str) -> None:
        """No more machines of ``region``, ``zone``, ``instance_type``, ``market`` (what is not named: all)."""
        self._dry.append({k: v for k, v in where.items() if v})

    def refill(self) -> None:
        self._dry.clear()

    def set_price(self, usd: float, **where: str) -> None:
        """From now on this is the price of ``region``, ``zone``, ``instance_type``, ``market``."""
        self._prices.insert(0, ({k: v for k, v in where.items() if v}, usd))

    def fail_launch(self, code: str, *, times: int | None = None, message: str = "") -> None:
        """Launches are refused with this code, as EC2 says it. Until `heal`."""
        self._failures.append(_Failure(code=code, times=times, message=message))

    def heal(self) -> None:
        super().heal()
        self._failures.clear()

    def usd_hour(self, name: str, region: str, zone: str, market: str) -> float:
        """What a machine costs now."""
        for where, usd in self._prices:
            if _inside(where, region=region, zone=zone, instance_type=name, market=market):
                return usd
        if market == "on-demand":
            return data.on_demand_usd_hour(name, region)
        now = time.time()
        return next(usd for _, usd in data.spot_changes(name, region, zone, start=now, end=now))

    def is_priced(self, name: str, region: str, zone: str, market: str) -> bool:
        """Whether a test has set that price."""
        given = {"region": region, "zone": zone, "instance_type": name, "market": market}
        return any(_inside(where, **given) for where, _ in self._prices)

    def refuse(self, region: str, zone: str, asked: Mapping[str, Any], up: Sequence[tuple[str, str, str]]) -> None:
        """Raise `Refused` for what AWS does not have, or does not give. ``up``: region, type and market of machines."""
        name, market = asked["InstanceType"], market_of(asked)
        for failure in [f for f in self._failures if f.times != 0]:
            if failure.times is not None:
                failure.times -= 1
            status, message = LAUNCH_CODES.get(failure.code, (400, "something new"))
            raise Refused(status, failure.code, failure.message or message)
        zones = data.zones_of(region).get(name, ())
        if zone not in zones or market not in data.instance_types()[name]["SupportedUsageClasses"]:
            raise Refused(400, "Unsupported", f"Your requested instance type ({name}) is not supported in {zone}.")
        if self.enforces_quotas:
            self._check_quota(region, name, market, up)
        wet = [z for z in zones if not self._is_dry(region, z, name, market)]
        if zone not in wet:
            raise Refused(500, "InsufficientInstanceCapacity", self._dry_words(name, zone, market, wet))
        most = asked.get("InstanceMarketOptions", {}).get("SpotOptions", {}).get("MaxPrice")
        now = self.usd_hour(name, region, zone, market)
        if most is not None and float(most) < now:
            told = f"Your Spot request price of {most} is lower than the minimum required Spot request fulfillment"
            raise Refused(400, "SpotMaxPriceTooLow", f"{told} price of {now}.")

    def _is_dry(self, region: str, zone: str, name: str, market: str) -> bool:
        here = {"region": region, "zone": zone, "instance_type": name, "market": market}
        return any(_inside(where, **here) for where in self._dry)

    def _dry_words(self, name: str, zone: str, market: str, wet: Sequence[str]) -> str:
        if market == "spot":
            return LAUNCH_CODES["InsufficientInstanceCapacity"][1]
        told = (
            f"We currently do not have sufficient {name} capacity in the Availability Zone you requested ({zone}). Our "
            "system will be working on provisioning additional capacity."
        )
        if not wet or not self.names_zones:
            return told
        return (
            f"{told} You can currently get {name} capacity by not specifying an Availability Zone in your request or "
            f"choosing {', '.join(wet)}."
        )

    def _check_quota(self, region: str, name: str, market: str, up: Sequence[tuple[str, str, str]]) -> None:
        letters = {("spot", "g"): "L-3819A6DF", ("spot", "p"): "L-7212CCBC", ("on-demand", "g"): "L-DB2E81BA"}
        quota = letters.get((market, name[0]), "L-417A185B")
        used = sum(_vcpus(other) for there, other, sold in up if (there, other[0], sold) == (region, name[0], market))
        if used + _vcpus(name) > self.quotas[quota]:
            code = "MaxSpotInstanceCountExceeded" if market == "spot" else "VcpuLimitExceeded"
            raise Refused(400, code, LAUNCH_CODES[code][1])


def _inside(where: Mapping[str, str], **pool: str) -> bool:
    return all(pool[k] == v for k, v in where.items())


def market_of(asked: Mapping[str, Any]) -> str:
    """The market of a launch."""
    return str(asked.get("InstanceMarketOptions", {}).get("MarketType", "on-demand"))


def _vcpus(name: str) -> int:
    return int(data.instance_types()[name]["VCpuInfo"]["DefaultVCpus"])
