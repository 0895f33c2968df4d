"""The part of the fake Vast.ai that rents machines: creates, listings, ends; bids that are outbid and woken again."""

from __future__ import annotations

import secrets
import time
from base64 import b64decode, b64encode
from decimal import Decimal
from typing import Any

from tests.fakes.clouds.fleet import Fleet, Rented
from tests.fakes.clouds.server import FakeCloud, Request, Response, route
from tests.fakes.clouds.vast_contracts import Contract, invalid, script_of

FIRST_CONTRACT = 7_835_610
PAGE = 25


def refusal(status: int, error: str, msg: str, **headers: str) -> Response:
    """An error in Vast.ai's shape."""
    return Response(status=status, body={"success": False, "error": error, "msg": msg}, headers=headers)


# What the next create may be made to answer (`fail_launch`). Nothing is made.
LAUNCH_FAILURES: dict[str, Response] = {
    "auth_error": refusal(401, "auth_error", "Invalid user key"),
    "key-404": refusal(404, "", "Invalid user key"),
    "forbidden": refusal(403, "forbidden", "Your key lacks the permission for this"),
    "is not your own": refusal(403, "", "Offer 1 is not your own and cannot be rented"),
    "no_such_ask": refusal(410, "no_such_ask", "error 410/3907: Instance type by id 1 is no longer available."),
    "no_such_ask-404": refusal(
        404, "invalid_args", "error 404/3603: no_such_ask Instance type by id 1 is not available."
    ),
    "no_such_ask-400": refusal(400, "no_such_ask", "no longer available"),
    "resources_unavailable": refusal(200, "resources_unavailable", "Required resources are currently unavailable"),
    "invalid_price": refusal(400, "invalid_price", "price is below the minimum bid"),
    "invalid_args": refusal(400, "invalid_args", "error 400/3467: invalid_args"),
    "insufficient_credit": refusal(400, "insufficient_credit", "Your account lacks credit"),
    "missing_billing": refusal(400, "missing_billing", "no card on file"),
    "spend_rate_limit": refusal(400, "spend_rate_limit", "new accounts may spend less"),
    "no_ssh_key_for_vm": refusal(400, "no_ssh_key_for_vm", "add a key"),
    "no_such_instance": refusal(404, "no_such_instance", "no such instance"),
    "not_found": refusal(404, "not_found", "not found"),
    "search_quota_exceeded": refusal(429, "search_quota_exceeded", "Daily quota exceeded"),
    "too frequent": Response(status=429, body="API requests too frequent: endpoint threshold=4.5"),
    "throttled-detail": Response(status=429, body={"detail": "API requests too frequent"}),
    "500": refusal(500, "server_error", "Something went wrong"),
    "503": Response(status=503, body="<html>nginx</html>", headers={"Content-Type": "text/html"}),
    "unknown": refusal(400, "a_new_code", "what nobody has seen yet"),
    "no-contract": Response(body={"success": True}),
    "malformed": Response(body=b'{"success": tru'),
}
# The same, after a contract was made: these bill.
MADE_FAILURES = ("stopped_with_new_contract", "unknown_with_new_contract", "503_after_commit", "malformed_after_commit")


class VastMachines(FakeCloud):
    """Contracts on the hosts' machines, which hold so many GPUs: hiring goes before bids, and high bids before low.

    ``list_lag_s``: how long a new contract is missing from listings. ``page_size``: rows of a page at most.
    """

    asks: list[dict[str, Any]]

    def begin(self, *, run_machines: bool, boot_s: float) -> None:
        self.fleet = Fleet(run=run_machines, boot_s=boot_s, on_taken=lambda m: self._stop(int(m.id)))
        self.contracts: dict[int, Contract] = {}
        self.list_lag_s = 0.0
        self.page_size = PAGE
        self.sticky: set[int] = set()  # contracts that cannot be destroyed
        self._serial = FIRST_CONTRACT
        self._dry: list[dict[str, str]] = []
        self._failing: list[str] = []
        self._losing = {"before": 0, "after": 0}

    # -- what a test does --------------------------------------------------------------------------------

    def preempt(self, machine_id: str, *, notice_s: float = 0.0) -> None:
        """Somebody pays more: it is stopped, in ``notice_s``, and told nothing before."""
        if notice_s:
            self.fleet.take(machine_id, notice_s=notice_s)
        else:
            self._stop(int(machine_id))

    def priority_returns(self, machine_id: str) -> None:
        """The other one leaves, and what was outbid is started again by itself."""
        with self._lock:
            contract = self.contracts[int(machine_id)]
            contract.stopped, contract.stopped_reads, contract.reads = False, 0, 2
            contract.ask["min_bid"] = round(contract.base_usd_hour * 0.9, 4)
        self.fleet.start_again(machine_id)

    def vanish(self, machine_id: str) -> None:
        """The contract is no more, and nothing tells why."""
        self._destroy(int(machine_id), "vanished")

    def stop_by_hand(self, machine_id: str) -> None:
        """Somebody stops it in the console. Its disk is billed on."""
        self.contracts[int(machine_id)].stopped = True
        self.fleet.pause(machine_id)

    def host_goes_silent(self, machine_id: str, status: str = "offline") -> None:
        """From now on the host says nothing (`offline`, `unknown`), or a word that nobody knows."""
        self.contracts[int(machine_id)].status = status

    def oci_error(self, machine_id: str) -> None:
        """The container was created and cannot be started."""
        contract = self.contracts[int(machine_id)]
        contract.status, contract.status_msg = "created", "OCI runtime create failed: CUDA error 804"

    def run_dry(self, *, region: str = "", zone: str = "", instance_type: str = "", market: str = "") -> None:
        """From now on what fits is shown, and gone when it is taken."""
        self._dry.append({"region": region, "zone": zone, "instance_type": instance_type, "market": market})

    def refill(self) -> None:
        """Everything can be had again."""
        self._dry.clear()

    def never_boot(self) -> None:
        """From now on machines load for ever."""
        self.fleet.never_boot = True

    def set_price(self, usd_hour: float, *, zone: str = "", instance_type: str = "", market: str = "on-demand") -> None:
        """What fits costs so much from now on: the price on demand, or the floor of bids."""
        for ask in self.asks:
            if _fits(ask, {"zone": zone, "instance_type": instance_type}, market):
                ask["min_bid" if market == "spot" else "dph_base"] = usd_hour

    def lose_answers(self, *, before: int = 0, after: int = 0) -> None:
        """So many creates end in a broken connection, before or after they were acted on."""
        self._losing = {"before": before, "after": after}

    def fail_launch(self, code: str, *, times: int = 1) -> None:
        """The next creates answer this: see `LAUNCH_FAILURES` and `MADE_FAILURES`."""
        if code not in (*LAUNCH_FAILURES, *MADE_FAILURES):
            raise ValueError(f"no failure is called {code!r}")
        self._failing += [code] * times

    def heal(self) -> None:
        super().heal()
        self.refill()
        self._failing.clear()
        self._losing = {"before": 0, "after": 0}
        self.fleet.never_boot = False

    def close(self) -> None:
        """End all machines' processes."""
        self.fleet.close()

    # -- creating ----------------------------------------------------------------------------------------

    def create(self, ask_id: int, body: Any) -> Response:
        """A contract for an ask, or a no."""
        with self._lock:
            if self._losing["before"]:
                self._losing["before"] -= 1
                self.cut()
                return Response()
            failing = self._failing.pop(0) if self._failing else ""
            if failing in LAUNCH_FAILURES:
                return LAUNCH_FAILURES[failing]
            answer = self._rent(ask_id, body, failing)
            if self._losing["after"] and "new_contract" in (answer.body or {}):
                self._losing["after"] -= 1
                self.cut()
            return answer

    def _rent(self, ask_id: int, body: Any, failing: str) -> Response:
        ask = next((a for a in self.asks if a["ask_contract_id"] == ask_id), None)
        market = "spot" if isinstance(body, dict) and body.get("price") is not None else "on-demand"
        if ask is None or any(_fits(ask, dry, market) for dry in self._dry):
            return refusal(410, "no_such_ask", f"error 410/3907: Instance type by id {ask_id} is no longer available.")
        if wrong := invalid(body, ask):
            return refusal(400, "invalid_args", f"error 400/3467: invalid_args {wrong}")
        bid = float(body["price"]) if market == "spot" else None
        no = self._no_room(ask, bid)
        if no is not None and (body.get("cancel_unavail", bid is None) or bid is None):
            return no
        stopped = no is not None or failing.endswith("with_new_contract")
        contract = self._contract(ask, body, bid, stopped=stopped)
        if failing == "503_after_commit":
            return Response(status=503, body="<html>nginx</html>")
        if failing == "malformed_after_commit":
            return Response(body=b'{"success": tr')
        made = {"new_contract": contract.id}
        if stopped:
            words = {"error": "a_new_code", "msg": "what nobody has seen yet"}
            known = {"error": "resources_unavailable", "msg": "Required resources are currently unavailable"}
            return Response(body={"success": False, **(words if "unknown" in failing else known), **made})
        return Response(body={"success": True, **made})

    def _no_room(self, ask: dict[str, Any], bid: float | None) -> Response | None:
        """None where there is room, which is made by stopping those who bid less."""
        on_it = [c for c in self.contracts.values() if c.machine == ask["machine_id"] and not c.stopped]
        free = max(1, round(ask["num_gpus"] / ask["gpu_frac"])) - sum(c.gpus for c in on_it)
        free -= ask["num_gpus"] if ask["_hired"] else 0
        if bid is not None and bid < ask["min_bid"]:
            return refusal(400, "invalid_price", f"error 400/3468: invalid_price {bid} is below {ask['min_bid']}")
        weaker = [c for c in on_it if c.is_bid and (bid is None or c.base_usd_hour < bid)]
        for contract in sorted(weaker, key=lambda c: c.base_usd_hour):
            if free >= ask["num_gpus"]:
                break
            free += contract.gpus
            self._stop(contract.id)
        if free >= ask["num_gpus"]:
            return None
        if bid is None:
            return refusal(410, "no_such_ask", "error 410/3907: no_such_ask Instance type is no longer available.")
        return refusal(200, "resources_unavailable", "Required resources are currently unavailable")

    def _contract(self, ask: dict[str, Any], body: dict[str, Any], bid: float | None, *, stopped: bool) -> Contract:
        self._serial += 1
        contract = Contract(
            id=self._serial,
            label=body.get("label", ""),
            ask=ask,
            is_bid=bid is not None,
            base_usd_hour=ask["dph_base"] if bid is None else bid,
            disk_gb=float(body.get("disk", 8)),
            image=body["image"],
            runtype=body.get("runtype", "args"),
            args=body.get("args", []),
            onstart=body.get("onstart", ""),
            env=dict(body.get("env", {})),
            key=f"ck-{secrets.token_hex(12)}",
            stopped=stopped,
        )
        machine = Rented(
            id=str(contract.id),
            key=contract.label,
            market="spot" if contract.is_bid else "on-demand",
            price_usd_hour=Decimal(str(round(contract.usd_hour, 6))),
            script="" if stopped else script_of(body),
            env={
                **contract.env,
                "CONTAINER_ID": str(contract.id),
                "CONTAINER_API_KEY": contract.key,
                "VAST_CONTAINERLABEL": f"C.{contract.id}",
                "GPU_COUNT": str(contract.gpus),
            },
            billed_from=contract.made_at,
        )
        self.contracts[contract.id] = contract
        self.fleet.hold(f"contract:{contract.id}")
        self.fleet.rent(machine)
        return contract

    def _stop(self, contract_id: int) -> None:
        """Outbid: the container is killed, the disk stays."""
        with self._lock:
            contract = self.contracts.get(contract_id)
            if contract is None or contract.stopped:
                return
            contract.stopped = True
            if contract.is_bid:
                contract.ask["min_bid"] = round(contract.base_usd_hour * 1.2, 4)
        self.fleet.pause(str(contract_id))

    def _destroy(self, contract_id: int, why: str) -> bool:
        with self._lock:
            gone = self.contracts.pop(contract_id, None)
        if gone is not None:
            self.fleet.end(str(contract_id), why)
            self.fleet.release(f"contract:{contract_id}")
        return gone is not None

    # -- the API -----------------------------------------------------------------------------------------

    @route("PUT", r"/api/v0/asks/(?P<id>\d+)/")
    def put_ask(self, request: Request) -> Response:
        return self._bad_key(request, needed=True) or self.create(int(request.found["id"]), request.json)

    @route("GET", r"/api/v0/instances/(?P<id>\d+)/")
    def get_instance(self, request: Request) -> Response:
        if refused := self._bad_key(request, needed=True):
            return refused
        contract = self._visible().get(int(request.found["id"]))
        return Response(body={"instances": self._row(contract) if contract else None})

    @route("DELETE", r"/api/v0/instances/(?P<id>\d+)/")
    def delete_instance(self, request: Request) -> Response:
        contract_id = int(request.found["id"])
        contract = self.contracts.get(contract_id)
        own = contract is not None and request.headers.get("Authorization") == f"Bearer {contract.key}"
        if not own and (refused := self._bad_key(request, needed=True)):
            return refused
        if contract_id in self.sticky:
            return refusal(500, "server_error", "Something went wrong")
        if not self._destroy(contract_id, "itself" if own else "asked"):
            return refusal(404, "no_such_instance", f"Instance {contract_id} not found")
        return Response(body={"success": True})

    @route("GET", "/api/v1/instances/")
    def list_instances(self, request: Request) -> Response:
        if refused := self._bad_key(request, needed=True):
            return refused
        if unknown := set(request.query) - {"limit", "after_token", "select_filters"}:
            return refusal(400, "invalid_args", f"{sorted(unknown)[0]}: Extra inputs are not permitted")
        asked = int(request.query.get("limit", 0))
        size = 5 if asked <= 0 else min(asked, self.page_size)
        try:
            after = int(b64decode(request.query.get("after_token", "") or b64encode(b"0")))
        except ValueError:
            return refusal(400, "invalid_args", "after_token: not one of ours")
        everything = sorted(self._visible().values(), key=lambda c: c.id)
        rows = [c for c in everything if c.id > after]
        token = b64encode(str(rows[size - 1].id).encode()).decode() if len(rows) > size else None
        rows = rows[:size]
        if self.paging():
            token, rows = ("Nw==", rows) if self.paging() == "endless-paging" else (None, [])
        labels = [c.label for c in everything]
        return Response(
            body={
                "success": True,
                "instances_found": len(rows),
                "total_instances": len(everything),
                "label_counts": {label: labels.count(label) for label in labels},
                "next_token": token,
                "instances": [self._row(c) for c in rows],
            }
        )

    @route("POST", r"/api/v0/instances/(?P<id>\d+)/ssh/")
    def add_ssh_key(self, request: Request) -> Response:
        if refused := self._bad_key(request, needed=True):
            return refused
        contract = self.contracts.get(int(request.found["id"]))
        if contract is None:
            return refusal(404, "no_such_instance", "no such instance")
        contract.ssh_keys.append(request.json["ssh_key"])
        return Response(body={"success": True})

    def _row(self, contract: Contract) -> dict[str, Any]:
        machine = self.fleet.machines[str(contract.id)]
        return contract.row(booted=machine.booted, exited=machine.exit_code is not None)

    def _visible(self) -> dict[int, Contract]:
        now = time.time()
        with self._lock:
            return {i: c for i, c in self.contracts.items() if now - c.made_at >= self.list_lag_s}

    def _bad_key(self, request: Request, *, needed: bool) -> Response | None:
        raise NotImplementedError


def _fits(ask: dict[str, Any], which: dict[str, str], market: str) -> bool:
    shape = {
        "region": str(ask["geolocation"]).rpartition(", ")[2],
        "zone": f"m{ask['machine_id']}",
        "instance_type": f"{ask['num_gpus']}x-{ask['gpu_name'].replace(' ', '-')}",
        "market": market,
    }
    return all(not value or shape[key] == value for key, value in which.items())
