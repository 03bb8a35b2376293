"""The span of a run of a sync, with a child for each step. A step's requests to Cliniko are children of the step."""

from types import TracebackType
from typing import Self

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, Tracer

from routiq_gql.tracing import names
from routiq_gql.tracing.carriers import origin_of
from routiq_gql.tracing.requests import RequestSpans

STOPPED = "stopped"
"""The outcome of a run that was stopped from outside: its process stops, or another process has ended the sync."""


class SyncSpan(RequestSpans):
    """The span of a run of a sync; a context manager, which ends it.

    Attributes:
        place: The span as a ``traceparent``, to be stored with the sync.
    """

    def __init__(self, tracer: Tracer, span: Span, step: str) -> None:
        super().__init__(tracer)
        self._span = span
        self._step_name = ""
        self._step: Span | None = None
        self._has_ended = False
        origin = origin_of(span.get_span_context())
        self.place = origin.parent if origin is not None else None
        self.enter(step)

    @property
    def parent(self) -> Context | None:
        return trace.set_span_in_context(self._step or self._span, Context())

    def enter(self, step: str) -> None:
        """Begin the span of a step, unless it is the current one."""
        if step == self._step_name or self._has_ended:
            return
        if self._step is not None:
            self._step.end()
        self._step_name = step
        context = trace.set_span_in_context(self._span, Context())
        self._step = self.tracer.start_span(f"sync {step}", context=context, attributes={names.SYNC_STEP: step})

    def wait(self, reason: str, seconds: float) -> None:
        """Note a wait that begins."""
        attributes: dict[str, str | float] = {names.WAIT_REASON: reason, names.WAIT_SECONDS: round(seconds, 3)}
        (self._step or self._span).add_event(names.WAIT_EVENT, attributes)

    def end(self, outcome: str, described: names.Attributes, error: str | None = None) -> None:
        """End the run and its step.

        Args:
            error: The code of the failure, if the sync failed.
        """
        if self._has_ended:
            return
        self._has_ended = True
        self._span.set_attributes({**described, names.SYNC_OUTCOME: outcome})
        for span in (self._step, self._span):
            if span is not None:
                if error is not None:
                    span.set_attribute(names.ERROR_TYPE, error)
                    span.set_status(Status(StatusCode.ERROR))
                span.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(STOPPED, {})
