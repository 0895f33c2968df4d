"""The four methods of the rehearsal cloud."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from spotlaunch.core.chance import draw
from spotlaunch.core.facts import Launched, Offer, Order, SeenMachine, Traits, Want
from spotlaunch.errors import BadFile, NotAuthorized, Transient
from spotlaunch_providers.local import machines
from spotlaunch_providers.local.choice import OWN, VARIABLE, chosen
from spotlaunch_providers.local.counters import locked
from spotlaunch_providers.local.ending import wipe
from spotlaunch_providers.local.environment import base_env, source_roots
from spotlaunch_providers.local.files import parse_name, write_json
from spotlaunch_providers.local.launching import Launching, Made, lost_answer
from spotlaunch_providers.local.market import Market, traits_of
from spotlaunch_providers.local.offers import offers
from spotlaunch_providers.local.reading import read_market
from spotlaunch_providers.local.steady import steady

AGENT = (sys.executable, "-P", "-m", "spotlaunch.agent")


class LocalProvider:
    """A `Provider`. ``agent_command``, ``now`` and ``sleep`` are for tests.

    Any method raises `Transient` when the cloud's folder cannot be read or written; `offers` and `launch`
    raise `NotAuthorized` when the market file cannot be used.
    """

    name = "local"

    def __init__(
        self,
        *,
        owner: str,
        folder: Path,
        agent_command: Sequence[str] = AGENT,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.owner, self.folder = owner, folder
        self.agent_command = tuple(agent_command)
        self.now, self.sleep = now, sleep
        self.traits: Traits = traits_of(())
        self._roots = source_roots()
        self._hosts: list[subprocess.Popen[bytes]] = []
        self._hosts_lock = threading.Lock()
        self._read: tuple[object, Market] | None = None
        self._market_if_good()  # for the traits

    # -- the port ----------------------------------------------------------------------------------------

    def offers(self, want: Want) -> Sequence[Offer]:
        """One offer for every pool of the market file, whatever is wanted."""
        market, now = self._market(), self.now()
        self._perhaps_fail(market, "offers")
        with self._disk_trouble():
            with locked(self.folder) as counters:
                zero_at = counters.zero_at(market.digest, now)
            taken = machines.taken(machines.names(self.folder))
        return offers(market, taken=taken, zero_at=zero_at, now=now)

    def launch(self, order: Order) -> Launched:
        """See the port. A machine that bears the launch key already is returned as it is."""
        self._collect_hosts()
        market = self._market()
        self._perhaps_fail(market, "launch")
        call = Launching(
            order=order,
            owner=self.owner,
            folder=self.folder,
            market=market,
            now=self.now(),
            agent_command=self.agent_command,
        )
        try:
            with self._disk_trouble():
                made = self._make(call)
        finally:
            if call.slow_s:
                self.sleep(call.slow_s)  # the fault `slow`: a cloud slow to answer, not a wait for the boot
        if call.answer_lost:
            raise lost_answer(made.launched.offer.pool)
        return made.launched

    def list_machines(self) -> Sequence[SeenMachine]:
        """All machines of this owner. One whose host was killed is ended on the way."""
        self._collect_hosts()
        self._perhaps_fail(self._market_if_good(), "listing")
        listed = []
        with self._disk_trouble():
            for name in machines.names(self.folder):
                record = None if self._gone(name) else machines.read_record(self._machine(name))
                if record is not None and record["owner"] == self.owner:
                    listed.append(machines.seen(record))
            machines.forget_old_bills(self.folder)
        return listed

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """Pull the plug of all: no notice, no grace. Returns before they are gone."""
        self._collect_hosts()
        self._perhaps_fail(self._market_if_good(), "terminate")
        failures = {}
        with self._disk_trouble():
            for name in instance_ids:
                if why := self._end(name):
                    failures[name] = why
        return failures

    # -- a rehearsal -------------------------------------------------------------------------------------

    def sell(self, want: Want, *, notice_s: float) -> None:
        """See `RehearsalCloud`. The market file of this cloud's own folder is written anew."""
        with self._disk_trouble():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_json(self.folder / OWN, steady(want, notice_s=notice_s))

    def take_away(self, instance_id: str, *, notice_s: float) -> bool:
        """See `RehearsalCloud`."""
        with self._disk_trouble():
            record = machines.read_record(self._machine(instance_id)) if _is_name(instance_id) else None
            if record is None or record["owner"] != self.owner:
                return False
            return machines.take(self._machine(instance_id), notice_s=notice_s)

    # -- machines ----------------------------------------------------------------------------------------

    def _make(self, call: Launching) -> Made:
        """Decide under the lock, start the host outside it; after an OSError nothing is left."""
        made: Made | None = None
        try:
            with locked(self.folder) as counters:
                made = call.decide(counters)
            if made.door is not None:
                self._start_host(made)
            return made
        except OSError:
            if made is not None and made.door is not None:
                wipe(self._machine(made.launched.instance_id))
            raise
        finally:
            if made is not None and made.door is not None:
                os.close(made.door)

    def _start_host(self, made: Made) -> None:
        assert made.door is not None
        host = machines.start_host(
            self._machine(made.launched.instance_id),
            made.door,
            order=made.host_order,
            env=base_env(os.environ, cwd=Path.cwd(), roots=self._roots),
        )
        with self._hosts_lock:
            self._hosts.append(host)

    def _collect_hosts(self) -> None:
        """Hosts that we started and that have ended stay zombies until somebody asks for their exit code."""
        with self._hosts_lock:
            self._hosts = [h for h in self._hosts if h.poll() is None]

    def _gone(self, name: str) -> bool:
        """Whether the machine is no more; one that lost its host is ended here and now."""
        alive = machines.knock(self._machine(name))
        return alive is None or (not alive and machines.bury(self._machine(name)))

    def _end(self, name: str) -> str:
        """Ask for a machine's end. Why it cannot be; empty if it can, or is absent."""
        record = machines.read_record(self._machine(name)) if _is_name(name) else None
        if record is None:
            return ""
        if record["owner"] != self.owner:
            return f"belongs to {record['owner']}"
        if machines.knock(self._machine(name), ask_end=True) or self._gone(name):
            return ""
        return "some of its processes do not end"

    def _machine(self, name: str) -> Path:
        return self.folder / "machines" / name

    # -- the market --------------------------------------------------------------------------------------

    def _market(self) -> Market:
        """The market that holds now, read again when its file has changed."""
        hint = f"mend it, or choose another market with {VARIABLE} (`default` is the built-in one)"
        try:
            path = chosen(self.folder)
            stat = path.stat()
            stamp = (path, stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if self._read is None or self._read[0] != stamp:
                self._read = (stamp, read_market(path))
                self.traits = self._read[1].traits
            return self._read[1]
        except OSError as e:
            raise NotAuthorized(f"the market file {e.filename} cannot be read: {e.strerror}", hint=hint) from e
        except BadFile as e:
            raise NotAuthorized(f"the market file has mistakes:\n{e.message}", hint=hint) from e

    def _market_if_good(self) -> Market | None:
        """For calls that must work without: machines can be listed and ended whatever the file says."""
        try:
            return self._market()
        except NotAuthorized:
            return None

    def _perhaps_fail(self, market: Market | None, call: str) -> None:
        """The cloud's own faults. Raises `Transient`."""
        chance = getattr(market.faults, call) if market else 0.0
        if market is None or not chance:
            return
        with self._disk_trouble(), locked(self.folder) as counters:
            number = counters.next(market.digest, f"cloud {call}", self.now())
        if draw(market.seed, "cloud", call, number) < chance:
            raise Transient(f"the rehearsal cloud does not answer ({call})")

    @contextlib.contextmanager
    def _disk_trouble(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as e:
            what = f"{e.strerror}: {e.filename}" if isinstance(e, OSError) and e.filename else str(e)
            hint = f"the folder {self.folder} must be writable and have space left"
            raise Transient(f"the rehearsal cloud cannot use its folder: {what}", hint=hint) from e


def _is_name(instance_id: str) -> bool:
    """Whether it can be one of ours. What cannot is absent, and never a path to somewhere else."""
    return parse_name(instance_id) is not None and "/" not in instance_id
