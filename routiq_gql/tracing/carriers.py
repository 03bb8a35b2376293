"""Reads and writes W3C Trace Context: which span of a caller is the parent of ours.

Callers send what they like. A value of a wrong form or size is ignored, as the standard says. Baggage is not read.
Source: W3C, "Trace Context", 3.2 and 4.3.
"""

import logging
from collections.abc import Iterable, Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from routiq_gql.tracing.origin import TraceOrigin

MAX_PARENT_LENGTH = 128
"""Characters of a ``traceparent``; version 00 has 55, and later versions may add some."""
MAX_STATE_LENGTH = 512
"""Characters of a ``tracestate``, the most that a participant has to pass on."""

_PARENT, _STATE = "traceparent", "tracestate"
_RAW_PARENT, _RAW_STATE = _PARENT.encode(), _STATE.encode()
_PROPAGATOR = TraceContextTextMapPropagator()

# It would log the callers' malformed values, one line for each request.
logging.getLogger("opentelemetry.trace.span").setLevel(logging.ERROR)


def parent_in(carrier: Mapping[str, object] | None) -> Context | None:
    """The caller's span in a JSON object, such as an operation's ``extensions``; ``None`` without a valid one."""
    if not carrier:
        return None
    return _read(carrier.get(_PARENT), carrier.get(_STATE))


def parent_in_headers(headers: Iterable[tuple[bytes, bytes]]) -> Context | None:
    """The caller's span in the headers of a request, whose names are in lower case. ``None`` if it names several."""
    parents, states = [], []
    for name, value in headers:
        if name == _RAW_PARENT:
            parents.append(value)
        elif name == _RAW_STATE:
            states.append(value)
    if len(parents) != 1:
        return None
    return _read(parents[0].decode("latin-1"), b",".join(states).decode("latin-1"))


def parent_of(origin: TraceOrigin | None) -> Context | None:
    """The span that started a sync; ``None`` without one."""
    return _read(origin.parent, origin.state) if origin is not None else None


def span_at(traceparent: str) -> trace.SpanContext | None:
    """The span that a stored ``traceparent`` names."""
    context = _read(traceparent, "")
    return trace.get_current_span(context).get_span_context() if context is not None else None


def origin_of(context: trace.SpanContext) -> TraceOrigin | None:
    """How a span is stored; ``None`` outside of any trace."""
    if not context.is_valid:
        return None
    trace_id, span_id = trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
    return TraceOrigin(f"00-{trace_id}-{span_id}-{context.trace_flags:02x}", context.trace_state.to_header())


def _read(parent: object, state: object) -> Context | None:
    if not isinstance(parent, str) or len(parent) > MAX_PARENT_LENGTH:
        return None
    carrier = {_PARENT: parent}
    if isinstance(state, str) and state and len(state) <= MAX_STATE_LENGTH:
        carrier[_STATE] = state
    context = _PROPAGATOR.extract(carrier, Context())
    return context if trace.get_current_span(context).get_span_context().is_valid else None
