"""The filters of the Retail Prices API, as far as it knows them: joined by `and`, values in single quotes.

``field eq 'value'``, ``startswith(field,'value')``, ``contains(field,'value')``, and the latter two with
``eq true`` or ``eq false``. Values are case-sensitive, as from version 2023-01-01-preview on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Test = Callable[[Mapping[str, Any]], bool]

# What may be filtered by, and the field of a row behind it. https://learn.microsoft.com/rest/api/cost-management/retail-prices
FIELDS = {
    name: name
    for name in ("armRegionName", "location", "meterId", "meterName", "productId", "skuId", "productName", "skuName")
} | {"serviceName": "serviceName", "serviceFamily": "serviceFamily", "priceType": "type", "armSkuName": "armSkuName"}

_FUNCTION = re.compile(
    r"(?P<name>startswith|contains)\((?P<field>\w+),\s*'(?P<value>[^']*)'\)(?:\s+eq\s+(?P<is>true|false))?"
)
_EQUAL = re.compile(r"(?P<field>\w+) eq '(?P<value>[^']*)'")


class BadFilter(ValueError):
    """The cloud would answer 400."""


def read(text: str, *, plain: bool = False) -> Test:
    """A test for rows. Raises `BadFilter` for what the API does not know; ``plain``: also for `contains` a size."""
    if plain and "contains(armSkuName" in text:
        raise BadFilter(text)
    tests = [_part(part.strip()) for part in re.split(r"\s+and\s+(?=(?:[^']*'[^']*')*[^']*$)", text)]
    return lambda row: all(test(row) for test in tests)


def _part(text: str) -> Test:
    if found := _EQUAL.fullmatch(text):
        field, value = _field(found["field"]), found["value"]
        return lambda row: row.get(field) == value
    if found := _FUNCTION.fullmatch(text):
        field, value, wanted = _field(found["field"]), found["value"], found["is"] != "false"
        if found["name"] == "contains":
            return lambda row: (value in row.get(field, "")) is wanted
        return lambda row: row.get(field, "").startswith(value) is wanted
    raise BadFilter(text)


def _field(name: str) -> str:
    if name not in FIELDS:
        raise BadFilter(name)
    return FIELDS[name]
