"""What the fake AWS lets pass: which parameters, filters and fields each action takes, and what they select."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

# What each action takes, in the spelling of the wire. `.N` stands for a list.
PARAMETERS = {
    "DescribeRegions": {"RegionName.N", "AllRegions", "DryRun", "Filter.N"},
    "DescribeInstanceTypes": {
        *("DryRun", "InstanceType.N", "Filter.N", "MaxResults", "NextToken", "IncludeUnsupportedInRegion"),
    },
    "DescribeInstanceTypeOfferings": {"DryRun", "LocationType", "Filter.N", "MaxResults", "NextToken"},
    "DescribeSpotPriceHistory": {
        *("AvailabilityZone", "AvailabilityZoneId", "DryRun", "StartTime", "EndTime", "InstanceType.N"),
        *("ProductDescription.N", "Filter.N", "MaxResults", "NextToken"),
    },
    "GetCallerIdentity": set(),
    "AssumeRole": {"RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId", "Policy"},
}
TYPE_FILTERS = {
    *("instance-type", "supported-usage-class", "current-generation", "processor-info.supported-architecture"),
    *("bare-metal", "hypervisor", "vcpu-info.default-vcpus", "memory-info.size-in-mib"),
}
HISTORY_FILTERS = {
    *("availability-zone", "availability-zone-id", "instance-type", "product-description", "spot-price", "timestamp"),
}
PRICE_FIELDS = {
    *("ServiceCode", "regionCode", "instanceType", "operatingSystem", "tenancy", "preInstalledSw", "capacitystatus"),
    *("marketoption", "productFamily", "locationType", "operation"),
}


class Refused(Exception):
    """A call that is turned down: status, code and words."""


def listed(form: Mapping[str, str], name: str) -> list[str]:
    found = {int(k.rpartition(".")[2]): v for k, v in form.items() if re.fullmatch(rf"{name}\.[0-9]+", k)}
    return [found[n] for n in sorted(found)]


def filters_of(form: Mapping[str, str], known: set[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, name in form.items():
        if number := re.fullmatch(r"Filter\.([0-9]+)\.Name", key):
            if name not in known:
                raise Refused(400, "InvalidParameterValue", f"The filter '{name}' is invalid")
            values = listed(form, rf"Filter\.{number[1]}\.Value")
            if not 0 < len(values) <= 200:
                raise Refused(400, "FilterLimitExceeded", f"The filter '{name}' has {len(values)} values")
            found[name] = values
    return found


def any_of(words: Sequence[str], patterns: Sequence[str]) -> bool:
    """Whether a filter lets this pass. `*` and `?` are wildcards in every filter of EC2."""
    return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)


def type_words(told: Mapping[str, Any], name: str) -> list[str]:
    words: dict[str, Any] = {
        "instance-type": told["InstanceType"],
        "supported-usage-class": told["SupportedUsageClasses"],
        "current-generation": told.get("CurrentGeneration"),
        "processor-info.supported-architecture": told["ProcessorInfo"]["SupportedArchitectures"],
        "bare-metal": told.get("BareMetal", False),
        "hypervisor": told.get("Hypervisor", ""),
        "vcpu-info.default-vcpus": told["VCpuInfo"]["DefaultVCpus"],
        "memory-info.size-in-mib": told["MemoryInfo"]["SizeInMiB"],
    }
    found = words[name]
    return [str(w) for w in found] if isinstance(found, list) else [str(found).lower()]


def moment(form: Mapping[str, str], name: str, default: float) -> float:
    if name not in form:
        return default
    try:
        return datetime.fromisoformat(form[name].replace("Z", "+00:00")).timestamp()
    except ValueError as e:
        raise Refused(400, "InvalidParameterValue", f"{name} is not a time: {form[name]}") from e


def price_test(told: Mapping[str, str]) -> Callable[[Mapping[str, str]], bool]:
    kind, field, value = told.get("Type"), told.get("Field", ""), told.get("Value", "")
    if set(told) != {"Type", "Field", "Value"} or field not in PRICE_FIELDS or not isinstance(value, str):
        raise Refused(400, "InvalidParameterException", f"the filter of {field} is not valid")
    name = "servicecode" if field == "ServiceCode" else field
    if field == "productFamily":
        return lambda p: value.startswith("Compute Instance")
    if kind in ("TERM_MATCH", "EQUALS"):
        return lambda p: p[name] == value
    if kind == "CONTAINS":
        return lambda p: value in p[name]
    if kind in ("ANY_OF", "NONE_OF"):
        return lambda p: (p[name] in value.split(",")) == (kind == "ANY_OF")
    raise Refused(400, "InvalidParameterException", f"no filter type {kind}")


def product(attributes: Mapping[str, str]) -> str:
    """One item of a PriceList: JSON in a text. Beside the hour on demand stands a reservation, which is cheaper."""
    usd = attributes["usd"]
    sku = hashlib.sha256(json.dumps(dict(attributes), sort_keys=True).encode()).hexdigest()[:16].upper()
    hourly = {
        f"{sku}.JRTCKXETXF.6YS6EN2CT7": {
            "unit": "Hrs",
            "beginRange": "0",
            "endRange": "Inf",
            "appliesTo": [],
            "description": f"${usd} per hour",
            "rateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7",
            "pricePerUnit": {"USD": usd},
        }
    }
    reserved = {
        f"{sku}.4NA7Y494T4.6YS6EN2CT7": {"unit": "Hrs", "pricePerUnit": {"USD": f"{float(usd) * 0.6:.10f}"}},
        f"{sku}.4NA7Y494T4.2TG2D8R56U": {"unit": "Quantity", "pricePerUnit": {"USD": "9999"}},
    }
    item = {
        "product": {
            "productFamily": "Compute Instance",
            "sku": sku,
            "attributes": {k: v for k, v in attributes.items() if k != "usd"},
        },
        "serviceCode": "AmazonEC2",
        "terms": {
            "OnDemand": {f"{sku}.JRTCKXETXF": {"priceDimensions": hourly, "sku": sku, "termAttributes": {}}},
            "Reserved": {f"{sku}.4NA7Y494T4": {"priceDimensions": reserved, "sku": sku, "termAttributes": {}}},
        },
        "version": "20261118010350",
        "publicationDate": "2026-11-18T01:03:50Z",
    }
    return json.dumps(item)
