"""The documented routes: their responses key by key and in order, and their refusals."""

import re

from routiq_gql.clock import utc_now
from routiq_gql.emulator import demo_clinic
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.server import Server

STATUS_KEYS = [
    "organization_id",
    "sync_id",
    "status",
    "progress_percentage",
    "current_step",
    "total_steps",
    "current_step_number",
    "patients_found",
    "appointments_found",
    "active_patients_identified",
    "active_patients_stored",
    "started_at",
    "completed_at",
    "errors",
    "last_updated",
]
CURRENT_KEYS = [
    "sync_id",
    "status",
    "progress_percentage",
    "current_step",
    "patients_found",
    "appointments_found",
    "active_patients_identified",
    "active_patients_stored",
]
STATS_KEYS = ["total_patients", "active_patients", "patients_with_upcoming", "patients_with_recent", "last_sync_time"]
HISTORY_KEYS = [
    "organization_id",
    "total_syncs",
    "successful_syncs",
    "failed_syncs",
    "last_sync_at",
    "last_successful_sync_at",
    "average_sync_duration_seconds",
    "recent_syncs",
]
RECENT_KEYS = [
    "sync_id",
    "status",
    "started_at",
    "completed_at",
    "records_processed",
    "records_success",
    "records_failed",
]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


async def test_starting_answers_with_the_four_documented_keys(server: Server, cliniko: Cliniko):
    """Start returns at once; another start during the sync returns the same sync."""
    cliniko.gate.hold("patients")
    first = await server.http.post(f"/api/v1/sync/start/{ORGANIZATION}")
    assert first.status_code == 200
    assert list(first.json()) == ["message", "sync_id", "organization_id", "status"]
    assert first.json()["message"] == "Sync started"
    assert first.json()["status"] == "starting"
    assert re.fullmatch(rf"sync_{ORGANIZATION}_\d{{8}}_\d{{6}}", first.json()["sync_id"])
    second = await server.http.post(f"/api/v1/sync/start/{ORGANIZATION}")
    assert second.json()["message"] == "Sync already in progress"
    assert second.json()["sync_id"] == first.json()["sync_id"]


async def test_a_completed_sync_shows_the_documented_figures(server: Server, cliniko: Cliniko):
    """The status of a completed sync has the documented keys first, in order, with the documented figures."""
    cliniko.emulator.clinic = demo_clinic(utc_now())
    final = await server.until_ended(await server.start_sync())
    status = await server.status(final["sync_id"])
    assert status == final
    assert list(status)[:15] == STATUS_KEYS
    assert status["status"] == "completed"
    assert status["progress_percentage"] == 100
    assert status["current_step"] == "Sync completed successfully!"
    assert (status["total_steps"], status["current_step_number"]) == (8, 8)
    assert (status["patients_found"], status["appointments_found"]) == (641, 1247)
    assert (status["active_patients_identified"], status["active_patients_stored"]) == (89, 89)
    assert status["errors"] == []
    assert all(TIME.fullmatch(status[key]) for key in ("started_at", "completed_at", "last_updated"))


async def test_the_dashboard_shows_the_running_sync_and_then_the_result(server: Server, cliniko: Cliniko):
    """A running sync is shown with the documented keys; afterwards it is null and the result is shown."""
    cliniko.emulator.clinic = demo_clinic(utc_now())
    cliniko.gate.hold("appointment_types")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    running = (await server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()
    assert list(running)[:5] == ["organization_id", "current_sync", "patient_stats", "last_sync", "sync_available"]
    assert list(running["current_sync"])[:8] == CURRENT_KEYS
    assert running["current_sync"]["sync_id"] == sync_id
    assert running["current_sync"]["status"] == "fetching_appointments"
    assert running["last_sync"] is None
    assert running["sync_available"] is True
    cliniko.gate.open()
    await server.until_ended(sync_id)
    idle = (await server.http.get(f"/api/v1/sync/dashboard/{ORGANIZATION}")).json()
    assert idle["current_sync"] is None
    assert list(idle["patient_stats"])[:5] == STATS_KEYS
    figures = [idle["patient_stats"][key] for key in STATS_KEYS[:4]]
    assert figures == [89, 89, 23, 66]
    assert idle["patient_stats"]["patients_in_cliniko"] == 641
    assert list(idle["last_sync"])[:4] == ["status", "started_at", "completed_at", "records_success"]
    assert (idle["last_sync"]["status"], idle["last_sync"]["records_success"]) == ("completed", 89)
    assert idle["patient_stats"]["last_sync_time"] == idle["last_sync"]["completed_at"]


async def test_an_organization_that_has_never_synced_has_an_empty_dashboard(bare_server: Server):
    """Before the first sync the dashboard is empty, and without a connection a sync is not available."""
    dashboard = (await bare_server.http.get("/api/v1/sync/dashboard/org_new")).json()
    assert dashboard["current_sync"] is None
    assert dashboard["last_sync"] is None
    assert dashboard["sync_available"] is False
    assert [dashboard["patient_stats"][key] for key in STATS_KEYS] == [0, 0, 0, 0, None]


async def test_a_cancelled_sync_is_failed_for_documented_clients(server: Server, cliniko: Cliniko):
    """Documented clients wait for completed or failed, so a cancelled sync is failed, with the reason."""
    cliniko.gate.hold("patients")
    sync_id = await server.start_sync()
    await cliniko.gate.reached()
    cancelled = (await server.http.delete(f"/api/v1/sync/cancel/{sync_id}")).json()
    assert cancelled == {"message": "Sync cancelled", "sync_id": sync_id, "status": "failed"}
    status = await server.status(sync_id)
    assert (status["status"], status["errors"]) == ("failed", ["Sync cancelled by user"])
    assert status["failure"]["code"] == "CANCELLED"
    assert status["completed_at"] is not None
    again = (await server.http.delete(f"/api/v1/sync/cancel/{sync_id}")).json()
    assert again == {"message": "Sync already cancelled", "sync_id": sync_id, "status": "failed"}


async def test_the_history_counts_cancelled_syncs_as_failed(server: Server, cliniko: Cliniko):
    """The history has the documented keys, newest first, page by page."""
    completed = await server.start_sync()
    await server.until_ended(completed)
    cliniko.gate.hold("patients")
    cancelled = await server.start_sync()
    await server.http.delete(f"/api/v1/sync/cancel/{cancelled}")
    history = (await server.http.get(f"/api/v1/sync/history/{ORGANIZATION}?limit=10")).json()
    assert list(history)[:8] == HISTORY_KEYS
    assert [history[key] for key in ("total_syncs", "successful_syncs", "failed_syncs", "cancelled_syncs")] == [
        2,
        1,
        1,
        1,
    ]
    assert history["average_sync_duration_seconds"] > 0
    assert [sync["sync_id"] for sync in history["recent_syncs"]] == [cancelled, completed]
    assert list(history["recent_syncs"][0])[:7] == RECENT_KEYS
    records = [[sync[key] for key in RECENT_KEYS[4:]] for sync in history["recent_syncs"]]
    assert records[0] == [0, 0, 0]
    assert records[1][0] == records[1][1] > 0
    assert records[1][2] == 0
    first = (await server.http.get(f"/api/v1/sync/history/{ORGANIZATION}?limit=1")).json()
    second = await server.http.get(
        f"/api/v1/sync/history/{ORGANIZATION}", params={"limit": 1, "after": first["next_cursor"]}
    )
    assert [sync["sync_id"] for sync in second.json()["recent_syncs"]] == [completed]
    assert second.json()["next_cursor"] is None


async def test_a_limit_out_of_range_is_refused(bare_server: Server):
    """A page has 1 to 100 syncs; any other limit is refused with a reason."""
    for limit in ["0", "101", "-1", "1.5", "ten", "", "1_0", "٣", "9" * 5000]:
        answer = await bare_server.http.get("/api/v1/sync/history/org_1", params={"limit": limit})
        _assert_problem(answer, 422, "BAD_USER_INPUT")


async def test_an_unknown_sync_is_not_found(bare_server: Server):
    """An unknown sync is a 404 with a sentence."""
    for method, path in [
        ("GET", "/api/v1/sync/status/sync_nobody_20241222_143022"),
        ("DELETE", "/api/v1/sync/cancel/sync_nobody_20241222_143022"),
        ("GET", "/api/v1/sync/stream/sync_nobody_20241222_143022"),
    ]:
        _assert_problem(await bare_server.http.request(method, path), 404, "SYNC_NOT_FOUND")


async def test_a_malformed_organization_is_refused(bare_server: Server):
    """An organization id has letters, digits, dashes and underscores; the error never repeats markup."""
    for path in ["/start/", "/dashboard/", "/history/"]:
        method = "POST" if path == "/start/" else "GET"
        answer = await bare_server.http.request(method, f"/api/v1/sync{path}%3Cb%3Eorg")
        _assert_problem(answer, 422, "BAD_USER_INPUT")
        assert "<" not in answer.text


async def test_unknown_addresses_and_methods_are_problems_too(bare_server: Server):
    """Unknown addresses and methods get a response that programs can read."""
    for method, path, status in [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/sync", 404),
        ("GET", "/api/v1/sync/status/", 404),
        ("GET", "/api/v1/sync/start/org_1", 405),
        ("POST", "/api/v1/sync/status/x", 405),
        ("GET", "/api/v1/sync/cancel/x", 405),
        ("PUT", "/healthz", 405),
    ]:
        answer = await bare_server.http.request(method, path)
        _assert_problem(answer, status, {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}[status])
        assert (status == 405) == ("allow" in answer.headers)


def _assert_problem(answer, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert list(problem)[:4] == ["type", "title", "detail", "code"]
    assert problem["code"] == code
    assert "status" not in problem
    assert all(isinstance(value, str) and value for value in problem.values())
