"""Which watcher a machine gets: by the name of its cloud's service, which is data (`core.facts.Traits`)."""

from __future__ import annotations

import os
from collections.abc import Mapping

from spotlaunch.agent.settings import Settings
from spotlaunch.agent.watchers.watcher import Ears, Watcher


def watcher_for(settings: Settings, ears: Ears, env: Mapping[str, str] = os.environ) -> Watcher | None:
    """The watcher of ``settings.notice_source``; None where the machine is told of nothing, or by a word that only a
    newer agent knows. Base addresses may be given by variables, for rehearsals."""
    if settings.notice_source == "imds":
        from spotlaunch.agent.watchers.imds import Imds  # late, as all: a machine needs one of them

        return Imds(ears, base=env.get("SPOTLAUNCH_METADATA_AWS", ""))
    if settings.notice_source == "gce":
        from spotlaunch.agent.watchers.gce import Gce

        return Gce(ears, notice_s=settings.notice_s, base=env.get("SPOTLAUNCH_METADATA_GCP", ""))
    if settings.notice_source == "scheduled-events":
        from spotlaunch.agent.watchers.scheduled_events import ScheduledEvents

        return ScheduledEvents(ears, base=env.get("SPOTLAUNCH_METADATA_AZURE", ""))
    return None
