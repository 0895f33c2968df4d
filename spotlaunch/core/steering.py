"""Steering: jobs with a deadline, or with a policy by name. The policy says what to do, this does it.

Asked at every look that is due, for a job that has no machine as for one that runs: the answer is to wait, to begin an
attempt on spot or on-demand, to stay, to move beside the running machine (`core.handover`), or to leave it.
"""

from __future__ import annotations

from dataclasses import dataclass

from spotlaunch.core import rules
from spotlaunch.core.attempts import conclude
from spotlaunch.core.book import Attempt, Job
from spotlaunch.core.choosing import why_waiting
from spotlaunch.core.draft import Draft
from spotlaunch.core.facts import Offer
from spotlaunch.core.limits import ask_to_leave
from spotlaunch.core.orders import begin, launch_key
from spotlaunch.core.plan import Asked
from spotlaunch.core.policy import DEFAULT, POLICIES, PROMISE_DEADLINES, Policy
from spotlaunch.core.rank import Ranking
from spotlaunch.core.situation import IDLE, ON_DEMAND, Action, Memory, Situation, can_wait, slack_s
from spotlaunch.core.standing import Standing, stand
from spotlaunch.core.units import write_about


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What there is to decide about. ``running``: the attempt that goes on if nothing is done, if one does.

    ``beside``: what a new attempt would take over from, while it still lives. ``rival``: one that starts on spot beside
    a running one; then nothing is decided but whether the deadline calls for on-demand at once.
    """

    running: Attempt | None = None
    beside: Attempt | None = None
    rival: Attempt | None = None


NO_TIME = "the deadline leaves no time to lose a machine in"


def policy_name(job: Job) -> str:
    """The policy that decides for a job that is steered."""
    return job.spec.policy or ("on-demand" if job.spec.market == "on-demand" else DEFAULT)


def scene_of(job: Job, live: list[Attempt]) -> Scene | None:
    """What there is to decide about, with these attempts live; None while nothing is."""
    if job.over or job.wanted != "run" or len(live) > 2:
        return None
    if not live:
        return Scene()
    old, new = live[0], live[-1]
    if len(live) == 1:
        if old.leave_asked_at is not None:
            return None
        if old.noticed_at is not None:
            return Scene(beside=old)
        if old.market == "on-demand" and policy_name(job) == "on-demand":
            return None  # what it wants it has
        return Scene(running=old, beside=old)
    old_stays = old.noticed_at is None and old.leave_asked_at is None
    if new.leave_asked_at is not None or (old_stays and old.market == "on-demand") or new.market == "on-demand":
        return None
    return Scene(running=old if old_stays else new, beside=old, rival=new)


def steer(draft: Draft, job: Job, scene: Scene, asked: Asked, ranking: Ranking) -> None:
    """Ask the policy, write down what it said, and do it. ``ranking``: what the job may take and afford."""
    standing = stand(draft, job, ranking, scene.running)
    s = standing.situation
    action, memory, why = _ask(job, standing)
    if scene.rival is not None and action != ON_DEMAND:
        action = s.running
    candidates = _candidates(job, standing, action)
    if action == ON_DEMAND != s.running and not candidates:
        # A promise that cannot be kept this way: whatever computes helps more than waiting does.
        action = s.running if s.running != IDLE else next((i for i, p in enumerate(s.pools) if p.up), IDLE)
        why = "no on-demand machine can be had"
        candidates = _candidates(job, standing, action) if action != s.running else []
    if _awaits_first_checkpoint(scene, s, action):
        action = s.running
    job = draft.set_job(
        job,
        policy_memory=memory,
        spells=standing.spells,
        decided_at=draft.now,
        next_try_at=_next_at(draft, job, s, action),
    )
    draft.wake(job.next_try_at)
    job = _tell(draft, job, standing, action, why)
    if action == IDLE and scene.running is None:
        draft.set_job(job, note=why_waiting(job, asked, ranking), rounds=job.rounds + 1)
    elif action != s.running:
        _do(draft, job, scene, action, candidates, why or decision_of(standing, action))


def would_take(job: Job, standing: Standing) -> Offer | None:
    """The first offer that the policy would take for a job as it is now; None where it would wait."""
    action, _, _ = _ask(job, standing)
    return next(iter(_candidates(job, standing, action)), None)


def _ask(job: Job, standing: Standing) -> tuple[Action, Memory, str]:
    """The policy's answer, its memory, and the reason where it is not the policy's own."""
    s, name = standing.situation, policy_name(job)
    promises = name in PROMISE_DEADLINES and job.deadline_at is not None
    if promises and slack_s(s) < 0:
        late = "the deadline is over" if s.left_s <= 0 else "the deadline cannot be met any more"
        why = f"{late}: as soon as possible"
    elif promises and not standing.work_known:
        return ON_DEMAND, job.policy_memory, "how much work is left is not known yet"
    elif promises and not s.pools:
        return ON_DEMAND, job.policy_memory, "there is no spot that fits"
    elif promises and not can_wait(s, s.running):
        why = NO_TIME
    else:
        why = ""
    if promises and standing.reserve_eaten:
        return ON_DEMAND, job.policy_memory, why or NO_TIME
    action, memory = POLICIES[name](s, job.policy_memory)
    return action, memory, why if action == ON_DEMAND else ""


def _candidates(job: Job, standing: Standing, action: Action) -> list[Offer]:
    """The offers for an action, best first: after the policy's choice, what it would choose if that refused."""
    if action == ON_DEMAND:
        return list(standing.on_demand)
    policy: Policy = POLICIES[policy_name(job)]
    s, found = standing.situation, list[Offer]()
    while isinstance(action, int) and action != s.running and len(found) < rules.ALTERNATIVES:
        offer = standing.offers[action]
        if offer is not None:
            found.append(offer)
        pools = tuple(p._replace(up=False) if i == action else p for i, p in enumerate(s.pools))
        s = s._replace(pools=pools)
        action, _ = policy(s, job.policy_memory)
    return found


def _awaits_first_checkpoint(scene: Scene, s: Situation, action: Action) -> bool:
    """A program that computes and has stored nothing yet is not moved for money: all it did would be lost."""
    running = scene.running
    return (
        running is not None
        and running.phase == "running"
        and not running.commits
        and action
        not in (
            s.running,
            ON_DEMAND,
        )
    )


def _do(draft: Draft, job: Job, scene: Scene, action: Action, candidates: list[Offer], why: str) -> None:
    """Leave what runs, or begin an attempt: beside what computes, or in place of what only starts."""
    running, beside = scene.running, scene.beside
    if running is not None:
        machine = draft.machine_of(running)
        if machine is not None and machine.pool.provider not in draft.world.traits:
            return  # its provider cannot be used now: we could not end this machine when the other one is ready
    if action == IDLE and running is not None and running.heard_at is not None:
        ask_to_leave(draft, running, why)
        return
    if action != IDLE and not candidates:
        return
    idler = scene.rival or (running if running is not None and not _computes(running) else None)
    if idler is not None:
        conclude(draft, idler, "replaced", why)
        beside = None if beside is idler else beside
    if action != IDLE:
        key = launch_key(draft.world.owner, job.name, job.last_attempt + 1)
        begin(draft, draft.job(job.name), candidates, key, beside, fell_back=False)


def _computes(attempt: Attempt) -> bool:
    return attempt.phase in ("running", "leaving")


def _next_at(draft: Draft, job: Job, s: Situation, action: Action) -> float:
    """When to ask again: at the usual pace, but never after the moment at which the guard may call for on-demand.

    Nothing is stored until then, for all that is known. Where that moment is past, soon, and never in a hot loop.
    """
    every_s = job.spec.fallback.look_every_s
    pace_s = rules.shortest_rest_s(job.spec, draft.world.traits) if every_s is None else every_s
    if action == ON_DEMAND:
        return draft.now + pace_s
    done_s = 0.0
    if isinstance(action, int):
        done_s = max(0.0, s.tick_s - (s.pending_s if action == s.running else s.pools[action].start_s))
    spare_s = s.left_s - (s.tick_s + s.work_left_s - done_s + s.start_s)
    return draft.now + min(pace_s, max(spare_s, s.tick_s / 2))


def decision_of(standing: Standing, action: Action) -> str:
    """What an action means, in a few words that stay the same while it does."""
    if action == IDLE:
        return "waiting for spot"
    return "on-demand" if action == ON_DEMAND else f"spot in {standing.pools[int(action)]}"


def _tell(draft: Draft, job: Job, standing: Standing, action: Action, why: str) -> Job:
    """Write down what was decided and why; it becomes part of the story when it is something new."""
    decision = decision_of(standing, action) + (f": {why}" if why else "")
    if decision == job.decision:
        return job
    s = standing.situation
    text = f"{policy_name(job)}: {decision}"
    data: dict[str, object] = {"policy": policy_name(job), "decision": decision}
    if job.deadline_at is not None and standing.work_known:
        text += f" ({write_about(s.work_left_s)} of work in {write_about(s.left_s)}, {_slack(slack_s(s))})"
        data |= {"work_left_s": round(s.work_left_s), "left_s": round(s.left_s), "slack_s": round(slack_s(s))}
    draft.tell(job.name, "policy", text, **data)
    return draft.set_job(job, decision=decision)


def _slack(seconds: float) -> str:
    return f"{write_about(seconds)} to spare" if seconds >= 0 else f"{write_about(-seconds)} too little"
