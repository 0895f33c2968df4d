"""What happens to jobs in a rehearsal of five clouds: who is taken away when, and what must come of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.fakes.clouds.fleet import Rented
from tests.rehearsal.ground import FiveClouds, attempt_of

DIGEST = re.compile(r"(?:digest|sha256) ([0-9a-f]{64})")


@dataclass
class Play:
    """A rehearsal under way. ``say`` gets a line for whoever watches."""

    ground: FiveClouds
    say: Callable[[str], None] = lambda line: None
    began_at: float = field(default_factory=time.monotonic)

    def tell(self, line: str) -> None:
        self.say(f"{time.monotonic() - self.began_at:6.1f} s  {line}")

    # -- one job through all that can happen ---------------------------------------------------------------

    def whole_story(self, name: str) -> list[str]:
        """The job starts, loses a machine with a notice, loses one without while all spot is dry, pays on-demand,
        comes back to spot, and goes on alone from there. Returns the clouds it was on, in order."""
        clouds = []
        cloud, machine = self.running(name, after=0)
        clouds.append(cloud)
        self.tell(f"{name}: on {cloud} ({machine.market}, ${machine.price_usd_hour:.2f}/h), and has committed")
        self.ground.take(cloud, machine)
        self.tell(f"{name}: {cloud} takes its machine away")
        cloud, machine = self.running(name, after=attempt_of(machine))
        clouds.append(cloud)
        self.tell(f"{name}: goes on with {cloud} ({machine.market}) from step {self.ground.commits(name)}")
        self.ground.dry("spot")
        self.ground.fakes[cloud].vanish(machine.id)
        self.tell(f"{name}: {cloud} loses its machine without a word, and all spot is dry")
        cloud, machine = self.running(name, after=attempt_of(machine))
        clouds.append(cloud)
        assert machine.market == "on-demand", f"{name} is on {machine.market} though all spot is dry"
        self.tell(f"{name}: pays {cloud} ${machine.price_usd_hour:.2f}/h on demand")
        self.ground.refill()
        self.tell(f"{name}: spot is back")
        cloud, machine = self.running(name, after=attempt_of(machine))
        clouds.append(cloud)
        assert machine.market == "spot", f"{name} did not return to spot"
        self.tell(f"{name}: is back on spot, at {cloud}")
        return clouds

    def running(self, name: str, *, after: int, within_s: float = 240.0) -> tuple[str, Rented]:
        """The job's machine of an attempt past ``after``, once that has committed something of its own."""
        give_up_at = time.monotonic() + within_s
        while True:
            found = self.ground.machine_of(name)
            if found is not None and attempt_of(found[1]) > after and self._has_committed(name, attempt_of(found[1])):
                return found
            job = self.ground.job(name)
            assert not job.over, f"{name} is {job.state} too early: {job.reason}\n{self.ground.story(name)}"
            assert time.monotonic() < give_up_at, (
                f"{name} has no machine that works past attempt {after} within {within_s} s\n{self.everything(name)}"
            )
            time.sleep(0.05)

    def _has_committed(self, name: str, number: int) -> bool:
        with self.ground.store() as store:
            return any(a.number == number and a.commits > 0 and a.live for a in store.attempts(name))

    # -- many jobs, each machine taken away a few times ----------------------------------------------------

    def harry(self, names: Sequence[str], *, times: int, within_s: float = 240.0) -> dict[str, list[str]]:
        """Take machines of these jobs away, each job's so many ``times``, as soon as each has committed.

        Returns by job the clouds it lost machines on. Every other loss of a job comes without a notice.
        """
        lost: dict[str, list[str]] = {name: [] for name in names}
        last = dict.fromkeys(names, 0)
        give_up_at = time.monotonic() + within_s
        while any(len(where) < times for where in lost.values()):
            for name in names:
                if len(lost[name]) >= times or self.ground.job(name).over:
                    continue
                found = self.ground.machine_of(name)
                if found is None or attempt_of(found[1]) <= last[name]:
                    continue
                cloud, machine = found
                if self._has_committed(name, attempt_of(machine)):
                    self._lose(name, cloud, machine, quietly=len(lost[name]) % 2 == 1)
                    last[name] = attempt_of(machine)
                    lost[name].append(cloud)
            over = [n for n in names if len(lost[n]) < times and self.ground.job(n).over]
            assert not over, f"over too early: {over}\n{self.everything(over[0])}"
            assert time.monotonic() < give_up_at, f"still to lose machines: {lost}\n{self.everything(names[0])}"
            time.sleep(0.05)
        return lost

    def _lose(self, name: str, cloud: str, machine: Rented, *, quietly: bool) -> None:
        if quietly:
            self.ground.fakes[cloud].vanish(machine.id)
        else:
            self.ground.take(cloud, machine)
        how = "vanishes" if quietly else "is taken away"
        self.tell(
            f"{name}: its machine at {cloud} ({machine.market}) {how}, committed step {self.ground.commits(name)}"
        )

    # -- the end -------------------------------------------------------------------------------------------

    def finished(self, name: str, *, digest: str, within_s: float = 120.0) -> None:
        """The job has ended well, with the digest of an uninterrupted run."""
        job = self.ground.await_over(name, within_s=within_s)
        assert job.state == "finished", f"{name}: {job.state}: {job.reason}\n{self.everything(name)}"
        said = set(DIGEST.findall(self.ground.logs(name)))
        assert said == {digest}, f"{name}: printed {said}, uninterrupted {digest}"
        self.tell(f"{name}: finished with the digest of an uninterrupted run")

    def resumed_steps(self, name: str) -> list[int]:
        return [e["data"]["step"] for e in self.ground.events(name) if e["kind"] == "resumed"]

    def everything(self, name: str) -> str:
        """For the message of a test that fails: the job's story, and what its machines said on their consoles."""
        consoles = []
        for cloud, fake in self.ground.fakes.items():
            for m in list(fake.fleet.machines.values()):
                if f"-{name}-" in m.key and m.folder is not None and (m.folder / "console.log").exists():
                    text = (m.folder / "console.log").read_text(errors="replace")
                    consoles.append(f"-- {cloud} {m.id} ({m.key}, {m.why or 'up'}):\n{text[-3000:]}")
        return "\n".join([self.ground.story(name), *consoles])
