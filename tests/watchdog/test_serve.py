"""What a watchdog tidies up when it starts."""

from __future__ import annotations

import os
from pathlib import Path

from spotlaunch.core.book import Event
from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore
from spotlaunch.submission import keep_secrets
from spotlaunch.watchdog.serve import JOBLESS_S, clean_secrets
from tests.core.worlds import JOB, NOW, a_new_job


def test_secrets_of_no_job_are_removed_after_a_day_and_those_of_a_live_one_never(tmp_path: Path) -> None:
    home, store = Home(tmp_path), SqliteStore(":memory:", owner_seed="seed")
    store.add_job(a_new_job(), Event(job=JOB, at=NOW, kind="submitted", text="submitted"))
    for name, age_s in ((JOB, 10 * JOBLESS_S), ("killed", JOBLESS_S + 60), ("coming", JOBLESS_S - 60)):
        keep_secrets(home, name, {"TOKEN": "hush"})
        os.utime(home.secrets(name), (NOW - age_s, NOW - age_s))
    clean_secrets(home, store, now=NOW)
    assert {p.stem for p in home.secrets("x").parent.iterdir()} == {JOB, "coming"}
