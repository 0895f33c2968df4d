"""What a person should know before a job goes anywhere: strangers' hosts, a store out of reach, what passes open."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from spotlaunch.config import store_settings
from spotlaunch.core.settings import is_loopback
from spotlaunch.core.spec import BlobStoreRef, Spec
from spotlaunch.home import Home
from spotlaunch.submission import Preview, store_url

STORE_HINT = (
    "set checkpoint.store to a bucket, such as s3://bucket/prefix, gs://bucket/prefix or az://container/prefix "
    "(docs/stores.md)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caution:
    """One thing to know. ``about``: "strangers", "store", "deadline" or "pass". ``providers``: whom, all if empty."""

    about: str
    text: str
    hint: str = ""
    providers: tuple[str, ...] = ()

    @property
    def json(self) -> dict[str, Any]:
        """Keys are stable, see docs/reference.md."""
        return asdict(self) | {"providers": list(self.providers)}


def of_plan(home: Home, spec: Spec, found: Preview) -> list[Caution]:
    """What the plan of a job has to say, about the providers it may end up at."""
    able = {o.pool.provider for o in found.ranking.fitting()}
    strangers = sorted(n for n in able if found.traits[n].strangers)
    out = [strangers_caution(strangers, spec.secrets)] if strangers else []
    cut_off = {t.offer.pool.provider for t in found.ranking.turned_down if t.filter == "store"}
    ref = spec.checkpoint.store
    if cut_off:
        out.append(folder_caution(cut_off))
    away = sorted(n for n in able if not found.traits[n].shares_disk)
    if away and is_loopback(ref.endpoint):
        out.append(loopback_caution(ref, away))
    if (spec.deadline_s is not None or spec.deadline_at is not None) and spec.work_s is None:
        out.append(unknown_work_caution())
    if away:
        text = f"{store_url(home, spec)}: {what_opens(home, ref)}"
        out.append(Caution(about="pass", text=text, providers=tuple(away)))
    return out


def unknown_work_caution() -> Caution:
    """A deadline, and nobody said how much there is to do."""
    return Caution(
        about="deadline",
        text="there is a deadline and no `work`: it runs on-demand until its progress tells how much there is to do",
        hint="say `work: 40h` (compute hours) in the job file, or tell the total number of steps in the progress file",
    )


def strangers_caution(providers: Iterable[str], secrets: Collection[str]) -> Caution:
    """Hosts that nobody vouches for; ``secrets`` are the names of those that the job file sends there."""
    names = tuple(providers)
    return Caution(
        about="strangers",
        text=f"{', '.join(names)}: {strangers_text(secrets)}",
        hint="keep such jobs away with where.providers or where.exclude, or use secrets that may become known"
        if secrets
        else "keep such jobs away with where.providers or where.exclude",
        providers=names,
    )


def strangers_text(secrets: Collection[str]) -> str:
    """What strangers' hosts mean for a job which sends ``secrets`` there, by name."""
    text = "its hosts are strangers: whatever is sent there counts as published"
    return text + (f", also the values of {', '.join(secrets)}" if secrets else "")


def folder_caution(providers: Iterable[str]) -> Caution:
    """A store that is a folder of this computer, and whose machines cannot see it."""
    names = tuple(sorted(providers))
    text = f"the store is a folder of this computer, which machines of {', '.join(names)} cannot see: none is used"
    return Caution(about="store", text=text, hint=STORE_HINT, providers=names)


def loopback_caution(ref: BlobStoreRef, providers: Iterable[str]) -> Caution:
    """A store that only this computer can reach."""
    names = tuple(sorted(providers))
    text = f"the store's endpoint {ref.endpoint} is this computer's: machines of {', '.join(names)} may not reach it"
    return Caution(about="store", text=text, hint="use an address that machines elsewhere can reach", providers=names)


def what_opens(home: Home, ref: BlobStoreRef) -> str:
    """What a machine's pass to the store opens, in words. Raises `BadFile` for a config.yaml that is wrong."""
    from spotlaunch.storage.passes import opens  # late: it loads what signs for each kind of store

    return opens(ref, store_settings(home))
