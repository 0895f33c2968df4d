"""`spotlaunch check`: which providers and stores can be used, what is missing and how to get it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spotlaunch.cli import cautions, render
from spotlaunch.cli.book import open_book
from spotlaunch.cli.market import whom_to_ask
from spotlaunch.config import settings_of
from spotlaunch.core.choosing import is_file_store
from spotlaunch.core.settings import Settings
from spotlaunch.core.spec import BlobStoreRef
from spotlaunch.errors import SpotlaunchError
from spotlaunch.home import Home
from spotlaunch.market.accounts import WORKERS_EACH, Account, Means, look
from spotlaunch.ports import Provider
from spotlaunch.registry import connect, examine, provider_names
from spotlaunch.storage.blobs import open_blobs
from spotlaunch.storage.jobfile import load_job
from spotlaunch.storage.probe import prove_create_only
from spotlaunch.workers import Workers


def run(file: Path | None, *, store: str, providers: Sequence[str], as_json: bool) -> int:
    """Try everything out. Returns 0 when at least one provider and every store asked about can be used.

    ``providers``: only these, else those of the job file, else all. A ``file`` that is not there, but is the name
    of a provider, means that one. Raises `BadFile` and `UsageError` for a job file or a config.yaml that is wrong,
    and for a name that nobody has.
    """
    home = Home.find()
    names = provider_names()
    if file is not None and str(file) in names and not file.exists():
        file, providers = None, [*providers, str(file)]
    named = whom_to_ask(providers) if providers else []
    stores = [BlobStoreRef(url=store)] if store else []
    secrets: Sequence[str] = ()
    if file is not None:
        spec = load_job(file, names=names, env=os.environ)
        names = list(spec.where.providers) or names
        secrets = spec.secrets
        stores.append(spec.checkpoint.store)
    if not stores:
        stores.append(BlobStoreRef())
    accounts = _accounts(home, named or names)
    rows = [_provider_row(a, secrets) for a in accounts]
    rows += [_store_row(home, ref, accounts) for ref in stores]
    if as_json:
        render.as_json(rows)
    else:
        _show(rows)
    usable = any(r["usable"] for r in rows if r["what"] == "provider")
    return 0 if usable and all(r["usable"] for r in rows if r["what"] == "store") else 1


def _accounts(home: Home, names: Sequence[str]) -> tuple[Account, ...]:
    settings = {name: settings_of(home, name) for name in names}
    with open_book(home) as book:
        owner = book.owner

    def connected(told: Settings) -> Provider:
        return connect(told.provider, owner=owner, folder=home.provider(told.provider), settings=told)

    means = Means(
        examine=lambda told: examine(told.provider, settings=told),
        connect=connected,
        workers=Workers(WORKERS_EACH * len(names), name="check"),
    )
    return look(settings, means)


# -- one row each: the stable keys of `check --json` ----------------------------------------------------


def _provider_row(account: Account, secrets: Sequence[str] = ()) -> dict[str, Any]:
    said = [] if account.offers is None else [f"{account.offers} offers"]
    if account.machines is not None:
        said.append(f"{account.machines} machines of ours")
    detail = account.problem or ", ".join(said)
    if account.prices_only:
        detail += f"; nothing can be launched: {account.prices_only}"
    elif account.rehearsal:
        detail += "; a rehearsal: nothing is billed"
    if account.strangers:
        detail += "; " + cautions.strangers_text(secrets)
    verdict = "yes" if account.usable else "bad" if account.problem else "prices only"
    row = _row("provider", account.provider, verdict, detail, account.hint)
    findings = [asdict(f) for f in account.findings]
    return row | {"prices_only": account.prices_only, "strangers": account.strangers, "findings": findings}


def _store_row(home: Home, ref: BlobStoreRef, accounts: Sequence[Account]) -> dict[str, Any]:
    """Prove on the store itself that creating the same name twice fails: all safety stands on that."""
    url = ref.url or home.blobs.as_uri()
    try:
        prove_create_only(open_blobs(url, endpoint=ref.endpoint, region=ref.region))
    except SpotlaunchError as e:
        return _row("store", url, "bad", e.message, e.hint)
    detail, hint = "reads, writes, and refuses to create twice", ""
    away = [a.provider for a in accounts if a.usable and not a.shares_disk]
    if is_file_store(url):
        detail += "; a folder of this computer: only machines on it can use it"
        if away:
            detail, hint = f"{detail}, and those of {', '.join(away)} cannot", cautions.STORE_HINT
    elif away:
        detail += f"; {cautions.what_opens(home, ref)}"
    return _row("store", url, "yes", detail, hint)


def _row(what: str, name: str, verdict: str, detail: str, hint: str) -> dict[str, Any]:
    return {
        "what": what,
        "name": name,
        "usable": verdict == "yes",
        "verdict": verdict,
        "detail": detail,
        "hint": hint,
        "prices_only": "",
        "strangers": False,
        "findings": [],
    }


# -- for a person ---------------------------------------------------------------------------------------


def _show(rows: Sequence[dict[str, Any]]) -> None:
    head = render.columns("what", "name", "usable", "")
    render.table(head, [[r["what"], r["name"], r["verdict"], r["detail"]] for r in rows])
    found = [(r["name"], f) for r in rows for f in r["findings"]]
    if found:
        print()
        head = render.columns("provider", "found out", "about", "fine", "")
        render.table(head, [[n, f["kind"], f["name"], "yes" if f["ok"] else "bad", f["detail"]] for n, f in found])
    hints = [(r["name"], r["hint"]) for r in rows] + [(f"{n}: {f['name']}", f["hint"]) for n, f in found]
    for about, hint in dict.fromkeys(hints):
        if hint:
            render.say(f"hint: {render.one_line(about)}: {render.one_line(hint)}")
