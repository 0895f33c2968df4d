"""Azure's Scheduled Events: evictions, deletions, restarts and moves of this machine, some of them half a minute ahead.

https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events. The service is switched on by the first
question, whose answer may take two minutes. An event that is acknowledged (`StartRequests`) happens at once: that is
said only when nothing is left to save here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from spotlaunch.agent.watchers.metadata import ask
from spotlaunch.agent.watchers.watcher import Ears, Pace, Question, Watcher

BASE = "http://169.254.169.254"
EVENTS = "/metadata/scheduledevents?api-version=2020-07-01"
OWN_NAME = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"
HEADERS = {"Metadata": "true"}
LOOK_S = 1.0
FIRST_TIMEOUT_S, TIMEOUT_S = 130.0, 10.0
# What stands between an event and its notice, or between the last checkpoint and our leaving, must not take long.
NAME_TIMEOUT_S, ACK_TIMEOUT_S = 2.0, 5.0
# What ends the job's processes here. `Freeze` pauses the machine for seconds, and is none of them.
ENDING = ("Preempt", "Terminate", "Reboot", "Redeploy")
_NAME = re.compile(r"[\w.-]{1,128}")


class ScheduledEvents(Watcher):
    """Asks once a second; the limit is five."""

    def __init__(self, ears: Ears, *, base: str = "", look_s: float = LOOK_S) -> None:
        super().__init__()
        self._ears = ears
        self._base = base or BASE
        self._look_s = look_s
        self._pace = Pace()
        self._name: str | None = None
        self._heard: dict[str, float | None] = {}

    def questions(self) -> Sequence[Question]:
        return [Question(self.turn, "Scheduled Events")]

    def turn(self) -> float:
        answer = ask(
            self._base, EVENTS, headers=HEADERS, timeout_s=TIMEOUT_S if self._pace.answered else FIRST_TIMEOUT_S
        )
        if answer.status != 200:
            return self._pace.after_failure(answer.status)
        self._pace.after_answer()
        for event in self._mine(json.loads(answer.body)):
            event_id, at = event["EventId"], moment(event.get("NotBefore"))
            if event_id not in self._heard or (self._heard[event_id] is None and at is not None):
                self._heard[event_id] = at
                self._ears.notice(at)
        return self._look_s

    def acknowledge(self) -> None:
        """Nothing is left to save: what was heard may happen now. Once; a refusal is nobody's loss."""
        if self._heard:
            body = json.dumps({"StartRequests": [{"EventId": event_id} for event_id in self._heard]}).encode()
            headers = {**HEADERS, "Content-Type": "application/json"}
            ask(self._base, EVENTS, headers=headers, timeout_s=ACK_TIMEOUT_S, method="POST", body=body)

    def _mine(self, said: Any) -> Iterator[Mapping[str, Any]]:
        events = said.get("Events") if isinstance(said, dict) else None
        for event in events if isinstance(events, list) else []:
            if not isinstance(event, dict) or event.get("EventType") not in ENDING:
                continue
            # Machines of one group hear of each other's events.
            resources = event.get("Resources") or []
            name = self._own_name()
            named = {str(resource).lower() for resource in resources}
            if isinstance(event.get("EventId"), str) and (not name or not named or name.lower() in named):
                yield event

    def _own_name(self) -> str:
        """This machine's name, asked once there is an event; empty where nobody tells."""
        if self._name is None:
            answer = ask(self._base, OWN_NAME, headers=HEADERS, timeout_s=NAME_TIMEOUT_S)
            if answer.status == 200:
                # What is no name must not make us deaf to our own end.
                self._name = answer.text if _NAME.fullmatch(answer.text) else ""
            elif answer.status in (400, 404):
                self._name = ""
        return self._name or ""


def moment(text: object) -> float | None:
    """``Mon, 19 Sep 2016 18:29:47 GMT`` as seconds since the epoch; None for anything else: it has begun."""
    try:
        return parsedate_to_datetime(str(text)).timestamp()
    except (ValueError, TypeError, IndexError):
        return None
