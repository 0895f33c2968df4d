"""Where the agent starts and ends."""

from __future__ import annotations

import os

from spotlaunch.agent.agent import Agent
from spotlaunch.agent.console import say
from spotlaunch.agent.environment import secret_of
from spotlaunch.agent.passes import passes_of
from spotlaunch.agent.program import adopt_orphans
from spotlaunch.agent.settings import read_settings
from spotlaunch.errors import SpotlaunchError
from spotlaunch.storage.blobs import open_blobs


def main() -> None:
    """Live one attempt. The exit code is 0 however it went: what happened is in the report."""
    umask = os.umask(0o077)
    code = 1
    try:
        settings = read_settings()
        passes = passes_of()
        blobs = open_blobs(
            settings.store_url, endpoint=settings.store_endpoint, region=settings.store_region, credentials=passes
        )
        if passes is not None:
            passes.keep_fresh(blobs)
        adopt_orphans()
        agent = Agent(settings, blobs, secrets=secret_of, umask=umask)
        say("agent", f"attempt {settings.attempt} of {settings.job} begins")
        say("agent", f"attempt {settings.attempt} of {settings.job} has left: {agent.live()}")
        code = 0
    except SpotlaunchError as e:
        say("agent", f"error: {e.message}" + (f"\nhint: {e.hint}" if e.hint else ""))
    # At once: threads that wait for a store which does not answer must not keep a machine up.
    os._exit(code)
