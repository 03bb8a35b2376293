"""Starting and stopping leave nothing behind, not even while requests hang."""

import asyncio
import signal
import socket

import httpx
import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, EmulatorServer, Fault, FaultKind
from tests.ports import free_port
from tests.waiting import LIMIT_SECONDS

_HEADERS = {"User-Agent": "Routiq (ops@example.com)"}


async def ask(base_url: str) -> httpx.Response:
    """A request over a new connection."""
    async with httpx.AsyncClient(auth=(EMULATED_API_KEY, ""), headers=_HEADERS, timeout=30) as client:
        return await client.get(f"{base_url}/patients")


async def until(happened: asyncio.Event) -> None:
    """Wait for an event, with a time limit."""
    async with asyncio.timeout(10):
        await happened.wait()


async def test_it_serves_on_loopback_and_leaves_nothing_behind(clinic: Clinic) -> None:
    """After the block the port is closed, no task runs and no signal handler has changed."""
    tasks, handler = asyncio.all_tasks(), signal.getsignal(signal.SIGINT)
    async with EmulatorServer(Emulator(clinic)) as server:
        assert server.base_url == f"http://127.0.0.1:{server.port}/v1"
        assert signal.getsignal(signal.SIGINT) is handler
        assert (await ask(server.base_url)).status_code == 200
    assert asyncio.all_tasks() == tasks
    with pytest.raises(httpx.ConnectError):
        await ask(server.base_url)


async def test_it_stops_while_requests_hang(clinic: Clinic) -> None:
    """Hanging requests are dropped promptly when the server stops."""
    emulator = Emulator(clinic)
    emulator.faults.add(Fault(FaultKind.HANG, times=None))
    arrived = asyncio.Event()
    emulator.after_request = lambda _request: arrived.set()
    tasks = asyncio.all_tasks()
    async with asyncio.timeout(10):
        async with EmulatorServer(emulator) as server:
            asking = [asyncio.create_task(ask(server.base_url)) for _ in range(3)]
            await until(arrived)
        ends = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(end, httpx.RemoteProtocolError | httpx.ReadError | httpx.ConnectError) for end in ends)
    assert asyncio.all_tasks() == tasks
    assert emulator.requests[0].status is None


async def test_it_stops_while_answers_are_late(clinic: Clinic) -> None:
    """A latency of a minute does not delay the stop."""
    emulator = Emulator(clinic, latency_seconds=60)
    async with asyncio.timeout(10):
        async with EmulatorServer(emulator) as server:
            asking = asyncio.create_task(ask(server.base_url))
            while not emulator.requests:
                await asyncio.sleep(0)
        with pytest.raises(httpx.TransportError):
            await asking


async def test_it_stops_with_an_idle_connection_open(clinic: Clinic) -> None:
    """A client that keeps its connection open does not delay the stop."""
    emulator = Emulator(clinic)
    async with asyncio.timeout(10), httpx.AsyncClient(auth=(EMULATED_API_KEY, ""), headers=_HEADERS) as client:
        async with EmulatorServer(emulator) as server:
            assert (await client.get(f"{server.base_url}/user")).status_code == 200
            assert len(emulator.transports) == 1
        assert not emulator.transports


async def test_the_same_emulator_can_be_served_again_on_the_same_port(clinic: Clinic) -> None:
    """After a restart the clinic and the record of requests are unchanged."""
    emulator = Emulator(clinic)
    async with EmulatorServer(emulator, port=free_port()) as server:
        await ask(server.base_url)
    async with EmulatorServer(emulator, port=server.port) as again:
        assert again.base_url == server.base_url
        assert (await ask(again.base_url)).status_code == 200
    assert len(emulator.requests) == 2


async def test_a_taken_port_is_an_error_at_once(clinic: Clinic) -> None:
    """A port in use is reported before anything runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            async with EmulatorServer(Emulator(clinic), port=taken.getsockname()[1]):
                pass


async def test_a_client_that_gives_up_leaves_nothing_behind(clinic: Clinic) -> None:
    """A client's read timeout ends the hanging request on the server."""
    emulator = Emulator(clinic)
    emulator.faults.add(Fault(FaultKind.HANG))
    tasks = asyncio.all_tasks()
    async with EmulatorServer(emulator) as server:
        impatient = httpx.Timeout(LIMIT_SECONDS, read=0.05)
        async with httpx.AsyncClient(auth=(EMULATED_API_KEY, ""), headers=_HEADERS, timeout=impatient) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.get(f"{server.base_url}/patients")
        async with asyncio.timeout(LIMIT_SECONDS):
            while asyncio.all_tasks() != tasks or emulator.transports:
                await asyncio.sleep(0)
        assert (await ask(server.base_url)).status_code == 200


async def test_latency_is_added_to_every_answer(clinic: Clinic) -> None:
    """Responses can be slowed down, so that a sync of the demo takes long enough to watch."""
    async with EmulatorServer(Emulator(clinic, latency_seconds=0.05)) as server:
        response = await ask(server.base_url)
    assert response.status_code == 200
    assert response.elapsed.total_seconds() >= 0.05
