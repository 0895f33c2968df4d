"""When machines are taken: at random, between checkpoints, never for ever, and the same again for the same seed."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.observed import Commit, SeenAttempt, Taking
from spotlaunch.rehearsing.moments import Moments

MOMENTS = Moments(seed=1, kills=5, notices=True, notice_s=35.0, began_at=0.0, longest_s=600.0)
RUNNING = SeenAttempt(run=1, number=1, phases={"running": 10.0})
SPEAKS = replace(RUNNING, first_said=1, first_said_at=11.0)
SAVED = replace(SPEAKS, commits=(Commit(step=5, at=20.0), Commit(step=10, at=30.0)))


def test_nobody_is_taken_whose_program_has_not_begun_or_when_all_kills_were_made() -> None:
    assert MOMENTS.at(replace(RUNNING, phases={}), (), made=0) is None
    assert MOMENTS.at(SAVED, (), made=5) is None


@given(st.integers(0, 10_000), st.integers(0, 4))
def test_one_that_saves_is_taken_between_its_first_checkpoint_and_the_next(seed: int, made: int) -> None:
    at = replace(MOMENTS, seed=seed).at(SAVED, (), made=made)
    assert at is not None and 20.0 <= at <= 30.0
    assert at == replace(MOMENTS, seed=seed).at(SAVED, (), made=made)


def test_moments_differ_from_kill_to_kill_and_from_seed_to_seed() -> None:
    assert len({replace(MOMENTS, seed=s).at(SAVED, (), made=k) for s in range(5) for k in range(4)}) == 20


@given(st.integers(0, 10_000))
def test_one_that_saves_nothing_is_waited_for_but_not_for_ever(seed: int) -> None:
    at = replace(MOMENTS, seed=seed).at(SPEAKS, (), made=0)
    assert at is not None and 10 + 0.35 * 600 <= at < 300


def test_one_that_saves_but_has_not_said_yet_how_far_it_is_gets_time_to_say_so_where_it_uses_to() -> None:
    mute = replace(SAVED, number=2, first_said=None)
    waits, quick = MOMENTS.at(mute, (SAVED,), made=0), MOMENTS.at(mute, (), made=0)
    assert waits is not None and quick is not None and quick <= 30.0 < waits


def test_one_that_has_been_seen_to_save_only_when_told_is_not_waited_for_again() -> None:
    told = replace(SPEAKS, taken=Taking(at=50.0, notice_s=35.0), notice_at=50.0, commits=(Commit(step=9, at=51.0),))
    at = MOMENTS.at(replace(SPEAKS, number=2), (told,), made=1)
    assert at is not None and at < 10 + 4


@given(st.integers(0, 10_000), st.integers(0, 8))
def test_a_quick_program_is_taken_before_it_is_done(seed: int, attempts: int) -> None:
    short = replace(MOMENTS, seed=seed, short_s=4.0)
    earlier = tuple(replace(RUNNING, number=n) for n in range(attempts))
    at = short.at(replace(RUNNING, number=attempts), earlier, made=0)
    assert at is not None and 10.0 < at < 14.0


@given(st.integers(0, 10_000))
def test_kills_come_with_and_without_a_notice_by_turns_and_with_one_while_nothing_is_saved(seed: int) -> None:
    moments = replace(MOMENTS, seed=seed)
    turns = [moments.warning_s(made=k, saved=True) for k in range(4)]
    assert sorted(turns) == [0.0, 0.0, 35.0, 35.0] and turns[0] != turns[1] == turns[3]
    assert moments.warning_s(made=0, saved=False) == moments.warning_s(made=1, saved=False) == 35.0
    assert replace(moments, notices=False).warning_s(made=0, saved=False) == 0.0
