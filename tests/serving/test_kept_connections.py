"""Which organization a connection counts for, from the beginning of its stream to its next request."""

from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.serving.connection_table import ServerState
from tests.emulated_cliniko import Cliniko
from tests.issuing import OURS
from tests.server import Server
from tests.waiting import until


async def test_a_connection_counts_for_its_organization_as_long_as_its_stream(
    states: list[ServerState], guarded: Server, cliniko: Cliniko
):
    """Afterwards the client may use the connection again, and its organization has its whole share."""
    await guarded.connect_organization(cliniko.base_url, EMULATED_API_KEY, OURS)
    table = states[-1].table
    cliniko.gate.hold("patients")
    sync_id = await guarded.start_sync(OURS)
    for _ in range(2):
        async with guarded.stream(sync_id) as stream:
            await anext(aiter(stream))
            assert dict(table._held) == {OURS: 1}
            cliniko.gate.open()
            async for _event in stream:
                pass
        await until(lambda: not +table._held)
        assert len(table) >= 1, "the client keeps its connection"
    assert (await guarded.status(sync_id))["status"] == "completed"
