"""How machines of the fake Google live: from their start to their end, with the disk of each; and what tests do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.fakes.clouds import gcp_data as data
from tests.fakes.clouds.fleet import Rented
from tests.fakes.clouds.gcp_operations import BASE, SOFT_OFF_S, Instance, Launches, Operations, Script, at

ALL = 10**6


class Life(Operations):
    """What a test may do to the fake, and what comes of it. See `gcp_machines.Machines`."""

    # -- what a test does --------------------------------------------------------------------------------

    def run_dry(self, *, region: str = "", zone: str = "", instance_type: str = "", market: str = "") -> None:
        """Pools like this have no machine to give; an empty word means any."""
        told = {"region": region, "zone": zone, "instance_type": instance_type, "market": market}
        self.script.dry.append({k: v for k, v in told.items() if v})

    def refill(self) -> None:
        self.script.dry.clear()

    def never_boot(self) -> None:
        self.fleet.never_boot = True

    def set_price(self, price_usd_hour: Decimal | float | str, *, region: str = "", instance_type: str) -> None:
        """The spot price of a machine type, from now on: in a region, or everywhere. On demand is the price list's."""
        for place in [region] if region else data.REGIONS:
            self.prices[(instance_type, place)] = Decimal(str(price_usd_hour))

    def lose_answers(self, *, before: bool | int = False, after: bool | int = False) -> None:
        """The answers of launches are cut before anything was made, or after; where both, in turns. A number: so
        many of them."""
        self.script.lost_before, self.script.lost_after = (ALL if n is True else int(n) for n in (before, after))

    def fail_launch(
        self,
        code: str,
        *,
        times: int | None = None,
        creates: bool = False,
        leaves_disk: bool = False,
        message: str = "",
    ) -> None:
        """Launches end in this code: in the answer, or in the operation. ``creates``: there is a machine anyway."""
        self.script.failing.append(Launches(code, times, creates, leaves_disk, message))

    def heal(self) -> None:
        super().heal()
        self.script = Script()
        self.unreachable = set()

    def preempt(self, machine_id: str, *, notice_s: float = SOFT_OFF_S) -> None:
        """Google takes the machine: its metadata tells at once, and it is gone after ``notice_s``."""
        instance = self.instances[machine_id]
        self._operation("compute.instances.preempted", instance, user="system", done=False)
        self.fleet.take(machine_id, notice_s=notice_s)
        self._tell()

    def vanish(self, machine_id: str) -> None:
        """Gone, and nothing tells why."""
        self._remove(self.instances[machine_id], "vanished")

    def delete_by_hand(self, machine_id: str) -> None:
        instance = self.instances[machine_id]
        self._operation("delete", instance, user="somebody@example.com")
        self._remove(instance, "by-hand")

    def host_error(self, machine_id: str) -> None:
        """Its host breaks; since it may not be started again, it stays stopped."""
        instance = self.instances[machine_id]
        self._operation("compute.instances.hostError", instance, user="system")
        self._stop(instance, "host-lost")

    def set_status(self, machine_id: str, status: str) -> None:
        """A machine shows this status, whatever it does."""
        self.instances[machine_id].status = status

    def close(self) -> None:
        """No process of any machine is left after this."""
        self.fleet.close()
        self._tell()

    # -- how a machine lives -----------------------------------------------------------------------------

    def _rent(self, instance: Instance, operation: dict[str, Any]) -> None:
        now, asked = self.fleet.now(), instance.asked
        instance.placed_at = now + self.place_s
        self.instances[instance.id] = instance
        self._hold_disk(instance, users=True)
        if asked["networkInterfaces"][0].get("accessConfigs"):
            self.fleet.hold(f"ip:{instance.id}")
        items = {i["key"]: i["value"] for i in asked.get("metadata", {}).get("items", [])}
        limit = asked["scheduling"].get("maxRunDuration")
        rented = Rented(
            id=instance.id,
            key=items.get("spotlaunch-key") or asked.get("labels", {}).get("spotlaunch_key") or asked["name"],
            market="spot" if instance.spot else "on-demand",
            price_usd_hour=self._price(instance),
            script=items.get("startup-script", ""),
            env={"SPOTLAUNCH_METADATA_GCP": f"{self.url}/-/metadata/{instance.id}"},
            billed_from=now,
            taken_at=now + float(limit["seconds"]) if limit else None,
        )
        operation["-machine"] = instance.id
        self.fleet.rent(rented)

    def _price(self, instance: Instance) -> Decimal:
        region, kind = data.ZONES[instance.zone], instance.asked["machineType"].rpartition("/")[2]
        gpus = instance.asked.get("guestAccelerators") or []
        if gpus:
            nanos = data.attached_nanos(kind, gpus[0], region, spot=instance.spot)
        elif instance.spot:
            return self.spot_price(kind, region)
        else:
            nanos = data.parts_nanos(kind, region, spot=False)
        return Decimal(round(nanos)).scaleb(-9).quantize(Decimal("0.000001"))

    def spot_price(self, machine_type: str, region: str) -> Decimal:
        found = self.prices.get((machine_type, region))
        return found if found is not None else Decimal(data.spot_nanos(machine_type, region)).scaleb(-9)

    def _taken(self, machine: Rented) -> None:
        """A notice is over, or the machine's time to live."""
        with self._lock:
            instance = self.instances.get(machine.id)
            if instance is None:
                return
            preempted = machine.notice_at is not None
            if not preempted:
                self._operation("delete", instance, user="system")
            for o in self.operations:
                if o["-target"] == instance.number and o["operationType"] == "compute.instances.preempted":
                    o["-done"] = self.fleet.now()
            why = "preempted" if preempted else "ttl"
            if instance.asked["scheduling"].get("instanceTerminationAction") == "DELETE":
                self._remove(instance, why)
            else:
                self._stop(instance, why)
        self._tell()

    def _powered_off(self, machine: Rented) -> None:
        with self._lock:
            instance = self.instances.get(machine.id)
            if instance is not None:
                self._operation("compute.instances.guestTerminate", instance, user="system")
                self._stop(instance, "itself")

    def _stop(self, instance: Instance, why: str) -> None:
        """It runs no more, and exists on: its disk is billed, its address is not its own any more."""
        instance.status, instance.stopped_at = "TERMINATED", self.fleet.now()
        self.fleet.release(f"ip:{instance.id}")
        self.fleet.end(instance.id, why)

    def _remove(self, instance: Instance, why: str) -> None:
        with self._lock:
            self.instances.pop(instance.id, None)
            instance.gone_at = self.fleet.now()
            self.buried.append(instance)
            self.fleet.release(f"ip:{instance.id}")
            disk = self.disks.get(instance.id)
            if disk is not None and instance.asked["disks"][0].get("autoDelete"):
                del self.disks[instance.id]
                self.fleet.release(f"disk:{instance.id}")
            elif disk is not None:
                disk.pop("users", None)
            self.fleet.end(instance.id, why)
        self._tell()

    def _hold_disk(self, instance: Instance, *, users: bool) -> None:
        params = instance.asked["disks"][0]["initializeParams"]
        made = {
            "kind": "compute#disk",
            "id": str(next(self._numbers)),
            "name": instance.name,
            "creationTimestamp": at(self.fleet.now()),
            "sizeGb": params["diskSizeGb"],
            "labels": params.get("labels", {}),
            "status": "READY",
            "zone": f"{BASE}/zones/{instance.zone}",
        }
        if users:
            made["users"] = [f"{BASE}/zones/{instance.zone}/instances/{instance.name}"]
        self.disks[instance.id] = made
        self.fleet.hold(f"disk:{instance.id}")

    def _status(self, instance: Instance) -> str:
        now, rented = self.fleet.now(), self.fleet.machines.get(instance.id)
        if instance.gone_at is not None:
            return "RUNNING"  # as it was, in a list that lags
        if instance.status:
            return instance.status
        if rented is None or now < instance.placed_at:
            return "PROVISIONING"
        if rented.notice_at is not None and rented.taken_at is not None and now >= rented.taken_at - SOFT_OFF_S:
            return "STOPPING"
        return "RUNNING" if rented.booted else "STAGING"

    def _described(self, instance: Instance) -> dict[str, Any]:
        asked, zone = instance.asked, instance.zone
        rented = self.fleet.machines.get(instance.id)
        number = int(instance.number) % 250
        interface = {"name": "nic0", "networkIP": f"10.128.0.{number}", "network": f"{BASE}/global/networks/default"}
        if asked["networkInterfaces"][0].get("accessConfigs") and instance.stopped_at is None:
            access = {"type": "ONE_TO_ONE_NAT", "name": "External NAT", "natIP": f"203.0.113.{number}"}
            interface["accessConfigs"] = [access]  # type: ignore[assignment]
        kind = asked["machineType"].rpartition("/")[2]
        made: dict[str, Any] = {
            "kind": "compute#instance",
            "id": instance.number,
            "name": instance.name,
            "creationTimestamp": at(instance.made_at),
            "status": self._status(instance),
            "zone": f"{BASE}/zones/{zone}",
            "machineType": f"{BASE}/zones/{zone}/machineTypes/{kind}",
            "labels": asked.get("labels", {}),
            "metadata": {"kind": "compute#metadata", "items": asked.get("metadata", {}).get("items", [])},
            "scheduling": asked["scheduling"],
            "networkInterfaces": [interface],
            "guestAccelerators": data.accelerators(kind, asked.get("guestAccelerators") or [], zone),
        }
        if rented is not None:
            made["lastStartTimestamp"] = at(rented.billed_from)
        if instance.stopped_at is not None:
            made["lastStopTimestamp"] = at(instance.stopped_at)
        return made
