"""Workers, API processes and PostgreSQL itself are killed, frozen and stopped while syncs run.

Afterwards every sync has ended once, with exact figures. Real processes, real signals.
"""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpx
import pytest
from websockets.asyncio.client import connect

from routiq_gql.engines.postgres.watchdog import EXIT_LOST
from routiq_gql.engines.postgres.workers import read_workers
from routiq_gql.errors import DatabaseAway
from routiq_gql.settings import Settings
from tests.conftest import ENCRYPTION_KEYS
from tests.engines.postgres.processes import LIMIT_SECONDS, Clinics, Process, clinics, worker
from tests.postgres import Cluster

pytestmark = [pytest.mark.postgres_only, pytest.mark.timeout(300)]

FEW, MANY = 5, 20
SLOW, QUICK = 0.6, 0.02
"""Latency of Cliniko's responses in seconds: until the processes are disturbed, and after it."""
PROGRESS = "subscription ($id: ID!) { syncProgress(syncId: $id) { status version progressPercentage } }"


async def syncs_on(group: Clinics, process: Process) -> list[str]:
    """The syncs of a worker process, as other processes see them."""
    async with group.runtime.database.reading() as connection:
        workers = await read_workers(connection)
    return [sync_id for one in workers if one.name.endswith(f":{process.pid}") for sync_id in one.sync_ids]


async def until_all_work(group: Clinics, *processes: Process) -> None:
    """Each process runs some syncs, and all of these have stored rows."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while not all([await syncs_on(group, process) for process in processes]):
            await asyncio.sleep(0.05)
    await group.until_all_read()


@asynccontextmanager
async def at_work(settings: Settings, syncs: int, workers: int) -> AsyncIterator[tuple[Clinics, list[Process]]]:
    """Worker processes that share the syncs evenly; no sync ends soon."""
    shared = settings.model_copy(update={"worker_max_syncs": -(-syncs // workers)})
    async with clinics(shared, syncs, latency_seconds=SLOW) as group, AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(worker(shared)) for _ in range(workers)]
        for process in processes:
            await process.until_printed("Runs up to")
        await group.start()
        await until_all_work(group, *processes)
        yield group, processes


async def kill_and_freeze(settings: Settings, syncs: int) -> None:
    async with at_work(settings, syncs, 3) as (group, (killed, frozen, _third)):
        lost = await syncs_on(group, frozen)
        pid = frozen.pid
        frozen.send(signal.SIGSTOP)
        killed.send(signal.SIGKILL)
        group.emulator.latency_seconds = QUICK
        async with asyncio.timeout(LIMIT_SECONDS):
            while set(lost) & set(await syncs_on(group, frozen)):
                await asyncio.sleep(0.1)
        await group.until_ended()
        assert frozen.pid == pid
        frozen.send(signal.SIGCONT)
        async with asyncio.timeout(LIMIT_SECONDS):
            while not frozen.codes:
                await asyncio.sleep(0.05)
        assert frozen.codes[0] == EXIT_LOST
        await group.until_ended()


async def test_a_worker_is_killed_and_another_frozen(settings: Settings):
    """Other workers resume the syncs where they were; the frozen worker, when it wakes up, changes nothing and ends."""
    await kill_and_freeze(settings, FEW)


@pytest.mark.soak
async def test_workers_of_twenty_syncs_are_killed_and_frozen(settings: Settings):
    """The same with twenty syncs."""
    await kill_and_freeze(settings, MANY)


async def stop_one(settings: Settings, syncs: int) -> None:
    async with at_work(settings, syncs, 2) as (group, (first, second)):
        handed_over = await syncs_on(group, first)
        assert await first.leave(signal.SIGTERM) == 0
        async with group.runtime.database.reading() as connection:
            workers = await read_workers(connection)
        assert [one.name.endswith(f":{second.pid}") for one in workers] == [True], "it took its leave"
        assert handed_over
        group.emulator.latency_seconds = QUICK
        await group.until_ended()


async def test_a_worker_gets_sigterm(settings: Settings):
    """At SIGTERM, as at every upgrade, the worker hands over its syncs and exits cleanly."""
    await stop_one(settings, FEW)


@pytest.mark.soak
async def test_a_worker_of_twenty_syncs_gets_sigterm(settings: Settings):
    """The same with twenty syncs."""
    await stop_one(settings, MANY)


async def restart_database(syncs: int) -> None:
    with Cluster() as cluster:
        settings = Settings(
            database_url=cluster.url, encryption_keys=ENCRYPTION_KEYS, cliniko_requests_per_minute=0, reread_seconds=1
        )
        async with at_work(settings, syncs, 2) as (group, _workers), AsyncExitStack() as stack:
            api = await stack.enter_async_context(Process(settings, "serve", "--port", "0", is_kept=False))
            url = (await api.until_printed("/graphql")).split()[-1].removesuffix("/graphql")
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS))
            began = asyncio.Event()
            followed = asyncio.create_task(follow_socket(url, group.sync_ids[0], began))
            async with asyncio.timeout(LIMIT_SECONDS):
                await began.wait()
            status = f"/api/v1/sync/status/{group.sync_ids[1]}"
            assert (await http.get(status)).status_code == 200
            cluster.stop()
            group.emulator.latency_seconds = QUICK
            answer = await http.get(status)
            assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_AWAY")
            assert "can't be reached at the moment" in answer.json()["detail"]
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/metrics")).status_code == 200
            assert (await http.get("/healthz")).status_code == 200
            cluster.start()
            async with asyncio.timeout(LIMIT_SECONDS):
                while (await http.get(status)).status_code != 200:
                    await asyncio.sleep(0.1)
            await until_reached(group)
            await group.until_ended()
            async with asyncio.timeout(LIMIT_SECONDS):
                seen = await followed
            assert seen[-1]["status"] == "COMPLETED"
            assert await api.leave(signal.SIGTERM) == 0


async def until_reached(group: Clinics) -> None:
    """Return once the test's own process uses no connection any more that the restart has closed."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            try:
                await group.snapshots()
            except DatabaseAway:
                await asyncio.sleep(0.1)
            else:
                return


async def follow_socket(url: str, sync_id: str, began: asyncio.Event) -> list[dict[str, object]]:
    """All snapshots of a subscription on a socket, to its completion; versions only grow.

    ``began`` is set at the first snapshot.
    """
    address = url.replace("http", "ws", 1) + "/graphql"
    seen: list[dict[str, object]] = []
    async with connect(address, subprotocols=["graphql-transport-ws"]) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        payload = {"query": PROGRESS, "variables": {"id": sync_id}}
        await socket.recv()
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        while (frame := json.loads(await socket.recv()))["type"] != "complete":
            if frame["type"] == "next":
                seen.append(frame["payload"]["data"]["syncProgress"])
                began.set()
            else:
                assert frame["type"] in {"ping", "pong"}, frame
    versions = [one["version"] for one in seen]
    assert versions == sorted(set(versions))
    return seen


async def test_the_database_restarts(settings: Settings):
    """While PostgreSQL is down, responses say so and open subscriptions stay; afterwards all syncs end correctly."""
    await restart_database(FEW)


@pytest.mark.soak
async def test_the_database_restarts_under_twenty_syncs(settings: Settings):
    """The same with twenty syncs."""
    await restart_database(MANY)


async def kill_api(settings: Settings, syncs: int) -> None:
    async with clinics(settings, syncs, latency_seconds=SLOW) as group, AsyncExitStack() as stack:
        await stack.enter_async_context(worker(settings))
        first, second = [
            await stack.enter_async_context(Process(settings, "serve", "--port", "0", is_kept=False)) for _ in range(2)
        ]
        urls = [(await api.until_printed("/graphql")).split()[-1].removesuffix("/graphql") for api in (first, second)]
        await group.start()

        async def follow(sync_id: str) -> list[int]:
            """The versions that a browser gets when it reconnects to another server after its server ended."""
            versions: list[int] = []
            for url in urls:
                with suppress(httpx.HTTPError):
                    async with (
                        httpx.AsyncClient(base_url=url, timeout=LIMIT_SECONDS) as http,
                        http.stream("GET", f"/api/v1/sync/stream/{sync_id}") as answer,
                    ):
                        async for line in answer.aiter_lines():
                            if line.startswith('data: {"organization_id"'):
                                status = json.loads(line.removeprefix("data: "))
                                versions.append(status["version"])
                                if status["status"] == "completed":
                                    return versions
            raise AssertionError("it never saw the end")

        followers = [asyncio.create_task(follow(sync_id)) for sync_id in group.sync_ids for _ in range(3)]
        await group.until_all_read()
        first.send(signal.SIGKILL)
        group.emulator.latency_seconds = QUICK
        await group.until_ended()
        async with asyncio.timeout(LIMIT_SECONDS):
            for versions in await asyncio.gather(*followers):
                assert versions == sorted(versions)


async def test_an_api_process_is_killed_under_its_subscribers(settings: Settings):
    """Followers of the killed process reconnect to another server, and see the end."""
    await kill_api(settings, FEW)


@pytest.mark.soak
async def test_an_api_process_is_killed_under_twenty_syncs(settings: Settings):
    """The same with twenty syncs."""
    await kill_api(settings, MANY)
