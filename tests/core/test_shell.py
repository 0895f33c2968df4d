from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.shell import Address, read_address, ssh_command

HERE = Address(user="ubuntu", host="203.0.113.7", port=2222)


def line(*command: str, **changes: str) -> list[str]:
    paths = {"key": "/home/me/.spotlaunch/ssh/job", "known_hosts": "/home/me/.spotlaunch/ssh/job.hosts", **changes}
    return ssh_command(HERE, alias="sl-1", command=command, **paths)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ubuntu@203.0.113.7:2222", HERE),
        ("root@ssh4.vast.ai:14022", Address(user="root", host="ssh4.vast.ai", port=14022)),
        ("root@host", Address(user="root", host="host", port=22)),
        ("root@[2001:db8::1]:22", Address(user="root", host="2001:db8::1", port=22)),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host:22",
        "root@",
        "root@-oProxyCommand=evil:22",
        "-oX=1@host:22",
        "root@host:0",
        "root@host:65536",
        "a@b c:1",
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert read_address(text) is None


@given(st.text(max_size=40))
def test_no_address_can_be_taken_for_an_option_of_ssh(text: str) -> None:
    address = read_address(text)
    if address is not None:
        assert not address.host.startswith("-")
        assert not address.user.startswith("-")


def test_nothing_of_the_users_own_goes_to_the_machine() -> None:
    said = line()
    for option in ("ForwardAgent=no", "ForwardX11=no", "ClearAllForwardings=yes", "IdentitiesOnly=yes"):
        assert option in said


def test_hosts_are_known_by_their_launch_key_and_in_a_file_of_the_job() -> None:
    said = line()
    assert "HostKeyAlias=sl-1" in said
    assert 'UserKnownHostsFile="/home/me/.spotlaunch/ssh/job.hosts"' in said
    assert "StrictHostKeyChecking=accept-new" in said


def test_one_word_is_text_for_the_shell_there_and_many_stay_words() -> None:
    assert line()[-1] == HERE.host
    assert line("nvidia-smi | head")[-1] == "nvidia-smi | head"
    assert line("ls", "my file")[-1] == "ls 'my file'"


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh here")
def test_ssh_understands_the_line_also_with_blanks_and_percents_in_paths() -> None:
    said = line(key="/tmp/a b%h/key", known_hosts="/tmp/a b%h/hosts")
    done = subprocess.run([said[0], "-G", "-F", "none", *said[1:]], capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    told = dict(row.partition(" ")[::2] for row in done.stdout.splitlines())
    assert (told["hostname"], told["user"], told["port"]) == ("203.0.113.7", "ubuntu", "2222")
    assert told["identitiesonly"] == "yes"
    assert told["stricthostkeychecking"] == "accept-new"
    assert told["userknownhostsfile"] == "/tmp/a b%h/hosts"
    assert told["identityfile"] == "/tmp/a b%%h/key"
