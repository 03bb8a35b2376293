"""``GET /log/{sync_id}``: the whole log of a sync, as JSON or as text, for views that search it and for downloads.

The lines are read and sent in parts. The request counts among the organization's operations until its last byte, and
has no time limit: a client that reads nothing is disconnected, and a slow one holds neither a transaction nor many
lines. A response that can't be completed is cut off, and never ends as if it were whole.
"""

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from json.encoder import encode_basestring

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from routiq_gql.api.admission import bucket_of, while_connected
from routiq_gql.api.dependencies import grant_of, session_of
from routiq_gql.api.downloads import Download, attachment
from routiq_gql.api.raw_headers import RawHeader
from routiq_gql.api.services import services_of
from routiq_gql.clock import format_distinct_time
from routiq_gql.errors import BadInput
from routiq_gql.sync.model import LogLevel, LogLine, SyncStep
from routiq_gql.sync.whole_log import WholeLog

MEDIA_TYPES = {"json": "application/json", "text": "text/plain; charset=utf-8"}
EXTENSIONS = {"json": "json", "text": "txt"}

_LEVELS = {level: level.value for level in LogLevel}  # an attribute of an enum member takes several times as long
_STEPS = {step: step.name.lower() for step in SyncStep}
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The parameters of a request.

    Attributes:
        format: A key of ``MEDIA_TYPES``.
        after: Only lines after this number.
        is_download: Whether a browser should save the log as a file.
    """

    format: str
    after: int
    is_download: bool


class LogDownload:
    """The endpoint. An ASGI application, since the organization's turn lasts as long as the response.

    Raises:
        BadInput: A parameter has another form than the documented one.
        SyncNotFound: Unknown, or another organization's.
        RateLimited: Too many operations of the organization are being executed.
        ClientDisconnect: The client has left, or reads nothing.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        services, sync_id = services_of(request), request.path_params["sync_id"]
        token = request.query_params.get("token")
        grant, session = (None, await session_of(request)) if token is None else grant_of(request, token)
        viewer, wanted = session.viewer, _wanted(request)
        admission = services.admission
        async with admission.turn(bucket_of(viewer, sync_id)):
            async with admission.time_limit():
                log = await services.runtime.syncs.whole_log(viewer, sync_id, wanted.after)
            if grant is not None:
                grant.require_valid_for(log.sync)
            download = Download(scope, send, services.settings.send_timeout)
            await while_connected(receive, download.send(_headers(log, wanted), _pieces(log, wanted)))


def _headers(log: WholeLog, wanted: Wanted) -> list[RawHeader]:
    headers = [(b"content-type", MEDIA_TYPES[wanted.format].encode()), (b"cache-control", b"no-store")]
    if wanted.is_download:
        headers.append(attachment(f"{log.sync.sync_id}.log.{EXTENSIONS[wanted.format]}"))
    return headers


async def _pieces(log: WholeLog, wanted: Wanted) -> AsyncGenerator[bytes, None]:
    is_json = wanted.format == "json"
    if is_json:
        yield b'{"sync_id":"%b","last_seq":%d,"lines":[' % (log.sync.sync_id.encode(), log.sync.last_log_seq)
    separator = b""
    async with aclosing(log.parts) as parts:
        async for lines in parts:
            yield separator + json_lines(lines) if is_json else text_lines(lines)
            separator = b","
    if is_json:
        yield b"]}"


def json_lines(lines: Iterable[LogLine]) -> bytes:
    """The lines as ``LogEntry`` objects, separated by commas. Made by hand in a fifth of the time of the models."""
    return ",".join(
        [
            f'{{"seq":{line.seq},"time":"{format_distinct_time(line.time)}","level":"{_LEVELS[line.level]}",'
            f'"step":"{_STEPS[line.step]}","message":{encode_basestring(line.message)}}}'
            for line in lines
        ]
    ).encode("utf-8", "replace")


def text_lines(lines: Iterable[LogLine]) -> bytes:
    """``time  LEVEL  STEP  message`` and a line feed for each line; a line break within a message becomes a space."""
    return "".join(
        [
            f"{format_distinct_time(line.time)}  {line.level.name}  {line.step.name}  "
            f"{' '.join(line.message.splitlines())}\n"
            for line in lines
        ]
    ).encode("utf-8", "replace")


def _wanted(request: Request) -> Wanted:
    given = request.query_params
    format_, after, download = given.get("format") or "json", given.get("after") or "0", given.get("download") or "0"
    if format_ not in MEDIA_TYPES:
        raise BadInput("“format” must be json or text.")
    if not _NUMBER.fullmatch(after):
        raise BadInput("“after” is the number of a log line, 0 or more.")
    if download not in {"0", "1"}:
        raise BadInput("“download” must be 0 or 1.")
    return Wanted(format_, int(after), download == "1")
