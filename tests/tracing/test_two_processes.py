"""On PostgreSQL a trace that begins in an API process continues in the worker that runs the sync."""

import signal

import httpx
import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, generated_clinic
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.engines.postgres.processes import LIMIT_SECONDS, Process
from tests.organization import ORGANIZATION
from tests.ports import free_port
from tests.tracing.collector import TRACE_ID, TRACEPARENT, CollectedSpan, Collector, collecting
from tests.waiting import until

START = "mutation ($id: ID!) { startSync(organizationId: $id) { syncId } }"


@pytest.mark.postgres_only
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
async def test_a_trace_continues_in_the_workers(settings: Settings, ending: signal.Signals):
    """The browser's trace has the operation of the server and the requests of two workers, which took over in turn.

    A killed worker loses the spans that it had not ended: its run and the step. The next run has a link to it still.
    """
    emulator = Emulator(generated_clinic(450, utc_now()), latency_seconds=0.05)
    with collecting() as collector:
        async with EmulatorServer(emulator) as cliniko:
            async with open_runtime(settings, run_syncs=False) as runtime:
                await runtime.connections.connect(
                    LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False
                )
            await _sync(settings, collector, ending)
    spans = [span for span in collector.spans if span.trace_id == TRACE_ID]
    (server,) = {span.service["service.instance.id"] for span in spans if span.name == "mutation"}
    workers = {span.service["service.instance.id"] for span in spans if span.name == "GET /v1/patients"}
    assert server not in workers
    runs = _runs(collector)
    outcomes = [run.attributes["routiq.sync.outcome"] for run in runs]
    (link,) = runs[-1].links
    paths = {tuple(collector.path_to(span)[:3]) for span in spans if span.name == "GET /v1/patients"}
    assert len(workers) == 2
    assert ("POST /graphql", "mutation", "sync") in paths
    if ending is signal.SIGTERM:
        assert outcomes == ["stopped", "ended"]
        assert link == (TRACE_ID, runs[0].id)
        assert len({run.service["service.instance.id"] for run in runs}) == 2
        assert len(paths) == 1
    else:
        assert outcomes == ["ended"]
        assert link[0] == TRACE_ID
        assert link[1] not in {span.id for span in collector.spans}
        assert paths == {("POST /graphql", "mutation", "sync"), ("GET /v1/patients",)}


def _runs(collector: Collector) -> list[CollectedSpan]:
    return collector.named("sync")


async def _sync(settings: Settings, collector: Collector, ending: signal.Signals) -> None:
    """Start a sync by HTTP, as a browser does; end the worker that runs it, and let another one complete it."""
    port = free_port()

    def environment() -> dict[str, str]:
        return collector.environment

    async with (
        Process(settings, "serve", "--port", str(port), is_kept=False, more=environment) as server,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_SECONDS, verify=False) as http,
    ):
        await server.until_printed("GraphQL")
        async with Process(settings, "worker", is_kept=False, more=environment) as worker:
            body = {"query": START, "variables": {"id": ORGANIZATION}}
            await http.post("/graphql", json=body, headers={"traceparent": TRACEPARENT})
            await until(lambda: bool(collector.named("GET /v1/patients")))
            assert await worker.leave(ending) == (0 if ending is signal.SIGTERM else -ending)
        async with Process(settings, "worker", is_kept=False, more=environment):
            await until(
                lambda: any(run.attributes["routiq.sync.outcome"] == "ended" for run in collector.named("sync"))
            )
