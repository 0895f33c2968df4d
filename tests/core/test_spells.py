"""Spells: what a job that looks at pools now and then knows of them."""

from __future__ import annotations

from dataclasses import replace

from spotlaunch.core.hazard import interruptions_expected
from spotlaunch.core.spells import FORGET_S, Spell, look
from tests.core.worlds import NOW, a_pool

HERE, THERE = a_pool(), a_pool(zone="us-1b")


def test_a_pool_is_as_old_as_its_first_look_without_a_break() -> None:
    spells = look((), {HERE: True, THERE: False}, now=NOW)
    spells = look(spells.values(), {HERE: True, THERE: True}, now=NOW + 600)
    assert (spells[HERE].up_for_s, spells[THERE].up_for_s) == (600.0, 0.0)
    assert (spells[HERE].lost, spells[HERE].expected_so_far) == (0, interruptions_expected(0.0, 600.0))


def test_a_spell_that_ends_is_an_interruption_and_the_next_one_is_young() -> None:
    spells = look((), {HERE: True}, now=NOW)
    for n, up in enumerate((True, False, False, True), start=1):
        spells = look(spells.values(), {HERE: up}, now=NOW + 600 * n)
    assert (spells[HERE].lost, spells[HERE].up_for_s) == (1, 0.0)
    assert spells[HERE].expected == spells[HERE].expected_so_far == interruptions_expected(0.0, 600.0)


def test_pools_that_are_not_seen_stay_as_they_were_for_a_day() -> None:
    [spell] = look((), {HERE: True}, now=NOW).values()
    assert look([spell], {}, now=NOW + FORGET_S - 1) == {HERE: spell}
    assert look([spell], {}, now=NOW + FORGET_S) == {}


def test_a_clock_that_was_set_back_begins_a_new_spell() -> None:
    spell = Spell(pool=HERE, seen_at=NOW, since=NOW - 900, lost=1)
    assert spell.looked(up=True, now=NOW - 60) == replace(spell, seen_at=NOW - 60, since=NOW - 60)
