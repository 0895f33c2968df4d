"""Reading a job file: text in, a `Spec` out, or every problem of the file at once with its place and a hint.

Values are read as they were written: quotes make no difference, and YAML's traps (``on`` as true, ``3.10``
as 3.1, ``1:30`` as ninety) do not exist here. This module brings in yaml and pydantic, a third of a second:
import it in the body of the command that reads a job file, not at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypedDict

from pydantic import BaseModel, ValidationError

from spotlaunch.core.jobmodel import JobModel
from spotlaunch.core.jobvalues import Known, closest, utc
from spotlaunch.core.names import check_env_name, check_job_name, tame_job_name
from spotlaunch.core.spec import BlobStoreRef, CheckpointSpec, Fallback, Limits, Resources, Spec, Where
from spotlaunch.core.units import Unreadable, quoted, write_about
from spotlaunch.core.yamlread import read_tree
from spotlaunch.core.yamltree import Path, Scalar, Tree, dotted, found
from spotlaunch.errors import BadFile, Problem, UsageError

MOST_PROBLEMS = 40  # a person reads no more of them; and a file of junk must not make a flood


class Overrides(TypedDict, total=False):
    """What the command line says instead of the file: ``--name``, and ``--env K=V`` as a mapping."""

    name: str
    env: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """A job file that has been looked at: its spec (None when it has problems), and the problems in order.

    ``workdir`` and ``workdir_place`` (line, column) are what the file says of it, also when other keys are bad.
    """

    spec: Spec | None
    problems: tuple[Problem, ...]
    workdir: str = "."
    workdir_place: tuple[int, int] = (1, 1)


def read_job(
    text: str,
    *,
    file: str,
    names: Collection[str],
    env: Mapping[str, str],
    overrides: Overrides | None = None,
) -> Spec:
    """The spec that ``text`` describes. Pure; ``workdir`` stays as written.

    ``file`` is how the file is called in messages (a job without a name is called after it), ``names`` are
    the known providers, ``env`` is the submitter's environment, in which secrets must be set. Raises
    `BadFile` with all problems of the file, and `UsageError` for overrides that no file could make right.
    """
    examined = examine_job(text, file=file, names=names, env=env, overrides=overrides)
    if examined.spec is None:
        raise BadFile(file, examined.problems)
    return examined.spec


def examine_job(
    text: str,
    *,
    file: str,
    names: Collection[str],
    env: Mapping[str, str],
    overrides: Overrides | None = None,
    now: float = 0.0,
    local: Callable[[float], float] = utc,
) -> Examined:
    """As `read_job`, but problems of the file are returned, so that the caller can add what only it can see.

    ``now`` and ``local``: what deadlines are held against, see `jobvalues.Known`.
    """
    given = overrides or {}
    _check_overrides(given)
    tree = read_tree(text)
    known = Known(providers=names, env=env, given=given.get("env", {}), now=now, local=local)
    model, problems = _check(tree, known)
    workdir = tree.root.get("workdir") if isinstance(tree.root, dict) else None
    plain = isinstance(workdir, Scalar) and not workdir.is_null and workdir.text.strip()
    return Examined(
        spec=None if problems or model is None else _spec(model, given, file),
        problems=tuple(problems),
        workdir=workdir.text.strip() if plain and isinstance(workdir, Scalar) else ".",
        workdir_place=tree.place(("workdir",)),
    )


def _check_overrides(given: Overrides) -> None:
    option = "--name"
    try:
        if "name" in given:
            check_job_name(given["name"])
        option = "--env"
        for name, value in given.get("env", {}).items():
            check_env_name(name)
            if "\0" in value:
                raise Unreadable(f"the value of {name} holds a NUL character")
    except Unreadable as e:
        raise UsageError(f"{option}: {e.message}", hint=e.hint) from e


def _check(tree: Tree, known: Known) -> tuple[JobModel | None, list[Problem]]:
    problems = list(tree.problems)
    model = None
    if tree.whole:
        if isinstance(tree.root, dict):
            model, more = _validate(tree, known)
            # One problem a key: what is wrong with its shape, or with its being there at all, comes first.
            told = {p.key: p for p in reversed([*problems, *more])}
            problems = list(told.values())
        elif not problems:
            problems.append(_not_a_mapping(tree))
    problems.sort(key=lambda p: (p.line, p.column))
    if len(problems) > MOST_PROBLEMS:
        at, rest = problems[MOST_PROBLEMS], len(problems) - MOST_PROBLEMS
        more_of_it = Problem(line=at.line, column=at.column, key="", message=f"and {rest} more problems from here on")
        problems = [*problems[:MOST_PROBLEMS], more_of_it]
    return model, problems


def _not_a_mapping(tree: Tree) -> Problem:
    line, column = tree.place(())
    hint = "write at least `run: your command`; `spotlaunch init` makes a file to start from"
    if tree.root is None or (isinstance(tree.root, Scalar) and tree.root.is_null):
        return Problem(line=1, column=1, key="run", message="is required, and the file is empty", hint=hint)
    message = f"is required, but the file holds {found(tree.root)} instead of keys"
    return Problem(line=line, column=column, key="run", message=message, hint=hint)


def _validate(tree: Tree, known: Known) -> tuple[JobModel | None, list[Problem]]:
    try:
        model = JobModel.model_validate(tree.root, context=known)
    except ValidationError as e:
        return None, _overlaps(tree) + [_problem(tree, known, raw) for raw in e.errors(include_url=False)]
    return model, _overlaps(tree) + _at_odds(tree, model, known)


def _problem(tree: Tree, known: Known, raw: Any) -> Problem:
    """One of pydantic's errors, in our words and with its place."""
    path: Path = tuple(part for part in raw["loc"] if part != "[key]")
    kind, of_key = raw["type"], raw["loc"][-1:] == ("[key]",)
    hint = ""
    if kind == "extra_forbidden":
        message, of_key = "there is no such key", True
        hint = closest(str(path[-1]), _keys_of(path[:-1]))
    elif kind == "missing":
        message, of_key = "is required", True
        hint = "write `run:` and the command that trains" if path == ("run",) else ""
    elif isinstance(reason := raw.get("ctx", {}).get("error"), Unreadable):
        message, hint = reason.message, reason.hint
        of_key = of_key or (isinstance(raw["input"], Scalar) and raw["input"].is_null)
    else:
        message = f"found {found(raw['input'])} where {_MEANT.get(kind, 'something else')} is meant"
        keys = _keys_of(path) if kind == "model_type" else ()
        hint = "its keys are: " + ", ".join(keys) if keys else ""
    if kind != "missing":
        path = _in_file(tree, path)
    line, column = tree.place(path, of_key=of_key)
    return Problem(line=line, column=column, key=dotted(path), message=message, hint=hint)


_MEANT = {
    "model_type": "a mapping of keys",
    "dict_type": "a mapping of names to values",
    "list_type": "a list",
}


def _in_file(tree: Tree, path: Path) -> Path:
    """``path`` without its end where the file is shorter, as in ``store: s3://...`` for ``store.url``."""
    while path and path not in tree.values and path not in tree.keys:
        path = path[:-1]
    return path


def _keys_of(path: Path) -> tuple[str, ...]:
    """The keys allowed in the section at ``path``."""
    model: type[BaseModel] = JobModel
    for part in path:
        annotation = model.model_fields[str(part)].annotation if part in model.model_fields else None
        models = [a for a in (annotation, *getattr(annotation, "__args__", ())) if isinstance(a, type)]
        inner = [a for a in models if issubclass(a, BaseModel)]
        if not inner:
            return ()
        model = inner[0]
    return tuple(model.model_fields)


def _overlaps(tree: Tree) -> list[Problem]:
    """Names that stand under both `env` and `secrets`: the file would hold what it must not."""
    env, secrets = tree.root.get("env"), tree.root.get("secrets")
    listed = secrets if isinstance(secrets, list) else [secrets]
    problems = []
    for at, secret in enumerate(listed):
        if isinstance(env, dict) and isinstance(secret, Scalar) and secret.text.strip() in env:
            path: Path = ("secrets", at) if isinstance(secrets, list) else ("secrets",)
            line, column = tree.place(path)
            where = tree.place(("env", secret.text.strip()), of_key=True)[0]
            message = f"{quoted(secret.text)} is given under `env` as well, in line {where}"
            hint = "a secret's value comes from your environment, never from the file: take it out of `env`"
            problems.append(Problem(line=line, column=column, key=dotted(path), message=message, hint=hint))
    return problems


def _at_odds(tree: Tree, model: JobModel, known: Known) -> list[Problem]:
    """Keys that are fine by themselves and cannot be meant together: deadline, work, policy and market."""
    found: list[tuple[str, str, str]] = []
    deadline, market, policy = model.deadline, model.market, model.policy
    if deadline is not None and model.work is not None:
        left_s = deadline.after_s if deadline.at is None else deadline.at - known.now
        if left_s is not None and model.work > left_s:
            message = f"there are {write_about(left_s)} until the deadline, and the work alone takes longer"
            found.append(("work", message, "write a later `deadline`, or less `work`"))
    if policy and market not in ("auto", policy):
        message = f"{policy} decides between spot and on-demand, and `market: {market}` leaves nothing to decide"
        found.append(("policy", message, "leave out `market`, or `policy`"))
    elif deadline is not None and market == "spot" and policy != "spot":
        message = "without on-demand no deadline can be promised: spot may be gone for days"
        found.append(("market", message, "leave out `market`; or write `policy: spot`, which ignores the deadline"))
    places = {key: tree.place((key,)) for key, _, _ in found}
    return [
        Problem(line=places[key][0], column=places[key][1], key=key, message=message, hint=hint)
        for key, message, hint in found
    ]


def _spec(model: JobModel, given: Overrides, file: str) -> Spec:
    r, w, li, f, c = model.resources, model.where, model.limits, model.fallback, model.checkpoint
    store = BlobStoreRef(**c.store.model_dump()) if c.store else BlobStoreRef()
    return Spec(
        name=given.get("name") or model.name or tame_job_name(PurePath(file).stem) or "job",
        run=model.run,
        setup=model.setup,
        workdir=model.workdir,
        image=model.image,
        vm_images=dict(model.vm_images),
        env={**model.env, **given.get("env", {})},
        secrets=tuple(dict.fromkeys(model.secrets)),
        resources=Resources(gpus=tuple(r.gpu), cpus=r.cpus, memory_gb=r.memory_gb, disk_gb=r.disk_gb),
        market=model.market,
        where=Where(providers=tuple(dict.fromkeys(w.providers)), regions=tuple(w.regions), exclude=tuple(w.exclude)),
        limits=Limits(
            price_usd_hour=li.price_usd_hour, cost_usd=li.cost_usd, runtime_s=li.runtime, attempts=li.attempts
        ),
        fallback=Fallback(patience_s=f.patience, return_to_spot=f.return_to_spot, look_every_s=f.look_every),
        checkpoint=CheckpointSpec(
            dir=c.dir, every_s=c.every, keep=c.keep, grace_s=c.grace, signal=c.signal, store=store
        ),
        restart_on_exit=tuple(dict.fromkeys(model.restart_on_exit)),
        deadline_s=model.deadline.after_s if model.deadline else None,
        deadline_at=model.deadline.at if model.deadline else None,
        work_s=model.work,
        policy=model.policy,
        ssh=model.ssh,
    )
