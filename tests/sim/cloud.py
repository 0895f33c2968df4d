"""A simulated cloud: moving prices, dry pools, preemption, lagging listings, lost answers, slow deaths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from spotlaunch.core.facts import (
    EndReason,
    Launched,
    Offer,
    Order,
    Pool,
    Refused,
    Scope,
    SeenMachine,
    SeenPhase,
    Traits,
    Want,
)
from spotlaunch.errors import NoCapacity, OutcomeUnknown, ProviderError, QuotaExceeded, Throttled, Transient
from tests.sim.clock import SimClock


@dataclass
class SimPool:
    """A pool of the simulated cloud: its price, how flaky it is, and until when it is dry."""

    pool: Pool
    price: Decimal
    on_demand: Decimal
    losses_per_hour: float
    notice: bool
    dry_until: float = 0.0


@dataclass
class SimMachine:
    """One machine as the cloud knows it: the truth about billing."""

    instance_id: str
    launch_key: str
    place: SimPool
    price: Decimal
    started_at: float
    ended_at: float | None = None
    end_called_at: float | None = None  # first asked for, whether or not that call was heard
    end_asked_at: float | None = None
    taken: bool = False
    why: str = ""
    stopped_at: float | None = None  # it runs nothing any more, and bills on until it is ended
    stops: int = 0  # so often it was stopped: what ran before does not run after it is woken up
    hidden: bool = False
    order: Order | None = None
    on_notice: list[Callable[[float], None]] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.ended_at is None


class SimCloud:
    """The port `Provider` over simulated time. ``calm`` turns every fault off.

    A ``liar`` breaks the contract of the port: its listings now and then lack a machine that is up, and what
    it was asked to end runs on for long. Nothing may be lost by that, though it costs.
    """

    def __init__(
        self,
        name: str,
        clock: SimClock,
        random: Random,
        places: list[SimPool],
        traits: Traits,
        boot: Callable[[SimMachine, Order], None],
    ) -> None:
        self.name = name
        self.traits = traits
        self.calm = False
        self.liar = False
        self.tells_why = False  # ended machines stay listed for a while, with the reason
        self.stops = False  # a machine that is taken is only stopped: it bills on, and may be woken up
        self.paid_works = False  # on-demand is granted, boots and answers, always
        self.refusals = 0
        self.machines: dict[str, SimMachine] = {}
        self.launch_calls: list[str] = []
        self.terminate_calls: list[str] = []
        self._clock = clock
        self._random = random
        self._places = {p.pool: p for p in places}
        self._boot = boot

    def _chance(self, p: float) -> bool:
        return not self.calm and self._random.random() < p

    def works(self, pool: Pool) -> bool:
        """Whether nothing ever goes wrong with machines of this pool."""
        return self.paid_works and pool.market == "on-demand"

    # -- the port ----------------------------------------------------------------------------------------

    def offers(self, want: Want) -> Sequence[Offer]:
        if self._chance(0.05):
            raise Transient(f"{self.name}: prices are not to be had")
        return [self._offer(p) for p in self._places.values() if p.pool.market in want.markets]

    def _offer(self, place: SimPool) -> Offer:
        factor = Decimal(1) if self.calm else Decimal(str(round(self._random.uniform(0.9, 1.1), 3)))
        return Offer(
            pool=place.pool,
            vcpus=8,
            memory_gb=64,
            price_usd_hour=place.price * factor if place.pool.market == "spot" else place.price,
            on_demand_usd_hour=place.on_demand,
            available="no" if place.dry_until > self._clock.now() and self._chance(0.3) else "yes",
            seen_at=self._clock.now(),
        )

    def launch(self, order: Order) -> Launched:
        self.launch_calls.append(order.launch_key)
        sure = self.works(order.alternatives[0].pool)
        if not sure:
            self._break_down()
        if self.traits.idempotent_launch:
            twin = next((m for m in self.machines.values() if m.alive and m.launch_key == order.launch_key), None)
            if twin is not None:
                return Launched(instance_id=twin.instance_id, offer=order.alternatives[0])
        refused: list[Refused] = []
        for offer in order.alternatives:
            place = self._places[offer.pool]
            no = self._refusal(place)
            if no is None:
                machine = self._make(order, offer, place)
                if not sure and self._chance(0.15):
                    raise OutcomeUnknown("the answer was lost after the machine was made", refused=refused)
                return Launched(instance_id=machine.instance_id, offer=offer, refused=tuple(refused))
            refused.append(Refused(scope=Scope.of(offer.pool), error=type(no).__name__, reason=no.message))
        raise NoCapacity("all alternatives refused", refused=refused)

    def _break_down(self) -> None:
        """The call itself fails now and then."""
        if self._chance(0.03):
            raise Throttled("too many requests", retry_after_s=30.0)
        if self._chance(0.04):
            raise Transient("try again")
        if self._chance(0.04):
            raise OutcomeUnknown("the answer was lost before the call got there")

    def _refusal(self, place: SimPool) -> ProviderError | None:
        if self.works(place.pool):
            return None
        if place.dry_until > self._clock.now() and not self.calm:
            self.refusals += 1
            return NoCapacity("insufficient capacity")
        if self._chance(0.01):
            return QuotaExceeded("vCPU limit exceeded")
        return None

    def list_machines(self) -> Sequence[SeenMachine]:
        # Machines show up late; and page after page takes its time, in which others go.
        born_until = self._clock.now() - (0.0 if self.calm else self._random.uniform(0, self.traits.settle_s * 0.9))
        if not self.calm:
            self._clock.advance(self._random.uniform(0, 9))
        seen = [self._seen(m) for m in self.machines.values() if m.alive and m.started_at <= born_until]
        if self.tells_why:
            lately = self._clock.now() - 3600
            seen += [self._seen(m) for m in self.machines.values() if m.ended_at is not None and m.ended_at > lately]
        if seen and self._chance(0.03 if self.liar else 0.0):
            # No cloud should, and they do: one that is up is missing. It costs, but nothing may be lost by it.
            self.machines[seen.pop(self._random.randrange(len(seen))).instance_id].hidden = True
        if self._chance(0.08):
            raise Transient(f"{self.name}: the listing broke off")
        return seen

    def _seen(self, machine: SimMachine) -> SeenMachine:
        phase: SeenPhase = "running" if machine.end_asked_at is None else "ending"
        if not machine.alive:
            phase = "gone"
        elif machine.stopped_at is not None:
            phase = "stopped"
        why: EndReason = "preempted" if machine.why == "preempted" and phase in ("gone", "stopped") else ""
        return SeenMachine(
            launch_key=machine.launch_key,
            instance_id=machine.instance_id,
            pool=machine.place.pool,
            phase=phase,
            started_at=machine.started_at,
            ended_at=machine.ended_at,
            ending_reason=why,
        )

    def terminate(self, instance_ids: Sequence[str]) -> dict[str, str]:
        self.terminate_calls += instance_ids
        for machine in (self.machines[i] for i in instance_ids if i in self.machines):
            machine.end_called_at = machine.end_called_at or self._clock.now()
        if self._chance(0.1):
            raise Transient("try again")
        failures = {}
        for instance_id in instance_ids:
            machine = self.machines.get(instance_id)
            if machine is None or not machine.alive:
                continue
            if self._chance(0.05):
                failures[instance_id] = "conflict: being changed"
                continue
            if machine.end_asked_at is None:
                machine.end_asked_at = self._clock.now()
            slow_s = 1.0 if self.calm else self._random.uniform(1, 60)
            if self._chance(0.5 if self.liar else 0.05):
                slow_s = self._random.uniform(60, 2400)  # asked to end, and running on: a ghost
            self._clock.after(slow_s, lambda m=machine: self.end(m))  # type: ignore[misc]
        return failures

    # -- what happens to machines ------------------------------------------------------------------------

    def _make(self, order: Order, offer: Offer, place: SimPool) -> SimMachine:
        machine = SimMachine(
            instance_id=f"{self.name}-{len(self.machines):05d}",
            launch_key=order.launch_key,
            place=place,
            price=offer.price_usd_hour,
            started_at=self._clock.now(),
            order=order,
        )
        self.machines[machine.instance_id] = machine
        if self.works(place.pool) or not self._chance(0.03):  # else it never boots
            self._clock.after(self._random.uniform(20, 90), lambda: machine.alive and self._boot(machine, order))
        if place.losses_per_hour and not self.calm:
            self._clock.after(self._random.expovariate(place.losses_per_hour / 3600), lambda: self.take(machine))
        return machine

    def take(self, machine: SimMachine) -> None:
        """Take a spot machine away: with a notice two minutes ahead where the pool gives one."""
        if self.calm or not machine.alive or machine.taken:
            return
        machine.taken = True
        notice_s = self.traits.notice_s if machine.place.notice else 0.0
        for tell in machine.on_notice if notice_s else ():
            tell(self._clock.now() + notice_s)
        machine.why = "preempted"
        self._clock.after(notice_s, lambda: self.stop(machine) if self.stops else self.end(machine))

    def stop(self, machine: SimMachine) -> None:
        """Nothing runs there any more, but it bills on until somebody ends it; now and then it is woken up."""
        if machine.alive and machine.stopped_at is None:
            machine.stopped_at = self._clock.now()
            machine.stops += 1
            if self._chance(0.5):
                self._clock.after(self._random.uniform(10, 600), lambda: self.wake(machine))

    def wake(self, machine: SimMachine) -> None:
        """Its host has room again: the container begins anew, beside whatever has replaced it."""
        if machine.alive and machine.stopped_at is not None and machine.order is not None:
            machine.stopped_at, machine.taken = None, False
            machine.on_notice.clear()
            self._boot(machine, machine.order)

    def end(self, machine: SimMachine) -> None:
        """The machine is gone, and billing stops."""
        if machine.alive:
            machine.ended_at = self._clock.now()

    def dry_spell(self) -> None:
        """One pool after another runs dry for a while, now and then all of them, for as long as there are faults."""
        if self.calm:
            return
        spot = [p for p in self._places.values() if p.pool.market == "spot"]
        for place in spot if self._random.random() < 0.3 else [self._random.choice(spot)]:
            place.dry_until = self._clock.now() + self._random.uniform(60, 2400)
        self._clock.after(self._random.uniform(60, 1200), self.dry_spell)
