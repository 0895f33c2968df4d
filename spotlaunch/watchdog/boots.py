"""What a machine needs to come to life, made ready before its launch: pass, letter, links, boot script."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace

from spotlaunch.boot.archive import agent_archive
from spotlaunch.boot.loader import loader
from spotlaunch.core import wire
from spotlaunch.core.book import Book, Job
from spotlaunch.core.choosing import is_file_store
from spotlaunch.core.facts import Order, Traits
from spotlaunch.core.plan import Launch
from spotlaunch.core.wire import Letter, StartDoc
from spotlaunch.errors import AlreadyExists
from spotlaunch.storage.links import Link
from spotlaunch.storage.mailbox import Mailbox
from spotlaunch.storage.seal import new_key, seal
from spotlaunch.watchdog.act import with_secrets
from spotlaunch.watchdog.passes import Made, Passes

# A machine whose store cannot be reached for so long ends itself: it can save nothing, and nobody may be watching.
SILENT_S = 3600.0


class Boots:
    """Prepares orders.

    ``passes`` makes the machine's credentials; ``link`` gives a link to an object of a job's store; ``whereabouts``
    tells endpoint and region of a job's store, for somebody without our environment; ``archive`` gives the agent's
    code and its digest, and takes its time for the first one; ``workers`` do what is made ready in advance.
    """

    def __init__(
        self,
        *,
        mailbox: Callable[[Job], Mailbox],
        passes: Passes,
        link: Callable[[Job, str], Link],
        whereabouts: Callable[[Job], tuple[str, str]],
        workers: Executor,
        archive: Callable[[], tuple[bytes, str]] = agent_archive,
    ) -> None:
        self._mailbox = mailbox
        self._passes = passes
        self._link = link
        self._whereabouts = whereabouts
        self._workers = workers
        self._archive = archive
        self._warm = False
        self._uploaded: set[tuple[str, str]] = set()

    def warm(self, book: Book) -> None:
        """Have the agent's code packed when a job may need it: that takes seconds, which a notice does not leave."""
        if not self._warm and any(not is_file_store(job.store_url) for job in book.jobs):
            self._warm = True
            self._workers.submit(self._archive)

    def prepare(self, job: Job, call: Launch, secrets: Mapping[str, str], traits: Traits) -> Order:
        """The order as its provider shall get it: with a boot script, or where machines share this disk with secrets.

        Writes the letter of this attempt into the store, and the agent's code when it is not there. Raises a
        `SpotlaunchError`, with a hint, when the machine could not be given what it needs; then nothing is launched.
        """
        if traits.shares_disk:
            return with_secrets(job, call, secrets, traits)
        mailbox, attempt = self._mailbox(job), call.order.attempt
        made = self._passes.current(job)
        digest = self._upload(job, mailbox)
        agent = self._link(job, wire.agent_key(job.name, digest))
        script_key, pass_key = new_key(), new_key()
        start = self._start(job, call, traits, made, pass_key, secrets)
        about = wire.start_key(job.name, attempt)
        sealed = base64.b64encode(seal(script_key, wire.encode(start), about=about)).decode()
        letter = Letter(agent_url=agent.url, agent_header=agent.header, agent_sha256=digest, sealed=sealed)
        # Before the letter: a machine that has come to life must find its passes renewed, whatever happens to us.
        self._passes.keep(job, attempt, pass_key, made)
        mailbox.blobs.put(about, wire.encode(letter))
        link = self._link(job, about)
        key = base64.b64encode(script_key).decode()
        script = loader(url=link.url, header=link.header, key=key, end_command=traits.end_command)
        return replace(call.order, script=script)

    def _upload(self, job: Job, mailbox: Mailbox) -> str:
        """The agent's code into the job's folder, once; returns its digest."""
        data, digest = self._archive()
        if (job.name, digest) not in self._uploaded:
            key = wire.agent_key(job.name, digest)
            # By a watchdog before us, perhaps: some megabytes are not sent again only to be told so. Its name is its
            # digest, which the machine checks.
            if not any(info.key == key for info in mailbox.blobs.list(key.rpartition("/")[0])):
                with suppress(AlreadyExists):
                    mailbox.blobs.create(key, data)
            self._uploaded.add((job.name, digest))
        return digest

    def _start(
        self, job: Job, call: Launch, traits: Traits, made: Made, pass_key: bytes, secrets: Mapping[str, str]
    ) -> StartDoc:
        endpoint, region = self._whereabouts(job)
        doc = call.doc
        # The agent's own limits, for as long as it cannot read its order.
        figures = {
            "SPOTLAUNCH_RUNTIME_LEFT_S": doc.runtime_left_s,
            "SPOTLAUNCH_BUDGET_LEFT_S": doc.budget_left_s,
            "SPOTLAUNCH_TTL_LEFT_S": doc.ttl_left_s,
            "SPOTLAUNCH_NOTICE_S": traits.notice_s,
        }
        env = {
            **call.order.agent_env,
            "SPOTLAUNCH_STORE_ENDPOINT": endpoint,
            "SPOTLAUNCH_STORE_REGION": region,
            **{name: f"{value:g}" for name, value in figures.items() if value > 0},
        }
        return StartDoc(
            env=env,
            pass_env=dict(made.found.env),
            pass_expires_at=made.found.expires_at,
            pass_key=base64.b64encode(pass_key).decode(),
            secrets=dict(secrets),
            ttl_s=call.order.ttl_s,
            silent_s=SILENT_S,
            end_command=traits.end_command,
            # Where machines are containers they are made from it, and the job is in it already.
            image="" if traits.container_image else call.order.image,
            notice_source=traits.notice_source,
        )
