from __future__ import annotations

import sys
from pathlib import Path

from spotlaunch_providers.local.environment import base_env, source_roots

CWD = Path("/work")


def test_a_machine_does_not_inherit_what_is_none_of_its_business() -> None:
    shell = {"PATH": "/bin", "SSH_AUTH_SOCK": "s", "WANDB_API_KEY": "w", "SPOTLAUNCH_HOME": "/h", "HOME": "/home/me"}
    assert set(base_env(shell, cwd=CWD, roots=[])) == {"PATH", "LANG"}


def test_a_machine_knows_the_way_to_object_storage() -> None:
    shell = {
        "AWS_ACCESS_KEY_ID": "k",
        "AZURE_STORAGE_KEY": "a",
        "GOOGLE_APPLICATION_CREDENTIALS": "g",
        "https_proxy": "p",
    }
    env = base_env(shell, cwd=CWD, roots=[])
    assert {k: env[k] for k in shell} == shell


def test_our_own_python_comes_last_in_path() -> None:
    env = base_env({"PATH": "/usr/bin:/bin"}, cwd=CWD, roots=[])
    assert env["PATH"] == f"/usr/bin:/bin:{Path(sys.executable).parent}"


def test_the_way_to_python_packages_is_kept_as_seen_from_here() -> None:
    env = base_env({"PYTHONPATH": "lib:/abs"}, cwd=CWD, roots=["/checkout", "/abs"])
    assert env["PYTHONPATH"] == "/work/lib:/abs:/checkout"
    assert "PYTHONPATH" not in base_env({}, cwd=CWD, roots=[])


def test_a_checkout_that_is_not_installed_is_found_by_its_machines() -> None:
    roots = source_roots()
    assert not roots or all(
        Path(r, name).is_dir() for r, name in zip(roots, ("spotlaunch", "spotlaunch_providers"), strict=True)
    )
