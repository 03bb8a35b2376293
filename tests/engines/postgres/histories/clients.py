"""Clients that send requests to servers, one after another, and record what they get.

A client stays at a server for a while, changes to another at times and after each failure, and never waits longer than
``PATIENCE_SECONDS`` for an answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import httpx

from tests.engines.postgres.histories import answers
from tests.engines.postgres.histories.records import (
    MOST_ROWS,
    Answer,
    Cancelled,
    History,
    Json,
    Operation,
    Started,
    What,
)

PATIENCE_SECONDS = 6.0
"""A frozen server answers nothing; a client asks another server then."""


AWAY = "The database can't be reached at the moment. Try again soon; nothing is lost."


@dataclass(frozen=True, slots=True)
class Server:
    """A server and its address, ``http://127.0.0.1:PORT``."""

    name: str
    url: str


@dataclass
class Scene:
    """Everything that clients share.

    Attributes:
        syncs: The syncs of each organization that any client has seen, in the order of their first sight.
        is_over: Set when no further syncs are started.
        newest: The newest sync of each organization, set when all have ended.
    """

    history: History
    servers: Sequence[Server]
    http: httpx.AsyncClient
    syncs: dict[str, list[str]] = field(default_factory=dict)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)
    newest: dict[str, str] = field(default_factory=dict)

    def note_syncs(self, operation: Operation) -> None:
        for sync in operation.syncs():
            known = self.syncs.setdefault(sync.organization, [])
            if sync.sync_id not in known:
                known.append(sync.sync_id)

    async def pause(self, seconds: float) -> None:
        """Sleep, at most until no further syncs are started."""
        try:
            async with asyncio.timeout(seconds):
                await self.is_over.wait()
        except TimeoutError:
            pass


class Refused(Exception):
    """A server has answered with an error."""


def code_of(error: Mapping[str, Any]) -> str:
    """The code of an error of GraphQL; REST's code if the database is away, for which GraphQL has only a message."""
    if error["message"] == AWAY:
        return "DATABASE_AWAY"
    if error["message"].startswith("The operation took longer than"):
        return "TOO_SLOW"
    return f"{error.get('extensions', {}).get('code', '')} {error['message']}"


class Client:
    """A session at one of the servers."""

    def __init__(self, name: str, organization: str, scene: Scene, seed: object) -> None:
        self.name = name
        self.organization = organization
        self.scene = scene
        self.random = Random(f"{seed} {name}")
        self.server = self.random.choice(scene.servers)

    def move(self) -> None:
        """Continue at another server."""
        self.server = self.random.choice([one for one in self.scene.servers if one is not self.server] or [self.server])

    def note(self, what: What, invoked_at: float, answer: Answer | None, **more: Any) -> Operation:
        operation = self.scene.history.note(
            self.name, self.server.name, what, self.organization, invoked_at, answer, **more
        )
        self.scene.note_syncs(operation)
        return operation

    async def ask(
        self, what: What, document: str, read: Callable[[Any], Answer], *, sync_id: str = "", **variables: Json
    ) -> Answer | None:
        """Send a GraphQL operation and record its answer; ``None`` after a failure."""
        content = {"query": document, "variables": {"id": sync_id or self.organization, **variables}}

        async def send() -> Answer:
            response = await self.scene.http.post(f"{self.server.url}/graphql", json=content)
            shown = response.json()
            if shown.get("errors"):
                raise Refused(code_of(shown["errors"][0]))
            (field_shown,) = shown["data"].values()
            return read(field_shown)

        return await self._recorded(what, send, sync_id)

    async def ask_rest(
        self, what: What, method: str, path: str, read: Callable[[Any], Answer], *, sync_id: str = ""
    ) -> Answer | None:
        """Send a REST request and record its answer; ``None`` after a failure."""

        async def send() -> Answer:
            response = await self.scene.http.request(method, f"{self.server.url}/api/v1/sync{path}")
            if response.status_code != 200:
                raise Refused(response.json().get("code") or f"status {response.status_code}")
            return read(response.json())

        return await self._recorded(what, send, sync_id)

    async def _recorded(self, what: What, send: Callable[[], Awaitable[Answer]], sync_id: str) -> Answer | None:
        invoked_at = self.scene.history.now()
        try:
            answer = await send()
        except (httpx.HTTPError, Refused) as error:
            described = str(error) if isinstance(error, Refused) else type(error).__name__
            self.note(what, invoked_at, None, sync_id=sync_id, error=described)
            self.move()
            await asyncio.sleep(self.random.uniform(0.1, 0.5))
            return None
        self.note(what, invoked_at, answer, sync_id=sync_id)
        return answer


class Operator(Client):
    """Starts syncs over GraphQL or REST, and cancels some, but never its last."""

    async def run(self) -> None:
        while not self.scene.is_over.is_set():
            if self.random.random() < 0.5:
                self.move()
            started = await self.start()
            if started is None:
                continue
            await self.scene.pause(self.random.uniform(0.1, 4))
            if self.random.random() < 0.15:
                await self.cancel(started.sync.sync_id)
        while await self.start() is None:
            pass

    async def start(self) -> Started | None:
        if self.random.random() < 0.3:
            path = f"/start/{self.organization}?mode={self.random.choice(('full', 'auto'))}"
            answer = await self.ask_rest(What.START, "POST", path, answers.rest_started_of)
        else:
            mode = self.random.choice(("FULL", "AUTO", "INCREMENTAL"))
            answer = await self.ask(What.START, answers.START, answers.started_of, mode=mode)
        return answer if isinstance(answer, Started) else None

    async def cancel(self, sync_id: str) -> Cancelled | None:
        if self.random.random() < 0.3:
            read = partial(answers.rest_cancelled_of, organization=self.organization)
            answer = await self.ask_rest(What.CANCEL, "DELETE", f"/cancel/{sync_id}", read, sync_id=sync_id)
        else:
            answer = await self.ask(What.CANCEL, answers.CANCEL, answers.cancelled_of, sync_id=sync_id)
        return answer if isinstance(answer, Cancelled) else None


class Reader(Client):
    """Reads states, logs, dashboards and lists over GraphQL and REST, in any order."""

    async def run(self) -> None:
        while not self.scene.is_over.is_set():
            if self.random.random() < 0.4:
                self.move()
            await self.read()
            await self.scene.pause(self.random.uniform(0.02, 0.25))

    async def read(self) -> None:
        known = self.scene.syncs.get(self.organization, [])
        kind = self.random.random()
        if known and kind < 0.45:
            # Mostly the newest sync, which changes.
            await self.read_sync(known[-1] if self.random.random() < 0.8 else self.random.choice(known))
        elif kind < 0.75:
            await self.read_dashboard()
        else:
            await self.read_list()

    async def read_sync(self, sync_id: str) -> None:
        if self.random.random() < 0.7:
            await self.read_state(sync_id)
        else:
            await self.read_log(sync_id, self.random.choice((0, 0, 3, 10)))

    async def read_state(self, sync_id: str) -> Answer | None:
        if self.random.random() < 0.6:
            return await self.ask(What.STATUS, answers.STATUS, answers.sync_of, sync_id=sync_id)
        read = partial(answers.rest_sync_of, organization=self.organization)
        return await self.ask_rest(What.STATUS, "GET", f"/status/{sync_id}", read, sync_id=sync_id)

    async def read_log(self, sync_id: str, after: int = 0) -> Answer | None:
        read = partial(answers.lines_of, after=after)
        return await self.ask(What.LOG, answers.LOG, read, sync_id=sync_id, after=after)

    async def read_dashboard(self) -> Answer | None:
        return await self.ask(What.DASHBOARD, answers.DASHBOARD, answers.dashboard_of)

    async def read_list(self) -> Answer | None:
        if self.random.random() < 0.4:
            path = f"/history/{self.organization}?limit={MOST_ROWS}"
            return await self.ask_rest(What.HISTORY, "GET", path, answers.rest_list_of)
        return await self.ask(What.HISTORY, answers.HISTORY, answers.list_of)
