"""Reads a market file: every key is checked, and all problems are told at once with line and column."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from spotlaunch.core.facts import Market as MarketName
from spotlaunch.core.facts import Pool, Traits
from spotlaunch.core.gpus import parse_gpu
from spotlaunch.core.units import Unreadable, quoted, read_duration_s, read_money_usd, read_size_gb, read_whole
from spotlaunch.core.yamlread import read_tree
from spotlaunch.core.yamltree import Tree
from spotlaunch.errors import BadFile, Problem
from spotlaunch_providers.local.market import CloudFaults, Faults, Market, MarketPool, traits_of
from spotlaunch_providers.local.table import Table, chance, flag, number, seconds, text
from spotlaunch_providers.local.traces import KEYS as AVAILABILITY_KEYS
from spotlaunch_providers.local.traces import read_trace

TOP_KEYS = ("seed", "traits", "faults", "defaults", "pools")
POOL_KEYS = (
    "name", "region", "zone", "type", "market", "gpu", "gpu_memory_gb", "cpus", "memory_gb", "disk_gb",
    "price_usd_hour", "on_demand_usd_hour", "boot", "notice", "capacity", "interruptions_per_hour",
    "availability", "faults",
)  # fmt: skip
FAULT_KEYS = ("dry", "quota", "unauthorized", "no_funds", "throttled", "slow", "lose_answer", "never_boots", "hang")
# What this cloud is by nature is not for a file to say: its machines can always be had, are processes of this computer,
# and hear of their end by a file.
NATURE = frozenset(
    {"prices_only", "container_image", "notice_source", "end_command", "strangers", "disk_gb", "home_store"}
)
TRAIT_KEYS = tuple(f.name for f in fields(Traits) if f.name not in NATURE)
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,39}")


def read_market(path: Path) -> Market:
    """The market in a file. Raises `BadFile`, also when there is no such file."""
    try:
        content = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is not UTF-8 text"
        raise BadFile(str(path), [Problem(line=1, column=1, key="", message=f"cannot be read: {why}")]) from e
    return parse_market(content, file=path)


def parse_market(content: str, *, file: Path) -> Market:
    """The market in a text. Trace files are looked for beside ``file``. Raises `BadFile`."""
    reader = _Reader(content, file)
    market = reader.market() if reader.tree.whole else None
    if reader.tree.problems or market is None:
        once = dict.fromkeys(reader.tree.problems)  # a mistake in the defaults is met again in every pool
        raise BadFile(str(file), sorted(once, key=lambda p: (p.line, p.column)))
    return market


class _Reader:
    """Walks the tree once. Problems are collected in it; what is wrong is left at its default meanwhile."""

    def __init__(self, content: str, file: Path) -> None:
        self.tree: Tree = read_tree(content)
        self.file = file
        self.digest = hashlib.sha256(content.encode())

    def market(self) -> Market | None:
        top = Table(self.tree, self.tree.root, (), TOP_KEYS)
        defaults = top.table("defaults", POOL_KEYS)
        listed = top.raw("pools")
        if not isinstance(listed, list) or not listed:
            top.problem("pools", "expected a list of at least one pool", "docs/local-market.md shows one")
            return None
        tables = [Table(self.tree, raw, ("pools", i), POOL_KEYS, defaults) for i, raw in enumerate(listed)]
        pools = tuple(self.pool(t) for t in tables)
        _tell_twins(tables, pools)
        cloud = top.table("faults", tuple(f.name for f in fields(CloudFaults)))
        return Market(
            file=str(self.file),
            seed=top.get("seed", _whole_number, 0),
            pools=pools,
            traits=_traits(top, traits_of(pools)),
            faults=CloudFaults(**{key: cloud.get(key, chance, 0.0) for key in cloud.values}),
            digest=self.digest.hexdigest()[:16],
        )

    def pool(self, table: Table) -> MarketPool:
        for key in ("name", "price_usd_hour"):
            if table.holder(key) is None:
                table.problem(None, f"has no {key}", f"every pool needs one: add {key}")
        name = table.get("name", _pool_name, "")
        market: MarketName = "on-demand" if table.get("market", _market_name, "spot") == "on-demand" else "spot"
        gpu, gpu_count = table.get("gpu", parse_gpu, ("", 0))
        trace = None
        if table.holder("availability"):
            trace, content = read_trace(table.table("availability", AVAILABILITY_KEYS), self.file)
            self.digest.update(content)
        return MarketPool(
            name=name,
            pool=Pool(
                provider="local",
                region=table.get("region", text, "local-1"),
                zone=table.get("zone", text, ""),
                instance_type=table.get("type", text, name),
                market=market,
            ),
            gpu=gpu,
            gpu_count=gpu_count,
            gpu_memory_gb=table.get("gpu_memory_gb", read_size_gb, None),
            cpus=table.get("cpus", number(0, 100_000), 1.0),
            memory_gb=table.get("memory_gb", read_size_gb, 1.0),
            disk_gb=table.get("disk_gb", read_size_gb, None),
            price_usd_hour=table.get("price_usd_hour", read_money_usd, Decimal(0)),
            on_demand_usd_hour=table.get("on_demand_usd_hour", read_money_usd, None),
            boot_s=table.get("boot", read_duration_s, 0.0),
            notice_s=table.get("notice", read_duration_s, 0.0),
            capacity=table.get("capacity", _capacity, 16),
            interruptions_per_hour=table.get("interruptions_per_hour", number(0, 1_000_000), None),
            trace=trace,
            faults=_faults(table.table("faults", FAULT_KEYS)),
        )


def _faults(table: Table) -> Faults:
    return Faults(
        dry=table.get("dry", flag, False),
        quota=table.get("quota", flag, False),
        unauthorized=table.get("unauthorized", flag, False),
        no_funds=table.get("no_funds", flag, False),
        throttled=table.get("throttled", chance, 0.0),
        slow_s=table.get("slow", read_duration_s, 0.0),
        lose_answer=table.get("lose_answer", chance, 0.0),
        never_boots=table.get("never_boots", chance, 0.0),
        hang=table.get("hang", chance, 0.0),
    )


def _traits(top: Table, base: Traits) -> Traits:
    """``base`` with what the file says otherwise."""
    values: dict[str, Any] = asdict(base)
    table = top.table("traits", TRAIT_KEYS)
    for key in table.values:
        values[key] = table.get(key, flag if isinstance(values[key], bool) else seconds, values[key])
    return Traits(**values)


def _tell_twins(tables: list[Table], pools: tuple[MarketPool, ...]) -> None:
    """Two pools of one name, or in one place, could not be told apart."""
    for i, (table, pool) in enumerate(zip(tables, pools, strict=True)):
        for twin in pools[:i]:
            if pool.name and pool.name == twin.name:
                table.problem("name", f"{quoted(pool.name)} is the name of another pool, too", "give each its own")
                break
            if pool.name and twin.name and pool.pool == twin.pool:
                hint = "give it a type or a zone of its own"
                table.problem(None, f"has the same region, zone, type and market as {quoted(twin.name)}", hint)
                break


def _pool_name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise Unreadable(f"{quoted(value)} is not a pool's name", hint="use 1 to 40 of a-z, 0-9, point and -")
    return value


def _market_name(value: str) -> str:
    if value not in ("spot", "on-demand"):
        raise Unreadable(f"{quoted(value)} is not a market", hint="write spot or on-demand")
    return value


def _whole_number(value: str) -> int:
    return read_whole(value, least=0, most=10**12)


def _capacity(value: str) -> int:
    return read_whole(value, least=0, most=100_000)
