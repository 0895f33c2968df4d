"""The door for a shell, opened by what stands before the script."""

from __future__ import annotations

import subprocess
from pathlib import Path

from spotlaunch_providers.runpod.pods import SHELL


def run(home: Path, *, sshd: bool) -> subprocess.CompletedProcess[str]:
    commands = home / "bin"
    commands.mkdir(exist_ok=True)
    if sshd:
        (commands / "sshd").write_text('#!/bin/sh\necho "sshd as $0"\n')
        (commands / "ssh-keygen").write_text("#!/bin/sh\necho noise\n")
        for name in ("sshd", "ssh-keygen"):
            (commands / name).chmod(0o755)
    for name in ("mkdir", "chmod"):
        if not (commands / name).exists():
            (commands / name).symlink_to(f"/bin/{name}")
    script = SHELL.replace("/run/sshd", f"{home}/run/sshd") + "echo the script\n"
    env = {"HOME": str(home), "PATH": str(commands), "PUBLIC_KEY": "ssh-ed25519 AAAAC3 job"}
    return subprocess.run(["/bin/sh", "-c", script], env=env, capture_output=True, text=True, check=True)


def test_the_key_of_the_order_is_the_only_one_let_in_also_after_a_second_start(tmp_path: Path) -> None:
    for _ in range(2):
        assert run(tmp_path, sshd=True).stdout == f"sshd as {tmp_path}/bin/sshd\nthe script\n"
    keys = tmp_path / ".ssh" / "authorized_keys"
    assert keys.read_text() == "ssh-ed25519 AAAAC3 job\n"
    assert (keys.stat().st_mode & 0o777, keys.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_an_image_without_a_door_runs_the_script_all_the_same(tmp_path: Path) -> None:
    done = run(tmp_path, sshd=False)
    assert (done.stdout, done.stderr) == ("the script\n", "")
    assert not (tmp_path / ".ssh").exists()
