"""Google's metadata server: preemption, and maintenance that ends the machine. Both by requests that hang until news.

https://cloud.google.com/compute/docs/metadata/querying-metadata#waitforchange and
https://cloud.google.com/compute/docs/instances/spot#detect-preemption. `preempted` turns `TRUE` when the machine gets
its notice; `maintenance-event` says `TERMINATE_ON_HOST_MAINTENANCE` an hour before for machines with GPUs, a minute
before for others: such a machine leaves at once as well, for it will be gone before the job is through.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from urllib.parse import quote

from spotlaunch.agent.watchers.metadata import Answer, ask
from spotlaunch.agent.watchers.watcher import Ears, Pace, Question, Watcher

BASE = "http://metadata.google.internal"
PREEMPTED = "/computeMetadata/v1/instance/preempted"
MAINTENANCE = "/computeMetadata/v1/instance/maintenance-event"
HANG_S, SHORT_HANG_S, TIMEOUT_S = 60, 1, 10.0
MAINTENANCE_S = 60.0
# A server that answers a hanging request at once, without news, is asked once a second.
QUICK_S, LOOK_S = 0.9, 1.0


class Gce(Watcher):
    """``notice_s``: how long a machine lives on once it is preempted; the server does not tell."""

    def __init__(
        self,
        ears: Ears,
        *,
        notice_s: float,
        base: str = "",
        look_s: float = LOOK_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._ears = ears
        self._base = base or BASE
        self._notice_s = notice_s
        self._look_s = look_s
        self._now = now
        self._preempted = _Value(partial(self._ask, PREEMPTED), self._hear_preempted, look_s)
        self._maintenance = _Value(partial(self._ask, MAINTENANCE), self._hear_maintenance, look_s)

    def questions(self) -> Sequence[Question]:
        name = "the metadata server"
        return [Question(self._preempted.turn, name), Question(self._maintenance.turn, name)]

    def _ask(self, path: str, wait: str) -> Answer:
        timeout_s = HANG_S + TIMEOUT_S if wait else TIMEOUT_S
        return ask(self._base, path + wait, headers={"Metadata-Flavor": "Google"}, timeout_s=timeout_s)

    def _hear_preempted(self, value: str) -> None:
        if value.upper() == "TRUE":
            self._ears.notice(self._now() + self._notice_s)

    def _hear_maintenance(self, value: str) -> None:
        if value.upper() == "TERMINATE_ON_HOST_MAINTENANCE":
            self._ears.danger("the host of this machine will be maintained, which ends the machine")
            self._ears.notice(self._now() + MAINTENANCE_S)


class _Value:
    """One value: first asked for as it is, then for its next change."""

    def __init__(self, get: Callable[[str], Answer], hear: Callable[[str], None], look_s: float) -> None:
        self._get = get
        self._hear = hear
        self._look_s = look_s
        self._pace = Pace()
        self._etag = ""
        self._waited = False
        self._known: str | None = None

    def turn(self) -> float:
        wait = self._wait() if self._known is not None else ""
        began_at = time.monotonic()
        answer = self._get(wait)
        if answer.status != 200:
            # Without an answer nobody knows what was missed: then first ask for the value as it is.
            self._known = None
            return self._pace.after_failure(answer.status)
        self._pace.after_answer()
        self._etag, self._waited = answer.headers.get("etag", ""), bool(wait)
        news = answer.text != self._known
        self._known = answer.text
        if news:
            self._hear(answer.text)
        # One that was to hang and came back at once without news does not hang at all.
        hung = not wait or time.monotonic() - began_at >= QUICK_S
        return 0.0 if news or hung else self._look_s

    def _wait(self) -> str:
        """How to ask for the next change. Without the tag of what we know, a change between two questions would be
        missed: then we wait for a moment only, and ask as it is in between."""
        if self._etag:
            return f"?wait_for_change=true&timeout_sec={HANG_S}&last_etag={quote(self._etag)}"
        return "" if self._waited else f"?wait_for_change=true&timeout_sec={SHORT_HANG_S}"
