from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest

from spotlaunch.core.facts import Want
from spotlaunch.core.spec import Spec
from spotlaunch.errors import StoreUnavailable, UsageError
from spotlaunch.home import Home
from spotlaunch.storage.market import open_market
from spotlaunch.storage.store import SqliteStore
from spotlaunch.submission import preview, submit
from spotlaunch.watchdog.serve import SystemClock
from tests.core.worlds import CLOUD, a_spec
from tests.storage.offers import an_offer


def try_to_submit(home: Home, store: SqliteStore, spec: Spec, *, exact_name: bool = True) -> str:
    return submit(
        home, store, spec, secret_values={"T": "v"}, clock=SystemClock(), owner="s", exact_name=exact_name
    ).name


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.find().prepare()


def test_without_a_place_to_pack_in_it_says_so_and_leaves_nothing(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(home.database, owner_seed="s")
    (tmp_path / "work").mkdir()
    spec = Spec(name="job", run="true", workdir=str(tmp_path / "work"))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        with pytest.raises(StoreUnavailable, match="no place to pack") as caught:
            try_to_submit(home, store, spec)
    assert "TMPDIR" in caught.value.hint
    assert store.jobs() == []
    assert not home.secrets("job").exists()
    assert [p for p in home.blobs.rglob("*") if p.is_file()] == []
    assert try_to_submit(home, store, spec) == "job", "the name is free again"
    store.close()


def test_a_name_that_is_taken_gets_a_number_unless_somebody_insists(home: Home) -> None:
    store = SqliteStore(home.database, owner_seed="s")
    spec = Spec(name="job", run="true")
    assert [try_to_submit(home, store, spec, exact_name=False) for _ in range(3)] == ["job", "job-2", "job-3"]
    with pytest.raises(UsageError, match="a job called 'job' already"):
        try_to_submit(home, store, spec)
    assert len(store.jobs()) == 3
    assert home.secrets("job").exists(), "the secrets of the first are still its own"
    store.close()


def test_prices_seen_for_a_plan_go_into_the_history(home: Home) -> None:
    offer = an_offer(seen_at=time.time())

    class Cloud:
        name = offer.pool.provider
        traits = CLOUD

        def offers(self, want: Want) -> list[object]:
            return [offer]

    store = SqliteStore(home.prepare().database, owner_seed="s")
    found = preview(home, store, a_spec(), {Cloud.name: Cloud()}, SystemClock(), store.owner)
    assert found.asked.offers == (offer,)
    (pool,) = open_market(home).history(offer.gpu, since=0, until=2e9)
    assert pool.pool == offer.pool


def test_a_job_that_allows_a_shell_gets_a_key_of_its_own_and_the_book_only_the_public_half(home: Home) -> None:
    store = SqliteStore(home.database, owner_seed="s")
    name = try_to_submit(home, store, Spec(name="job", run="true", ssh=True))
    assert store.job(name).spec.ssh_key.startswith("ssh-ed25519 ")
    private = home.ssh_key(name).read_text().splitlines()[1]
    assert private not in home.database.read_bytes().decode(errors="replace")
    other = try_to_submit(home, store, Spec(name="plain", run="true"))
    assert store.job(other).spec.ssh_key == ""
    assert not home.ssh_key(other).exists()
    store.close()


def test_a_submission_that_fails_leaves_no_key(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SqliteStore(home.database, owner_seed="s")

    def fails(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(store, "add_job", fails)
    with pytest.raises(StoreUnavailable):
        try_to_submit(home, store, Spec(name="job", run="true", ssh=True))
    assert list(home.ssh_key("x").parent.iterdir()) == []
    store.close()
