"""Clients that follow: a page on a websocket, and a program on an event stream. Both reconnect and resume.

After a cut, or ``SILENCE_SECONDS`` without a sign of life, a client connects again, mostly to another server, and
continues where it was, as the documentation of the API describes.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from tests.engines.postgres.histories import answers
from tests.engines.postgres.histories.clients import PATIENCE_SECONDS, Client, code_of
from tests.engines.postgres.histories.records import Answer, Dashboard, Ended, Line, Opened, Sync, What

HEARTBEAT_SECONDS = 1
"""Between heartbeats of event streams, and between pings on websockets."""
SILENCE_SECONDS = 4.0


@dataclass
class Followed:
    """A sync, as far as a client has seen it."""

    sync_id: str
    version: int = 0
    seq: int = 0
    has_ended: bool = False
    has_whole_log: bool = False


@dataclass
class Subscription:
    """A subscription on a socket."""

    what: What
    sync_id: str
    stream: int
    since: float
    read: Callable[[Any], Answer]
    followed: Followed | None = None
    is_first: bool = field(default=True)


class Page(Client):
    """The dashboard's page: a websocket with the dashboard, and with the state and the log of each running sync."""

    async def run(self) -> None:
        """Follow until the end of all syncs is seen, and the dashboard shows the newest of them."""
        self.followed: dict[str, Followed] = {}
        self._shown: Dashboard | None = None
        while not self._is_done():
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    socket = await connect(
                        self.server.url.replace("http", "ws", 1) + "/graphql",
                        subprotocols=[Subprotocol("graphql-transport-ws")],
                        ping_interval=HEARTBEAT_SECONDS,
                        ping_timeout=SILENCE_SECONDS,
                        close_timeout=0.1,
                        proxy=None,
                    )
                async with socket:
                    await self._show(socket)
            except (WebSocketException, OSError, TimeoutError):
                pass
            if self.random.random() < 0.8:
                self.move()
            await asyncio.sleep(self.random.uniform(0.02, 0.3))

    def _is_done(self) -> bool:
        newest = self.scene.newest.get(self.organization)
        if newest is None or self._shown is None or self._shown.last is None or self._shown.current is not None:
            return False
        is_all_seen = all(one.has_ended and one.has_whole_log for one in self.followed.values())
        return is_all_seen and self._shown.last.sync_id == newest

    async def _show(self, socket: ClientConnection) -> None:
        self._open: dict[str, Subscription] = {}
        await socket.send(json.dumps({"type": "connection_init"}))
        await self._subscribe(socket, What.FOLLOW_DASHBOARD, answers.FOLLOW_DASHBOARD, answers.dashboard_of)
        for followed in self.followed.values():
            await self._follow(socket, followed)
        leaves_at = self.scene.history.now() + self.random.uniform(2, 20)
        while not self._is_done() and self.scene.history.now() < leaves_at:
            try:
                async with asyncio.timeout(SILENCE_SECONDS / 2):
                    frame = json.loads(await socket.recv())
            except TimeoutError:
                continue  # pings notice a dead connection
            subscription = self._open.get(frame.get("id", ""))
            errors = _errors_in(frame)
            if errors and subscription is not None:
                self._note(subscription, None, code_of(errors[0]))
                return
            if frame["type"] == "next" and subscription is not None:
                await self._take(socket, subscription, frame["payload"])
            elif frame["type"] == "complete" and subscription is not None:
                self._note(subscription, Ended())
                del self._open[frame["id"]]
                if subscription.followed is not None and subscription.what is What.FOLLOW_LOG:
                    subscription.followed.has_whole_log = True

    async def _follow(self, socket: ClientConnection, followed: Followed) -> None:
        if not followed.has_ended:
            await self._subscribe(socket, What.FOLLOW, answers.FOLLOW, answers.sync_of, followed)
        if not followed.has_whole_log:
            await self._subscribe(
                socket, What.FOLLOW_LOG, answers.FOLLOW_LOG, answers.line_of, followed, after=followed.seq
            )

    async def _subscribe(
        self,
        socket: ClientConnection,
        what: What,
        document: str,
        read: Callable[[Any], Answer],
        followed: Followed | None = None,
        **variables: int,
    ) -> None:
        sync_id = followed.sync_id if followed is not None else ""
        subscription = Subscription(
            what, sync_id, self.scene.history.new_stream(), self.scene.history.now(), read, followed
        )
        after = variables.get("after", 0)
        self._note(subscription, Opened(after_seq=after, shows_lines=what is What.FOLLOW_LOG))
        self._open[str(subscription.stream)] = subscription
        payload = {"query": document, "variables": {"id": sync_id or self.organization, **variables}}
        await socket.send(json.dumps({"id": str(subscription.stream), "type": "subscribe", "payload": payload}))

    async def _take(self, socket: ClientConnection, subscription: Subscription, payload: dict[str, Any]) -> None:
        (shown,) = payload["data"].values()
        answer = subscription.read(shown)
        self._note(subscription, answer)
        followed = subscription.followed
        if isinstance(answer, Dashboard):
            self._shown = answer
        match answer:
            case Sync() if followed is not None:
                followed.has_ended = answer.has_ended
            case Line() if followed is not None:
                followed.seq = answer.seq
            case Dashboard(current=Sync(sync_id=sync_id)) if sync_id not in self.followed:
                self.followed[sync_id] = Followed(sync_id)
                await self._follow(socket, self.followed[sync_id])

    def _note(self, subscription: Subscription, answer: Answer | None, error: str = "") -> None:
        is_event = not isinstance(answer, Opened)
        noted = self.note(
            *(subscription.what, subscription.since, answer),
            sync_id=subscription.sync_id,
            stream=subscription.stream,
            is_fresh=is_event and subscription.is_first and answer is not None,
            error=error,
        )
        if is_event:
            subscription.is_first = False
            subscription.since = noted.returned_at


def _errors_in(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """The errors that end a subscription: before its first event as a message of their own, or in a last event."""
    if frame["type"] == "error":
        return list(frame["payload"])
    return list(frame["payload"].get("errors", [])) if frame["type"] == "next" else []


class StreamReader(Client):
    """A program that follows sync after sync on REST's event stream, with ``Last-Event-ID``."""

    async def run(self) -> None:
        """Follow each sync that clients see, until no further syncs are started."""
        place = 0
        while True:
            known = self.scene.syncs.get(self.organization, [])
            if place < len(known):
                place = max(place + 1, len(known) if self.random.random() < 0.5 else 0)
                await self._follow(Followed(known[place - 1]))
            elif self.scene.is_over.is_set():
                return
            else:
                await self.scene.pause(0.05)

    async def _follow(self, followed: Followed) -> None:
        while not followed.has_ended:
            stream, since = self.scene.history.new_stream(), self.scene.history.now()
            leaves_at = since + self.random.uniform(1, 15)
            more = {"sync_id": followed.sync_id, "stream": stream}
            opened = Opened(followed.version, followed.seq, shows_lines=True)
            self.note(What.FOLLOW, since, opened, is_fresh=False, **more)
            headers = (
                {"Last-Event-ID": f"{followed.version}.{followed.seq}"} if followed.version or followed.seq else {}
            )
            path = f"{self.server.url}/api/v1/sync/stream/{followed.sync_id}"
            timeout = httpx.Timeout(PATIENCE_SECONDS, read=SILENCE_SECONDS)
            try:
                async with self.scene.http.stream("GET", path, headers=headers, timeout=timeout) as response:
                    if response.status_code == 204:
                        followed.has_ended = True
                    elif response.status_code == 200:
                        await self._read(response, followed, stream, since, leaves_at)
                    else:
                        code = json.loads(await response.aread()).get("code", str(response.status_code))
                        self.note(What.FOLLOW, since, None, error=code, **more)
                    if followed.has_ended:
                        self.note(What.FOLLOW, self.scene.history.now(), Ended(), is_fresh=False, **more)
            except httpx.HTTPError:
                pass
            if not followed.has_ended:
                if self.random.random() < 0.8:
                    self.move()
                await asyncio.sleep(self.random.uniform(0.02, 0.3))

    async def _read(
        self, response: httpx.Response, followed: Followed, stream: int, since: float, leaves_at: float
    ) -> None:
        """All events to the end of the response, or until the client leaves."""
        kind, is_first, opened_at = "", True, since
        async for text in response.aiter_lines():
            name, _, value = text.partition(": ")
            match name:
                case "event":
                    kind = value
                case "data" if kind in {"", "log"} and value:
                    shown = json.loads(value)
                    answer = answers.rest_line_of(shown) if kind else answers.rest_sync_of(shown, self.organization)
                    is_fresh = is_first and isinstance(answer, Sync)
                    more = {"sync_id": followed.sync_id, "stream": stream, "is_fresh": is_fresh}
                    # The state that follows the first lines was read after the request, but maybe before the lines.
                    invoked_at = opened_at if is_first else since
                    since = self.note(What.FOLLOW, invoked_at, answer, **more).returned_at
                    match answer:
                        case Line(seq=seq):
                            followed.seq = seq
                        case Sync(version=version):
                            is_first = False
                            followed.version, followed.has_ended = version or 0, answer.has_ended
                case "":
                    kind = ""
            if self.scene.history.now() > leaves_at and not followed.has_ended:
                return
