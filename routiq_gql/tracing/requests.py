"""The spans of requests to Cliniko. Satisfies the protocols of ``cliniko/observing.py``, which knows no traces."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from routiq_gql.tracing import names

T = TypeVar("T")

_RESENDS: ContextVar[int] = ContextVar("resends", default=0)
"""How often the request that is being sent was sent before."""


class RequestSpans:
    """Makes the spans of requests to Cliniko. Each is a child of ``parent``, or of the current span."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer

    @property
    def parent(self) -> Context | None:
        """The parent of the next request; ``None`` for the current span."""
        return None

    def counting(self, attempt: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
        """``attempt``, which is called until it succeeds; the spans of its requests have the number of the call."""
        calls = 0

        async def counted() -> T:
            nonlocal calls
            token = _RESENDS.set(calls)
            calls += 1
            try:
                return await attempt()
            finally:
                _RESENDS.reset(token)

        return counted

    @contextmanager
    def request(self, base_url: str, path: str, waited_seconds: float) -> Iterator["RequestSpan"]:
        """The span of a request, from the moment that it is sent to the end of the response."""
        address = urlsplit(base_url)
        template = f"{address.path}/{path}"
        attributes: dict[str, str | int | float] = {
            names.METHOD: "GET",
            names.URL_TEMPLATE: template,
            names.SERVER_ADDRESS: address.hostname or "",
            names.SERVER_PORT: address.port or (443 if address.scheme == "https" else 80),
            names.WAITED_SECONDS: round(waited_seconds, 3),
        }
        if resends := _RESENDS.get():
            attributes[names.RESENDS] = resends
        span = self.tracer.start_span(
            f"GET {template}", context=self.parent, kind=SpanKind.CLIENT, attributes=attributes
        )
        try:
            yield RequestSpan(span)
        finally:
            span.end()


class RequestSpan:
    """The span of a request to Cliniko."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def answered(self, status: int | None, outcome: str) -> None:
        """Note the status, if there was a response, and what came of the request."""
        if status is not None:
            self._span.set_attribute(names.STATUS_CODE, status)
        if outcome != "ok":
            self._span.set_attribute(names.ERROR_TYPE, outcome)
            self._span.set_status(Status(StatusCode.ERROR))
