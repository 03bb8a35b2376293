"""A collector of traces on loopback, for the product's own exporter: it keeps every span that it receives."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.waiting import until

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CALLER_ID = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{CALLER_ID}-01"
"""The span of a browser, as in the standard's example."""


@dataclass(frozen=True)
class CollectedSpan:
    """A span with its attributes, those of its events and its links."""

    trace_id: str
    id: str
    parent_id: str
    name: str
    kind: int
    is_error: bool
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    links: list[tuple[str, str]]
    service: dict[str, Any]
    trace_state: str
    text: str = field(repr=False)


@dataclass
class Collector:
    """The spans that have arrived."""

    url: str
    spans: list[CollectedSpan] = field(default_factory=list)
    requests: int = 0

    def named(self, name: str) -> list[CollectedSpan]:
        return [span for span in self.spans if span.name == name]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once the spans meet the condition."""
        await until(condition)

    async def first(self, name: str) -> CollectedSpan:
        """The first span of this name, once it has arrived."""
        await until(lambda: bool(self.named(name)))
        return self.named(name)[0]

    def parent(self, span: CollectedSpan) -> CollectedSpan | None:
        return next((one for one in self.spans if one.id == span.parent_id), None)

    def path_to(self, span: CollectedSpan) -> list[str]:
        """The names of its ancestors, from the root of what was collected, and its own."""
        parent = self.parent(span)
        return [*(self.path_to(parent) if parent is not None else []), span.name]

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the product sends its spans here, at once."""
        return {
            "ROUTIQ_TRACES": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_BSP_SCHEDULE_DELAY": "20",
        }


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.requests += 1
            collector.spans += read_spans(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def read_spans(body: bytes) -> list[CollectedSpan]:
    """The spans of a request to a collector."""
    request = ExportTraceServiceRequest.FromString(body)
    return [
        CollectedSpan(
            trace_id=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            name=span.name,
            kind=span.kind,
            is_error=span.status.code == 2,
            attributes=_values(span.attributes),
            events=[(event.name, _values(event.attributes)) for event in span.events],
            links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
            service=_values(resource.resource.attributes),
            trace_state=span.trace_state,
            text=str(span),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


def set_environment(monkeypatch: pytest.MonkeyPatch, collector: Collector) -> None:
    """Let this process send its spans to the collector."""
    for name, value in collector.environment.items():
        if name.startswith("OTEL_"):
            monkeypatch.setenv(name, value)


def as_json(spans: list[CollectedSpan]) -> str:
    """Everything that was sent, for a search."""
    return json.dumps([[span.text, span.attributes, span.events, span.service] for span in spans], ensure_ascii=False)
