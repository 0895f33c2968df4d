"""How machines end: by our call, or by their own from inside."""

from __future__ import annotations

from collections.abc import Sequence

from spotlaunch.errors import NotAuthorized, NotFound, ProviderError
from spotlaunch_providers.shared.deadline import Deadline
from spotlaunch_providers.vast.asking import Asking

# A container knows its number and a key that is good for itself alone, by these names [D].
_ADDRESS = "{endpoint}/api/v0/instances/$CONTAINER_ID/"
# The key is no argument of a process; and Python's own user agent is refused by what stands before some APIs.
_END = (
    "u={address};"
    """printf 'header="Authorization: Bearer %s"' "$CONTAINER_API_KEY"|curl -fsS -m30 -XDELETE -K- $u||"""
    """python3 -c "import os,urllib.request as r;r.urlopen(r.Request('$u',None,"""
    """{{'Authorization':'Bearer '+os.environ['CONTAINER_API_KEY'],'User-Agent':'sl'}},method='DELETE'),timeout=30)\""""
)


def end_command(endpoint: str) -> str:
    """The shell command by which a container ends itself, its disk and its bill."""
    return _END.format(address=_ADDRESS.format(endpoint=endpoint))


def end_all(asking: Asking, instance_ids: Sequence[str], deadline: Deadline) -> dict[str, str]:
    """Ask for the end of each; the failures, in the cloud's words. What is absent, or no id at all, is done.

    Vast.ai takes one every few seconds. What the deadline does not leave time for is told, and asked for next time.
    """
    failures: dict[str, str] = {}
    for number, instance_id in enumerate(instance_ids):
        if not is_id(instance_id):
            continue
        try:
            asking.destroy(instance_id, deadline=deadline)
        except NotFound:
            continue
        except NotAuthorized as e:
            return failures | {i: e.message for i in instance_ids[number:] if is_id(i)}
        except ProviderError as e:
            failures[instance_id] = e.message
    return failures


def is_id(text: str) -> bool:
    """Whether it can be one of Vast.ai's: else it is nobody's, and never a part of an address."""
    return text.isascii() and text.isdecimal() and len(text) <= 20
