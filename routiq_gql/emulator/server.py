"""The emulated Cliniko over HTTP: routes, access, the record of requests, and the sending of responses.

``Emulator`` is an ASGI application and its state; ``running`` serves it. Every response is computed without a pause on
the event loop, after ``before_request`` and before ``after_request``, which is called before the first byte is sent. So
a change made in either happens between two requests. API keys are never recorded.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from routiq_gql.emulator.access import (
    EMULATED_API_KEY,
    Access,
    ApiKeys,
    KeyRing,
    RequestLimit,
    is_acceptable_user_agent,
)
from routiq_gql.emulator.answers import Answer, answer_list, answer_settings, answer_user, refusal
from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.control import control_routes
from routiq_gql.emulator.faults import Fault, FaultKind, Faults, FaultTarget
from routiq_gql.emulator.misbehaviour import Ending, ending_of, rate_limited, replaced_by, spoiled
from routiq_gql.emulator.recording import RecordedRequest
from routiq_gql.emulator.resources import PATHS
from routiq_gql.emulator.script import Script

_MOST_RECORDED = 200_000  # requests; the oldest half is forgotten beyond it
Parameters = Sequence[tuple[str, str]]


class Emulator:
    """An emulated account behind HTTP.

    Args:
        clinic: The account; may be exchanged or changed between two requests.
        api_keys: The only key, or the rights of several keys.
        latency_seconds: The delay of every response.
        requests_per_minute: The limit per user, past which it answers 429; ``None`` for none.
        limit_period_seconds: The length of that "minute".

    Attributes:
        requests: The requests since the start, oldest first.
        faults: The faults in force.
        before_request: Called with each request right before its response is computed, which shows what it changes.
        after_request: Called with each request once its response is computed.
        script: Changes that happen once, right before or after a certain request.
        date_skew_seconds: How far the ``Date`` of every response is off the account's clock.
        app: The ASGI application.
    """

    def __init__(
        self,
        clinic: Clinic,
        *,
        api_keys: ApiKeys = EMULATED_API_KEY,
        latency_seconds: float = 0,
        requests_per_minute: int | None = None,
        limit_period_seconds: float = 60,
    ) -> None:
        self.clinic = clinic
        self.latency_seconds = latency_seconds
        self.limit = RequestLimit(requests_per_minute, limit_period_seconds)
        self.requests: list[RecordedRequest] = []
        self.faults = Faults()
        self.before_request: Callable[[RecordedRequest], None] | None = None
        self.after_request: Callable[[RecordedRequest], None] | None = None
        self.script = Script()
        self.date_skew_seconds: float = 0
        self.transports: dict[tuple[str, int], asyncio.Transport] = {}
        self.closing = asyncio.Event()
        self._keys = KeyRing(api_keys)
        self.app = Starlette(
            routes=[
                *control_routes(self),
                Route("/v1/settings/public", self._settings),
                Route("/v1/user", self._user),
                Route("/v1/{resource:path}", self._list),
            ]
        )

    async def _settings(self, request: Request) -> Response:
        return await self._respond(
            request, "settings", lambda _a, _p, _s: answer_settings(self.clinic, _base_url(request))
        )

    async def _user(self, request: Request) -> Response:
        return await self._respond(
            request, "user", lambda access, _p, _s: answer_user(self.clinic, access, _base_url(request))
        )

    async def _list(self, request: Request) -> Response:
        resource: str = request.path_params["resource"]

        def answer(access: Access, parameters: Parameters, skip: int) -> Answer:
            if resource not in PATHS:
                return refusal(404, "Not found")
            if not access.forbidden.isdisjoint({resource, PATHS[resource].resource.name}):
                return refusal(403, "You do not have permission to view this.")
            return answer_list(self.clinic, resource, parameters, _base_url(request), skip=skip)

        return await self._respond(request, resource, answer)

    async def _respond(
        self, request: Request, resource: str, right: Callable[[Access, Parameters, int], Answer]
    ) -> Response:
        record = self._record(request, resource)
        fault = self.faults.strike(FaultTarget(resource, record.parameters))
        delay = self.latency_seconds
        if fault is not None and fault.kind is FaultKind.SLOW:
            delay += fault.seconds
        if delay and not await self._pause(request, delay):
            return _Broken(self, Ending.DROPPED_BEFORE)
        if self.before_request is not None:
            self.before_request(record)
        self.script.run_before(record)
        ending = ending_of(fault)
        date = self._date(fault)
        answer = self._decide(request, record, fault, right, date)
        if ending in {Ending.PROPER, Ending.DROPPED_INSIDE}:
            record.status = answer.status
        response = _rendered(answer, None if fault and fault.kind is FaultKind.NO_DATE else date)
        if self.after_request is not None:
            self.after_request(record)
        self.script.run_after(record)
        return response if ending is Ending.PROPER else _Broken(self, ending, response)

    def _date(self, fault: Fault | None) -> float:
        """The UNIX time in the response's ``Date``."""
        skewing = {FaultKind.RATE_LIMIT, FaultKind.WRONG_DATE}
        skew = fault.clock_skew_seconds if fault is not None and fault.kind in skewing else 0
        return self.clinic.clock.now().timestamp() + self.date_skew_seconds + skew

    def _decide(
        self,
        request: Request,
        record: RecordedRequest,
        fault: Fault | None,
        right: Callable[[Access, Parameters, int], Answer],
        now: float,
    ) -> Answer:
        access = self._keys.open(request.headers.get("authorization"))
        if access is None:
            return refusal(401, "Unauthorized")
        if not is_acceptable_user_agent(request.headers.get("user-agent")):
            return refusal(400, "The User-Agent must be of the form APP_VENDOR_NAME (APP_VENDOR_EMAIL).")
        wait_seconds = self.limit.refuse_for(access.user_id)
        if wait_seconds is not None:
            return rate_limited(now + wait_seconds)
        if fault is None:
            return right(access, record.parameters, 0)
        instead = replaced_by(fault, now)
        if instead is not None:
            return instead
        answer = right(access, record.parameters, 0)
        resource = PATHS[record.resource].resource.name if record.resource in PATHS else record.resource
        return spoiled(fault, answer, resource, record.parameters, lambda p, s: right(access, p, s))

    def _record(self, request: Request, resource: str) -> RecordedRequest:
        if len(self.requests) >= _MOST_RECORDED:
            del self.requests[: _MOST_RECORDED // 2]
        parameters = tuple(request.query_params.multi_items())
        record = RecordedRequest(request.method, request.url.path, resource, parameters, self.clinic.clock.now())
        self.requests.append(record)
        return record

    async def _pause(self, request: Request, seconds: float) -> bool:
        """Wait; false if the client left or the server is stopping before the time was over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._until_left(request.receive)
            return False
        return True

    async def _until_left(self, receive: Receive) -> None:
        """Return once the client has left or the server is stopping."""
        leaving = asyncio.ensure_future(_disconnected(receive))
        closing = asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait((leaving, closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            closing.cancel()
            await asyncio.gather(leaving, closing, return_exceptions=True)


class _Broken(Response):
    """A response without a proper end."""

    def __init__(self, emulator: Emulator, ending: Ending, response: Response | None = None) -> None:
        super().__init__()
        self._emulator = emulator
        self._ending = ending
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._ending is Ending.NEVER:
            await self._emulator._until_left(receive)
        elif self._ending is Ending.DROPPED_INSIDE and self._response is not None:
            response = self._response
            await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
            half = bytes(response.body[: len(response.body) // 2])
            await send({"type": "http.response.body", "body": half, "more_body": True})
        transport = self._emulator.transports.get(scope["client"])
        if transport is not None:
            transport.close()
            await _disconnected(receive)


def _rendered(answer: Answer, date: float | None) -> Response:
    headers = {} if date is None else {"Date": formatdate(date, usegmt=True)}
    return Response(answer.content(), answer.status, {**headers, **answer.headers}, answer.media_type)


def _base_url(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}/v1"


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
