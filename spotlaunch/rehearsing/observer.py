"""What is to be seen of one run of a rehearsed job, from the outside: its book, its mailbox, its checkpoints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby

from spotlaunch.core.book import Attempt
from spotlaunch.core.observed import Commit, SavedEntry, SeenAttempt, Taking
from spotlaunch.core.wire import Entry, Manifest, ManifestFile, Status
from spotlaunch.ports import Blobs
from spotlaunch.storage import manifests
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.register import Register
from spotlaunch.storage.store import SqliteStore

# The agent's words about checkpoints that it could not save, or that did not come back.
TROUBLES = frozenset({"checkpoint_trouble", "checkpoint_damaged", "checkpoint_lost"})
TAIL_LINES, LONGEST_LINE = 5, 200


class Observer:
    """Looks at ``job`` again and again; keeps what would be overwritten or pruned. ``run``: its number."""

    def __init__(self, store: SqliteStore, blobs: Blobs, job: str, *, run: int, checkpoint_dir: str) -> None:
        self.taken: dict[int, Taking] = {}
        self._store, self._blobs, self._job = store, blobs, job
        self._run, self._dir = run, checkpoint_dir
        self._mailbox = Mailbox(blobs, job)
        self._register = Register(blobs, job)
        self._number = 0
        self._manifest = ""
        self._claims: dict[int, float] = {}
        self._commits: dict[int, list[Commit]] = defaultdict(list)
        self._statuses: dict[int, Status] = {}
        self._last_said_at: dict[int, float] = {}
        self._second_said: dict[int, int] = {}

    def look(self) -> tuple[SeenAttempt, ...]:
        """All attempts so far. Raises `BlobsUnavailable` and `StoreUnavailable`."""
        attempts = self._store.attempts(self._job)
        for attempt in attempts:
            before = self._statuses.get(attempt.number)
            if before is None or before.phase != "left":
                self._read(attempt)
        self._read_register()
        return tuple(self._seen(a) for a in attempts)

    def behind(self, attempt: int) -> bool:
        """Whether its agent has committed what it has not told of yet: how it came to be taken for complete."""
        status = self._statuses.get(attempt)
        return status is not None and status.commits < len(self._commits[attempt])

    def machine(self, attempt: int) -> str:
        """The id of the machine of that attempt, empty while there is none."""
        found = [m for m in self._store.machines(self._job) if m.attempt == attempt]
        return found[-1].instance_id or "" if found else ""

    def tail(self, attempt: int) -> tuple[str, ...]:
        """The last lines of that attempt's output."""
        text = self.output([attempt])
        return tuple(line[:LONGEST_LINE] for line in text.splitlines()[-TAIL_LINES:])

    def output(self, attempts: Iterable[int]) -> str:
        """All that these attempts printed."""
        return "".join(data.decode(errors="replace") for n in attempts for _, data in self._mailbox.logs(n))

    # -- reading ---------------------------------------------------------------------------------------------

    def _read(self, attempt: Attempt) -> None:
        status = self._mailbox.status(attempt.number)
        if status is None:
            return
        before = self._statuses.get(attempt.number)
        if before is None or _step(before) != _step(status):
            self._last_said_at[attempt.number] = status.at
        said = _step(status)
        if said is not None and said != _step_in(status.first_progress):
            self._second_said.setdefault(attempt.number, said)
        self._statuses[attempt.number] = status

    def _read_register(self) -> None:
        fresh: list[Entry] = []
        for entry in self._register.entries():
            if entry.number <= self._number:
                break
            fresh.append(entry)
        for entry in reversed(fresh):
            self._number = entry.number
            self._claims.setdefault(entry.epoch, entry.at)
            if entry.manifest and entry.manifest != self._manifest:
                self._manifest = entry.manifest
                self._commits[entry.epoch].append(self._commit(entry))

    def _commit(self, entry: Entry) -> Commit:
        manifest = manifests.load(self._blobs, self._job, entry.manifest)
        said = self._statuses.get(entry.epoch)
        return Commit(
            step=entry.step,
            at=entry.at,
            entries=entries_of(manifest) if manifest is not None else (),
            said=_step(said) if said is not None else None,
        )

    # -- telling ---------------------------------------------------------------------------------------------

    def _seen(self, attempt: Attempt) -> SeenAttempt:
        n = attempt.number
        status = self._statuses.get(n) or Status(attempt=n, at=0.0, phase="")
        bad = status.left_why == "exited" and status.exit_code not in (None, 0)
        return SeenAttempt(
            run=self._run,
            number=n,
            phases=status.phases,
            claimed_at=self._claims.get(n),
            resumed_step=status.resumed_step if self._restored(n, status) else None,
            restored=self._restored(n, status),
            first_said=_step_in(status.first_progress),
            first_said_at=status.first_progress_at,
            second_said=self._second_said.get(n),
            last_said=_step(status),
            last_said_at=self._last_said_at.get(n),
            commits=tuple(self._commits[n]),
            guessed=frozenset(status.guessed),
            taken=self.taken.get(n),
            notice_at=status.notice_at,
            left_why=status.left_why,
            left_at=status.at if status.phase == "left" else None,
            exit_code=status.exit_code,
            error=status.error,
            troubles=tuple(str(note.get("text", "")) for note in status.notes if note.get("kind") in TROUBLES),
            tail=self.tail(n) if bad else (),
        )

    def _restored(self, attempt: int, status: Status) -> str:
        """The name of what an attempt was given; empty where that was nothing."""
        if status.resumed_step is None:
            return ""
        before = [c for n in sorted(self._commits) if n < attempt for c in self._commits[n]]
        if not before:
            return ""
        newest = before[-1].newest
        return newest.name if newest is not None else self._dir


def entries_of(manifest: Manifest) -> tuple[SavedEntry, ...]:
    """The files and folders right in the checkpoint folder."""
    files = sorted(manifest.files, key=_top)
    return tuple(_entry(name, list(group)) for name, group in groupby(files, key=_top))


def _top(file: ManifestFile) -> str:
    return file.path.partition("/")[0]


def _entry(name: str, files: list[ManifestFile]) -> SavedEntry:
    return SavedEntry(
        name=name,
        number=manifests.number_in(name),
        files=len(files),
        size=sum(f.size for f in files),
        written_at=max(f.mtime for f in files),
    )


def _step(status: Status) -> int | None:
    return _step_in(status.progress)


def _step_in(said: dict[str, object]) -> int | None:
    step = said.get("step")
    return int(step) if isinstance(step, (int, float)) and not isinstance(step, bool) else None
