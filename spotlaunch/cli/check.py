"""`spotlaunch check`: which providers and stores can be used, what is missing and how to get it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from spotlaunch.cli import render
from spotlaunch.cli.book import open_book
from spotlaunch.core.facts import Want
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.errors import ProviderError, SpotlaunchError
from spotlaunch.home import Home
from spotlaunch.ports import Provider
from spotlaunch.registry import provider_names
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.jobfile import load_job
from spotlaunch.storage.probe import prove_create_only
from spotlaunch.watchdog.clouds import connect_all


def run(file: Path | None, *, store: str, as_json: bool) -> int:
    """Try everything out. Returns 0 when at least one provider and every store asked about can be used.

    Raises `BadFile` and `UsageError` for a job file that is wrong.
    """
    home = Home.find()
    rows: list[dict[str, Any]] = []
    names = provider_names()
    stores = [BlobStoreRef(url=store)] if store else []
    if file is not None:
        spec = load_job(file, names=names, env=os.environ)
        names = list(spec.where.providers) or names
        stores.append(spec.checkpoint.store)
    if not stores:
        stores.append(BlobStoreRef())
    with open_book(home) as book:
        providers, missing = connect_all(home, owner=book.owner, names=names)
        rows += [_provider(name, p) for name, p in providers.items()]
        rows += [_bad("provider", name, e) for name, e in missing.items()]
    rows += [_store(home, ref) for ref in stores]
    if as_json:
        render.as_json(rows)
    else:
        head = render.columns("what", "name", "usable", "")
        render.table(head, [[r["what"], r["name"], "yes" if r["usable"] else "bad", r["detail"]] for r in rows])
        for r in rows:
            if r["hint"]:
                render.say(f"hint: {r['name']}: {r['hint']}")
    usable = any(r["usable"] for r in rows if r["what"] == "provider")
    return 0 if usable and all(r["usable"] for r in rows if r["what"] == "store") else 1


def _provider(name: str, provider: Provider) -> dict[str, Any]:
    """Ask it for offers and for its machines: what a job would need of it."""
    try:
        offers = provider.offers(Want())
        machines = provider.list_machines()
    except ProviderError as e:
        return _bad("provider", name, e)
    detail = f"{len(offers)} offers, {len(machines)} machines of ours"
    if provider.traits.rehearsal:
        detail += "; a rehearsal: nothing is billed"
    return {"what": "provider", "name": name, "usable": True, "detail": detail, "hint": ""}


def _store(home: Home, ref: BlobStoreRef) -> dict[str, Any]:
    """Prove on the store itself that creating the same name twice fails: all safety stands on that."""
    url = ref.url or home.blobs.as_uri()
    try:
        prove_create_only(open_blobs(url, endpoint=ref.endpoint, region=ref.region))
    except SpotlaunchError as e:
        return _bad("store", url, e)
    detail = "reads, writes, and refuses to create twice"
    if url.startswith("file:"):
        detail += "; a folder of this computer: only machines on it can use it"
    return {"what": "store", "name": url, "usable": True, "detail": detail, "hint": ""}


def _bad(what: str, name: str, error: SpotlaunchError) -> dict[str, Any]:
    return {"what": what, "name": name, "usable": False, "detail": error.message, "hint": error.hint}
