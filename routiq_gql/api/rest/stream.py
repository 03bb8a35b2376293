"""``GET /stream/{sync_id}``: one sync followed to its end as server-sent events.

Unnamed events carry the status, ``event: log`` the log lines. Each id ``<version>.<seq>`` names the newest status and
log line sent on this connection, so that a reconnect resumes there. The final status is the last event; a client that
reconnects after it gets 204, which stops ``EventSource``.
"""

import re
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from routiq_gql.api.admission import bucket_of
from routiq_gql.api.dependencies import grant_of, session_of
from routiq_gql.api.json_text import write_json
from routiq_gql.api.rest import log_objects, objects
from routiq_gql.api.services import services_of
from routiq_gql.api.streams import Heartbeat, StreamResponse, keep_connection
from routiq_gql.errors import BadInput, DatabaseAway, RateLimited, SyncNotFound
from routiq_gql.security.viewer import Viewer
from routiq_gql.sync.model import LogLine, SyncSnapshot
from routiq_gql.sync.service import SyncService

RETRY_MILLISECONDS = 3000
"""How long a client waits before it reconnects."""

HEARTBEAT = b"event: heartbeat\ndata: {}\n\n"
"""The event of a silent stream. It has data, without which ``EventSource`` drops an event, and no id, so that the last
event id stays that of the newest status or log line. Source: WHATWG HTML, "Interpreting an event stream"."""

KEPT_EVENTS = 500
"""Events kept for further streams, some 0.5 MB."""

LAST_EVENT_ID_PARAMETER = "lastEventId"
"""The parameter by which event-source-polyfill resumes, as it sends no custom header across origins."""

_EVENT_ID = re.compile(r"(\d{1,9})\.(\d{1,9})", re.ASCII)


class Position(NamedTuple):
    """The position of a client: the version of its newest status, and the number of its newest log line."""

    version: int
    seq: int


NOTHING_SEEN = Position(0, 0)


async def stream(request: Request) -> Response:
    """The open response, 204 for a client that has the final status, or an error before the first event."""
    services = services_of(request)
    service = services.runtime.syncs
    token = request.query_params.get("token")
    grant, session = (None, await session_of(request)) if token is None else grant_of(request, token)
    viewer = session.viewer
    seen = _seen(request)
    sync_id = request.path_params["sync_id"]
    async with services.admission.watching(bucket_of(viewer, sync_id)):
        sync = await service.status(viewer, sync_id)
    if grant is not None:
        grant.require_valid_for(sync)
    if seen.version > sync.version or seen.seq > sync.last_log_seq:
        seen = NOTHING_SEEN  # an id of another sync, or of a database that is gone
    if sync.is_terminal and seen == (sync.version, sync.last_log_seq):
        return Response(status_code=204)
    service.subscriptions.require_room(sync.organization_id)
    keep_connection(request.scope, viewer.organization_id)
    settings = services.settings
    return StreamResponse(
        _events(service, viewer, sync.sync_id, seen),
        heartbeat=Heartbeat(HEARTBEAT, settings.heartbeat_seconds),
        send_timeout_seconds=settings.send_timeout,
        session=session,
    )


def _seen(request: Request) -> Position:
    """The position that the client sends. A malformed header is ignored, since a page can't change it.

    Raises:
        BadInput: ``?after=`` is no event id.
    """
    # A reconnecting browser repeats the address with its old ``after``. The header, or the parameter of
    # event-source-polyfill, holds the newer position.
    resumed = request.headers.get("last-event-id") or request.query_params.get(LAST_EVENT_ID_PARAMETER, "")
    if position := _position(resumed):
        return position
    after = request.query_params.get("after", "")
    position = _position(after) if after else NOTHING_SEEN
    if position is None:
        raise BadInput("“after” must be the id of an event of this stream, such as 12.5.")
    return position


def _position(event_id: str) -> Position | None:
    match = _EVENT_ID.fullmatch(event_id)
    return Position(int(match[1]), int(match[2])) if match else None


async def _events(service: SyncService, viewer: Viewer, sync_id: str, seen: Position) -> AsyncGenerator[bytes, None]:
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    version, seq = seen
    try:
        async with aclosing(service.follow(viewer, sync_id, after_version=version, after_seq=seq)) as items:
            async for item in items:
                if isinstance(item, LogLine):
                    seq = item.seq
                else:
                    version = item.version
                yield b"id: %d.%d\n%b" % (version, seq, EVENTS.of(item))
    except (SyncNotFound, RateLimited, DatabaseAway):
        return  # the client reconnects, and gets the error as a response


class Events:
    """The rest of each event, without its id: made once for all streams that show the same item."""

    def __init__(self) -> None:
        self._made: OrderedDict[int, tuple[LogLine | SyncSnapshot, bytes]] = OrderedDict()

    def of(self, item: LogLine | SyncSnapshot) -> bytes:
        """``event:`` for a log line, and ``data:``, with the empty line at the end."""
        made = self._made.get(id(item))  # an item in here keeps its number
        if made is None or made[0] is not item:
            made = self._made[id(item)] = item, _rendered(item)
            if len(self._made) > KEPT_EVENTS:
                self._made.popitem(last=False)
        return made[1]


EVENTS = Events()
"""The events of this process."""


def _rendered(item: LogLine | SyncSnapshot) -> bytes:
    if isinstance(item, LogLine):
        return b"event: log\ndata: %b\n\n" % write_json(log_objects.LogLine.model_validate(item).model_dump())
    return b"data: %b\n\n" % write_json(objects.SyncStatus.model_validate(item).model_dump())
