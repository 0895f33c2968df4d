"""`ssh`: a shell only where the job allows it, with the job's own key, at the address that the listing tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from spotlaunch.core.facts import SeenMachine
from spotlaunch.core.plan import AddMachine
from spotlaunch.errors import NotAuthorized, Transient
from spotlaunch.home import Home
from spotlaunch.storage.shellkeys import make_key
from spotlaunch.storage.store import SqliteStore
from tests.cli.conftest import NOW, Cli
from tests.cli.standing import Cloud, Sky, installed
from tests.core.worlds import a_pool
from tests.storage.samples import a_job, a_machine, an_event


class Ssh:
    """The system's ssh, which is never really called."""

    def __init__(self) -> None:
        self.lines: list[Sequence[str]] = []
        self.code = 0

    def run(self, line: Sequence[str], *, check: bool) -> Any:
        self.lines.append(line)
        return SimpleNamespace(returncode=self.code)


@pytest.fixture
def ssh(monkeypatch: pytest.MonkeyPatch) -> Ssh:
    made = Ssh()
    monkeypatch.setattr("spotlaunch.cli.ssh.subprocess", made)
    monkeypatch.setattr("spotlaunch.cli.ssh.shutil", SimpleNamespace(which=lambda name: f"/usr/bin/{name}"))
    return made


def add_machine(store: SqliteStore, attempt: int, **changes: Any) -> None:
    usual = {"state": "up", "instance_id": f"i-{attempt}", "up_at": NOW - 60, "pool": a_pool(provider="one")}
    store.apply([AddMachine(machine=a_machine(attempt=attempt, **{**usual, **changes}))])


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, store: SqliteStore, ssh: Ssh) -> Cloud:
    """One job that allows a shell; its attempt 2 runs at this cloud, whose listing tells the address."""
    sky: Sky = installed(monkeypatch)
    shown = [
        SeenMachine(
            launch_key=f"sl-abc123-digits-{n}-0",
            instance_id=f"i-{n}",
            pool=a_pool(provider="one"),
            phase="running",
            ssh=f"root@203.0.113.{n}:2200",
        )
        for n in (1, 2)
    ]
    made = Cloud("one", *shown)
    sky.clouds["one"] = made
    spec = replace(a_job().spec, ssh=True, ssh_key=make_key(Home.find(), "digits"))
    store.add_job(a_job(state="running", spec=spec, last_attempt=2), an_event())
    add_machine(store, 1, state="ending")
    add_machine(store, 2)
    return made


def told(cli: Cli, *arguments: str) -> tuple[int, str]:
    done = cli("ssh", *arguments)
    assert done.out == ""
    return done.code, done.err


@pytest.mark.usefixtures("cloud")
def test_a_shell_is_opened_on_the_newest_machine_with_the_jobs_own_key(cli: Cli, ssh: Ssh) -> None:
    assert told(cli, "digits") == (0, "")
    (line,) = ssh.lines
    assert line[0] == "ssh"
    assert list(line[-4:]) == ["-l", "root", "--", "203.0.113.2"]
    assert f'IdentityFile="{Home.find().ssh_key("digits")}"' in line
    assert f'UserKnownHostsFile="{Home.find().known_hosts("digits")}"' in line
    assert "HostKeyAlias=sl-abc123-digits-2-0" in line


@pytest.mark.usefixtures("cloud")
def test_another_attempt_can_be_named_while_its_machine_stands(cli: Cli, ssh: Ssh) -> None:
    told(cli, "digits", "--attempt", "1")
    assert ssh.lines[0][-1] == "203.0.113.1"
    code, err = told(cli, "digits", "--attempt", "7")
    assert (code, "digits has no attempt 7" in err) == (1, True)


@pytest.mark.usefixtures("cloud")
def test_a_command_after_two_dashes_runs_there_also_with_options_of_its_own(cli: Cli, ssh: Ssh) -> None:
    told(cli, "digits", "--", "nvidia-smi", "-L")
    assert ssh.lines[0][-1] == "nvidia-smi -L"


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(("code", "exits"), [(0, 0), (7, 7), (255, 255), (-15, 143)])
def test_the_exit_code_is_that_of_ssh(cli: Cli, ssh: Ssh, code: int, exits: int) -> None:
    ssh.code = code
    assert cli("ssh", "digits").code == exits


@pytest.mark.usefixtures("cloud")
def test_a_job_that_does_not_allow_it_gets_no_shell(cli: Cli, store: SqliteStore, ssh: Ssh) -> None:
    store.add_job(a_job("shut"), an_event("shut"))
    code, err = told(cli, "shut")
    assert code == 1
    assert "shut allows no shell on its machines" in err
    assert "hint: write `ssh: true` into the job file" in err
    assert ssh.lines == []


@pytest.mark.usefixtures("cloud")
def test_a_job_that_is_over_or_unknown_or_was_submitted_elsewhere_is_told(cli: Cli, store: SqliteStore) -> None:
    spec = replace(a_job().spec, ssh=True)
    store.add_job(a_job("done", state="finished", spec=spec), an_event("done"))
    store.add_job(a_job("far", spec=spec), an_event("far"))
    assert "done is over (finished)" in told(cli, "done")[1]
    assert "the key of far is not in" in told(cli, "far")[1]
    assert "no job called 'nobody'" in told(cli, "nobody")[1]


def test_without_a_machine_it_says_whether_one_is_coming(cli: Cli, store: SqliteStore, ssh: Ssh) -> None:
    spec = replace(a_job().spec, ssh=True)
    for name in ("waits", "comes"):
        store.add_job(a_job(name, spec=spec), an_event(name))
        make_key(Home.find(), name)
    store.apply([AddMachine(machine=a_machine("comes", state="launching"))])
    assert "waits has no machine now\nhint: see `spotlaunch status waits`" in told(cli, "waits")[1]
    assert "comes has no machine now: one is being launched" in told(cli, "comes")[1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ssh": "", "phase": "starting"}, "i-2 at one has no address yet: it is starting"),
        ({"ssh": ""}, "i-2 at one gives no shell"),
        ({"phase": "stopped"}, "i-2 at one is stopped"),
        ({"phase": "gone"}, "i-2 is not in the listing of one"),
        ({"ssh": "root@-oProxyCommand=x:1"}, "has an address that cannot be read"),
    ],
)
def test_a_machine_without_a_shell_says_why(
    cli: Cli, cloud: Cloud, ssh: Ssh, changes: dict[str, Any], says: str
) -> None:
    cloud.machines["i-2"] = replace(cloud.machines["i-2"], **changes)
    code, err = told(cli, "digits")
    assert (code, ssh.lines) == (1, [])
    assert says in err


def test_a_provider_that_cannot_be_asked_is_told(cli: Cli, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise Transient("503", hint="later")

    cloud.before_listing = fails
    assert "one cannot be asked where the machine is: 503\nhint: later" in told(cli, "digits")[1]
    installed(monkeypatch).clouds["one"] = NotAuthorized("no key", hint="make one")
    assert "one cannot be asked where the machine is: no key\nhint: make one" in told(cli, "digits")[1]


@pytest.mark.usefixtures("cloud")
def test_without_openssh_it_says_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spotlaunch.cli.ssh.shutil", SimpleNamespace(which=lambda name: None))
    assert "hint: install OpenSSH's client" in told(cli, "digits")[1]
