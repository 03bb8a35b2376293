"""An engine that is paused, as in the demo's imitation of a killed worker."""

from contextlib import aclosing
from datetime import timedelta

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, RecordedRequest, awkward_clinic
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.model import SyncState


@pytest.mark.sqlite_only  # only an engine in this process can be paused
async def test_a_sync_outlives_a_rest_of_the_engine(settings: Settings):
    """Stopped in the middle of a page, the same sync resumes after the pause and ends correctly."""
    emulator = Emulator(awkward_clinic(utc_now()))
    async with EmulatorServer(emulator) as cliniko, open_runtime(settings) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, "org_1", EMULATED_API_KEY, cliniko.base_url)

        def put_to_rest(request: RecordedRequest) -> None:
            if request.resource == "individual_appointments" and request.values("per_page") != ["1"]:
                emulator.after_request = None
                runtime.engine.pause(timedelta(seconds=0.5))

        emulator.after_request = put_to_rest
        begun = await runtime.syncs.start(LOCAL_OPERATOR, "org_1")
        async with aclosing(runtime.syncs.watch(LOCAL_OPERATOR, begun.sync.sync_id)) as snapshots:
            states = [snapshot async for snapshot in snapshots]
        lines = await runtime.syncs.log(LOCAL_OPERATOR, begun.sync.sync_id)
    assert states[-1].status is SyncState.COMPLETED
    assert "Continuing after an interruption" in [line.message for line in lines]
    percentages = [state.progress_percentage for state in states]
    assert percentages == sorted(percentages)
