"""Submitting: what a job would get now (the preview), and putting it into the book."""

from __future__ import annotations

import json
import math
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from spotlaunch.core import rules
from spotlaunch.core.book import Book, Event, Job
from spotlaunch.core.choosing import BOTH, is_file_store, want_of
from spotlaunch.core.condition import Condition
from spotlaunch.core.draft import Draft
from spotlaunch.core.effective import work_of
from spotlaunch.core.facts import Offer, Traits, Want
from spotlaunch.core.feasible import CannotBeMet, impossible_deadline, impossible_limit
from spotlaunch.core.hold import cheapest_now, satisfying
from spotlaunch.core.lessons import NOTHING_LEARNED, Learned
from spotlaunch.core.names import JOB_NAME_MOST
from spotlaunch.core.orders import launch_key
from spotlaunch.core.plan import Asked, World
from spotlaunch.core.rank import Ranking, Terms, rank
from spotlaunch.core.spec import Spec
from spotlaunch.core.standing import Standing, stand
from spotlaunch.core.steering import would_take
from spotlaunch.core.wire import bundle_key, owner_key
from spotlaunch.errors import (
    AlreadyExists,
    BadFile,
    BlobsUnavailable,
    Problem,
    SpotlaunchError,
    StoreUnavailable,
    UsageError,
)
from spotlaunch.home import Home
from spotlaunch.market.room import Room
from spotlaunch.ports import Blobs, Clock, Provider, Store
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.bundle import pack
from spotlaunch.storage.jobfile import place_of
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.pricenotes import PriceNotes
from spotlaunch.storage.probe import prove_create_only
from spotlaunch.storage.shellkeys import forget_key, make_key
from spotlaunch.workers import Workers

# A person waits for this answer, so slow providers get longer than in the loop.
ASK_DEADLINE_S = 20.0

# `digits`, `digits-2`, ... up to this many of one name.
SAME_NAME_MOST = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What a job would get if it began now. ``ranking`` allows both markets; ``first`` is what is tried first.

    ``spot_first`` is whether on-demand candidates wait for patience to run out. ``held``: the job would be held,
    until what, and how far the market is from it; empty where it would not. ``traits``: of the providers asked.
    ``too_late``: why not even on-demand would meet its deadline. ``standing``: what a policy is told of it, at ``now``
    (seconds since the epoch), and ``learned`` what was known of pools.
    """

    asked: Asked
    ranking: Ranking
    first: Offer | None
    spot_first: bool
    held: str = ""
    traits: Mapping[str, Traits] = field(default_factory=dict)
    too_late: CannotBeMet | None = None
    standing: Standing | None = None
    learned: Learned = NOTHING_LEARNED
    now: float = 0.0


def store_url(home: Home, spec: Spec) -> str:
    """Where the job's checkpoints live: as its file says, else in this home."""
    return spec.checkpoint.store.url or home.blobs.as_uri()


def preview(
    home: Home,
    store: Store,
    spec: Spec,
    providers: Mapping[str, Provider],
    clock: Clock,
    owner: str,
    *,
    when: Condition | None = None,
) -> Preview:
    """Ask the market and rank for ``spec``, as the watchdog would for its first attempt, held until ``when``."""
    job = Job(name=spec.name, spec=spec, submitted_at=clock.now(), store_url=store_url(home, spec))
    job = replace(job, deadline_at=deadline_at(spec, job.submitted_at))
    asked = _ask(home, want_of(job), providers, clock)
    now = clock.now()
    learned = store.learned(now=now)
    terms = Terms(
        spec=spec,
        job=spec.name,
        now=now,
        markets=BOTH,
        market_why="",
        refusals=tuple(store.refusals()),
        traits={n: p.traits for n, p in providers.items()},
        file_store=is_file_store(job.store_url),
        max_age_s=rules.OFFER_MAX_AGE_S,
        rates=learned.rates,
        availability=learned.availability,
        boots=learned.boots,
        work=work_of(spec),
    )
    everything = rank(asked.offers, terms, launch_key=launch_key(owner, spec.name, 1))
    ranking = everything if when is None else satisfying(when, everything)
    held = ""
    if when is not None and not ranking.candidates:
        held = f"until {when}; {cheapest_now(when, everything) or 'no offer that fits can be had now'}"
    world = World(now=now, owner=owner, book=Book(jobs=(job,)), traits=terms.traits, learned=learned)
    standing = stand(Draft(world), job, ranking, None)
    if job.steered:
        first = would_take(job, standing)
        spot_first = first is not None and first.pool.market == "spot"
        too_late = impossible_deadline(job, ranking, standing)
    else:
        markets = rules.markets_now(job, now=now, spot_possible=ranking.possible("spot"))
        first = next((o for o in ranking.candidates if o.pool.market in markets.allowed), None)
        spot_first, too_late = markets.changes_at is not None, None
    return Preview(
        asked=asked,
        ranking=ranking,
        first=first,
        spot_first=spot_first,
        held=held,
        traits=terms.traits,
        too_late=too_late,
        standing=standing,
        learned=learned,
        now=now,
    )


def deadline_at(spec: Spec, submitted_at: float) -> float | None:
    """When a job submitted then must have ended, in seconds since the epoch."""
    return spec.deadline_at if spec.deadline_s is None else submitted_at + spec.deadline_s


def _ask(home: Home, want: Want, providers: Mapping[str, Provider], clock: Clock) -> Asked:
    """What the market room gets; prices go into the history. A provider that hangs is left behind."""
    workers = Workers(len(providers), name="plan")
    try:
        asked = Room(providers, now=clock.now, workers=workers).ask(want, deadline_s=ASK_DEADLINE_S)
    finally:
        workers.shutdown(wait=False)
    real = [o for o in asked.offers if not providers[o.pool.provider].traits.rehearsal]
    if real:
        notes = PriceNotes(home, complain=_unheard)
        notes(real)
        notes.close()
    return asked


def _unheard(trouble: str) -> None:
    """The history is for looking back; whoever submits a job is not held up by it. `prices` tells of its trouble."""
    del trouble


def refuse_impossible(found: Preview) -> None:
    """Raise `SpotlaunchError` when no offer fits the job file, now or later: it would wait for nothing."""
    if found.ranking.fitting():
        return
    if found.asked.failures and not found.asked.offers:
        why = "; ".join(f"{name}: {text}" for name, text in found.asked.failures.items())
        raise SpotlaunchError(f"no provider could be asked for offers: {why}", hint="see `spotlaunch check`")
    reasons: dict[str, str] = {}
    for t in found.ranking.turned_down:
        reasons.setdefault(t.filter, f"{t.offer.pool}: {t.reason}")
    said = "".join(f"\n  {name}: {example}" for name, example in reasons.items())
    raise SpotlaunchError(
        f"none of {len(found.asked.offers)} offers fits the job file, and waiting would not change that{said}",
        hint="loosen `resources`, `where` or `limits.price_usd_hour`",
    )


def refuse_limits(spec: Spec, found: Preview) -> None:
    """Raise `SpotlaunchError` when a limit of the job file cannot be met by any offer, with the figures."""
    found_out = impossible_limit(spec, found.ranking, found.traits)
    if found_out is not None:
        raise SpotlaunchError(found_out.message, hint=found_out.hint)


def refuse_deadline(found: Preview, file: str | Path, *, now: float) -> None:
    """Raise `BadFile` when the deadline of the job in ``file`` cannot be met even on-demand, with the earliest one.

    ``now``: seconds since the epoch.
    """
    late = found.too_late
    if late is None:
        return
    hint = late.hint
    if late.needs_s is not None:
        earliest = datetime.fromtimestamp(now + 60 * math.ceil(late.needs_s / 60)).astimezone()
        hint += f", at {earliest:%Y-%m-%d %H:%M %Z}"
    line, column = place_of(file, "deadline")
    problem = Problem(line=line, column=column, key="deadline", message=late.message, hint=hint)
    raise BadFile(str(file), [problem])


def longest_cost_usd(spec: Spec, ranking: Ranking) -> Decimal | None:
    """The most that the job's own limits let it cost, on the dearest offer it may take. None: nothing bounds it."""
    bounds = []
    if spec.limits.cost_usd is not None:
        bounds.append(spec.limits.cost_usd)
    if spec.limits.runtime_s is not None and ranking.candidates:
        dearest_usd_hour = max(o.price_usd_hour for o in ranking.candidates)
        bounds.append(dearest_usd_hour * Decimal(spec.limits.runtime_s) / 3600)
    return min(bounds, default=None)


def submit(
    home: Home,
    store: Store,
    spec: Spec,
    *,
    secret_values: Mapping[str, str],
    clock: Clock,
    owner: str,
    exact_name: bool,
    when: Condition | None = None,
    exclude: Sequence[Path] = (),
) -> Job:
    """Upload the working directory, make the key of its shell, keep the secrets, and write the job down, in this order.

    ``when``: what its first machine must satisfy; the job is held until something does.
    ``exclude``: folders that stay here, beside those that always do.
    ``exact_name``: the user insists on the name; else a free one is made from it (``digits-2``). Whatever
    fails, nothing is left behind: the job exists when it is in the book, which comes last.
    """
    ref = spec.checkpoint.store
    url = store_url(home, spec)
    blobs = open_blobs(url, endpoint=ref.endpoint, region=ref.region)
    prove_create_only(blobs)
    spec = replace(spec, name=_claim_name(store, blobs, spec.name, owner, exact=exact_name))
    job = Job(
        name=spec.name,
        spec=spec,
        submitted_at=clock.now(),
        store_url=url,
        store_endpoint=ref.endpoint,
        store_region=ref.region,
        start_when="" if when is None else str(when),
    )
    job = replace(job, deadline_at=deadline_at(spec, job.submitted_at))
    try:
        job = replace(job, bundle=_upload_bundle(home, blobs, job, exclude))
        if spec.ssh:
            job = replace(job, spec=replace(spec, ssh_key=make_key(home, job.name)))
        if secret_values:
            keep_secrets(home, job.name, secret_values)
        event = Event(job=job.name, at=job.submitted_at, kind="submitted", text=f"submitted: {one_line(spec.run)}")
        store.add_job(job, event)
    except BaseException:
        # Also on Ctrl-C: a name without a job would stay taken for ever.
        if store.jobs(names=[job.name]):
            raise  # it came a moment too late: the job is in the book, and needs all of this
        home.secrets(job.name).unlink(missing_ok=True)
        forget_key(home, job.name)
        with suppress(BlobsUnavailable):  # what went wrong first is what is told
            blobs.delete([bundle_key(job.name, job.bundle)] * bool(job.bundle) + [owner_key(job.name)])
        raise
    return job


def one_line(text: str, most: int = 70) -> str:
    """The first line of ``text``, shortened."""
    lines = text.strip().splitlines()
    line = lines[0] if lines else ""
    more = len(lines) > 1 or len(line) > most
    return line[:most] + (" ..." if more else "")


def _claim_name(store: Store, blobs: Blobs, name: str, owner: str, *, exact: bool) -> str:
    """Take a name that neither this book nor anybody sharing the store has used."""
    for n in range(1, SAME_NAME_MOST):
        suffix = f"-{n}" if n > 1 else ""
        candidate = name[: JOB_NAME_MOST - len(suffix)].rstrip("-") + suffix
        if not store.jobs(names=[candidate]):
            try:
                Mailbox(blobs, candidate).claim_name(json.dumps({"owner": owner, "nonce": secrets.token_hex(8)}))
            except AlreadyExists:
                pass
            else:
                return candidate
        if exact:
            break
    raise UsageError(f"there is a job called {name!r} already", hint="choose another with --name, or leave --name out")


def _upload_bundle(home: Home, blobs: Blobs, job: Job, stay: Sequence[Path]) -> str:
    """Pack and upload the working directory. Returns the digest, or an empty text when there is none."""
    if not job.spec.workdir:
        return ""
    # Home and store may lie inside the working directory: the book, kept secrets and checkpoints stay here.
    exclude = [job.spec.checkpoint.dir, str(home.path), *map(str, stay)]
    if is_file_store(job.store_url):
        exclude.append(url2pathname(urlsplit(job.store_url).path))
    with _temporary_folder() as folder:
        archive = Path(folder) / "bundle.tar.gz"
        bundle = pack(Path(job.spec.workdir), archive, exclude=exclude)
        blobs.put_file(bundle_key(job.name, bundle.digest), archive)
    return bundle.digest


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="spotlaunch-")
    except OSError as e:
        raise StoreUnavailable(
            f"there is no place to pack the working directory: {e.strerror or e}",
            hint="free some space, or set TMPDIR to a folder that you can write to",
        ) from e


def keep_secrets(home: Home, job: str, values: Mapping[str, str]) -> None:
    """Keep secret values for the watchdog, which may be started anew from a shell that lacks them (0600)."""
    path = home.secrets(job)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as f:
            json.dump(dict(values), f)
    except OSError as e:
        raise StoreUnavailable(f"cannot write {path}: {e.strerror or e}", hint="is the disk full or read-only?") from e
