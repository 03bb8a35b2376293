"""Delivers the events of all organizations, in each process that runs syncs.

A look each second finds the webhooks that have something to send. For each of them a task sends one event after the
other, oldest first, and records each end before the next. A receiver that fails or hangs delays its own events only:
the tasks are bounded per organization, and nothing else waits for them. A process that is killed between an answer and
its record leads to a second delivery with the same id.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import structlog

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.webhook_rows import WebhookRow
from routiq_gql.database.webhook_secrets import secrets_of
from routiq_gql.database.webhook_sending import (
    Backlog,
    Claim,
    Due,
    backlog,
    claim_webhook,
    due_webhooks,
    free_claims,
    has_claims,
    lock_claimed,
    renew_claims,
)
from routiq_gql.errors import StorageError, frames_of
from routiq_gql.settings import Settings
from routiq_gql.supervision import Supervisor
from routiq_gql.waiting import set_within
from routiq_gql.webhooks.addresses import Allowed
from routiq_gql.webhooks.attempts import LEASE, RENEW_SECONDS, Outgoing, next_outgoing, record, release

if TYPE_CHECKING:
    from routiq_gql.webhooks.sending import Reply, Sender

LOOK_SECONDS = 1.0
MOST_AT_ONCE = 16
"""Webhooks for which a process sends at the same time."""
MOST_OF_ORGANIZATION = 4
"""Of these, webhooks of one organization, so that its hanging receivers leave room for others."""
MOST_DUE = 100
"""Webhooks that a look finds. More are found as soon as some of them have been served."""
TURN_SECONDS = 20.0
"""After this time a webhook with many events lets the others go first."""
STOP_SECONDS = 2.0
"""How long attempts may continue when the process stops. A cut attempt may have arrived, and is repeated."""
LONGEST_PAUSE_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Deliveries:
    """The deliveries of a process. Close it."""

    def __init__(self, database: Database, keys: KeyStore, settings: Settings, supervisor: Supervisor) -> None:
        self._database = database
        self._keys = keys
        self._allowed = Allowed(settings.webhook_private)
        self._supervised = supervisor.task("webhooks", "Webhooks are not sent.", LONGEST_PAUSE_SECONDS)
        self._sender: Sender | None = None
        self._looking: asyncio.Task[None] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._organizations: dict[str, str] = {}
        self._claims: dict[str, Claim] = {}
        self._renewed_at = 0.0
        self._wake = asyncio.Event()
        self._was_working = False
        self._is_closing = False

    def start(self, is_working: Callable[[], bool]) -> None:
        """Deliver in the background while ``is_working``: while this process runs syncs."""
        step = partial(self._step, is_working)
        running = self._supervised.repeat(step, may_continue=lambda: not self._is_closing)
        self._looking = asyncio.create_task(running, name=self._supervised.name)

    async def backlog(self) -> Backlog:
        """The deliveries of all processes that wait.

        Raises:
            StorageError: The database can't be used.
        """
        async with self._database.reading() as connection:
            return await backlog(connection)

    async def close(self) -> None:
        """Stop after the current attempts, and let other processes continue at once."""
        self._is_closing = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        tasks = set(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for claim in list(self._claims.values()):
            with suppress(StorageError):  # the claim lapses by itself
                await release(self._database, claim)
        if self._sender is not None:
            await self._sender.close()

    async def _step(self, is_working: Callable[[], bool]) -> None:
        await self._renew()
        if is_working():
            await self._look()
        else:
            self._was_working = False
        if await set_within(self._wake, LOOK_SECONDS):
            self._wake.clear()

    async def _renew(self) -> None:
        now = time.monotonic()
        if self._claims and now - self._renewed_at >= RENEW_SECONDS:
            async with self._database.writing() as connection:
                await renew_claims(connection, list(self._claims.values()), utc_now() + LEASE)
            self._renewed_at = now

    async def _look(self) -> None:
        if not self._was_working and self._database.path is not None:
            await self._take_over()
        self._was_working = True
        if len(self._tasks) >= MOST_AT_ONCE:
            return
        async with self._database.reading() as connection:
            due = await due_webhooks(connection, utc_now(), MOST_DUE)
        counts = Counter(self._organizations.values())
        for one in due:
            is_free = one.webhook_id not in self._tasks and counts[one.organization_id] < MOST_OF_ORGANIZATION
            if is_free and len(self._tasks) < MOST_AT_ONCE and not self._is_closing:
                counts[one.organization_id] += 1
                self._begin(one, self._open_sender())

    async def _take_over(self) -> None:
        """Free what a killed process has claimed. Only one process at a time works on an SQLite file."""
        async with self._database.reading() as connection:
            is_needed = await has_claims(connection)
        if is_needed:
            async with self._database.writing() as connection:
                await free_claims(connection)

    def _open_sender(self) -> "Sender":
        if self._sender is None:
            from routiq_gql.webhooks.sending import Sender  # noqa: PLC0415 — imports httpx

            self._sender = Sender(self._allowed, MOST_AT_ONCE)
        self._sender.open()
        return self._sender

    def _begin(self, due: Due, sender: "Sender") -> None:
        task = asyncio.create_task(self._run(due, sender), name=f"webhook {due.webhook_id}")
        self._tasks[due.webhook_id] = task
        self._organizations[due.webhook_id] = due.organization_id
        task.add_done_callback(partial(self._forget, due.webhook_id))

    def _forget(self, webhook_id: str, done: asyncio.Task[None]) -> None:
        if not done.cancelled():  # ``close`` releases the claims of those
            self._claims.pop(webhook_id, None)
        self._tasks.pop(webhook_id, None)
        self._organizations.pop(webhook_id, None)
        self._wake.set()

    async def _run(self, due: Due, sender: "Sender") -> None:
        try:
            now = utc_now()
            async with self._database.writing() as connection:
                row = await claim_webhook(connection, due, now, now + LEASE)
            if row is not None:
                claim = self._claims[row.id] = Claim(row.id, row.epoch)
                await self._serve(row, claim, sender)
        except StorageError:
            pass  # the next look reports it; the claim lapses
        except Exception as error:
            log.error("webhook_crashed", webhook_id=due.webhook_id, error=type(error).__name__, where=frames_of(error))

    async def _serve(self, row: WebhookRow, claim: Claim, sender: "Sender") -> None:
        """Send for a webhook until nothing is left, an attempt fails, or it has had its turn."""
        end = time.monotonic() + TURN_SECONDS
        async with self._database.reading() as connection:
            outgoing = await next_outgoing(connection, row)
        while outgoing is not None and time.monotonic() < end and not self._is_closing:
            at, begun = utc_now(), time.monotonic()
            reply = await self._sent(row, outgoing, sender)
            seconds = time.monotonic() - begun
            async with self._database.writing() as connection:
                locked = await lock_claimed(connection, claim)
                if locked is None:
                    return
                # During a claim, only a person's wish for an attempt changes the time.
                is_woken = locked.next_at != row.next_at
                await record(connection, locked, outgoing.delivery, reply, at, seconds, is_woken=is_woken)
                if reply.outcome != "delivered" or locked.disabled_at is not None:
                    break
                row, outgoing = locked, await next_outgoing(connection, locked)
        await release(self._database, claim)

    async def _sent(self, row: WebhookRow, outgoing: Outgoing, sender: "Sender") -> "Reply":
        from routiq_gql.webhooks.sending import Message, Reply  # noqa: PLC0415 — imports httpx

        now = utc_now()
        try:
            message = Message(row.url, outgoing.event_id, outgoing.body, secrets_of(self._keys.load(), row, now))
        except StorageError as error:
            return Reply("failed", problem=error.message)
        try:
            return await sender.send(message, now)
        except Exception as error:
            log.error("webhook_not_sent", webhook_id=row.id, error=type(error).__name__, where=frames_of(error))
            return Reply("failed", problem="Internal error. The server's log has the reason.")
