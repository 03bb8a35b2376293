"""The history of a cluster: requests, answers and events of all clients, with times by the clock of the test's machine.

Clients append an `Operation` for each response, each event of a stream, and each failure. `checker` judges a history
afterwards. A history is written to a file of JSON lines, so that a failed run can be read and judged again.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, get_args

from pydantic import TypeAdapter

Json = str | int | float | bool | None
ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED"})
MOST_ROWS = 100
"""The length of a page of the history."""


class What(StrEnum):
    """The kinds of requests."""

    START = "start"
    CANCEL = "cancel"
    STATUS = "status"
    LOG = "log"
    DASHBOARD = "dashboard"
    HISTORY = "history"
    FOLLOW = "follow a sync"
    FOLLOW_LOG = "follow a log"
    FOLLOW_DASHBOARD = "follow a dashboard"


@dataclass(frozen=True, slots=True)
class Sync:
    """A state of a sync in an answer.

    Attributes:
        status: GraphQL's name, such as CANCELLED.
        version: ``None`` in answers that do not show it.
        percentage: The same.
        figures: Further values by GraphQL's names. An answer may show a part of them.
    """

    sync_id: str
    organization: str
    status: str
    version: int | None = None
    percentage: int | None = None
    figures: Mapping[str, Json] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED


@dataclass(frozen=True, slots=True)
class Started:
    """The answer to a start. ``created`` is false if the sync was running already."""

    sync: Sync
    created: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The answer to a cancel. ``accepted`` is false if the sync had ended before."""

    sync: Sync
    accepted: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log. ``text`` has everything that the line shows."""

    sync_id: str
    seq: int
    text: str


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines after ``after``, at most ``MOST_ROWS``."""

    after: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard. ``counts`` are those of patients."""

    organization: str
    status: str
    current: Sync | None
    last: Sync | None
    last_successful: Sync | None
    counts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class SyncList:
    """The first page of the history of an organization, newest sync first, and totals over all its syncs."""

    organization: str
    total: int
    completed: int
    failed: int
    cancelled: int
    syncs: tuple[Sync, ...]

    def positions(self) -> dict[str, int]:
        """The number of each listed sync among all syncs of the organization, from 1 for the first."""
        return {sync.sync_id: self.total - place for place, sync in enumerate(self.syncs)}


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream is asked for. The client has seen ``after_version`` and the line ``after_seq`` before."""

    after_version: int = 0
    after_seq: int = 0
    shows_lines: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The server has ended a stream on purpose: the sync has ended, and the client has seen everything."""


Answer = Sync | Started | Cancelled | Line | Lines | Dashboard | SyncList | Opened | Ended
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in get_args(Answer)}


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A request with its response, or an event of a stream.

    Attributes:
        client: The session: all that a page or a program sees, also over several connections.
        stream: The number of the stream, 0 for a request.
        sync_id: The sync that was asked about; empty for operations on an organization.
        invoked_at: Seconds on the monotonic clock, before the request was sent. For an event: when the stream was
            asked for, or the event before was received.
        returned_at: When the answer was received.
        is_fresh: Whether the answer was read from the database after ``invoked_at``. Responses are, and so is the
            first state of a stream. A later event may be older than the request of another client.
        answer: ``None`` after an error, whose effect is unknown.
    """

    number: int
    client: str
    server: str
    what: What
    organization: str
    sync_id: str
    stream: int
    invoked_at: float
    returned_at: float
    is_fresh: bool
    answer: Answer | None
    error: str = ""

    def __str__(self) -> str:
        shown = self.error or f"{self.answer}"
        stream = f", stream {self.stream}" if self.stream else ""
        return (
            f"#{self.number} {self.invoked_at:.3f}–{self.returned_at:.3f} s, {self.client} at {self.server}{stream}: "
            f"{self.what} {self.sync_id or self.organization} → {shown}"
        )

    def syncs(self) -> Iterator[Sync]:
        """All states of syncs in the answer."""
        match self.answer:
            case Sync() as sync:
                yield sync
            case Started(sync) | Cancelled(sync):
                yield sync
            case Dashboard() as seen:
                yield from (one for one in (seen.current, seen.last, seen.last_successful) if one is not None)
            case SyncList() as seen:
                yield from seen.syncs

    def lines(self) -> tuple[Line, ...]:
        """All lines of logs in the answer."""
        match self.answer:
            case Line() as line:
                return (line,)
            case Lines(lines=lines):
                return lines
        return ()


class History:
    """Operations in the order of their answers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.operations: list[Operation] = []
        self._clock = clock
        self._began = clock()
        self._streams = 0

    def now(self) -> float:
        """Seconds since the history began."""
        return self._clock() - self._began

    def new_stream(self) -> int:
        self._streams += 1
        return self._streams

    def note(
        self,
        client: str,
        server: str,
        what: What,
        organization: str,
        invoked_at: float,
        answer: Answer | None,
        *,
        sync_id: str = "",
        stream: int = 0,
        is_fresh: bool = True,
        error: str = "",
    ) -> Operation:
        """Append an operation whose answer has just been received."""
        number, returned_at = len(self.operations) + 1, self.now()
        made = Operation(
            *(number, client, server, what, organization, sync_id, stream, invoked_at, returned_at, is_fresh),
            answer,
            error,
        )
        self.operations.append(made)
        return made

    def write(self, path: Path) -> Path:
        """Write all operations to a file, one a line."""
        with path.open("w") as file:
            for one in self.operations:
                kind = type(one.answer).__name__ if one.answer is not None else ""
                file.write(json.dumps({"kind": kind, **asdict(one)}, ensure_ascii=False) + "\n")
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """A history from such a file."""
        history = cls()
        with path.open() as file:
            for line in file:
                values = json.loads(line)
                if kind := values.pop("kind"):
                    values["answer"] = TypeAdapter(_KINDS[kind]).validate_python(values["answer"])
                history.operations.append(Operation(**{**values, "what": What(values["what"])}))
        return history
