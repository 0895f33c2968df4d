"""What agent and watchdog say to each other through the mailbox, as JSON.

Standard library only, and no newer syntax than Python 3.10: this file also runs on the rented machine.
Readers ignore keys they do not know, so an older agent understands a newer watchdog.

One folder per job::

    jobs/<job>/owner.json             whoever submitted it, create-only: the name is taken
    jobs/<job>/order/<n>.json         watchdog, once, before launch n
    jobs/<job>/start/<n>              watchdog, before launch n: `Letter`; agent n deletes it once it has read it
    jobs/<job>/pass/<n>               watchdog only, overwritten: `Pass`, sealed
    jobs/<job>/agent/<digest>         the agent's own code
    jobs/<job>/bundle/<digest>        the user's working directory
    jobs/<job>/register/<number>.json create-only; the highest number is the truth
    jobs/<job>/report/<n>/status.json agent n only, overwritten
    jobs/<job>/report/<n>/log/<i>     agent n only, chunks in order
    jobs/<job>/ask/<n>.json           watchdog only, overwritten
    jobs/<job>/ckpt/<n>-<step>-<number>/...  payload, then manifest.json, then the register
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

T = TypeVar("T")

# The phases of an agent, in order. `waiting`: for the attempt before it to leave.
PHASES = ("starting", "waiting", "restoring", "setup", "running", "leaving", "left")

# Why an agent left. `exited`: the program ended by itself, see exit_code. `ttl`: its machine has lived long enough,
# the job goes on elsewhere.
LEFT_WHY = ("exited", "notice", "asked", "superseded", "runtime", "budget", "ttl", "error")


@dataclass(frozen=True)
class OrderDoc:
    """order/<n>.json: all that agent n needs to know. Holds nothing secret.

    ``secrets`` are names only. ``predecessor`` is the attempt whose last commit to wait for before the
    claim (0: none), for at most ``predecessor_wait_s``. ``runtime_left_s``, ``budget_left_s`` and ``ttl_left_s``
    (0: no limit) are the agent's own limits, so that they hold with nobody watching: the first two counted from its
    start, the last from the birth of its machine.

    ``every_auto``: the agent finds out how often to save (`core.intervals`), from what checkpoints take here and from
    what the watchdog knows: ``rate_per_hour`` interruptions, ``notice_s`` before each, the price's share of its cap,
    ``write_s`` as it was measured on machines before (0: never), and ``gb_cost_s``: for how many seconds of this
    machine one would pay with the price of sending a GB to the store. ``checkpoint_signal`` (``USR1``) is sent to the
    program when the interval changes; empty for none.
    """

    job: str
    attempt: int
    run: str
    setup: str = ""
    bundle: str = ""
    env: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    checkpoint_dir: str = "checkpoints"
    checkpoint_every_s: float = 0.0
    keep: int = 3
    grace_s: float = 25.0
    predecessor: int = 0
    predecessor_wait_s: float = 0.0
    runtime_left_s: float = 0.0
    budget_left_s: float = 0.0
    ttl_left_s: float = 0.0
    report_every_s: float = 10.0
    gpu: str = ""
    gpu_count: int = 0
    pool: str = ""
    every_auto: bool = False
    rate_per_hour: float = 0.0
    notice_s: float = 0.0
    price_share: float = 0.0
    write_s: float = 0.0
    gb_cost_s: float = 0.0
    checkpoint_signal: str = ""


@dataclass(frozen=True)
class Status:
    """report/<n>/status.json: what agent n last said of itself.

    ``step`` is the newest committed step, ``resumed_step`` the one it restored (None before that is
    known), ``progress`` what the program wrote last: ``{"step": 40, "total": 60, ...}``. ``notes`` are
    sentences for the story, oldest first, each ``{"at": s, "kind": str, "text": str}``; the list only grows.
    ``phases`` tells when each phase began, ``first_progress`` what the program wrote first, and when that was read.
    ``guessed``: entries of the newest commit that were taken for complete only because nobody touched them.
    ``uploaded_bytes`` and ``restored_bytes``: checkpoints moved to the store, and from it. ``every_s`` is the interval
    that the program was told (0: none), ``every_why`` why, ``write_s`` what a checkpoint takes as measured here (None:
    not yet), and ``rate_per_hour`` and ``price_share`` what it was told of its danger (None: nothing).
    """

    attempt: int
    at: float
    phase: str
    started_at: float = 0.0
    resumed_step: int | None = None
    step: int = 0
    committed_at: float | None = None
    commits: int = 0
    progress: dict[str, Any] = field(default_factory=dict)
    notice_at: float | None = None
    notice_deadline_at: float | None = None
    left_why: str = ""
    exit_code: int | None = None
    error: str = ""
    log_chunks: int = 0
    notes: list[dict[str, Any]] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    first_progress: dict[str, Any] = field(default_factory=dict)
    first_progress_at: float | None = None
    guessed: list[str] = field(default_factory=list)
    uploaded_bytes: int = 0
    restored_bytes: int = 0
    every_s: float = 0.0
    every_why: str = ""
    write_s: float | None = None
    rate_per_hour: float | None = None
    price_share: float = 0.0


@dataclass(frozen=True)
class Pass:
    """pass/<n>, sealed: what opens this job's part of the store, and nothing else, until ``expires_at``.

    ``env``: variables by which `storage.blobs` finds credentials (``AWS_ACCESS_KEY_ID`` and so on).
    ``expires_at`` 0: never.
    """

    env: dict[str, str] = field(default_factory=dict, repr=False)
    expires_at: float = 0.0


@dataclass(frozen=True)
class Letter:
    """start/<n>: what the boot script of machine n fetches first, by a link that is good for an hour.

    ``agent_url`` (with ``agent_header``, a line ``Name: value`` to send along, or nothing) is another such link and
    gives the archive of our own code, whose digest is ``agent_sha256``. ``sealed``: a `StartDoc` in base64, sealed
    with the key that stands in the script.
    """

    agent_url: str
    agent_sha256: str
    sealed: str
    agent_header: str = field(default="", repr=False)


@dataclass(frozen=True)
class StartDoc:
    """All that agent n must have to begin; never in the clear in the store.

    ``env`` are the agent's settings (``SPOTLAUNCH_...``) and hold nothing secret. ``pass_env`` and
    ``pass_expires_at``: the first `Pass`; later ones are sealed with ``pass_key`` (base64). ``secrets`` are the
    job's, by name. ``ttl_s``: the machine ends itself after so long (0: no limit), with ``end_command``.
    ``silent_s``: and when its agent could not reach the store for so long. ``image``: the container that the job's
    command runs in, on a virtual machine (empty: none). ``notice_source``: see `core.facts.Traits`.
    """

    env: dict[str, str] = field(default_factory=dict)
    pass_env: dict[str, str] = field(default_factory=dict, repr=False)
    pass_expires_at: float = 0.0
    pass_key: str = field(default="", repr=False)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    ttl_s: float = 0.0
    silent_s: float = 0.0
    end_command: str = ""
    image: str = ""
    notice_source: str = ""


@dataclass(frozen=True)
class Entry:
    """register/<number>.json: the truth of a job, if its number is the highest.

    ``manifest`` is the key of the committed checkpoint's manifest (empty: none yet); ``by`` tells one
    agent of an epoch from another that was started twice with the same order.
    """

    number: int
    epoch: int
    step: int
    manifest: str
    by: str
    at: float


@dataclass(frozen=True)
class ManifestFile:
    """One file of a checkpoint: path in the checkpoint folder, and the object that holds its bytes.

    A symbolic link has its target in ``link``, and no object.
    """

    path: str
    size: int
    sha256: str
    object: str
    mode: int = 0o600
    mtime: float = 0.0
    link: str = ""


@dataclass(frozen=True)
class Manifest:
    """ckpt/.../manifest.json: written after the payload, before the register."""

    epoch: int
    step: int
    at: float
    files: list[ManifestFile]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(f.size for f in self.files)


@dataclass(frozen=True)
class Ask:
    """ask/<n>.json: what the watchdog asks of agent n.

    ``leave``: end the program gently, sync, leave. ``proceed``: the predecessor is gone, claim now. ``risk``: how
    likely its machine is taken now, ``rate_per_hour`` times an hour, at this share of the price cap. An agent that
    knows no such kind does nothing.
    """

    kind: str
    reason: str
    at: float
    rate_per_hour: float | None = None
    price_share: float = 0.0


def encode(value: Any) -> bytes:
    """A dataclass of this file as JSON bytes, keys sorted, so that equal values are equal bytes."""
    return json.dumps(asdict(value), sort_keys=True, separators=(",", ":")).encode()


def decode(kind: type[T], data: bytes) -> T:
    """JSON bytes as ``kind``, ignoring unknown keys. Raises ValueError when it is not such a document."""
    raw = json.loads(data)
    if not isinstance(raw, dict):
        raise ValueError(f"expected an object for {kind.__name__}, found {type(raw).__name__}")
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    values = {k: v for k, v in raw.items() if k in known}
    if kind is Manifest:
        names = {f.name for f in fields(ManifestFile)}
        values["files"] = [ManifestFile(**{k: v for k, v in f.items() if k in names}) for f in values["files"]]
    try:
        return kind(**values)
    except TypeError as e:
        raise ValueError(f"not a {kind.__name__}: {e}") from e


def job_key(job: str) -> str:
    """The job's folder."""
    return f"jobs/{job}"


def owner_key(job: str) -> str:
    return f"jobs/{job}/owner.json"


def order_key(job: str, attempt: int) -> str:
    return f"jobs/{job}/order/{attempt:06d}.json"


def bundle_key(job: str, digest: str) -> str:
    return f"jobs/{job}/bundle/{digest}"


def start_key(job: str, attempt: int) -> str:
    return f"jobs/{job}/start/{attempt:06d}"


def pass_key(job: str, attempt: int) -> str:
    return f"jobs/{job}/pass/{attempt:06d}"


def agent_key(job: str, digest: str) -> str:
    return f"jobs/{job}/agent/{digest}"


def register_key(job: str, number: int) -> str:
    """Nine digits, so that the order of keys is the order of numbers."""
    return f"jobs/{job}/register/{number:09d}.json"


def status_key(job: str, attempt: int) -> str:
    return f"jobs/{job}/report/{attempt:06d}/status.json"


def log_key(job: str, attempt: int, index: int) -> str:
    return f"jobs/{job}/report/{attempt:06d}/log/{index:06d}"


def ask_key(job: str, attempt: int) -> str:
    return f"jobs/{job}/ask/{attempt:06d}.json"


def checkpoint_key(job: str, attempt: int, step: int, number: int) -> str:
    """The folder of one checkpoint. ``number`` is the register number it is meant for: folders never collide."""
    return f"jobs/{job}/ckpt/{attempt:06d}-{step:09d}-{number:09d}"
