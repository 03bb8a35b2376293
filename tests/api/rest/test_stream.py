"""The event stream in five moments: before the start, in the middle, after the end, drop and return, restart."""

import asyncio

from structlog.testing import capture_logs

from routiq_gql.clock import utc_now
from routiq_gql.database.erasure import erase_organization
from routiq_gql.emulator import EMULATED_API_KEY, demo_clinic
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.server import Event, Server
from tests.waiting import until


def _lines(events: list[Event]) -> list[int]:
    return [event.json["seq"] for event in events if event.name == "log"]


def _versions(events: list[Event]) -> list[int]:
    return [event.json["version"] for event in events if event.name == ""]


async def _all(server: Server, sync_id: str, last_event_id: str | None = None, **parameters: str) -> list[Event]:
    async with server.stream(sync_id, last_event_id, **parameters) as events:
        return [event async for event in events]


async def test_a_sync_is_streamed_from_start_to_end(server: Server, cliniko: Cliniko):
    """A client from the start gets every log line, growing versions, and the end last."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    async with server.stream(sync_id) as stream:
        await cliniko.gate.reached()
        cliniko.gate.open()
        events = [event async for event in stream]
    final = await server.status(sync_id)
    assert {event.name for event in events} == {"", "log"}
    assert events[-1].json == final
    assert final["status"] == "completed"
    assert _lines(events) == list(range(1, len(_lines(events)) + 1))
    assert _versions(events) == sorted(set(_versions(events)))
    percentages = [event.json["progress_percentage"] for event in events if event.name == ""]
    assert percentages == sorted(percentages)


async def test_ids_name_the_newest_sent_state(server: Server):
    """Each id has the newest version and the newest log line that this connection has sent."""
    events = await _all(server, await server.start_sync())
    version = seq = 0
    for event in events:
        if event.name == "log":
            seq = event.json["seq"]
        else:
            version = event.json["version"]
        assert event.id == f"{version}.{seq}"


async def test_the_stream_has_headers_that_keep_it_flowing(server: Server):
    """Headers keep proxies from storing, compressing or buffering the stream, and lines end in LF."""
    sync_id = await server.start_sync()
    answer = await server.http.get(f"/api/v1/sync/stream/{sync_id}", headers={"Accept-Encoding": "gzip, br"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in answer.headers
    assert answer.text.startswith("retry: 3000\n\n")
    assert "\r" not in answer.text


async def test_an_ended_sync_is_replayed_once_and_then_is_no_content(server: Server):
    """After the end a new client gets the whole log and the end, and 204 stops its reconnect."""
    sync_id = await server.start_sync()
    live = await _all(server, sync_id)
    late = await _all(server, sync_id)
    assert _lines(late) == _lines(live)
    assert late[-1] == live[-1]
    assert len(_versions(late)) == 1
    path = f"/api/v1/sync/stream/{sync_id}"
    assert (await server.http.get(path, headers={"Last-Event-ID": late[-1].id})).status_code == 204
    assert (await server.http.get(path, params={"after": late[-1].id})).status_code == 204


async def test_cut_at_every_point_nothing_is_lost_or_repeated(server: Server):
    """At every point of interruption, resuming with the last id completes the log without gaps or repetitions."""
    sync_id = await server.start_sync()
    whole = await _all(server, sync_id)
    for cut in range(len(whole) - 1):
        rest = await _all(server, sync_id, whole[cut].id)
        assert _lines(whole[: cut + 1]) + _lines(rest) == _lines(whole)
        assert rest[-1] == whole[-1]


async def test_a_dropped_watcher_resumes_in_the_middle(server: Server, cliniko: Cliniko):
    """An interrupted client leaves nothing behind and resumes where it was."""
    cliniko.gate.hold("individual_appointments")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    first: list[Event] = []
    async with server.stream(sync_id) as stream:
        async for event in stream:
            first.append(event)
            if event.name == "" and event.json["status"] == "fetching_appointments":
                break
    await server.without_watchers()
    async with server.stream(sync_id, first[-1].id) as stream:
        cliniko.gate.open()
        rest = [event async for event in stream]
    lines = _lines(first) + _lines(rest)
    assert lines == list(range(1, len(lines) + 1))
    assert _versions(rest)[0] > _versions(first)[-1]
    assert rest[-1].json["status"] == "completed"


async def test_a_restart_ends_the_stream_and_the_sync_resumes(server: Server, cliniko: Cliniko):
    """A stopping server ends the stream cleanly; after the restart, client and sync resume where they were."""
    cliniko.gate.hold("appointment_types")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    first: list[Event] = []
    async with server.stream(sync_id) as stream:
        async for event in stream:
            first.append(event)
            if event.name == "" and event.json["step"] == "loading_types":
                await server.stop()  # the stream ends: no error is raised here
    assert first[-1].json["status"] == "fetching_appointments"
    await server.start()
    async with server.stream(sync_id, first[-1].id) as stream:
        cliniko.gate.open()
        rest = [event async for event in stream]
    lines = _lines(first) + _lines(rest)
    assert lines == list(range(1, len(lines) + 1))
    assert _versions(rest)[0] > _versions(first)[-1]
    assert rest[-1].json["status"] == "completed"


async def test_a_cancelled_sync_ends_the_stream(server: Server, cliniko: Cliniko):
    """A cancellation ends the stream, with the status failed."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    async with server.stream(sync_id) as stream:
        await cliniko.gate.reached()
        await server.http.delete(f"/api/v1/sync/cancel/{sync_id}")
        events = [event async for event in stream]
    assert events[-1].json["status"] == "failed"
    assert events[-1].json["failure"]["code"] == "CANCELLED"
    assert events[-2].name == "log"


async def test_many_watch_the_same_sync(server: Server, cliniko: Cliniko):
    """Each client gets the whole stream, even if another disconnects."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    async with server.stream(sync_id) as one, server.stream(sync_id) as two:
        async with server.stream(sync_id) as leaver:
            await anext(leaver)
        cliniko.gate.open()
        first = [event async for event in one]
        second = [event async for event in two]
    assert first[-1] == second[-1]
    assert _lines(first) == _lines(second)


async def test_an_id_that_says_nothing_counts_as_none(server: Server):
    """An unknown Last-Event-ID, such as that of another sync, replays everything instead of failing."""
    sync_id = await server.start_sync()
    whole = await _all(server, sync_id)
    for event_id in ("", "x", "1", "1.", "-1.0", "1.2.3", "٣.٣", "99999999.2", "1.99999999", "9" * 4000):
        headers = {b"Last-Event-ID": event_id.encode()}
        answer = await server.http.get(f"/api/v1/sync/stream/{sync_id}", headers=headers)
        assert answer.status_code == 200
        assert answer.text.count("event: log") == len(_lines(whole))


async def test_a_wrong_after_is_refused(server: Server):
    """A malformed event id is refused with a reason."""
    sync_id = await server.start_sync()
    answer = await server.http.get(f"/api/v1/sync/stream/{sync_id}", params={"after": "12"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "BAD_USER_INPUT"


async def test_asking_for_the_head_opens_no_stream(server: Server, cliniko: Cliniko):
    """HEAD returns at once, even while the sync runs."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    answer = await server.http.head(f"/api/v1/sync/stream/{sync_id}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_silent_stream_has_heartbeats(settings: Settings, cliniko: Cliniko):
    """Without updates, heartbeats that scripts can see show that the connection works; they have no id."""
    lively = settings.model_copy(update={"heartbeat_seconds": 0.05})
    async with Server(lively) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        cliniko.gate.hold("patients")
        sync_id = await server.start_sync()
        async with server.stream(sync_id) as stream:
            async for event in stream:
                if event.name == "heartbeat":
                    assert event.json == {}
                    assert event.id == ""
                    break


async def test_watchers_that_leave_at_any_moment_leave_nothing_behind(server: Server, cliniko: Cliniko):
    """Browsers that disconnect during a read leave no half-open database connection."""
    cliniko.emulator.clinic = demo_clinic(utc_now())
    sync_id = await server.start_sync()

    async def leave_after(count: int) -> None:
        async with server.stream(sync_id) as stream:
            for _ in range(count):
                if await anext(stream, None) is None:
                    return

    async with asyncio.TaskGroup() as watchers:
        for count in range(60):
            watchers.create_task(leave_after(count // 2))
    # The fixture checks that nothing is left.


async def test_a_polyfill_resumes_by_its_parameter(server: Server):
    """A client that can't send the header may put the last event's id into the address; the header has precedence."""
    sync_id = await server.start_sync()
    await server.until_ended(sync_id)
    async with server.stream(sync_id) as stream:
        everything = [event async for event in stream]
    middle = next(event for event in everything if event.name == "log" and event.json["seq"] == 3)
    async with server.stream(sync_id, lastEventId=middle.id) as stream:
        resumed = [event.json["seq"] async for event in stream if event.name == "log"]
    assert resumed[0] == 4
    final = await server.http.get(f"/api/v1/sync/stream/{sync_id}", params={"lastEventId": everything[-1].id})
    assert final.status_code == 204
    async with server.stream(sync_id, last_event_id=middle.id, lastEventId="0.1", after="0.2") as stream:
        resumed = [event.json["seq"] async for event in stream if event.name == "log"]
    assert resumed[0] == 4


async def test_the_stream_of_an_erased_sync_ends_in_order(server: Server, cliniko: Cliniko):
    """When an operator erases the organization, its open streams end complete, and a client that returns gets 404."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    with capture_logs() as logs:
        async with server.stream(sync_id) as stream:
            await anext(stream)
            async with server.runtime.database.writing() as connection:  # as another process does
                await erase_organization(connection, ORGANIZATION)
            rest = [event async for event in stream]  # raises if the response is cut off
        assert (await server.http.get(f"/api/v1/sync/stream/{sync_id}")).status_code == 404
    assert len(_lines(rest)) < 10
    assert [line for line in logs if line["event"] == "request_failed"] == []
    cliniko.gate.open()


async def test_streams_that_begin_together_above_the_limit_end_in_order(settings: Settings, cliniko: Cliniko):
    """Of many streams that begin at the same moment, those above the limit end complete or are refused."""
    cliniko.gate.hold("patients")
    async with Server(settings.model_copy(update={"max_subscriptions": 2})) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        sync_id = await server.start_sync()
        await cliniko.gate.reached()

        async def follow() -> int:
            answer = await server.http.get(f"/api/v1/sync/stream/{sync_id}")  # raises if the response is cut off
            return answer.status_code

        with capture_logs() as logs:
            following = [asyncio.create_task(follow()) for _ in range(20)]
            await until(lambda: sum(not task.done() for task in following) == 2)
            cliniko.gate.open()
            codes = set(await asyncio.gather(*following))
    assert codes <= {200, 429}
    assert [line for line in logs if line["event"] == "request_failed"] == []
