"""The verdict on a rehearsed job: each kind of broken job for its own reason, and no good one by mistake."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotlaunch.core.observed import Commit, Comparison, SavedEntry, Seen, SeenAttempt, SeenRun, Taking
from spotlaunch.core.remarks import Remark
from spotlaunch.core.verdict import Verdict, verdict

# An attempt of these worlds begins every 100 s, tells a step a second, and is taken after 30 s.
FIRST_S, LIFE_S = 100.0, 30.0


def entry(step: int, *, at: float, size: int = 1000, name: str = "") -> SavedEntry:
    number = None if name else step
    return SavedEntry(name=name or f"step-{step}.pt", number=number, files=1, size=size, written_at=at)


def commit(step: int, *, at: float, size: int = 1000, said: int | None = None, name: str = "") -> Commit:
    entries = (entry(step, at=at, size=size, name=name),)
    return Commit(step=step, at=at, entries=entries, said=step if said is None else said)


def attempt(
    number: int,
    *,
    start: int,
    every: int = 10,
    notice: bool = True,
    taken: bool = True,
    restored: str | None = None,
    resumed_step: int | None = None,
    on_notice: bool = True,
    alone_saves: bool = True,
    tells: bool = True,
    names: bool = True,
) -> SeenAttempt:
    """One that resumes from ``start`` as it should: saves every ``every`` steps, and when told to stop."""
    began_at = number * FIRST_S
    end_at = began_at + LIFE_S
    name = "" if names else "state.pt"
    steps = range(start + every, start + round(LIFE_S), every) if alone_saves else ()
    commits = [commit(s, at=began_at + s - start, name=name) for s in steps]
    last = start + round(LIFE_S)
    told = taken and notice
    if told and on_notice:
        commits.append(commit(last, at=end_at + 0.5, name=name))
    return SeenAttempt(
        run=1,
        number=number,
        phases={"starting": began_at - 2, "restoring": began_at - 1, "running": began_at},
        claimed_at=began_at - 1.5,
        resumed_step=(start if resumed_step is None else resumed_step) if restored != "" and start else None,
        restored=(f"step-{start}.pt" if names else "state.pt") if restored is None and start else restored or "",
        first_said=start + 1 if tells else None,
        first_said_at=began_at + 1 if tells else None,
        last_said=last if tells else None,
        last_said_at=end_at if tells else None,
        commits=tuple(commits if tells else [replace(c, said=None) for c in commits]),
        taken=Taking(at=end_at, notice_s=35.0 if notice else 0.0) if taken else None,
        notice_at=end_at if told else None,
        left_why="notice" if told else "" if taken else "exited",
        left_at=end_at + 1 if told or not taken else None,
        exit_code=143 if told else None if taken else 0,
    )


def world(*attempts: SeenAttempt, state: str = "finished", **keys: object) -> Seen:
    run = SeenRun(number=1, state=state, exit_code=0 if state == "finished" else 1, ran_s=60.0)  # type: ignore[arg-type]
    kills = sum(1 for a in attempts if a.taken)
    known: dict[str, object] = {"kills": kills or 1, "notices": True, "grace_s": 25.0, "longest_s": 600.0}
    return Seen(**{**known, "attempts": attempts, "runs": (run,), **keys})  # type: ignore[arg-type]


def good(**keys: bool) -> Seen:
    """Taken with a notice at step 30, without one at 60 (50 was saved), and then done."""
    on_notice = keys.get("on_notice", True)
    first = attempt(1, start=0, **keys)  # type: ignore[arg-type]
    saved = first.commits[-1].step
    second = attempt(2, start=saved, notice=False, **keys)  # type: ignore[arg-type]
    again = second.commits[-1].step if second.commits else saved
    assert on_notice or saved == 20
    return world(first, second, attempt(3, start=again, taken=False, **keys))  # type: ignore[arg-type]


def look(seen: Seen) -> Verdict:
    return verdict(seen, rate_per_hour=0.05)


def bad(seen: Seen) -> list[Remark]:
    found = [r for r in look(seen).remarks if r.level == "bad"]
    assert look(seen).good == (not found)
    return found


def only(seen: Seen) -> Remark:
    (remark,) = bad(seen)
    assert remark.hint, "a person is told what to do"
    return remark


def levels(seen: Seen) -> dict[str, str]:
    return {r.check: r.level for r in look(seen).remarks}


# -- good ones ---------------------------------------------------------------------------------------------


def test_a_job_that_saves_and_resumes_is_good_and_told_so_point_by_point() -> None:
    found = look(good())
    assert found.good
    assert [r.check for r in found.remarks] == ["kills", "checkpoints", "whole", "resume", "redone", "stop", "exit"]
    assert {r.level for r in found.remarks} == {"ok"}


def test_one_that_saves_only_when_told_is_good_with_a_note() -> None:
    seen = good(alone_saves=False)
    assert bad(seen) == []
    assert levels(seen)["checkpoints"] == "note"


def test_one_that_dies_at_sigterm_without_saving_then_is_good_if_it_saved_before() -> None:
    assert bad(good(on_notice=False)) == []


def test_one_without_a_progress_file_is_judged_by_the_numbers_in_its_names() -> None:
    seen = good(tells=False)
    assert bad(seen) == []
    assert levels(seen)["resume"] == "ok"


def test_what_was_restored_and_still_lies_there_is_not_taken_for_what_was_saved_since() -> None:
    first, second = good(tells=False).attempts[:2]
    old = (entry(20, at=120.0), entry(30, at=130.5))
    kept = replace(first, commits=(*first.commits[:-1], replace(first.commits[-1], entries=old)))
    later = tuple(replace(c, entries=(*old, *c.entries)) for c in second.commits)
    last = attempt(3, start=50, tells=False, taken=False)
    assert bad(world(kept, replace(second, commits=later), last)) == []


def test_one_that_saves_rarely_is_good() -> None:
    assert bad(world(attempt(1, start=0, every=25), attempt(2, start=30, every=25, taken=False))) == []


def test_one_that_tells_epochs_and_names_batches_is_not_taken_for_one_that_went_back() -> None:
    def epochs(a: SeenAttempt) -> SeenAttempt:
        return replace(
            a,
            first_said=a.first_said // 10 + 1 if a.first_said is not None else None,
            last_said=a.last_said // 10 if a.last_said is not None else None,
            commits=tuple(replace(c, said=c.step // 10) for c in a.commits),
        )

    assert bad(world(*map(epochs, good().attempts))) == []


def test_one_that_counts_the_step_it_does_and_not_the_one_it_has_done_is_good() -> None:
    attempts = [replace(a, first_said=a.first_said - 1) for a in good().attempts if a.first_said is not None]
    assert bad(world(*attempts)) == []


@pytest.mark.parametrize(("second", "is_good"), [(31, True), (None, True), (5, False)])
def test_one_that_says_0_before_it_has_looked_is_judged_by_what_it_says_next(second: int, is_good: bool) -> None:
    hasty = replace(attempt(2, start=30), first_said=0, second_said=second)
    assert look(world(attempt(1, start=0), hasty, attempt(3, start=60, taken=False))).good == is_good


def test_one_that_saves_the_same_step_again_is_not_half_written() -> None:
    first = attempt(1, start=0)
    again = replace(first, commits=(*first.commits[:-1], replace(first.commits[-2], at=first.commits[-1].at)))
    assert bad(world(again, attempt(2, start=20, taken=False))) == []


def test_a_log_that_grows_beside_the_checkpoints_is_not_half_written() -> None:
    sizes = count(10, 7)

    def with_log(a: SeenAttempt) -> SeenAttempt:
        def log(c: Commit) -> SavedEntry:
            return SavedEntry(name="metrics.jsonl", number=None, files=1, size=next(sizes), written_at=c.at)

        return replace(a, commits=tuple(replace(c, entries=(*c.entries, log(c))) for c in a.commits))

    assert bad(world(*map(with_log, good().attempts))) == []


def test_one_file_written_again_and_again_is_not_half_written_while_it_only_grows() -> None:
    first = attempt(1, start=0, names=False)
    grown = tuple(replace(c, entries=(replace(c.entries[0], size=1000 + i),)) for i, c in enumerate(first.commits))
    seen = world(replace(first, commits=grown), attempt(2, start=30, names=False, taken=False))
    assert bad(seen) == []


# -- broken ones -------------------------------------------------------------------------------------------


def test_one_that_never_checkpoints() -> None:
    attempts = [replace(a, commits=(), restored="", resumed_step=None, first_said=1) for a in good().attempts]
    remark = only(world(*attempts))
    assert remark.check == "checkpoints"
    assert "$SPOTLAUNCH_CHECKPOINT_DIR" in remark.hint


def test_one_that_saves_only_when_told_and_never_is() -> None:
    attempts = [replace(attempt(n, start=0, notice=False, taken=n < 3), commits=(), restored="") for n in (1, 2, 3)]
    remark = only(world(*attempts, notices=False))
    assert (remark.check, "SIGTERM" in remark.hint) == ("checkpoints", True)


@pytest.mark.parametrize("tells", [True, False])
def test_one_that_checkpoints_but_begins_anew(tells: bool) -> None:
    first = attempt(1, start=0, tells=tells)
    anew = replace(attempt(2, start=0, tells=tells, taken=False), restored="step-30.pt", resumed_step=30)
    remark = only(world(first, anew))
    assert (remark.check, "began anew" in remark.text) == ("resume", True)
    assert "attempt 2" in remark.where and "step-30.pt" in remark.where


@pytest.mark.parametrize("tells", [True, False])
def test_one_that_goes_on_from_an_older_checkpoint(tells: bool) -> None:
    first = attempt(1, start=0, tells=tells)
    second = attempt(2, start=20 if tells else 10, tells=tells, taken=False)
    remark = only(world(first, replace(second, restored="step-30.pt", resumed_step=30)))
    assert remark.check == "resume"
    assert "began anew" not in remark.text and "step 30" in remark.text


def test_one_that_leaves_steps_out() -> None:
    ahead = replace(attempt(2, start=300, taken=False), restored="step-30.pt", resumed_step=30)
    remark = only(world(attempt(1, start=0), ahead))
    assert (remark.check, "left some out" in remark.text) == ("resume", True)


def test_one_that_fails_when_it_is_given_a_checkpoint_with_its_last_words() -> None:
    failed = replace(attempt(2, start=30, taken=False), exit_code=3, commits=(), tail=("KeyError: 'optimizer'",))
    remark = only(world(attempt(1, start=0), failed, state="failed"))
    assert remark.check == "resume"
    assert "exit code 3" in remark.text and "KeyError" in remark.text


def test_a_part_that_was_committed_and_grew_afterwards() -> None:
    first = attempt(1, start=0)
    part, *rest = first.commits
    half = replace(part, entries=(replace(part.entries[0], size=400),))
    later = replace(rest[0], entries=(part.entries[0], *rest[0].entries))
    remark = only(world(replace(first, commits=(half, later, *rest[1:])), attempt(2, start=30, taken=False)))
    assert remark.check == "whole"
    assert "step-10.pt" in remark.where and "rename" in remark.hint


def test_a_file_without_a_number_that_shrank_and_grew_again() -> None:
    first = attempt(1, start=0, names=False, every=5)
    sizes = [1000, 300, 1000, 1000, 1000, 1000]
    commits = tuple(
        replace(c, entries=(replace(c.entries[0], size=size),)) for c, size in zip(first.commits, sizes, strict=True)
    )
    remark = only(world(replace(first, commits=commits), attempt(2, start=30, names=False, taken=False)))
    assert remark.check == "whole"


def test_a_guess_that_could_not_be_loaded_was_probably_half_written() -> None:
    first = replace(attempt(1, start=0), guessed=frozenset({"step-30.pt"}))
    failed = replace(attempt(2, start=30, taken=False), exit_code=1, commits=())
    assert [r.check for r in bad(world(first, failed, state="failed"))] == ["whole", "resume"]


def test_a_guess_that_did_no_harm_is_a_note() -> None:
    seen = world(replace(attempt(1, start=0), guessed=frozenset({"step-30.pt"})), attempt(2, start=30, taken=False))
    assert bad(seen) == []
    assert levels(seen)["whole"] == "note"


def test_one_that_ignores_sigterm_for_longer_than_its_grace() -> None:
    deaf = replace(attempt(1, start=0), exit_code=137)
    remark = only(world(deaf, attempt(2, start=30, taken=False)))
    assert remark.check == "stop"
    assert "25 s" in remark.text and "checkpoint.grace" in remark.hint


def test_one_that_was_too_slow_to_stop_once_of_several_times_is_told_so_and_not_condemned() -> None:
    slow = replace(attempt(1, start=0), exit_code=137)
    seen = world(slow, attempt(2, start=30), attempt(3, start=60, taken=False))
    assert (bad(seen), levels(seen)["stop"]) == ([], "note")


def test_one_whose_last_checkpoint_comes_too_late() -> None:
    late = replace(attempt(1, start=0), left_why="", left_at=None, exit_code=None)
    assert only(world(late, attempt(2, start=30, taken=False))).check == "stop"


def test_one_that_stops_saving_after_a_while() -> None:
    first = replace(attempt(1, start=0, notice=False), commits=attempt(1, start=0, every=2).commits[:3])
    assert only(world(first, attempt(2, start=6, taken=False))).check == "redone"


def test_one_that_fails_by_itself() -> None:
    failed = replace(attempt(1, start=0, taken=False), exit_code=2)
    second = replace(attempt(3, start=50, taken=False), exit_code=2)
    assert "without any interruption" in only(world(failed, state="failed")).hint
    assert only(world(*good().attempts[:2], second, state="failed")).check == "exit"


def test_a_code_that_means_start_me_again_is_no_failure_to_resume() -> None:
    again = replace(attempt(2, start=30, taken=False), exit_code=75, commits=())
    seen = world(attempt(1, start=0), again, attempt(3, start=30, taken=False), restart_on_exit=(75,))
    assert bad(seen) == []


def test_one_that_tells_nothing_must_be_compared() -> None:
    def mute(a: SeenAttempt) -> SeenAttempt:
        return replace(a, restored="state.pt" if a.restored else "")

    attempts = tuple(map(mute, good(tells=False, names=False).attempts))
    remark = only(world(*attempts))
    assert (remark.check, "--compare" in remark.hint) == ("resume", True)
    assert bad(world(*attempts, comparisons=(Comparison(what="state.pt", equal=True),))) == []


@pytest.mark.parametrize(("equal", "says"), [(False, "not as after"), (None, "could not be compared")])
def test_what_differs_or_cannot_be_compared_is_bad(equal: bool | None, says: str) -> None:
    found = (Comparison(what="a", equal=True), Comparison(what="b", equal=equal, detail="x"))
    remark = only(replace(good(), comparisons=found))
    assert remark.check == "compare" and says in remark.text and remark.text.startswith("b:")


def test_a_machine_that_was_taken_as_its_program_had_just_ended_is_no_kill() -> None:
    over = replace(attempt(3, start=50, taken=False), taken=Taking(at=330.0, notice_s=0.0))
    seen = world(*good().attempts[:2], over)
    assert bad(seen) == []
    assert len(seen.taken) == 2


def test_nothing_at_all_is_never_good() -> None:
    assert only(world(state="stopped")).check == "start"
    never = SeenAttempt(run=1, number=1, phases={"starting": 1.0, "setup": 2.0}, error="setup failed with exit code 1")
    assert "setup failed" in only(world(never, state="failed")).text
    assert only(world(attempt(1, start=0, taken=False))).check == "kills"


def test_one_that_was_stopped_before_its_end_says_so() -> None:
    seen = world(*good().attempts, state="stopped")
    assert bad(seen) == []
    assert levels(seen)["exit"] == "note"


def test_no_attempt_that_began_with_a_checkpoint_is_not_good() -> None:
    assert only(world(attempt(1, start=0), state="stopped")).check == "resume"


# -- figures -----------------------------------------------------------------------------------------------


def test_what_is_measured() -> None:
    found = look(good()).measures
    assert found.save_s == 0.5 and found.write_s == 0.5
    assert found.restore_s == 1.5
    assert found.redone_s == 10.0  # without a notice at step 60, when 50 was saved
    assert found.checkpoint_bytes == 1000
    assert found.interval_s is not None and 4 * 60 < found.interval_s < 5 * 60  # about sqrt(2 * 0.5 s * 20 h)
    assert found.bad_interval_s is not None and found.bad_interval_s < found.interval_s


def test_a_save_that_was_cut_off_tells_nothing_of_how_long_saving_takes() -> None:
    deaf = replace(attempt(1, start=0), exit_code=137)
    assert look(world(deaf, attempt(2, start=30, taken=False))).measures.save_s is None


@given(
    start=st.integers(1, 500),
    back=st.integers(2, 600),
    every=st.integers(1, 29),
    tells=st.booleans(),
    notice=st.booleans(),
)
def test_whoever_goes_back_is_never_called_good(start: int, back: int, every: int, tells: bool, notice: bool) -> None:
    """A resumed attempt whose first step is before its checkpoint, by more than one."""
    first = attempt(1, start=0, every=every, tells=tells, notice=notice)
    second = attempt(2, start=first.commits[-1].step + start, every=every, tells=tells, notice=notice)
    saved = second.commits[-1].step
    begun = max(0, saved - back)
    third = replace(attempt(3, start=begun, every=1, tells=tells, taken=False), restored="x", resumed_step=saved)
    assert not look(world(first, replace(second, restored="", resumed_step=None), third)).good


@given(every=st.integers(1, 29), tells=st.booleans(), on_notice=st.booleans(), gap=st.integers(0, 3))
def test_whoever_resumes_where_it_saved_is_never_called_bad(every: int, tells: bool, on_notice: bool, gap: int) -> None:
    attempts = [attempt(1, start=0, every=every, tells=tells, on_notice=on_notice)]
    for n, notice in ((2, False), (3, True), (4, False)):
        start = attempts[-1].commits[-1].step
        attempts.append(attempt(n, start=start, every=every, tells=tells, notice=notice, on_notice=on_notice))
    attempts.append(attempt(5, start=attempts[-1].commits[-1].step, every=every, tells=tells, taken=False))
    said = [replace(a, first_said=a.first_said + gap) if a.first_said is not None else a for a in attempts]
    assert bad(world(*said)) == []


def test_intervals_are_never_absurd() -> None:
    for rate in (0.0, 0.001, 5.0):
        found = verdict(good(), rate_per_hour=rate).measures
        assert found.interval_s is not None and (found.interval_s >= 1 or math.isinf(found.interval_s))
