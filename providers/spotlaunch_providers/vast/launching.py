"""One launch: the alternatives in their order until one is had, or every refusal on the way to none."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from spotlaunch.core.facts import Launched, Offer, Order, Refused, Scope
from spotlaunch.errors import InvalidOrder, NotFound, OutcomeUnknown, ProviderError, Throttled, Transient
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.shared.refused import as_error, ends_the_call, of_error
from spotlaunch_providers.vast import figures
from spotlaunch_providers.vast.asking import Asking, Row
from spotlaunch_providers.vast.errors import Refusal
from spotlaunch_providers.vast.renting import agreed_usd_hour, another, body, turned_down


@dataclass(frozen=True, kw_only=True, slots=True)
class Launching:
    """One call. ``image``: the container's, where the order names none."""

    asking: Asking
    order: Order
    deadline: Deadline
    image: str

    def launch(self) -> Launched:
        """Take the first alternative that can be had. Raises the last refusal, or `OutcomeUnknown`.

        What was not tried, since enough others were refused, is not among the refused: it may still be had.
        """
        told: list[Refused] = []
        creates = 0
        for offer in self.order.alternatives:
            if any(r.scope.covers(offer.pool) for r in told):
                continue
            got: Launched | Refused | None = turned_down(self.order, offer)
            if got is None:
                got, creates = self._take(offer, told), creates + 1
            if isinstance(got, Launched):
                return got
            told.append(got)
            if ends_the_call(got) or creates >= figures.MOST_CREATES:
                break
        if not told:
            raise InvalidOrder("an order without alternatives")
        raise as_error(told)

    def _take(self, offer: Offer, told: list[Refused]) -> Launched | Refused:
        """The machine, or why there is none. Raises `OutcomeUnknown` where nobody knows."""
        try:
            contract = self.asking.create(
                offer.extra["ask_contract_id"], body(self.order, offer, image=self.image), deadline=self.deadline
            )
        except Refusal as no:
            if no.contract:
                self._undo(no.contract, told)
            return no.of(offer.pool)
        except (Throttled, Transient) as e:
            # It surely never arrived. The same holds for the alternatives after it.
            return of_error(e, Scope(provider=offer.pool.provider))
        except OutcomeUnknown as e:
            e.refused = tuple(told)
            raise
        return self._verified(contract, offer, told)

    def _verified(self, contract: int, offer: Offer, told: list[Refused]) -> Launched | Refused:
        """What was got, held against the offer: a host may have changed its price since the search."""
        row: Row = {}
        # A question that fails costs only the knowledge: the machine exists.
        with contextlib.suppress(ProviderError):
            row = self.asking.contract(contract, deadline=Deadline(figures.VERIFY_S)) or {}
        if no := another(self.order, offer, row):
            self._undo(contract, told)
            return no
        if self.order.ssh_key:
            with contextlib.suppress(ProviderError):  # a job without a shell is better than none
                self.asking.allow_shell(contract, self.order.ssh_key, deadline=Deadline(figures.VERIFY_S))
        offer = replace(offer, price_usd_hour=agreed_usd_hour(self.order, offer, row))
        return Launched(instance_id=str(contract), offer=offer, refused=tuple(told))

    def _undo(self, contract: int, told: list[Refused]) -> None:
        """End what was made and is of no use. Raises `OutcomeUnknown` where it may live on: its label tells."""
        try:
            self.asking.destroy(str(contract), deadline=Deadline(figures.VERIFY_S))
        except NotFound:
            return
        except ProviderError as e:
            raise OutcomeUnknown(
                f"contract {contract} was made and is of no use, and could not be ended: {e.message}", refused=told
            ) from e
