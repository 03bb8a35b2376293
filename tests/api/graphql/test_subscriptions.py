"""The three subscriptions in five moments: before the start, in the middle, after the end, drop and return, restart."""

import asyncio
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.emulated_cliniko import Cliniko
from tests.graphql_documents import CANCEL, LOG, PROGRESS, STATUS, UPDATES
from tests.organization import ORGANIZATION
from tests.server import Server, Socket, open_socket
from tests.waiting import LIMIT_SECONDS

UNKNOWN = "sync_nobody_20241222_143022"


def _states(payloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [payload["data"]["syncProgress"] for payload in payloads]


def _lines(payloads: list[dict[str, Any]]) -> list[int]:
    return [payload["data"]["syncLog"]["seq"] for payload in payloads]


async def _some(socket: Socket, count: int, operation: str = "1") -> list[dict[str, Any]]:
    frames = [await socket.receive() for _ in range(count)]
    assert {(frame["id"], frame["type"]) for frame in frames} == {(operation, "next")}
    return [frame["payload"] for frame in frames]


async def _closed_by_restart(socket: Socket) -> None:
    """Read frames until the stopping server closes the socket with a code that clients retry."""
    async with asyncio.timeout(LIMIT_SECONDS):
        with pytest.raises(ConnectionClosed):
            while True:
                await socket.connection.recv()
    assert socket.connection.close_code == 1012


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        (PROGRESS, {"id": UNKNOWN}, "SYNC_NOT_FOUND"),
        (LOG, {"id": UNKNOWN}, "SYNC_NOT_FOUND"),
        (UPDATES, {"id": "<b>"}, "BAD_USER_INPUT"),
    ],
)
async def test_before_there_is_anything_to_watch(bare_server: Server, query: str, variables: dict, code: str):
    """Subscribing to an unknown sync is an error of the operation; the socket stays open."""
    async with open_socket(bare_server) as socket:
        await socket.subscribe(query, **variables)
        frame = await socket.receive()
        assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", code)
        await socket.subscribe("{ __typename }")
        assert await socket.results() == [{"data": {"__typename": "Query"}}]


async def test_progress_from_the_start_to_the_end(server: Server, cliniko: Cliniko):
    """Every state is newer than the previous, the last is the end, and then the subscription completes."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, id=sync_id)
        first = await _some(socket, 1)
        cliniko.gate.open()
        states = _states(first + await socket.results())
    assert [state["version"] for state in states] == sorted({state["version"] for state in states})
    assert [state["progressPercentage"] for state in states] == sorted(state["progressPercentage"] for state in states)
    assert (states[-1]["status"], states[-1]["progressPercentage"]) == ("COMPLETED", 100)
    assert states[-1] == (await server.ask(STATUS, id=sync_id))["data"]["syncStatus"]


async def test_the_log_from_the_start_to_the_end(server: Server, cliniko: Cliniko):
    """Every line comes once and in order, then it completes."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    async with open_socket(server) as socket:
        await socket.subscribe(LOG, id=sync_id)
        first = await _some(socket, 1)
        cliniko.gate.open()
        payloads = first + await socket.results()
    assert _lines(payloads) == list(range(1, len(payloads) + 1))
    assert payloads[-1]["data"]["syncLog"]["level"] == "SUCCESS"
    assert payloads[0]["data"]["syncLog"]["id"] == f"{sync_id}:1"


async def test_the_dashboard_before_during_and_after_a_sync(server: Server, cliniko: Cliniko):
    """A subscriber to the organization sees the beginning and the result of a sync started elsewhere."""
    async with open_socket(server) as socket:
        await socket.subscribe(UPDATES, id=ORGANIZATION)
        (idle,) = await _some(socket, 1)
        assert idle["data"]["dashboardUpdated"]["status"] == "IDLE"
        assert idle["data"]["dashboardUpdated"]["currentSync"] is None
        sync_id = await server.start_sync()
        seen = [(await _some(socket, 1))[0]["data"]["dashboardUpdated"]]
        while seen[-1]["currentSync"] is not None:
            seen += [payload["data"]["dashboardUpdated"] for payload in await _some(socket, 1)]
        assert {board["currentSync"]["id"] for board in seen[:-1]} == {sync_id}
        assert seen[-1]["lastSync"] == {"id": sync_id, "status": "COMPLETED"}
        assert seen[-1]["patientStats"]["activePatients"] > 0
        await socket.send({"id": "1", "type": "complete"})
        await server.without_watchers()


async def test_a_late_watcher_gets_the_end_and_complete(server: Server):
    """After the end the subscriptions get the final state and the whole log, and complete."""
    sync_id = await server.start_sync()
    final = await server.until_ended(sync_id)
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, id=sync_id)
        (state,) = _states(await socket.results())
        assert (state["version"], state["status"]) == (final["version"], "COMPLETED")
        await socket.subscribe(LOG, id=sync_id)
        whole = _lines(await socket.results())
        for after in (0, 1, len(whole) - 1, len(whole), len(whole) + 5):
            await socket.subscribe(LOG, id=sync_id, after=after)
            assert _lines(await socket.results()) == whole[after:]


async def test_a_dropped_watcher_resumes_in_the_middle(server: Server, cliniko: Cliniko):
    """A lost socket leaves nothing behind, and a new socket resumes the log where the old one ended."""
    cliniko.gate.hold("individual_appointments")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with open_socket(server) as socket:
        await socket.subscribe(LOG, id=sync_id)
        first = _lines(await _some(socket, 4))
        socket.connection.transport.abort()
    await server.without_watchers()
    async with open_socket(server) as socket:
        await socket.subscribe(LOG, id=sync_id, after=first[-1])
        await socket.subscribe(PROGRESS, "2", id=sync_id)
        cliniko.gate.open()
        frames: list[dict[str, Any]] = []
        while sum(frame["type"] == "complete" for frame in frames) < 2:
            frames.append(await socket.receive())
    rest = _lines([frame["payload"] for frame in frames if frame["type"] == "next" and frame["id"] == "1"])
    assert first + rest == list(range(1, len(first + rest) + 1))
    states = _states([frame["payload"] for frame in frames if frame["type"] == "next" and frame["id"] == "2"])
    assert states[-1]["status"] == "COMPLETED"


async def test_a_restart_closes_sockets_and_the_sync_resumes(server: Server, cliniko: Cliniko):
    """A stopping server closes with a code that clients retry; after the restart the sync resumes to its end."""
    cliniko.gate.hold("appointment_types")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, "a", id=sync_id)
        (before,) = _states(await _some(socket, 1, "a"))
        await socket.subscribe(LOG, "b", id=sync_id)
        await socket.subscribe(UPDATES, "c", id=ORGANIZATION)
        await server.stop()
        await _closed_by_restart(socket)
    await server.start()
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, id=sync_id)
        first = await _some(socket, 1)
        cliniko.gate.open()
        states = _states(first + await socket.results())
    assert states[0]["version"] >= before["version"]
    assert states[0]["progressPercentage"] >= before["progressPercentage"]
    assert states[-1]["status"] == "COMPLETED"


async def test_cancelling_completes_the_subscription(server: Server, cliniko: Cliniko):
    """A cancellation completes its subscriptions, with the cancelled status."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, id=sync_id)
        first = await _some(socket, 1)
        await server.ask(CANCEL, id=sync_id)
        states = _states(first + await socket.results())
    assert states[-1]["status"] == "CANCELLED"
    assert states[-1]["failure"]["code"] == "CANCELLED"


async def test_completing_one_operation_leaves_the_others(server: Server, cliniko: Cliniko):
    """Completing an operation does not affect the socket's other operations."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    async with open_socket(server) as socket:
        await socket.subscribe(PROGRESS, "keep", id=sync_id)
        await _some(socket, 1, "keep")
        await socket.subscribe(UPDATES, "drop", id=ORGANIZATION)
        while (await socket.receive())["id"] != "drop":
            pass
        await socket.send({"id": "drop", "type": "complete"})
        await socket.send({"id": "drop", "type": "complete"})
        cliniko.gate.open()
        frames = [await socket.receive()]
        while frames[-1]["type"] != "complete":
            frames.append(await socket.receive())
    assert frames[-1]["id"] == "keep"
