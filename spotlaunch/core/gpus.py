"""GPUs by name: what a person asks for, what a cloud calls it, and whether the one serves the other.

A *member* is one kind of GPU (``H100-SXM``), a *family* several that serve alike (``H100``); `gputable` has them all.
A slice (``L4-1of8``) or a MIG instance (``RTXPRO6000-MIG-1g.24gb``) is a GPU of its own: it serves only who asked
for it by its own name, since somebody who asks for an L4 has no use for an eighth of one, however cheap.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from spotlaunch.core.gputable import FAMILY_ALIASES, GPUS, MAKER_WORDS, Gpu
from spotlaunch.core.units import Unreadable, quoted

__all__ = [
    "GPUS",
    "MAX_COUNT",
    "Gpu",
    "canonical",
    "gpu_matches",
    "gpu_memory_gb",
    "gpu_problem",
    "marketed_gb",
    "parse_gpu",
    "slice_name",
]

MAX_COUNT = 1024  # beyond any machine; a larger number is a typing mistake

# The longest name that a cloud sells is RunPod's of a MIG instance, with 56 letters.
_WISH = re.compile(r"([A-Za-z0-9][A-Za-z0-9 ._-]{0,63})(?::([0-9]{1,9}))?")
# `8xH100` and `H100x8` would pass as names, of GPUs that nobody sells.
_TURNED = re.compile(
    r"(?P<n1>[0-9]{1,4})\s*[x*]\s*(?P<gpu1>[a-z].*)|(?P<gpu2>[a-z]+[0-9]+[a-z]?)\s*[x*]\s*(?P<n2>[0-9]{1,2})",
    re.IGNORECASE,
)
_SLICE = re.compile(r"(?P<whole>.*\S)[\s_-]+(?P<some>[0-9]{1,3})of(?P<parts>[0-9]{1,3})", re.IGNORECASE)
_MIG = re.compile(r"(?P<whole>.*\S)[\s_-]+MIG[\s_-]+(?P<profile>[0-9]g\.(?P<gb>[0-9]{1,3})gb)", re.IGNORECASE)
_PART = re.compile(r"(?<![a-z0-9])(?:MIG|[0-9]+of[0-9]+)(?![a-z0-9])", re.IGNORECASE)

# What a cloud reports against what the card is marketed with: an L4 says 22.35 GiB, an H100 may be said in bytes.
_LEAST, _MOST = 0.9, 1.08


def parse_gpu(text: str) -> tuple[str, int]:
    """``H100:8`` as ``("H100", 8)``; without a count, one. Raises `Unreadable`.

    The name is kept as written: which names there are is for the providers to say.
    """
    found = _WISH.fullmatch(text.strip())
    turned = _TURNED.fullmatch(text.strip())
    if found is None or turned:
        like = f"{turned['gpu1'] or turned['gpu2']}:{turned['n1'] or turned['n2']}" if turned else "H100:8"
        raise Unreadable(f"{quoted(text)} is not a GPU", hint=f"write name:count, like {like}")
    count = int(found[2] or 1)
    if not 1 <= count <= MAX_COUNT:
        raise Unreadable(
            f"{count} GPUs are not allowed",
            hint="for a machine without a GPU leave `gpu` out" if count == 0 else f"the most is {MAX_COUNT}",
        )
    return found[1].strip(), count


def canonical(word: str, *, memory_gb: float | None = None) -> str:
    """The name that spotlaunch gives to what a cloud calls ``word``; an unknown word as it came, stripped.

    ``memory_gb`` is what the cloud reports for one GPU. It settles words that stand for several: ``A100 SXM4`` with
    39.6 is ``A100-40GB-SXM``. What stays open comes back as the narrowest family that is sure: ``V100`` with 32 is
    ``V100-32GB``, and a bare ``H100`` or ``H200`` is that family. An adapter that knows more than the cloud's word
    says so in the word: all H100 of AWS are ``H100 SXM``. Memory never tells a slice: that is `slice_name`.
    """
    return _canonical(word.strip(), memory_gb)


def gpu_memory_gb(name: str) -> float | None:
    """The memory of one GPU in GB, as marketed; None if unknown, or if the members of a family differ in it."""
    return _memory_gb(canonical(name))


def marketed_gb(name: str, reported_gb: float | None) -> float | None:
    """The memory that a person means: as marketed, where what a cloud reports for ``name`` is about that.

    A card of 80 GB reports 79.6, one of 24 GB 22.5: the rest it keeps for itself. What is another size altogether
    counts as reported.
    """
    known_gb = gpu_memory_gb(name)
    if reported_gb is None or known_gb is None:
        return known_gb if reported_gb is None else reported_gb
    return known_gb if _LEAST <= reported_gb / known_gb <= _MOST else reported_gb


def slice_name(name: str, parts: int) -> str:
    """The name of one of ``parts`` equal slices of a GPU: ``L4-1of8``. One part is the GPU itself."""
    whole = canonical(name)
    return whole if parts == 1 else f"{whole}-1of{parts}"


def gpu_matches(wanted: str, have: str) -> bool:
    """Whether a machine with the GPU ``have`` serves somebody who asked for ``wanted``. Both may be any alias.

    A family covers its members (``H100`` covers ``H100-SXM``) and narrower families (``A100`` covers ``A100-80GB``),
    a member only itself, a slice only itself. Names that are not in the table, as of rehearsal machines, serve
    themselves whatever their case, spaces, underscores and dashes, and ``X`` covers ``X-Y`` of them.
    """
    return _matches(wanted, have)


def gpu_problem(wanted: str) -> str:
    """Empty if the table knows the name, else a note for people. Unknown names are allowed all the same."""
    if not wanted.strip() or _is_known(_wish(wanted)):
        return ""
    near = difflib.get_close_matches(_fold(wanted), (*_FAMILY_OF, *_MEMBER_OF), n=1)
    advice = f"did you mean {_wish(near[0])}?" if near else "`spotlaunch gpus` shows all names"
    return f"no GPU is called {quoted(wanted)}; {advice}"


def _fold(word: str) -> str:
    return "".join(word.lower().replace("_", "").replace("-", "").split())


def _families() -> dict[str, frozenset[str]]:
    members: dict[str, set[str]] = {}
    for gpu in GPUS.values():
        for family in gpu.families:
            members.setdefault(family, set()).add(gpu.name)
    return {family: frozenset(names) for family, names in members.items()}


def _words(words: Iterable[str], makers: Iterable[str]) -> Iterator[str]:
    """Each word with and without the words that makers put before it, and `GPU` after it."""
    for word in words:
        yield from (_fold(maker + word + end) for maker in ("", *makers) for end in ("", " GPU"))


def _index(names: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]) -> dict[str, str]:
    """From each folded word to the name it stands for. What the table says comes before what is put together."""
    index = {_fold(word): name for name, (words, _) in names.items() for word in words}
    for name, (words, makers) in names.items():
        for word in _words(words, makers):
            index.setdefault(word, name)
    return index


_MEMBERS = _families()
_MEMBER_OF = _index({gpu.name: ((gpu.name, *gpu.aliases), MAKER_WORDS[gpu.name]) for gpu in GPUS.values()})
_FAMILY_OF = _index(
    {
        family: ((family, *FAMILY_ALIASES.get(family, ())), MAKER_WORDS[min(members)])
        for family, members in _MEMBERS.items()
    }
)


@lru_cache(maxsize=8192)
def _canonical(word: str, memory_gb: float | None) -> str:
    key = _fold(word)
    member, family = _MEMBER_OF.get(key), _FAMILY_OF.get(key)
    if family and memory_gb is not None:
        settled = _settled(family, memory_gb)
        # `nvidia-tesla-a100` is the card of 40 GB, unless its memory says another.
        return member if member and member in _MEMBERS.get(settled, (settled,)) else settled
    return member or family or _canonical_part(word) or word


def _settled(family: str, memory_gb: float) -> str:
    """The member, or the narrowest family, that has this much memory; the family itself if none has."""
    sizes = {GPUS[name].memory_gb for name in _MEMBERS[family]}
    near = [size for size in sizes if _LEAST <= memory_gb / size <= _MOST]
    if not near:
        return family
    size = min(near, key=lambda size: abs(memory_gb - size))
    fitting = frozenset(name for name in _MEMBERS[family] if GPUS[name].memory_gb == size)
    if len(fitting) == 1:
        return min(fitting)
    if fitting == _MEMBERS[family]:
        return family
    return next((name for name, members in sorted(_MEMBERS.items()) if members == fitting), family)


def _canonical_part(word: str) -> str:
    """The name of a slice or a MIG instance of a known GPU, else empty."""
    if found := _SLICE.fullmatch(word):
        whole, some, parts = _listed(found["whole"]), int(found["some"]), int(found["parts"])
        return f"{whole}-{some}of{parts}" if whole and 0 < some < parts else ""
    if found := _MIG.fullmatch(word):
        whole = _listed(found["whole"])
        return f"{whole}-MIG-{found['profile'].lower()}" if whole else ""
    return ""


def _listed(word: str) -> str:
    """The member or family that the table itself gives for a word, else empty."""
    key = _fold(word)
    return _MEMBER_OF.get(key) or _FAMILY_OF.get(key) or ""


def _memory_gb(name: str) -> float | None:
    if name in GPUS:
        return GPUS[name].memory_gb
    if name in _MEMBERS:
        sizes = {GPUS[member].memory_gb for member in _MEMBERS[name]}
        return sizes.pop() if len(sizes) == 1 else None
    if not _canonical_part(name):
        return None
    if found := _SLICE.fullmatch(name):
        whole = _memory_gb(found["whole"])
        return None if whole is None else whole * int(found["some"]) / int(found["parts"])
    mig = _MIG.fullmatch(name)
    return float(mig["gb"]) if mig else None


def _is_known(name: str) -> bool:
    """Whether a canonical name is in the table, or a part of one that is."""
    return name in GPUS or name in _MEMBERS or bool(_canonical_part(name))


def _wish(wanted: str) -> str:
    """What a person means: the family where a word may stand for it, though in a cloud's mouth it is one member."""
    return _FAMILY_OF.get(_fold(wanted)) or canonical(wanted)


@lru_cache(maxsize=65536)
def _matches(wanted: str, have: str) -> bool:
    want, got = _wish(wanted), canonical(have)
    if not want or not got:
        return False
    if want in _MEMBERS:
        return got == want or got in _MEMBERS[want] or _MEMBERS.get(got, _NOBODY) < _MEMBERS[want]
    if _is_known(want) or _is_known(got):
        return want == got
    return _unknown_matches(want, got)


_NOBODY: frozenset[str] = frozenset(("",))  # is in no family


def _unknown_matches(want: str, got: str) -> bool:
    if _fold(want) == _fold(got):
        return bool(_fold(want))
    parts = re.split(r"[_-]+", got)
    heads = ("-".join(parts[:n]) for n in range(1, len(parts)))
    return not _PART.search(got) and any(_fold(head) == _fold(want) != "" for head in heads)
