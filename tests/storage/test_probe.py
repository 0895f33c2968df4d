"""A store that cannot be trusted with the register is refused before anything is spent."""

from __future__ import annotations

import pytest

from spotlaunch.errors import BlobsUnavailable
from spotlaunch.ports import Blobs
from spotlaunch.storage.probe import prove_create_only
from tests.fakes.blobs import MemoryBlobs


def test_a_good_store_is_proven_and_left_as_it_was(blobs: Blobs) -> None:
    blobs.put("mine", b"x")
    prove_create_only(blobs)
    assert [info.key for info in blobs.list("")] == ["mine"]


def test_a_store_that_ignores_conditions_is_refused() -> None:
    class Careless(MemoryBlobs):
        def create(self, key: str, data: bytes) -> None:
            self.put(key, data)

    careless = Careless()
    with pytest.raises(BlobsUnavailable, match="created twice") as e:
        prove_create_only(careless)
    assert "If-None-Match" in e.value.hint
    assert not careless.objects


def test_a_store_that_answers_one_thing_and_does_another_is_refused() -> None:
    class TwoFaced(MemoryBlobs):
        def create(self, key: str, data: bytes) -> None:
            existed = key in self.objects
            self.put(key, data)
            if existed:
                super().create(key, data)

    with pytest.raises(BlobsUnavailable, match="created twice"):
        prove_create_only(TwoFaced())


def test_a_store_with_a_stale_cache_is_refused() -> None:
    class Stale(MemoryBlobs):
        def list(self, prefix: str, *, after: str = ""):  # type: ignore[no-untyped-def]
            return iter(())

    with pytest.raises(BlobsUnavailable, match="just written"):
        prove_create_only(Stale())


def test_a_store_that_deletes_nothing_is_refused() -> None:
    class Keeper(MemoryBlobs):
        def delete(self, keys: object) -> None:
            pass

    with pytest.raises(BlobsUnavailable, match="keeps objects"):
        prove_create_only(Keeper())


def test_a_store_that_is_down_says_so_itself() -> None:
    blobs = MemoryBlobs()

    def down(op: str, key: str) -> None:
        raise BlobsUnavailable("down", hint="wait")

    blobs.fail = down
    with pytest.raises(BlobsUnavailable, match="down"):
        prove_create_only(blobs)
