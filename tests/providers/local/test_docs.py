"""docs/local-market.md tells of every key, and what it shows works."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from spotlaunch_providers.local import reading, traces
from spotlaunch_providers.local.market import CloudFaults

DOC = Path(__file__).parents[3] / "docs" / "local-market.md"


def test_every_key_of_a_market_file_is_in_its_documentation() -> None:
    known = {
        *reading.TOP_KEYS,
        *reading.POOL_KEYS,
        *reading.FAULT_KEYS,
        *traces.KEYS,
        *(f.name for f in fields(CloudFaults)),
        *reading.TRAIT_KEYS,
    }
    told = set(re.findall(r"\w+", " ".join(re.findall(r"```.*?```|`[^`]+`", DOC.read_text(), re.DOTALL))))
    assert known - told == set()


def test_the_market_in_the_documentation_is_good() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", DOC.read_text(), re.DOTALL)
    market = reading.parse_market(text, file=DOC)
    assert [p.name for p in market.pools] == ["a", "b", "c", "paid"]
    assert market.pools[1].boot_s == 0.2


def test_the_trace_in_the_documentation_is_good(tmp_path: Path) -> None:
    (text,) = re.findall(r"```json\n(.*?)```", DOC.read_text(), re.DOTALL)
    (tmp_path / "t.json").write_text(text)
    market = "pools: [{name: a, price_usd_hour: 1, availability: {trace: t.json, tick: 1s}}]"
    (pool,) = reading.parse_market(market, file=tmp_path / "m.yaml").pools
    assert pool.trace is not None and pool.trace.data == (0, 1, 1)
