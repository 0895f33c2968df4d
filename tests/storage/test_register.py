"""What must never come out of the register: two attempts that commit, a ghost that commits, progress lost."""

from __future__ import annotations

import contextlib
import itertools
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotlaunch.core import wire
from spotlaunch.core.wire import Entry
from spotlaunch.errors import BlobsUnavailable, Superseded
from spotlaunch.ports import Blobs
from spotlaunch.storage.register import Register
from tests.fakes.blobs import MemoryBlobs

# -- over each kind of store -----------------------------------------------------------------------


def test_an_empty_register_has_no_head(blobs: Blobs) -> None:
    assert Register(blobs, "j").head() is None
    assert Register(blobs, "j").history() == []


def test_a_claim_carries_the_committed_step_over(blobs: Blobs) -> None:
    register = Register(blobs, "j")
    claim = register.claim(1, "a", 10.0)
    assert claim == Entry(number=1, epoch=1, step=0, manifest="", by="a", at=10.0)
    done = register.commit(claim, 40, "ckpt/40", 20.0)
    assert done == Entry(number=2, epoch=1, step=40, manifest="ckpt/40", by="a", at=20.0)
    assert register.claim(2, "b", 30.0) == Entry(number=3, epoch=2, step=40, manifest="ckpt/40", by="b", at=30.0)
    assert [e.number for e in register.history()] == [3, 2, 1]


def test_a_ghost_can_neither_commit_nor_claim_again(blobs: Blobs) -> None:
    register = Register(blobs, "j")
    ghost = register.claim(1, "a", 0)
    register.claim(2, "b", 0)
    with pytest.raises(Superseded, match="attempt 2 has claimed"):
        register.commit(ghost, 10, "m", 0)
    with pytest.raises(Superseded):
        register.claim(1, "a", 0)
    assert [e.epoch for e in register.history()] == [2, 1]


def test_two_agents_of_one_attempt_do_not_both_get_the_job(blobs: Blobs) -> None:
    register = Register(blobs, "j")
    register.claim(1, "first", 0)
    with pytest.raises(Superseded, match="another agent of attempt 1"):
        register.claim(1, "second", 0)


def test_the_head_above_a_known_number(blobs: Blobs) -> None:
    register = Register(blobs, "j")
    head = register.claim(1, "a", 0)
    assert register.head(known=head.number) is None
    for step in range(3):
        head = register.commit(head, step, f"m{step}", 0)
    assert register.head(known=1) == head
    assert register.head(known=head.number) is None


def test_of_many_who_claim_at_once_the_highest_attempt_stays(blobs: Blobs) -> None:
    start, claims = threading.Barrier(6), {}

    def claim(epoch: int) -> None:
        register = Register(blobs, "j")
        start.wait()
        with contextlib.suppress(Superseded):
            claims[epoch] = register.commit(register.claim(epoch, f"agent {epoch}", 0), epoch, f"m{epoch}", 0)

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(1, 7)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    history = Register(blobs, "j").history()
    assert history[0].epoch == 6
    assert [e.epoch for e in reversed(history)] == sorted(e.epoch for e in history)
    assert 6 in claims


# -- answers that are lost -------------------------------------------------------------------------


def lose_once(blobs: MemoryBlobs) -> None:
    def lose(op: str, key: str) -> None:
        blobs.after = None
        raise BlobsUnavailable("the answer was lost")

    blobs.after = lose


def test_a_claim_whose_answer_was_lost_is_found_again() -> None:
    blobs = MemoryBlobs()
    register = Register(blobs, "j")
    lose_once(blobs)
    with pytest.raises(BlobsUnavailable):
        register.claim(1, "a", 0)
    assert register.claim(1, "a", 5).number == 1
    assert len(register.history()) == 1


def test_a_commit_whose_answer_was_lost_is_found_again() -> None:
    blobs = MemoryBlobs()
    register = Register(blobs, "j")
    head = register.claim(1, "a", 0)
    lose_once(blobs)
    with pytest.raises(BlobsUnavailable):
        register.commit(head, 10, "m10", 0)
    assert register.commit(head, 10, "m10", 5).number == 2
    assert len(register.history()) == 2


def test_a_later_commit_goes_on_from_one_whose_answer_was_lost() -> None:
    blobs = MemoryBlobs()
    register = Register(blobs, "j")
    head = register.claim(1, "a", 0)
    lose_once(blobs)
    with pytest.raises(BlobsUnavailable):
        register.commit(head, 10, "m10", 0)
    assert register.commit(head, 20, "m20", 5) == Entry(number=3, epoch=1, step=20, manifest="m20", by="a", at=5)


# -- damage ----------------------------------------------------------------------------------------


def test_a_damaged_entry_stops_everybody_instead_of_letting_a_ghost_through() -> None:
    blobs = MemoryBlobs()
    register = Register(blobs, "j")
    head = register.claim(1, "a", 0)
    blobs.put(wire.register_key("j", 2), b"garbage")
    for call in [register.head, lambda: register.claim(2, "b", 0), lambda: register.commit(head, 1, "m", 0)]:
        with pytest.raises(BlobsUnavailable, match="damaged") as e:
            call()
        assert "register/000000002" in e.value.message


def test_things_that_are_no_entries_are_not_looked_at() -> None:
    blobs = MemoryBlobs()
    register = Register(blobs, "j")
    head = register.claim(1, "a", 0)
    blobs.put("jobs/j/register/readme.txt", b"hello")
    blobs.put("jobs/j/register/zzz.json", b"hello")
    assert register.head() == head


# -- any interleaving ------------------------------------------------------------------------------


@dataclass
class Writer:
    """An attempt that claims, then commits again and again; every answer may be lost, before or after the deed."""

    epoch: int
    register: Register
    head: Entry | None = None
    floor: int = 0
    told: list[Entry] = field(default_factory=list)
    gone: bool = False

    def turn(self, number: int) -> None:
        """One call, as an agent would make it next."""
        try:
            if self.head is None:
                self.head = self.register.claim(self.epoch, f"agent {self.epoch}", number)
                self.floor = self.head.step
            else:
                self.floor += 1
                self.head = self.register.commit(self.head, self.floor, f"m{self.epoch}-{number}", number)
                self.told.append(self.head)
        except Superseded:
            self.gone = True
        except BlobsUnavailable:
            pass


turns = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["fine", "fine", "fine", "lost before", "lost after"])), max_size=60
)


@settings(max_examples=400, deadline=None)
@given(turns)
def test_whatever_the_order_committed_progress_never_goes_back(script: list[tuple[int, str]]) -> None:
    blobs = MemoryBlobs()
    writers = [Writer(n + 1, Register(blobs, "j")) for n in range(4)]
    for number, (who, weather) in enumerate(script):
        if writers[who].gone:
            continue

        def storm(op: str, key: str) -> None:
            if op == "create":
                raise BlobsUnavailable("lost")

        blobs.fail = storm if weather == "lost before" else None
        blobs.after = storm if weather == "lost after" else None
        writers[who].turn(number)
    blobs.fail = blobs.after = None

    history = list(reversed(Register(blobs, "j").history()))
    assert [e.number for e in history] == list(range(1, len(history) + 1))
    epochs = [e.epoch for e in history]
    assert epochs == sorted(epochs), "an attempt committed after a later one had claimed"
    steps = [e.step for e in history]
    assert steps == sorted(steps), "committed progress went back"
    for writer in writers:
        for entry in writer.told:
            assert entry in history, "an attempt was told of a commit that is not there"
    for before, entry in itertools.pairwise(history):
        if entry.epoch > before.epoch:
            assert (entry.step, entry.manifest) == (before.step, before.manifest)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=8))
def test_a_claim_that_is_overtaken_between_look_and_deed_looks_again(others: list[tuple[int, int]]) -> None:
    blobs = MemoryBlobs()
    waiting = list(others)

    def overtake(op: str, key: str) -> None:
        if op != "create" or not waiting:
            return
        epoch, commits = waiting.pop()
        blobs.fail = None
        try:
            other = Register(blobs, "j")
            head = other.claim(epoch, f"other {epoch}", 0)
            for _ in range(commits):
                head = other.commit(head, head.step + 1, f"o{epoch}-{head.number}", 0)
        except Superseded:
            pass
        blobs.fail = overtake

    blobs.fail = overtake
    register = Register(blobs, "j")
    try:
        mine = register.claim(3, "me", 0)
        mine = register.commit(mine, mine.step + 1, "mine", 0)
    except Superseded:
        mine = None  # type: ignore[assignment]
    blobs.fail = None
    history = list(reversed(register.history()))
    assert [e.epoch for e in history] == sorted(e.epoch for e in history)
    assert len({e.by for e in history if e.epoch == 3}) <= 1
    assert (mine is None) == (history[-1].by != "me")
