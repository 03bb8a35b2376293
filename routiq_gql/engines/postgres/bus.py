"""The bus between processes: notifies all processes of committed snapshots with PostgreSQL's LISTEN and NOTIFY.

A notification only names the syncs that have changed; a process whose feeds lack these versions reads the rows.
Notifications are sent together, at most ten times a second. They serve speed only: the feeds re-read the database
every few seconds, and when the bus reports a gap, such as after the listener has lost its connection.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Self
from uuid import uuid4

import psycopg

from routiq_gql import metrics
from routiq_gql.database.columns import among
from routiq_gql.database.engine import Database
from routiq_gql.database.postgresql import connect_settings
from routiq_gql.database.syncs import syncs_where
from routiq_gql.database.tables import SYNC
from routiq_gql.engines.postgres.jobs import conninfo
from routiq_gql.engines.postgres.notifier import CHANNEL, Notifier
from routiq_gql.live.bus import InProcessBus
from routiq_gql.live.topics import SyncTopic, topics_of_sync
from routiq_gql.supervision import Supervisor
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import SyncSnapshot
from routiq_gql.waiting import set_within

FLUSH_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
"""The longest pause before a server that is away is tried again."""
SIGN_OF_LIFE_SECONDS = 10.0
"""How often a silent listener checks its connection, and the longest attempt of a sender or reader without work."""
MAX_PAYLOAD_BYTES = 7_900
"""PostgreSQL takes less than 8,000. Source: PostgreSQL documentation, "NOTIFY"."""

Update = tuple[int, int, str, str]
"""Key, version, sync id and organization of a sync that has changed."""


class PostgresBus(InProcessBus):
    """The bus of a process among many. Use it as a context manager, which sends and receives notifications."""

    def __init__(self, database: Database, supervisor: Supervisor) -> None:
        super().__init__()
        self._database = database
        self._notifier = Notifier(database.url)
        self._origin = uuid4().hex[:8]
        self._updates: dict[int, Update] = {}
        self._stops: set[int] = set()
        self._first_update_at = 0.0
        self._flush_wanted = asyncio.Event()
        self._stop_wanted = asyncio.Event()
        self._heard: set[int] = set()
        self._read_wanted = asyncio.Event()
        self._on_gap: Callable[[], None] = lambda: None
        self._on_stop: Callable[[int], None] = lambda _key: None
        self._tasks: list[asyncio.Task[None]] = []
        self._sender = supervisor.task("bus sender", "Other processes receive changes late.", LONGEST_PAUSE_SECONDS)
        self._listener = supervisor.task(
            "bus listener", "Changes in other processes arrive late.", LONGEST_PAUSE_SECONDS
        )
        self._reader = supervisor.task("bus reader", "Changes in other processes don't arrive.", LONGEST_PAUSE_SECONDS)

    def on_stop(self, call: Callable[[int], None]) -> None:
        """Call ``call`` with the key of each sync that any process wants to stop."""
        self._on_stop = call

    async def __aenter__(self) -> Self:
        for task, step in ((self._sender, self._send), (self._listener, self._listen), (self._reader, self._read)):
            self._tasks.append(asyncio.create_task(task.repeat(step), name=task.name))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(psycopg.Error, OSError):  # the other processes poll the rows
            await self._flush()
        await self._notifier.close()

    def on_gap(self, call: Callable[[], None]) -> None:
        self._on_gap = call

    def publish(self, snapshot: SyncSnapshot) -> None:
        self.deliver(snapshot)
        if not self._updates:
            self._first_update_at = time.monotonic()
        self._updates[snapshot.key] = (snapshot.key, snapshot.version, snapshot.sync_id, snapshot.organization_id)
        self._flush_wanted.set()

    def request_stop(self, key: int) -> None:
        """Stop the run of a sync at once, in whichever process it runs."""
        self._stops.add(key)
        self._stop_wanted.set()
        self._flush_wanted.set()

    async def _send(self) -> None:
        if not await set_within(self._flush_wanted, SIGN_OF_LIFE_SECONDS):
            return  # an attempt that has nothing to do succeeds, so that an earlier failure is not reported for ever
        await self._flush()
        await set_within(self._stop_wanted, FLUSH_SECONDS)

    async def _flush(self) -> None:
        self._flush_wanted.clear()
        self._stop_wanted.clear()
        updates, stops, since = self._updates, self._stops, self._first_update_at
        if not updates and not stops:
            return
        self._updates, self._stops = {}, set()
        try:
            await self._notifier.send(payloads_of(self._origin, updates.values(), stops))
        except BaseException:
            self._updates = {**updates, **self._updates}
            self._stops |= stops
            self._flush_wanted.set()
            raise
        if updates:
            metrics.flushed(time.monotonic() - since)

    async def _listen(self) -> None:
        url = self._database.url
        async with await psycopg.AsyncConnection.connect(
            conninfo(url), autocommit=True, **connect_settings(url)
        ) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self._on_gap()
            self._listener.succeeded()
            while True:
                async with aclosing(connection.notifies(timeout=SIGN_OF_LIFE_SECONDS)) as notifications:
                    async for notification in notifications:
                        self._take(notification.payload)
                await connection.execute("SELECT 1")

    def _take(self, payload: str) -> None:
        message = json.loads(payload)
        for key in message["stop"]:
            self._on_stop(key)
        if message["from"] == self._origin:
            return
        for key, version, sync_id, organization_id in message["news"]:
            topics = topics_of_sync(SyncTopic(key, sync_id, organization_id))
            listeners = [one for topic in topics if (one := self._listeners.get(topic)) is not None]
            if any(listener.lacks(key, version) for listener in listeners):
                self._heard.add(key)
        if self._heard:
            self._read_wanted.set()

    async def _read(self) -> None:
        if not await set_within(self._read_wanted, SIGN_OF_LIFE_SECONDS):
            return  # as in _send
        self._read_wanted.clear()
        heard, self._heard = self._heard, set()
        try:
            async with self._database.reading() as connection:
                rows = await syncs_where(connection, among(SYNC.c.key, heard))
        except Exception:
            self._on_gap()
            raise
        for row in rows:
            self.deliver(snapshot_of(row))


def payloads_of(origin: str, updates: Iterable[Update], stops: Iterable[int]) -> Iterator[str]:
    """The updates as texts that each fit into a notification."""
    part: list[Update] = []
    stop, size = list(stops), 0
    for update in updates:
        length = len(json.dumps(update)) + 2
        if part and size + length > MAX_PAYLOAD_BYTES - 200 - 20 * len(stop):
            yield json.dumps({"from": origin, "news": part, "stop": stop})
            part, stop, size = [], [], 0
        part.append(update)
        size += length
    yield json.dumps({"from": origin, "news": part, "stop": stop})
