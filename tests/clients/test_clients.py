"""Other developers' clients with a running demo: the documented JavaScript, npm's graphql-ws, and curl."""

import json
import subprocess

import httpx

from tests.cli.programs import PATIENCE_SECONDS
from tests.clients.conftest import RunScript
from tests.organization import ORGANIZATION


def _current_sync_id(url: str) -> str:
    current = httpx.get(f"{url}/api/v1/sync/dashboard/{ORGANIZATION}").json()["current_sync"]
    return str(current["sync_id"])


def test_the_documented_javascript_flow_works(demo: str, run_script: RunScript):
    """The documented code works unchanged: start, poll each second until completed, read the dashboard."""
    result = run_script("documented_flow.mjs", demo, ORGANIZATION)
    shown = result["shown"]
    assert shown["percentages"] == sorted(shown["percentages"])
    assert shown["percentages"][-1] == 100
    assert shown["statuses"][-1] == "completed"
    assert shown["texts"][-1] == "Sync completed successfully!"
    assert len(shown["percentages"]) > 1
    last = result["last"]
    figures = [last[key] for key in ("patients_found", "appointments_found", "active_patients_stored", "errors")]
    assert figures == [641, 1247, 89, []]
    assert result["dashboard"]["current_sync"] is None
    assert result["dashboard"]["last_sync"]["records_success"] == 89


def test_graphql_ws_follows_a_sync_to_complete(demo: str, run_script: RunScript):
    """npm's graphql-ws follows a sync to its end and `complete`; a later subscription gets the end and `complete`."""
    sync_id = _current_sync_id(demo)
    followed = run_script("follow_sync.mjs", demo, sync_id)
    assert followed["completed"] is True
    seen = followed["seen"]
    for key in ("version", "progressPercentage", "patientsFound"):
        assert [state[key] for state in seen] == sorted(state[key] for state in seen)
    assert len({state["version"] for state in seen}) == len(seen) > 5
    assert seen[-1]["progressPercentage"] == 100
    assert (seen[-1]["patientsFound"], seen[-1]["appointmentsFound"], seen[-1]["activePatientsStored"]) == (
        641,
        1247,
        89,
    )

    late = run_script("follow_sync.mjs", demo, sync_id)
    assert late == {"completed": True, "seen": [seen[-1]]}


def test_curl_shows_the_stream(demo: str, curl: str):
    """`curl -N` prints the events and ends by itself with the sync."""
    done = subprocess.run(
        [curl, "-sN", f"{demo}/api/v1/sync/stream/{_current_sync_id(demo)}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0
    events = [dict(_fields(block)) for block in done.stdout.split("\n\n") if "data:" in block]
    states = [json.loads(event["data"]) for event in events if "event" not in event]
    lines = [json.loads(event["data"]) for event in events if event.get("event") == "log"]
    assert states[-1]["status"] == "completed"
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert all("id" in event for event in events)


def _fields(block: str) -> list[tuple[str, str]]:
    found = [line.partition(":") for line in block.split("\n") if line]
    return [(name, value.removeprefix(" ")) for name, _, value in found if name]
