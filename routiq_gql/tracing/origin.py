"""The place in a trace that is stored with a sync, so that any process continues the trace."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TraceOrigin:
    """The span that started a sync, as W3C Trace Context writes it.

    Attributes:
        parent: The ``traceparent``.
        state: The ``tracestate``, empty without one.
    """

    parent: str
    state: str = ""
