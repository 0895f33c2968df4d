"""What an error of a launch means: from the words of an answer, or of an operation, to a row of the table. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from spotlaunch import errors
from spotlaunch_providers.gcp.errors import NOT_THERE, OF_LAUNCHES, SERVICE, Code, mappings, reasons

# What is the same for each machine of an order, whichever zone and type it has.
_ABOUT_ALL = re.compile(r"/images/|/networks/|serviceAccount|service account|resource\.(?:metadata|labels|networkInt)")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an error of a launch means, in whose words. ``zones``: where Google says that there is capacity.

    ``status`` is that of the answer; 0 where an operation said it. ``retry_after_s``: when Google wants to be asked
    again, if it says so.
    """

    code: Code
    said: str = ""
    zones: tuple[str, ...] = ()
    status: int = 0
    retry_after_s: float | None = None

    @property
    def message(self) -> str:
        words = self.code.message.format(service=SERVICE)
        return f"{words}: {self.said}" if self.code.quotes and self.said else words

    @property
    def hint(self) -> str:
        return self.code.hint.format(service=SERVICE)

    def error(self) -> errors.ProviderError:
        return self.code.error(self.message, hint=self.hint)


def verdict(error: Mapping[str, Any], *, status: int = 0) -> Verdict:
    """What the ``error`` of a launch's answer or operation means; ``status`` is the answer's own, if it has one."""
    listed = list(mappings(error.get("errors")))
    said = str(error.get("message") or next((e.get("message") for e in listed if e.get("message")), ""))
    told = [*(str(e["code"]) for e in listed if e.get("code")), *reasons(error), *_details(listed)]
    known = [OF_LAUNCHES[word] for word in told if word in OF_LAUNCHES]
    if not known and status == 429:
        known = [OF_LAUNCHES["rateLimitExceeded"]]
    if not known:
        words = f"answered {next(iter(told), f'HTTP {status}')}"
        return Verdict(
            Code(errors.OutcomeUnknown, "account", words.replace("{", "").replace("}", ""), quotes=True), said
        )
    code = known[0]
    if code.reach == "pool" and code.error is errors.InvalidOrder and _ABOUT_ALL.search(said):
        code = replace(code, reach="account")  # the same for each machine of the job
    elif code.reach == "pool" and "/subnetworks/" in said:
        code = replace(code, reach="region")
    elif "access is unauthorized" in said and "ocation" in said:
        code = replace(NOT_THERE, reach="zone")  # how Google says that it keeps a zone from a project
    return Verdict(code, said, _zones(listed), status)


def _details(listed: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for info in _infos(listed):
        if info.get("reason"):
            yield str(info["reason"])


def _zones(listed: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The zones in ``zonesAvailable`` of a capacity error, which are names between commas."""
    told = (str(_words(info).get("zonesAvailable") or "") for info in _infos(listed))
    return tuple(zone.strip() for text in told for zone in text.split(",") if zone.strip())


def _infos(listed: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for error in listed:
        for detail in mappings(error.get("errorDetails")):
            if isinstance(info := detail.get("errorInfo"), Mapping):
                yield info


def _words(info: Mapping[str, Any]) -> Mapping[str, Any]:
    found = info.get("metadatas")
    return found if isinstance(found, Mapping) else {}
