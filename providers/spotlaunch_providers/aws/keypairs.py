"""The public key of a job at EC2, for machines that allow a shell. Free of cost, and taken away when nobody uses it."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection

from spotlaunch.errors import ProviderError
from spotlaunch_providers.aws.access import Access
from spotlaunch_providers.aws.errors import code_of
from spotlaunch_providers.aws.kept import Kept
from spotlaunch_providers.aws.terms import COMMON_TAG
from spotlaunch_providers.shared.deadline import Deadline

_HOUR_S = 3600.0
# A launch that has just made one may not be listed yet.
_FRESH_S = 600.0
# So many are taken away beside one listing.
_AT_ONCE = 20


class KeyPairs:
    """The key pairs of ``owner``. ``mono`` gives seconds that never jump."""

    def __init__(self, access: Access, owner: str, *, mono: Callable[[], float] = time.monotonic) -> None:
        self._access = access
        self._prefix = f"spotlaunch-{owner}-"
        self._mono = mono
        self._made: Kept[tuple[str, str], bool] = Kept(_HOUR_S, mono=mono)
        self._lock = threading.Lock()
        self._used_at: dict[tuple[str, str], float] = {}
        self._deleted: set[tuple[str, str]] = set()

    def ensure(self, region: str, job: str, public_key: str, *, deadline: Deadline) -> str:
        """The name under which EC2 knows the job's ``public_key`` in ``region``; told to it now where it does not."""
        # Another key of the same job has another name, so one that is there is the right one.
        name = f"{self._prefix}{job}-{hashlib.sha256(public_key.encode()).hexdigest()[:8]}"
        with self._lock:
            self._used_at[region, name] = self._mono()
            self._deleted.discard((region, name))
        self._made.get((region, name), lambda: self._import(region, name, public_key, deadline))
        return name

    def forget(self, region: str, name: str) -> bool:
        """EC2 does not know it any more. Whether it was thought to."""
        return self._made.forget((region, name))

    def sweep(
        self, used: Collection[tuple[str, str]], left: Collection[tuple[str, str]], *, deadline: Deadline
    ) -> None:
        """Take away the key pairs (region, name) that machines have ``left`` and none that lives has ``used``.

        One that cannot be taken away stays: it costs nothing, and holds nothing secret.
        """
        now = self._mono()
        with self._lock:
            unused = [
                key
                for key in sorted(set(left) - set(used) - self._deleted)
                if key[1].startswith(self._prefix) and now - self._used_at.get(key, float("-inf")) > _FRESH_S
            ][:_AT_ONCE]
        for region, name in unused:
            self._made.forget((region, name))
            try:
                self._access.act("delete_key_pair", "", region=region, deadline=deadline, KeyName=name)
            except ProviderError:
                continue
            with self._lock:
                self._deleted.add((region, name))

    def _import(self, region: str, name: str, public_key: str, deadline: Deadline) -> bool:
        tags = [{"ResourceType": "key-pair", "Tags": [{"Key": COMMON_TAG, "Value": "key"}]}]
        try:
            self._access.act(
                *("import_key_pair", "KeyName"),
                region=region,
                deadline=deadline,
                KeyName=name,
                PublicKeyMaterial=public_key.encode(),
                TagSpecifications=tags,
            )
        except ProviderError as e:
            if code_of(e) != "InvalidKeyPair.Duplicate":
                raise
        return True
