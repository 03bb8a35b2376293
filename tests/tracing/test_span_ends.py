"""Spans of syncs, requests and operations: each ends once, in any order of events, and none exceeds its limit."""

import asyncio
import random
from collections import Counter
from itertools import product

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from routiq_gql.tracing import names
from routiq_gql.tracing.origin import TraceOrigin
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


def test_each_run_of_a_sync_is_in_its_trace(tracing: Tracing, exporter: InMemorySpanExporter):
    """In the trace of the caller who started it; without one in that of the run before; else in a trace of its own."""
    caller, before = TraceOrigin(f"00-{'a' * 32}-{'1' * 16}-01"), f"00-{'b' * 32}-{'2' * 16}-01"
    broken = TraceOrigin("no trace")
    for origin, earlier in product((None, caller, broken), (None, before, "no trace")):
        exporter.clear()
        with tracing.sync(origin, earlier, STEPS[0], {}) as run:
            place = str(run.place)
        (whole,) = (span for span in exporter.get_finished_spans() if span.name == "sync")
        links = [link.context for link in whole.links]
        assert [format(one.trace_id, "032x") for one in links] == (["b" * 32] if earlier == before else [])
        trace, parent = place.split("-")[1], whole.parent
        if origin is caller:
            assert (trace, parent is not None and parent.span_id) == ("a" * 32, int("1" * 16, 16))
        elif earlier == before:
            assert (trace, parent is not None and parent.span_id) == ("b" * 32, int("2" * 16, 16))
        else:
            assert parent is None


async def test_repetitions_are_counted_for_each_request(tracing: Tracing, exporter: InMemorySpanExporter):
    """Of several requests after and beside one another, each has its own number of attempts before."""

    async def request(path: str, failures: int) -> None:
        left = failures

        async def attempt() -> bool:
            nonlocal left
            with tracing.request("https://api.au1.cliniko.com/v1", path, 0.0):
                await asyncio.sleep(0)
            left -= 1
            return left < 0

        counted = tracing.counting(attempt)
        while not await counted():
            pass

    failures = {"patients": 2, "attendees": 0, "bookings": 1}
    for path, number in failures.items():
        await request(path, number)
    await asyncio.gather(*(request(f"{path}_2", number) for path, number in failures.items()))
    with tracing.request("https://api.au1.cliniko.com/v1", "user", 0.0):
        pass
    found: dict[str, list[object]] = {}
    for span in exporter.get_finished_spans():
        path = str(_attributes(span)[names.URL_TEMPLATE]).removeprefix("/v1/")
        found.setdefault(path, []).append(_attributes(span).get(names.RESENDS, 0))
    numbers = {path: list(range(number + 1)) for path, number in failures.items()}
    assert found == {**numbers, **{f"{path}_2": one for path, one in numbers.items()}, "user": [0]}


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
