"""Names a person may give: to a job, and to environment variables."""

from __future__ import annotations

import re

from spotlaunch.core.units import Unreadable, quoted

JOB_NAME_MOST = 32  # it is one part of a machine's name, of which clouds allow 63 characters
OUR_PREFIX = "SPOTLAUNCH_"

_JOB_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


def check_job_name(text: str) -> str:
    """The name itself if a job may bear it. Raises `Unreadable`, with a name in the hint that would do."""
    if _JOB_NAME.fullmatch(text):
        return text
    rule = f"use 1 to {JOB_NAME_MOST} of a-z, 0-9 and -, beginning with a letter or a digit"
    better = tame_job_name(text)
    raise Unreadable(f"{quoted(text)} is not a job name", hint=f"{rule}, like {better}" if better else rule)


def tame_job_name(text: str) -> str:
    """The nearest allowed job name to ``text``; empty if nothing of it can be kept."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:JOB_NAME_MOST].rstrip("-")


def check_env_name(text: str) -> str:
    """The name itself if a variable may bear it. Raises `Unreadable`; also for names that are ours to set."""
    if not _ENV_NAME.fullmatch(text):
        raise Unreadable(
            f"{quoted(text)} is not a name for an environment variable",
            hint="use letters, digits and _, not beginning with a digit",
        )
    if text.startswith(OUR_PREFIX):
        raise Unreadable(
            f"{quoted(text)} cannot be set: names that begin with {OUR_PREFIX} are spotlaunch's own",
            hint="choose another name",
        )
    return text
