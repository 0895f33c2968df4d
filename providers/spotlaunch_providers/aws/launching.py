"""One launch: the order's alternatives one after the other, each a call of RunInstances that is made once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from spotlaunch.core.chance import draw
from spotlaunch.core.facts import Launched, Offer, Order, Pool, Refused, Scope
from spotlaunch.errors import InvalidOrder, OutcomeUnknown, ProviderError, Transient
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.errors import NOT_ENABLED, code_of, told_of
from spotlaunch_providers.aws.images import Images
from spotlaunch_providers.aws.keypairs import KeyPairs
from spotlaunch_providers.aws.listing import Listing
from spotlaunch_providers.aws.machines import Instance, instance_of
from spotlaunch_providers.aws.memory import Memory
from spotlaunch_providers.aws.network import Network
from spotlaunch_providers.aws.recipe import Ground, House, recipe
from spotlaunch_providers.aws.refusals import fellows, refused, refused_by
from spotlaunch_providers.aws.regions import Regions
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.refused import as_error, ends_the_call

# What is left of a launch's time must suffice for one more alternative.
LEAST_S = 10.0
# So much is kept for looking whether a machine was made all the same.
LOOK_S = 5.0

# What was found earlier in the region is not there any more.
_STALE = frozenset(
    {
        *("InvalidSubnetID.NotFound", "InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"),
        *("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidKeyPair.NotFound"),
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What all launches of a provider share."""

    access: Access
    house: House
    regions: Regions
    network: Network
    images: Images
    key_pairs: KeyPairs
    listing: Listing
    memory: Memory


@dataclass(frozen=True, slots=True)
class Turned:
    """An alternative that was turned down, and the zones in which AWS says that there are machines of its type."""

    no: Refused
    zones: tuple[str, ...] = ()


class Launching:
    """One call of `launch`, to be answered within ``deadline``."""

    def __init__(self, order: Order, tools: Tools, deadline: Deadline) -> None:
        self._order, self._tools, self._deadline = order, tools, deadline
        self._noes: list[Refused] = []
        self._repeated = tools.memory.tried(order.launch_key)
        self._renewed = False

    def run(self) -> Launched:
        """A machine. Raises the last refusal with all of them, or `OutcomeUnknown`."""
        if not self._order.alternatives:
            raise InvalidOrder("an order without alternatives")
        memory, key = self._tools.memory, self._order.launch_key
        if self._repeated and (found := self._there() or memory.fresh(key)) is not None:
            return found
        waiting = list(self._order.alternatives)
        while waiting:
            offer = waiting.pop(0)
            if any(no.scope.covers(offer.pool) for no in self._noes):
                continue
            if self._noes and self._deadline.left_s() < LEAST_S:
                break  # the others have not been asked, and are not refused
            outcome = self._try(offer)
            if isinstance(outcome, Launched):
                memory.launched(key, outcome)
                return replace(outcome, refused=tuple(self._noes))
            self._noes.append(outcome.no)
            if ends_the_call(outcome.no):
                break
            self._noes += fellows(outcome.no, offer, waiting)
            named = {(offer.pool.instance_type, zone) for zone in outcome.zones}
            # Those that AWS names first; the order stays within both parts.
            waiting.sort(key=lambda o: (o.pool.instance_type, o.pool.zone) not in named)
        raise as_error(self._noes)

    # -- one alternative ---------------------------------------------------------------------------------

    def _try(self, offer: Offer) -> Launched | Turned:
        """A machine, or one more refusal. Raises `OutcomeUnknown`."""
        cap = self._order.price_cap_usd_hour
        if cap is not None and offer.price_usd_hour > cap:
            return Turned(refused("price", offer.pool, price=offer.price_usd_hour, cap=cap))
        try:
            zones = self._zones(offer)
        except ProviderError as e:
            return Turned(self._before(e, offer))
        turned = Turned(refused("no-zone", offer.pool))
        while zones:
            outcome = self._in_zone(offer, zones.pop(0))
            if isinstance(outcome, Launched):
                return outcome
            # AWS has looked where the type is: the zones that it does not name need no call.
            zones = [z for z in zones if z in outcome.zones] if outcome.zones else zones
            turned = Turned(outcome.no, outcome.zones or turned.zones)
            if turned.no.error != "NoCapacity" or self._deadline.left_s() < LEAST_S:
                break  # the other zones would say the same
        return turned

    def _zones(self, offer: Offer) -> list[str]:
        """The zones to try: the pool's own, or for a region's pool those that sell the type and have a subnet."""
        if offer.pool.zone:
            return [offer.pool.zone]
        sold = self._tools.network.zones(offer.pool, deadline=self._deadline)
        have = self._tools.network.subnets(offer.pool.region, deadline=self._deadline)
        if sold and not have:
            raise as_error([refused("no-network", offer.pool)])
        # Each launch begins with another zone, and always with the same: its token is good in that zone only.
        return sorted((z for z in sold if z in have), key=lambda z: draw("zone", self._order.launch_key, z))

    def _in_zone(self, offer: Offer, zone: str) -> Launched | Turned:
        """The call. What is stale of the things that it needs is found anew, once."""
        try:
            ground = self._ground(offer, zone)
        except ProviderError as e:
            return Turned(self._before(e, offer))
        try:
            answer = self._run(offer, ground)
        except ProviderError as e:
            if code_of(e) in _STALE and not self._renewed and self._forget(offer, ground):
                self._renewed = True
                return self._in_zone(offer, zone)
            return self._after(e, offer)
        return self._made(offer, zone, answer)

    def _ground(self, offer: Offer, zone: str) -> Ground:
        tools, order, pool = self._tools, self._order, offer.pool
        subnets = tools.network.subnets(pool.region, deadline=self._deadline)
        if zone not in subnets:
            raise as_error([refused("no-subnet" if subnets else "no-network", pool, zone=zone)])
        subnet, ssh = subnets[zone], bool(order.ssh_key)
        name = ""
        if ssh:
            name = tools.key_pairs.ensure(pool.region, order.job, order.ssh_key, deadline=self._deadline)
        return Ground(
            zone=zone,
            subnet=subnet,
            groups=tools.network.groups(pool.region, subnet.vpc, ssh=ssh, deadline=self._deadline),
            image=tools.images.get(order.vm_image, pool, offer.extra.get("arch", ""), deadline=self._deadline),
            key_pair=name,
        )

    def _forget(self, offer: Offer, ground: Ground) -> bool:
        region, arch = offer.pool.region, offer.extra.get("arch", "")
        known = [
            self._tools.network.forget(region),
            self._tools.images.forget(self._order.vm_image, offer.pool, arch),
            self._tools.key_pairs.forget(region, ground.key_pair),
        ]
        return any(known)

    def _run(self, offer: Offer, ground: Ground) -> dict[str, Any]:
        region = offer.pool.region
        self._tools.regions.remember(region)
        asked = recipe(self._order, offer, ground, self._tools.house)
        deadline = Deadline(max(1.0, self._deadline.left_s() - LOOK_S))
        return self._tools.access.act("run_instances", "Instances", region=region, deadline=deadline, **asked)

    # -- what came of it ---------------------------------------------------------------------------------

    def _made(self, offer: Offer, zone: str, answer: dict[str, Any]) -> Launched | Turned:
        """The machine that EC2 gave, held against the offer."""
        if not answer["Instances"]:
            return self._after(OutcomeUnknown("EC2 answered without a machine"), offer)
        got = instance_of(answer["Instances"][0], offer.pool.region, self._tools.memory)
        self._tools.memory.made(got.seen.instance_id, got.region)
        if got.seen.phase not in ("starting", "running"):
            return Turned(refused("ended", offer.pool))
        wanted = offer.pool if offer.pool.zone or offer.pool.market == "on-demand" else replace(offer.pool, zone=zone)
        if _said(got.seen.pool, wanted) != wanted:
            self._end(got)
            return Turned(refused("other", offer.pool, said=str(got.seen.pool)))
        return Launched(instance_id=got.seen.instance_id, offer=replace(offer, pool=wanted))

    def _end(self, got: Instance) -> None:
        """End what nobody ordered. Where that fails, nobody keeps it, and the sweep ends it."""
        instance_id = got.seen.instance_id
        self._tools.memory.asked([instance_id])
        try:
            self._tools.access.act(
                *("terminate_instances", "TerminatingInstances"),
                region=got.region,
                deadline=self._deadline,
                InstanceIds=[instance_id],
            )
        except ProviderError as e:
            raise OutcomeUnknown(
                f"{instance_id} is another machine than was ordered ({got.seen.pool}), and does not end: {e.message}",
                refused=self._noes,
            ) from e

    def _before(self, error: ProviderError, offer: Offer) -> Refused:
        """A refusal before the call: surely no machine was made."""
        if error.refused:
            return error.refused[0]
        no = self._refusal(error, offer)
        return no or Refused(
            scope=Scope(provider=offer.pool.provider, region=offer.pool.region),
            error=Transient.__name__,
            reason=error.message,
            hint="try again",
        )

    def _after(self, error: ProviderError, offer: Offer) -> Launched | Turned:
        """The refusal that an error stands for, or the machine that was made for all that.

        Raises `OutcomeUnknown` where it is neither.
        """
        if (no := self._refusal(error, offer)) is not None:
            return Turned(no, told_of(error).zones)
        if (found := self._there(offer.pool.region)) is not None:
            return found
        raise OutcomeUnknown(error.message, hint=error.hint, refused=self._noes)

    def _refusal(self, error: ProviderError, offer: Offer) -> Refused | None:
        if code_of(error) in NOT_ENABLED and self._is_closed(offer.pool.region):
            return refused("not-enabled", offer.pool)
        return refused_by(error, offer.pool)

    def _is_closed(self, region: str) -> bool:
        """Whether the credentials are good, and it is the region that is not enabled."""
        try:
            return region not in self._tools.regions.enabled(deadline=self._deadline, anew=True)
        except ProviderError:
            return False

    def _there(self, *regions: str) -> Launched | None:
        """The machine that bears the launch key already, if EC2 shows it."""
        for region in regions or sorted({o.pool.region for o in self._order.alternatives}):
            try:
                found = self._tools.listing.bearing(self._order.launch_key, region, deadline=self._deadline)
            except ProviderError as e:
                if regions:
                    return None
                raise OutcomeUnknown(f"whether a machine bears this key already: {e.message}", hint=e.hint) from e
            if found is not None:
                self._tools.memory.made(found.seen.instance_id, region)
                pool = found.seen.pool
                offer = next((o for o in self._order.alternatives if Scope.of(o.pool).covers(pool)), None)
                if offer is None:
                    offer = replace(self._order.alternatives[0], pool=pool)
                return Launched(instance_id=found.seen.instance_id, offer=replace(offer, pool=pool))
        return None


def _said(got: Pool, wanted: Pool) -> Pool:
    """The pool of a machine as it was answered; what an answer leaves out does not say that it is another."""
    return replace(got, instance_type=got.instance_type or wanted.instance_type, zone=got.zone or wanted.zone)
