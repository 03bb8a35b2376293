"""Spans without a collector: a stored span is the span, and only faults of the server are errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from routiq_gql.tracing import names
from routiq_gql.tracing.carriers import origin_of, parent_in, parent_in_headers, parent_of
from routiq_gql.tracing.origin import TraceOrigin
from routiq_gql.tracing.spans import Tracing

ORIGINS = st.builds(
    lambda trace_id, span_id, flags, state: TraceOrigin(f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}", state),
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.sampled_from([0, 1]),
    st.sampled_from(["", "vendor=1", "a=1,b=2"]),
)


@given(origin=ORIGINS)
def test_a_span_is_stored_as_the_caller_has_named_it(origin: TraceOrigin):
    """A trace that the caller does not record is not recorded in its syncs, whichever way it has come."""
    carrier = {"traceparent": origin.parent, "tracestate": origin.state}
    headers = [(name.encode(), value.encode()) for name, value in carrier.items() if value]
    for context in (parent_of(origin), parent_in(carrier), parent_in_headers(headers)):
        assert context is not None
        assert origin_of(trace.get_current_span(context).get_span_context()) == origin


@pytest.mark.parametrize("status", [101, 200, 204, 302, 400, 401, 403, 404, 413, 422, 429, 499, 500, 503, 599])
@pytest.mark.parametrize("is_stream", [True, False])
def test_only_faults_of_the_server_are_errors_of_its_spans(status: int, is_stream: bool):
    """A client's wrong request is no fault. Source: OpenTelemetry, semantic conventions for HTTP spans, "Status"."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    span = Tracing(provider).http_request("GET", "https", [])
    with span.current():
        span.answered(status, "/graphql", is_stream=is_stream)
    (found,) = exporter.get_finished_spans()
    assert found.attributes is not None
    assert found.attributes[names.STATUS_CODE] == status
    assert found.status.is_ok is (status < 500)
    assert found.attributes.get(names.ERROR_TYPE) == (str(status) if status >= 500 else None)
    provider.shutdown()
