"""What was learned, as JSON: one file to take to another computer, or to give to others. Holds no job and no secret."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from spotlaunch.core.facts import Market, Pool
from spotlaunch.core.lessons import BOOTS_KEPT, Lesson, Pairs, Source
from spotlaunch.core.seasons import WEEK_H
from spotlaunch.errors import UsageError

WHAT, VERSION = "what spotlaunch learned of pools", 1
MOST_BYTES = 64_000_000

# Nothing that anybody lived through is more than this: a century of a thousand machines.
_MOST = 1e9
_ID = re.compile(r"[0-9a-f]{8,64}")
_HINT = "`spotlaunch stats --export FILE` writes such files"


def write_lessons(path: Path, sources: Iterable[Source]) -> None:
    """Write the file for its owner only, whole or not at all. Raises `UsageError` where it cannot be written, or where
    something else stands."""
    text = _text(sources)
    if path.exists() and not _is_ours(path):
        raise UsageError(f"{path} is there already, and is no export", hint="choose another name, or remove it")
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
                out.write(text + "\n")
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as e:
        raise UsageError(f"{path} cannot be written: {e.strerror or e}", hint="choose another place") from e


def _text(sources: Iterable[Source]) -> str:
    """JSON with a line for each pool, so that a person can see what is told."""
    found = []
    for source in sources:
        pools = ",\n".join(json.dumps(lesson_json(x)) for x in source.lessons)
        head = json.dumps({"id": source.id, "as_of": source.as_of})[:-1]
        found.append(f'{head}, "pools": [\n{pools}\n]}}')
    head = json.dumps({"what": WHAT, "version": VERSION})[:-1]
    return f'{head}, "sources": [\n' + ",\n".join(found) + "\n]}"


def read_lessons(path: Path, *, now: float) -> list[Source]:
    """What an export says. Raises `UsageError` that names the place of what is wrong."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} is larger than any export ({MOST_BYTES // 1_000_000} MB)", hint=_HINT)
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UsageError(f"{path} cannot be read: {e.strerror or e}", hint=_HINT) from e
    except (ValueError, RecursionError) as e:
        raise UsageError(f"{path} is not JSON: {e}", hint=_HINT) from e
    if not isinstance(raw, dict) or raw.get("what") != WHAT:
        raise UsageError(f"{path} is JSON, but no export of what was learned", hint=_HINT)
    if raw.get("version") != VERSION:
        shown = str(raw.get("version"))[:20]
        raise UsageError(f"{path} is of version {shown}; this spotlaunch reads {VERSION}", hint="upgrade spotlaunch")
    try:
        found = [read_source(s, f"sources[{n}]") for n, s in enumerate(_list(raw.get("sources"), "sources"))]
        for n, source in enumerate(found):
            _check(source.as_of <= now + 86400, f"sources[{n}].as_of", "a time that has been (see this clock)")
    except _Wrong as e:
        raise UsageError(f"{path}: {e}", hint=_HINT) from e
    return found


def source_json(source: Source) -> dict[str, Any]:
    """One installation's lessons, with stable keys."""
    return {"id": source.id, "as_of": source.as_of, "pools": [lesson_json(x) for x in source.lessons]}


def lesson_json(lesson: Lesson) -> dict[str, Any]:
    """What was seen of one pool; what was not seen is left out."""
    pool = lesson.pool
    seen = {"week": _pairs_json(lesson.week), "tries": _pairs_json(lesson.tries), "boots_s": list(lesson.boots_s)}
    return {
        "provider": pool.provider,
        "region": pool.region,
        "zone": pool.zone,
        "instance_type": pool.instance_type,
        "market": pool.market,
        "gpu": lesson.gpu,
        "gpu_count": lesson.gpu_count,
        **{key: value for key, value in seen.items() if value},
    }


def read_source(raw: object, where: str) -> Source:
    """The opposite of `source_json`. Raises ValueError with the place and what should stand there."""
    values = _dict(raw, where)
    found, as_of = values.get("id"), values.get("as_of")
    _check(isinstance(found, str) and _ID.fullmatch(found), f"{where}.id", "hex digits")
    lessons = [_lesson(x, f"{where}.pools[{n}]") for n, x in enumerate(_list(values.get("pools"), f"{where}.pools"))]
    _check(len({x.pool for x in lessons}) == len(lessons), f"{where}.pools", "each pool once")
    return Source(id=str(found), as_of=_number(as_of, f"{where}.as_of", most=1e12), lessons=tuple(lessons))


class _Wrong(ValueError):
    """Where, and what should stand there."""


def _lesson(raw: object, where: str) -> Lesson:
    values = _dict(raw, where)

    def text(key: str) -> str:
        value = values.get(key, "")
        good = isinstance(value, str) and len(value) <= 200 and value.isprintable()
        _check(good, f"{where}.{key}", "a text of at most 200 letters")
        return str(value)

    for key in ("provider", "instance_type"):
        _check(text(key), f"{where}.{key}", "a name")
    market = text("market")
    _check(market in get_args(Market), f"{where}.market", " or ".join(get_args(Market)))
    boots = _list(values.get("boots_s", []), f"{where}.boots_s")
    return Lesson(
        pool=Pool(
            provider=text("provider"),
            region=text("region"),
            zone=text("zone"),
            instance_type=text("instance_type"),
            market="spot" if market == "spot" else "on-demand",
        ),
        gpu=text("gpu"),
        gpu_count=int(_number(values.get("gpu_count", 0), f"{where}.gpu_count", most=10_000)),
        week=_pairs(values.get("week", {}), f"{where}.week", most=WEEK_H - 1),
        tries=_pairs(values.get("tries", {}), f"{where}.tries", most=int(_MOST)),
        boots_s=tuple(_number(s, f"{where}.boots_s[{n}]", most=1e7) for n, s in enumerate(boots))[-BOOTS_KEPT:],
    )


def _pairs(raw: object, where: str, *, most: int) -> Pairs:
    found: dict[int, tuple[float, float]] = {}
    for key, pair in _dict(raw, where).items():
        hour = int(key) if key.isascii() and key.isdigit() and len(key) < 12 else -1
        _check(0 <= hour <= most, f"{where}.{key[:20]}", f"an hour from 0 to {most}")
        both = _list(pair, f"{where}.{hour}")
        _check(len(both) == 2, f"{where}.{hour}", "two numbers")
        found[hour] = (_number(both[0], f"{where}.{hour}[0]"), _number(both[1], f"{where}.{hour}[1]"))
    return found


def _pairs_json(pairs: Pairs) -> dict[str, list[float]]:
    return {str(hour): [round(a, 4), round(b, 4)] for hour, (a, b) in sorted(pairs.items())}


def _number(raw: object, where: str, *, most: float = _MOST) -> float:
    good = isinstance(raw, (int, float)) and not isinstance(raw, bool) and math.isfinite(raw) and 0 <= raw <= most
    _check(good, where, f"a number from 0 to {most:g}")
    return float(raw)  # type: ignore[arg-type]  # `_check` has seen to it


def _dict(raw: object, where: str) -> Mapping[str, Any]:
    _check(isinstance(raw, dict), where, "an object")
    return raw  # type: ignore[return-value]  # as above; the keys of JSON are texts


def _list(raw: object, where: str) -> Sequence[Any]:
    _check(isinstance(raw, list), where, "a list")
    return raw  # type: ignore[return-value]


def _check(good: object, where: str, wanted: str) -> None:
    if not good:
        raise _Wrong(f"{where} should be {wanted}")


def _is_ours(path: Path) -> bool:
    with suppress(OSError, ValueError, RecursionError):
        if path.is_file() and path.stat().st_size <= MOST_BYTES:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return isinstance(raw, dict) and raw.get("what") == WHAT
    return False
