"""Makes the spans: of HTTP requests, GraphQL operations, syncs, and requests to Cliniko.

No span has an address, a document, a variable, or a text of an error, since each may hold personal data. Errors are
codes. No span lasts as long as a subscription.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from routiq_gql.tracing import names
from routiq_gql.tracing.carriers import origin_of, parent_in, parent_in_headers, parent_of, span_at
from routiq_gql.tracing.origin import TraceOrigin
from routiq_gql.tracing.requests import RequestSpans
from routiq_gql.tracing.syncs import SyncSpan

SCOPE = "routiq_gql"
MAX_NAME_LENGTH = 100
"""Characters of an operation's name, which comes from the client."""
METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
"""Other methods are recorded as ``_OTHER``. Source: semantic conventions for HTTP, "http.request.method"."""


class Tracing(RequestSpans):
    """The spans of a process. Its own requests to Cliniko belong to the current span; those of a sync to the sync."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        super().__init__(provider.get_tracer(SCOPE))

    def origin(self) -> TraceOrigin | None:
        """The current span, to be stored with a sync that it starts."""
        return origin_of(trace.get_current_span().get_span_context())

    @contextmanager
    def called_from(self, *carriers: Mapping[str, object] | None) -> Iterator[None]:
        """Let spans in the block continue the trace of the first carrier that names one."""
        parent = next((found for one in carriers if (found := parent_in(one)) is not None), None)
        if parent is None:
            yield
            return
        token = attach(parent)
        try:
            yield
        finally:
            detach(token)

    def http_request(self, method: str, scheme: str, headers: Iterable[tuple[bytes, bytes]]) -> "HttpSpan":
        """The span of an HTTP request."""
        known = method if method in METHODS else "_OTHER"
        span = self.tracer.start_span(
            "HTTP" if known == "_OTHER" else known,
            context=parent_in_headers(headers),
            kind=SpanKind.SERVER,
            attributes={names.METHOD: known, names.SCHEME: scheme},
        )
        return HttpSpan(span, known)

    def operation(self, extensions: Mapping[str, object] | None) -> "OperationSpan":
        """The span of a GraphQL operation. The trace in its ``extensions`` comes before that of the connection."""
        parent = parent_in(extensions)
        around = trace.get_current_span().get_span_context()
        links = [Link(around)] if parent is not None and around.is_valid else []
        span = self.tracer.start_span("GraphQL Operation", context=parent, kind=SpanKind.SERVER, links=links)
        return OperationSpan(span)

    def sync(self, origin: TraceOrigin | None, earlier: str | None, step: str, described: names.Attributes) -> SyncSpan:
        """The span of a run of a sync, from its claim to its end.

        Args:
            origin: The span that started it.
            earlier: The span of its run before, if it is resumed.
        """
        before = span_at(earlier) if earlier is not None else None
        parent = parent_of(origin)
        if parent is None and before is not None:  # a schedule has started it, so its first run began the trace
            parent = trace.set_span_in_context(trace.NonRecordingSpan(before), Context())
        span = self.tracer.start_span(
            "sync",
            context=parent or Context(),
            kind=SpanKind.CONSUMER,
            attributes=dict(described),
            links=[Link(before)] if before is not None else [],
        )
        return SyncSpan(self.tracer, span, step)


class HttpSpan:
    """The span of an HTTP request, which is the current span in its block. Ended at the first event of a stream."""

    def __init__(self, span: Span, method: str) -> None:
        self._span = span
        self._method = method

    @contextmanager
    def current(self) -> Iterator[None]:
        token = attach(trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            detach(token)
            if self._span.is_recording():  # not a stream's, which has ended
                self._span.end()

    def answered(self, status: int, route: str | None, *, is_stream: bool) -> None:
        """Note the status, and the path with the names of its parameters."""
        if not self._span.is_recording():
            return
        if route is not None:
            self._span.set_attribute(names.ROUTE, route)
            self._span.update_name(f"{self._method} {route}")
        self._span.set_attribute(names.STATUS_CODE, status)
        if status >= 500:
            _fail(self._span, str(status))
        if is_stream:
            self._span.end()


class OperationSpan:
    """The span of a GraphQL operation, or of the start of a subscription."""

    def __init__(self, span: Span) -> None:
        self._span = span

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make it the current span in the block."""
        token = attach(trace.set_span_in_context(self._span))
        try:
            yield
        finally:
            detach(token)

    def end(self, kind: str | None, name: str | None, error: str | None, sync: str | None = None) -> None:
        """End it. Repeated calls do nothing.

        Args:
            kind: ``query``, ``mutation`` or ``subscription``; ``None`` if the document has no such operation.
            error: The code of its first error.
            sync: The span of the sync that a subscription follows.
        """
        if not self._span.is_recording():
            return
        if kind is not None:
            self._span.update_name(kind)
            self._span.set_attribute(names.OPERATION_TYPE, kind)
        if name:
            self._span.set_attribute(names.OPERATION_NAME, name[:MAX_NAME_LENGTH])
        if error is not None:
            _fail(self._span, error)
        if sync is not None and (followed := span_at(sync)) is not None:
            self._span.add_link(followed)
        self._span.end()


def _fail(span: Span, code: str) -> None:
    span.set_attribute(names.ERROR_TYPE, code)
    span.set_status(Status(StatusCode.ERROR))
