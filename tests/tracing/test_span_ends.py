"""Spans of syncs, requests and operations: each ends once, in any order of events, and none exceeds its limit."""

import random
from collections import Counter

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from routiq_gql.tracing import names
from routiq_gql.tracing.spans import MAX_NAME_LENGTH, Tracing

STEPS = ("initializing", "fetching_patients", "storing")


class Counting(SimpleSpanProcessor):
    """Counts the spans that have begun."""

    begun = 0

    def on_start(self, *arguments: object, **named: object) -> None:
        self.begun += 1


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def counting(exporter: InMemorySpanExporter) -> Counting:
    return Counting(exporter)


@pytest.fixture
def tracing(counting: Counting) -> Tracing:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(counting)
    return Tracing(provider)


def _attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


@pytest.mark.parametrize("seed", range(40))
def test_every_span_of_a_sync_ends_with_it(
    seed: int, tracing: Tracing, counting: Counting, exporter: InMemorySpanExporter
):
    """Late reports of steps, waits and requests of a run that has ended begin nothing that stays open."""
    chance = random.Random(seed)
    error = chance.choice((None, "KEY_REFUSED"))
    has_ended, steps = False, [STEPS[0]]
    with tracing.sync(None, None, STEPS[0], {}) as run:
        for _ in range(chance.randrange(12)):
            event = chance.choice(("enter", "enter", "wait", "request", "end"))
            if event == "enter":
                step = chance.choice(STEPS)
                run.enter(step)
                if not has_ended and step != steps[-1]:
                    steps.append(step)
            elif event == "wait":
                run.wait("RATE_LIMIT", 1.0)
            elif event == "request":
                with run.request("https://api.au1.cliniko.com/v1", "patients", 0.0) as request:
                    request.answered(200, "ok")
            else:
                run.end("failed" if error else "completed", {}, error)
                has_ended = True
    ended = exporter.get_finished_spans()
    assert len(ended) == counting.begun == len({span.context.span_id for span in ended})
    found = [span for span in ended if span.name.startswith("sync ")]
    assert [span.name for span in found] == [f"sync {one}" for one in steps]
    (whole,) = (span for span in ended if span.name == "sync")
    assert _attributes(whole)[names.SYNC_OUTCOME] == (
        "stopped" if not has_ended else "failed" if error else "completed"
    )
    failed = {span.name for span in ended if _attributes(span).get(names.ERROR_TYPE) == error is not None}
    assert failed == ({"sync", f"sync {steps[-1]}"} if has_ended and error else set())


@pytest.mark.parametrize("length", [0, 1, MAX_NAME_LENGTH, MAX_NAME_LENGTH + 1, 100_000])
def test_a_client_decides_little_of_an_operations_span(length: int, tracing: Tracing, exporter: InMemorySpanExporter):
    """The name of an operation is cut, whatever its length, and further ends change nothing."""
    operation = tracing.operation({"a": "b" * 100_000})
    for _ in range(2):
        operation.end("query", "n" * length, "BAD_USER_INPUT")
    (span,) = exporter.get_finished_spans()
    assert _attributes(span).get(names.OPERATION_NAME, "") == "n" * min(length, MAX_NAME_LENGTH)
    assert sum(len(str(one)) for one in [span.name, *_attributes(span).items()]) < 500


def test_only_faults_of_the_server_are_errors(tracing: Tracing, exporter: InMemorySpanExporter):
    """The span of each status is an error from 500 on. Source: semantic conventions for HTTP, "Status"."""
    statuses = (101, 200, 204, 302, 400, 401, 404, 408, 429, 499, 500, 503, 599)
    for status in statuses:
        span = tracing.http_request("GET", "https", [])
        with span.current():
            span.answered(status, "/graphql", is_stream=status == 200)
    ended = exporter.get_finished_spans()
    assert Counter(_attributes(one)[names.STATUS_CODE] for one in ended) == Counter(statuses)
    failed = {_attributes(one)[names.STATUS_CODE] for one in ended if one.status.status_code is StatusCode.ERROR}
    assert failed == {one for one in statuses if one >= 500}
