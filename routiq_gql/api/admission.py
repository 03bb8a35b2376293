"""How many queries, mutations and REST requests are executed at once for one organization, and for how long.

GraphQL on every transport and REST share an ``Admission`` in each process. A read ends at the time limit, and
when its client has left. A change runs to its end in a separate task, even if its client leaves: a cancelled change may
be committed already while the client reads an error.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from routiq_gql.errors import RateLimited, TookTooLong
from routiq_gql.security.viewer import Viewer
from routiq_gql.settings import Settings
from routiq_gql.shares import OPERATION_CONNECTIONS, WATCH_CONNECTIONS, Shares, using

T = TypeVar("T")

WAIT_SECONDS = 1.0
"""How long an operation waits for its turn before it is refused."""
RETRY_AFTER_SECONDS = 1
"""When a caller that was refused may try again."""

_SYNC_ID = re.compile(r"sync_([A-Za-z0-9_-]{1,64})_\d{8}_\d{6}(?:_\d+)?", re.ASCII)


def bucket_of(viewer: Viewer, asked: str = "") -> str:
    """The organization that an operation counts for: the viewer's.

    With authentication off: the organization whose id, or whose sync's id, is ``asked``.
    """
    if viewer.organization_id is not None:
        return viewer.organization_id
    match = _SYNC_ID.fullmatch(asked)
    return match[1] if match else asked[:64]


class Turn:
    """One operation that is counted, until every task that works on it has released it."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._holders = 1

    def keep(self) -> None:
        """Count it for one more holder."""
        self._holders += 1

    def release(self, *_: object) -> None:
        """Each holder calls it once."""
        self._holders -= 1
        if self._holders == 0:
            self._release()


class Admission:
    """Counts operations by organization, and ends those that take too long."""

    def __init__(self, settings: Settings) -> None:
        self._most = settings.max_operations
        self._seconds = settings.operation_timeout
        self._grace_seconds = settings.shutdown_grace_seconds
        self._queues: dict[str, _Queue] = {}
        self._changes: set[asyncio.Task[object]] = set()
        self._shares = Shares(OPERATION_CONNECTIONS)
        self._watch_shares = Shares(WATCH_CONNECTIONS)

    @property
    def executing(self) -> int:
        """Counted operations of all organizations, including those that wait."""
        return sum(queue.users for queue in self._queues.values())

    def has_room(self, bucket: str) -> bool:
        """Whether another operation would not have to wait for its turn."""
        queue = self._queues.get(bucket)
        return queue is None or not queue.free.locked()

    @asynccontextmanager
    async def turn(self, bucket: str) -> AsyncIterator[Turn]:
        """Wait for a turn in the order of arrival, and count the operation.

        Raises:
            RateLimited: The organization was at its limit for ``WAIT_SECONDS``.
        """
        turn = await self._take(bucket)
        try:
            with using(self._shares.of(bucket)):
                yield turn
        finally:
            turn.release()

    async def _take(self, bucket: str) -> Turn:
        queue = self._queues.get(bucket)
        if queue is None:
            queue = self._queues[bucket] = _Queue(self._most)
        queue.users += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await queue.free.acquire()
        except BaseException as error:
            self._forget(bucket, queue)
            if not isinstance(error, TimeoutError):
                raise
            raise RateLimited(
                f"{self._most} operations of this organization are running, the maximum. Send fewer at a time and "
                "try again soon, or ask the operator of this server to raise ROUTIQ_MAX_OPERATIONS.",
                RETRY_AFTER_SECONDS,
            ) from None

        def release() -> None:
            queue.free.release()
            self._forget(bucket, queue)

        return Turn(release)

    def _forget(self, bucket: str, queue: "_Queue") -> None:
        queue.users -= 1
        if not queue.users:
            del self._queues[bucket]

    @asynccontextmanager
    async def watching(self, bucket: str) -> AsyncIterator[None]:
        """Apply the time limit to the start of a subscription or stream, or to one of its events.

        Raises:
            TookTooLong: The block reached the limit.
        """
        with using(self._watch_shares.of(bucket)):
            async with self.time_limit():
                yield

    @asynccontextmanager
    async def time_limit(self) -> AsyncIterator[None]:
        """End the block at the time limit.

        Raises:
            TookTooLong: The block reached the limit.
        """
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise TookTooLong(
                f"The operation took longer than {self._seconds:g} s and was stopped. Request less data at a time."
            ) from None

    @asynccontextmanager
    async def reading(self, bucket: str, cost: int = 0) -> AsyncIterator[None]:
        """Apply the time limit to an operation that only reads. It may have to wait for other large operations first.

        Raises:
            TookTooLong: The block reached the limit.
        """
        async with self.time_limit(), self._shares.of(bucket).room_for(cost):
            yield

    async def to_its_end(self, change: Awaitable[T], turn: Turn) -> T:
        """Run ``change`` to its end, even if the caller is cancelled, and count it until then."""
        task = asyncio.ensure_future(change)
        turn.keep()
        self._changes.add(task)
        task.add_done_callback(turn.release)
        task.add_done_callback(self._changes.discard)
        task.add_done_callback(_note_error)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for running changes within the grace period, then cancel them."""
        if not self._changes:
            return
        _, late = await asyncio.wait(self._changes, timeout=self._grace_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


class _Queue:
    """The operations of an organization."""

    def __init__(self, most: int) -> None:
        self.free = asyncio.Semaphore(most)
        self.users = 0


def _note_error(task: asyncio.Task[object]) -> None:
    """Retrieve the error of a change whose caller has left, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()


async def while_connected(receive: Receive, work: Coroutine[object, None, T]) -> T:
    """The result of ``work``, which is cancelled as soon as the client has left.

    Args:
        receive: Yields the disconnect message, once the body of the request is read.

    Raises:
        ClientDisconnect: The client has left.
    """
    task = asyncio.create_task(work, name="operation")
    leaving = asyncio.create_task(_departure(receive), name="departure")
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and leaving.exception() is None:
            raise ClientDisconnect
        return await task
    finally:
        for one in (task, leaving):
            one.cancel()
        await asyncio.wait({task, leaving})


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class BodyFirst:
    """``receive`` for two readers: the first reads the body, the second waits for the client to leave."""

    def __init__(self, receive: Receive, *, has_body: bool) -> None:
        self._receive = receive
        self._is_read = asyncio.Event()
        if not has_body:
            self._is_read.set()

    async def body(self) -> Message:
        """The next part of the body."""
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._is_read.set()
        return message

    async def next_message(self) -> Message:
        """The next message after the body."""
        await self._is_read.wait()
        return await self._receive()
