"""Keys for shells: one pair a job, for its owner only."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from spotlaunch.errors import StoreUnavailable
from spotlaunch.home import Home
from spotlaunch.storage.shellkeys import forget_key, jobs_with_keys, make_key

KEYGEN = shutil.which("ssh-keygen")


@pytest.fixture
def home(own_home: Path) -> Home:
    return Home.find().prepare()


def test_a_pair_is_made_for_its_owner_only_and_names_nobody(home: Home) -> None:
    public = make_key(home, "digits")
    kind, _, comment = public.split()
    assert (kind, comment) == ("ssh-ed25519", "spotlaunch-digits"), "not this user's name and computer"
    private = home.ssh_key("digits")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    assert "OPENSSH PRIVATE KEY" in private.read_text()
    assert "PRIVATE" not in public
    if KEYGEN is not None:
        said = subprocess.run([KEYGEN, "-y", "-f", str(private)], capture_output=True, text=True, timeout=20)
        assert said.stdout.split()[:2] == public.split()[:2], "the two halves belong together"


def test_each_time_it_is_another_key(home: Home) -> None:
    assert make_key(home, "digits") != make_key(home, "digits")


def test_forgetting_leaves_nothing_of_the_job_and_all_of_others(home: Home) -> None:
    make_key(home, "digits")
    make_key(home, "digits-2")
    home.known_hosts("digits").write_text("host key")
    assert jobs_with_keys(home) == ["digits", "digits-2"]
    forget_key(home, "digits")
    forget_key(home, "digits")
    assert jobs_with_keys(home) == ["digits-2"]
    assert sorted(p.name for p in home.ssh_key("x").parent.iterdir()) == ["digits-2", "digits-2.pub"]


def test_a_home_without_keys_has_none(home: Home) -> None:
    assert jobs_with_keys(home) == []
    forget_key(home, "digits")


def test_a_folder_that_cannot_be_made_is_told(home: Home) -> None:
    (home.path / "ssh").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="cannot write"):
        make_key(home, "digits")
