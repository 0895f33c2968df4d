"""One attempt, from start to end. The main thread supervises, and never waits for the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from spotlaunch.agent.cadence import Cadence
from spotlaunch.agent.container import Container
from spotlaunch.agent.environment import container_names, program_env, secret_values
from spotlaunch.agent.identity import take_identity
from spotlaunch.agent.leave import (
    LAST_WORD_S,
    PATIENCE_S,
    Leave,
    Reasons,
    grace_left_s,
    last_report,
    leave_for,
    lived_s,
    wrote_to_the_end,
)
from spotlaunch.agent.logs import Spool
from spotlaunch.agent.mail import Mail
from spotlaunch.agent.masks import Masker
from spotlaunch.agent.notice import Notices
from spotlaunch.agent.prepare import Preparation, newest_restored
from spotlaunch.agent.program import Program, calm
from spotlaunch.agent.progress import Progress
from spotlaunch.agent.report import Report
from spotlaunch.agent.settings import Settings
from spotlaunch.agent.settle import Settle
from spotlaunch.agent.sync import Sync, staging_for
from spotlaunch.agent.task import Task
from spotlaunch.agent.wake import Wake
from spotlaunch.agent.watchers.choose import watcher_for
from spotlaunch.agent.watchers.watcher import Ears
from spotlaunch.core.wire import Ask, Entry, OrderDoc, Status
from spotlaunch.errors import BlobsUnavailable, LeaseHeld, Superseded
from spotlaunch.storage.checkpoints import Saver
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.restore import Restored

if TYPE_CHECKING:
    from spotlaunch.ports import Blobs

T = TypeVar("T")

# How often to look for a notice file, and at the clock, when nothing rings.
NOTICE_LOOK_S, IDLE_LOOK_S = 0.2, 1.0
# What a program leaves running behind itself gets so long to end.
LINGER_S = 2.0
# A machine that goes down ends our program and us at the same moment, in any order.
SAME_MOMENT_S = 0.5
LEAST_REPORT_S = 0.05


class Agent:
    """Lives one attempt. ``umask`` is what the user's program gets; our own files are for us alone."""

    def __init__(self, settings: Settings, blobs: Blobs, *, secrets: Callable[[str], str | None], umask: int) -> None:
        self._settings = settings
        self._blobs = blobs
        self._secret = secrets
        self._umask = umask
        self._wake = Wake()
        self._notices = Notices(settings.notice_file)
        self._reasons = Reasons(self._notices, limits=settings.limits, machine_lived_s=settings.lived_s)
        self._watcher = watcher_for(settings, Ears(notice=self._noticed, danger=self._in_danger))
        self._stop = threading.Event()
        self._prepare = Preparation(settings, blobs, self._stop)
        self._report = Report(settings.attempt)
        self._progress = Progress(settings.progress)
        self._order: OrderDoc
        self._cadence: Cadence
        self._spool: Spool
        self._mail: Mail
        self._sync: Sync
        self._mail_task: Task[None] | None = None
        self._sync_task: Task[None] | None = None
        self._program: Program | None = None
        self._container: Container | None = None
        self._everything_written = True
        self._hushed = False

    def live(self) -> str:
        """The whole attempt; returns why it ended. Main thread only."""
        self._wake.on_signals()
        self._notices.on_signals()
        if self._watcher is not None:
            self._watcher.start()
        try:
            self._attempt()
        except Leave as leave:
            return self._leave(leave)
        except BaseException as e:
            self._leave(leave_for(e))
            raise  # a defect of ours: let the console show where
        finally:
            if self._program is not None:
                self._program.kill()
            if self._container is not None:
                self._container.remove()
            if self._watcher is not None:
                self._watcher.acknowledge()
        return "left before"

    # -- the attempt, in order -----------------------------------------------------------------------------

    def _attempt(self) -> None:
        try:
            by, fresh = take_identity(self._settings.scratch)
        except LeaseHeld as e:
            raise Leave("superseded", error=e.message, silent=True) from e
        self._order, before = self._get("order", self._prepare.read_order)
        if before is not None and before.phase == "left":
            return  # the container was started again after its work was done
        if self._settings.letter:
            Task("letter", self._prepare.burn_letter, self._wake).start()
        # Started again, it is not given its time and money again.
        self._reasons.obey(self._order, lived_s=lived_s(before, now=time.time(), up_s=time.monotonic()))
        limit_s = self._reasons.next_limit_s
        self._cadence = Cadence(self._order, file=self._settings.every, report=self._report, left_s=limit_s)
        self._open_mail(before)
        # Another agent speaks for this attempt, or did: not a word before the claim tells who is right.
        self._hushed = before is not None and fresh
        if not self._hushed:
            self._start_mail()
        folder = self._fill_machine()
        head = self._get("claim", lambda: self._prepare.claim(by, time.time))
        if self._hushed:
            self._start_mail()
        self._mail.claimed(head)
        restored = self._restore(folder)
        resume = newest_restored(folder) if restored.manifest is not None else ""
        every_s = self._cadence.begin()
        env = program_env(self._settings, self._order, folder=folder, resume=resume, every_s=every_s)
        if self._container is not None:
            self._get("container", lambda: self._make_container(env, folder))
        if self._order.setup:
            self._setup(env)
        self._start_sync(folder, head, restored)
        code = self._supervise("running", calm(self._order.checkpoint_signal) + self._order.run, env)
        if code >= 128 and self._notice_at_the_same_moment():
            raise Leave("notice", exit_code=code)
        raise Leave("exited", exit_code=code)

    def _open_mail(self, before: Status | None) -> None:
        order, chunks = self._order, 0
        if before is not None:
            chunks = self._get("output", self._prepare.chunks_logged)
            self._report.go_on_from(before)
        masker = Masker(secret_values(order.secrets, self._secret, more=self._settings.pass_names))
        self._progress.masker = masker
        self._spool = Spool(self._settings.scratch / "output.log", masker, taken=chunks)
        self._mail = Mail(
            mailbox=Mailbox(self._blobs, order.job),
            attempt=order.attempt,
            report=self._report,
            spool=self._spool,
            every_s=max(LEAST_REPORT_S, order.report_every_s),
            on_ask=self._asked,
            on_successor=self._superseded,
            sign=self._settings.reached,
        )

    def _start_mail(self) -> None:
        self._mail_task = Task("mail", self._mail.work, self._wake).start()

    def _fill_machine(self) -> Path:
        order = self._order
        self._get("bundle", lambda: self._prepare.unpack(order))
        folder = self._get("folder", lambda: self._prepare.checkpoint_dir(order))
        if self._settings.image:
            self._get("image", self._fetch_image)
        if order.predecessor:
            self._report.set(phase="waiting")
            self._get("wait", lambda: self._prepare.wait_for_predecessor(order, lambda: self._reasons.ask))
        return folder

    def _fetch_image(self) -> None:
        name = f"spotlaunch-{self._order.job}-{self._order.attempt}"
        box = Container(self._settings.image, name=name, scratch=self._settings.scratch, stop=self._stop)
        box.pull(lambda text: self._report.note("image", text))
        self._container = box

    def _make_container(self, env: dict[str, str], folder: Path) -> None:
        assert self._container is not None
        names = container_names(self._settings, self._order)
        self._container.make(names, env, work=self._settings.work, folder=folder)

    def _restore(self, folder: Path) -> Restored:
        self._report.set(phase="restoring")
        restored = self._get("restore", lambda: self._prepare.restore(folder))
        for problem in restored.problems:
            self._report.note("checkpoint_damaged", problem)
        if restored.manifest is not None:
            text = f"resumed from the checkpoint of step {restored.step}"
            self._report.note("resumed", text, step=restored.step)
        elif restored.problems:
            self._report.note("checkpoint_lost", "no checkpoint is whole: it starts from the beginning")
        self._report.set(resumed_step=restored.step, step=restored.step, restored_bytes=restored.size)
        return restored

    def _setup(self, env: dict[str, str]) -> None:
        code = self._supervise("setup", self._order.setup, env)
        if code != 0:
            raise Leave("exited", exit_code=code, error=f"setup failed with exit code {code}")

    def _start_sync(self, folder: Path, head: Entry, restored: Restored) -> None:
        order, still_s = self._order, self._settings.still_s
        base = restored.manifest if restored.newest else None
        self._sync = Sync(
            saver=Saver(self._blobs, order.job, head, keep=order.keep, base=base, bad=restored.bad),
            settle=Settle(folder, still_s=still_s),
            root=folder,
            staging=staging_for(folder, self._settings.scratch),
            progress=self._progress,
            report=self._report,
            every_s=order.checkpoint_every_s,
            look_s=min(0.5, max(0.05, still_s / 4)),
            cadence=self._cadence,
        )
        # After falling back, what was restored becomes the newest again, so that the next attempt need not search.
        self._sync.begin(step=restored.step, saved=not restored.bad or restored.manifest is None)
        self._sync_task = Task("sync", self._sync.work, self._wake).start()

    # -- supervising -----------------------------------------------------------------------------------------

    def _asked(self, ask: Ask) -> None:
        self._reasons.ask = ask
        self._cadence.risk(ask)
        self._wake.ring()

    def _noticed(self, deadline_at: float | None) -> None:
        self._notices.tell(deadline_at)
        self._wake.ring()

    def _in_danger(self, words: str) -> None:
        self._report.note("danger", words)
        if self._sync_task is not None:
            self._cadence.danger()
            self._sync.save_soon()
            self._wake.ring()

    def _superseded(self) -> None:
        self._reasons.superseded.set()
        self._wake.ring()

    def _look(self) -> Leave | None:
        """A reason to leave, if there is one; a thread of ours that died is one too."""
        for task in (self._sync_task, self._mail_task):
            if task is not None and task.error is not None:
                return leave_for(task.error)
        return self._reasons.look()

    def _wait(self, longest_s: float = IDLE_LOOK_S) -> None:
        look_s = NOTICE_LOOK_S if self._settings.notice_file is not None else IDLE_LOOK_S
        self._wake.wait(min(look_s, longest_s, self._reasons.next_limit_s()))

    def _get(self, name: str, work: Callable[[], T]) -> T:
        """What ``work`` gives, done in another thread while this one stays awake. Raises `Leave`."""
        task = Task(name, work, self._wake).start()
        while not task.done:
            leave = self._look()
            if leave is not None:
                self._stop.set()
                raise leave
            self._wait()
        if task.error is not None:
            raise leave_for(task.error)
        return task.value

    def _supervise(self, phase: str, command: str, env: dict[str, str]) -> int:
        """Run a command to its end; returns its exit code. Raises `Leave` when it had to be ended."""
        self._report.set(phase=phase)
        try:
            work, box = self._settings.work, self._container
            program = Program(command, cwd=work, env=env, spool=self._spool, umask=self._umask, box=box)
        except (OSError, ValueError) as e:
            raise Leave("error", error=f"cannot start the program: {e}") from e
        self._program = program
        while program.exit_code is None:
            leave = self._look()
            if leave is not None:
                self._end(program, leave)
                raise leave
            if self._sync_task is not None:
                self._cadence.look(program.tell)
            self._wait()
        code = program.exit_code
        self._bury(program, wrote_to_the_end(code, asked=False))
        return code

    def _bury(self, program: Program, everything_written: bool) -> None:
        """The program has ended; so shall what it left behind."""
        self._stopped_writing(everything_written)
        if not program.ended():
            program.terminate()
            self._wait_for(program.ended, time.monotonic() + LINGER_S)
        program.kill()
        program.end_output()

    def _end(self, program: Program, leave: Leave) -> None:
        """End the program: with grace, unless it is a ghost's. ``leave`` may become weightier meanwhile."""
        ended_itself = False
        if leave.why != "superseded":
            self._tell_leaving()
            program.terminate()
            began_at = time.monotonic()
            while not (ended_itself := program.ended()) and not self._reasons.superseded.is_set():
                took_s = self._sync.pace.took_s if self._sync_task is not None else 0.0
                left_s = grace_left_s(self._order.grace_s, began_at, self._reasons.deadline(), took_s)
                if left_s <= 0:
                    break
                self._wait(left_s)
        code = program.exit_code
        self._stopped_writing(ended_itself and code is not None and wrote_to_the_end(code, asked=True))
        program.kill()
        program.end_output()
        leave.exit_code = program.exit_code

    def _stopped_writing(self, everything: bool) -> None:
        self._everything_written = everything
        if self._sync_task is not None:
            self._sync.stopped_writing()

    def _notice_at_the_same_moment(self) -> bool:
        return self._wait_for(lambda: self._reasons.notice() is not None, time.monotonic() + SAME_MOMENT_S)

    def _wait_for(self, done: Callable[[], bool], until: float) -> bool:
        while not done():
            left_s = until - time.monotonic()
            if left_s <= 0:
                return False
            self._wait(min(left_s, NOTICE_LOOK_S))
        return True

    # -- leaving -----------------------------------------------------------------------------------------------

    def _tell_leaving(self) -> None:
        notice = self._reasons.notice()
        if notice is not None:
            self._report.set(phase="leaving", notice_at=notice.at, notice_deadline_at=notice.deadline_at)
        else:
            self._report.set(phase="leaving")
        if self._mail_task is not None:
            self._mail.send_now()

    def _leave(self, leave: Leave) -> str:
        """Last checkpoint, last output, last word. Returns why we left in the end."""
        if leave.silent:
            return leave.why
        if self._mail_task is None:
            self._last_word(leave)
            return leave.why
        give_up_at = self._reasons.end_by(time.monotonic() + PATIENCE_S[leave.why])
        self._tell_leaving()
        if self._sync_task is not None and leave.why != "superseded":
            hurry = self._reasons.notice() is not None
            self._sync.finish(everything=self._everything_written, hurry=hurry)
            leave = self._last_checkpoint(leave, self._sync_task, give_up_at)
        self._mail.finish(**last_report(leave))
        if leave.why == "superseded":
            give_up_at = min(give_up_at, time.monotonic() + PATIENCE_S["superseded"])
        self._deliver(self._mail_task, max(give_up_at, time.monotonic() + LAST_WORD_S))
        if self._mail_task.error is not None:
            self._last_word(leave)
        return leave.why

    def _last_word(self, leave: Leave) -> None:
        """There is no mail, or not any more. If another speaks for this attempt, not a word."""
        if self._hushed:
            return
        try:
            if self._mail_task is not None:
                self._mail.last_word(**last_report(leave))
            else:
                self._report.set(**last_report(leave))
                Mailbox(self._blobs, self._settings.job).put_status(self._report.status)
        except BlobsUnavailable:
            return

    def _last_checkpoint(self, leave: Leave, task: Task[None], give_up_at: float) -> Leave:
        saved = self._deliver(task, give_up_at, unless=self._reasons.superseded.is_set)
        if isinstance(task.error, Superseded) or self._reasons.superseded.is_set():
            return Leave("superseded", exit_code=leave.exit_code)
        if leave.why == "exited" and leave.exit_code == 0 and not (saved and task.error is None):
            # Called finished, the job would end here, and what it made would be lost with the machine.
            error = "the program ended, but its last checkpoint could not be saved"
            return Leave(self._reasons.spent() or "error", exit_code=0, error=error)
        return leave

    def _deliver(self, task: Task[None], give_up_at: float, unless: Callable[[], bool] = lambda: False) -> bool:
        """Wait for a thread to deliver what it has. A notice's deadline does not end it, for that may come late."""
        self._wait_for(lambda: task.done or unless(), give_up_at)
        return task.done
