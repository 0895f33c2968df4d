"""What went wrong in a review of submitting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spotlaunch.core.spec import Spec
from spotlaunch.home import Home
from spotlaunch.storage.store import SqliteStore
from spotlaunch.submission import submit
from spotlaunch.watchdog.serve import SystemClock


class Interrupted(SqliteStore):
    """Ctrl-C comes just after a job was written."""

    def add_job(self, *args: Any) -> None:
        super().add_job(*args)
        raise KeyboardInterrupt


def test_an_interrupt_that_comes_when_the_job_is_in_the_book_takes_nothing_from_it(
    own_home: Path, tmp_path: Path
) -> None:
    home = Home.find().prepare()
    work = tmp_path / "work"
    work.mkdir()
    (work / "train.py").write_text("pass")
    store = Interrupted(home.database, owner_seed="s")
    spec = Spec(name="job", run="true", workdir=str(work))
    with pytest.raises(KeyboardInterrupt):
        submit(home, store, spec, secret_values={"T": "v"}, clock=SystemClock(), owner="s", exact_name=True)
    [job] = store.jobs()
    assert home.secrets("job").exists()
    assert (home.blobs / "jobs/job/bundle" / job.bundle).exists()
    store.close()
