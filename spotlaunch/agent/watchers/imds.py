"""EC2's metadata service, version 2: the interruption of a spot instance, and the advice that one is likely.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html: `spot/instance-action` is
404 until about two minutes before the end. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations
.html: `events/recommendations/rebalance` comes earlier, or never.
"""

from __future__ import annotations

import calendar
import json
import time
from collections.abc import Sequence

from spotlaunch.agent.watchers.metadata import Answer, ask
from spotlaunch.agent.watchers.watcher import Ears, Pace, Question, Watcher

BASE = "http://169.254.169.254"
TOKEN = "/latest/api/token"
ACTION = "/latest/meta-data/spot/instance-action"
REBALANCE = "/latest/meta-data/events/recommendations/rebalance"
# More often than AWS asks to (five seconds): the replacement is launched that much sooner, and the service is near.
LOOK_S = 1.0
TIMEOUT_S = 10.0
TOKEN_S = 21600
ACTIONS = ("terminate", "stop", "hibernate")


class Imds(Watcher):
    """Asks once a second; one token serves for hours."""

    def __init__(self, ears: Ears, *, base: str = "", look_s: float = LOOK_S) -> None:
        super().__init__()
        self._ears = ears
        self._base = base or BASE
        self._look_s = look_s
        self._token = ""
        self._token_status = 0
        self._advised = ""
        self._pace = Pace()

    def questions(self) -> Sequence[Question]:
        return [Question(self.turn, "the metadata service")]

    def turn(self) -> float:
        """Both questions once."""
        action = self._get(ACTION)
        if action.status not in (200, 404):
            return self._pace.after_failure(action.status or self._token_status)
        self._pace.after_answer()
        if action.status == 200:
            self._hear(action)
        advice = self._get(REBALANCE)
        if advice.status == 200 and advice.text != self._advised:
            self._advised = advice.text
            self._ears.danger("the cloud says that this machine is likely to be taken soon")
        return self._look_s

    def _hear(self, answer: Answer) -> None:
        said = json.loads(answer.body)
        if isinstance(said, dict) and said.get("action") in ACTIONS:
            self._ears.notice(moment(said.get("time")))

    def _get(self, path: str) -> Answer:
        if not self._token:
            self._renew_token()
        answer = self._get_with_token(path)
        if answer.status == 401:  # the token's time is over
            self._renew_token()
            answer = self._get_with_token(path)
        return answer

    def _get_with_token(self, path: str) -> Answer:
        if not self._token:
            return Answer()
        return ask(self._base, path, headers={"X-aws-ec2-metadata-token": self._token}, timeout_s=TIMEOUT_S)

    def _renew_token(self) -> None:
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)}
        answer = ask(self._base, TOKEN, headers=headers, timeout_s=TIMEOUT_S, method="PUT")
        self._token_status = answer.status
        fine = answer.status == 200 and answer.text.isascii() and answer.text.isprintable()
        self._token = answer.text if fine else ""


def moment(text: object) -> float | None:
    """``2026-09-18T08:22:00Z`` as seconds since the epoch; None for anything else."""
    try:
        return float(calendar.timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return None
