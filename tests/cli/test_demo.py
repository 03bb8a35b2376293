"""``routiq-gql demo`` for a new user: URLs, a sync with the documented figures, and Ctrl-C at any time."""

import json
import re
import signal
from contextlib import aclosing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import httpx
import pytest

from routiq_gql.cli.demo import REQUESTS_OF_A_SYNC
from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, demo_clinic
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import load_settings
from routiq_gql.sync.model import SyncMode, SyncState
from tests.cli.programs import Program, percentages
from tests.organization import ORGANIZATION
from tests.waiting import LIMIT_SECONDS

FIGURES = "641 patients, 1,247 appointments, 89 active patients stored."
SYNC_ID = rf"sync_{ORGANIZATION}_\d+_\d+(_\d+)?"


def _demo(folder: Path, *arguments: str) -> Program:
    return Program("demo", "--still", "--port", "0", *arguments, folder=folder)


def _living_demo(folder: Path) -> Program:
    return Program("demo", "--port", "0", "--seconds", "0", folder=folder)


LIVE_FIELDS = "freshness { mode } lastSuccessfulSync { syncId }"


def _newest(board: Any) -> str:
    return str(board["lastSuccessfulSync"]["syncId"])


def _current_sync_id(url: str) -> str:
    return str(_answer(f"{url}/api/v1/sync/dashboard/{ORGANIZATION}")["current_sync"]["sync_id"])


def _answer(url: str) -> Any:
    response = httpx.get(url)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_demo_shows_addresses_syncs_and_ends_with_ctrl_c(folder: Path):
    """The addresses come first, then the sync to its end with the documented figures; Ctrl-C ends it cleanly."""
    with _demo(folder, "--seconds", "0") as demo:
        url = demo.url()
        demo.wait_for(re.escape(FIGURES))
        demo.wait_for("Ctrl-C ends it")
        dashboard = _answer(f"{url}/api/v1/sync/dashboard/{ORGANIZATION}")
        assert dashboard["sync_available"] is True
        assert dashboard["current_sync"] is None
        stats = dashboard["patient_stats"]
        assert (stats["active_patients"], stats["patients_with_upcoming"], stats["patients_with_recent"]) == (
            89,
            23,
            66,
        )
        demo.send(signal.SIGINT)
        assert demo.end() == 0
        assert demo.complaints == ""
        assert demo.output.index(url) < demo.output.index("step 1/8")
        shown = percentages(demo.output.splitlines())
        assert shown == sorted(shown)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_stopped_in_the_middle_resumes_the_next_time(folder: Path, number: signal.Signals):
    """The same sync resumes where it was, although the emulated Cliniko has another port."""
    with _demo(folder, "--seconds", "20") as demo:
        url = demo.url()
        demo.wait_for(r"step 5/8")
        sync_id = _current_sync_id(url)
        demo.send(number)
        assert demo.end() == 0
        assert demo.complaints == ""
        assert re.search(r"next demo resumes the sync at \d+ %", demo.output)
        reached = max(percentages(demo.output.splitlines()))
    with _demo(folder, "--seconds", "0") as demo:
        assert re.fullmatch(SYNC_ID, sync_id)
        url = demo.url()
        demo.wait_for(re.escape(FIGURES))
        assert "Resuming the interrupted sync" in demo.output
        assert min(percentages(demo.output.splitlines())) >= reached
        history = _answer(f"{url}/api/v1/sync/history/{ORGANIZATION}")
        assert [sync["sync_id"] for sync in history["recent_syncs"]] == [sync_id]


def test_a_second_demo_syncs_anew_and_a_fresh_one_forgets(folder: Path):
    """After a completed sync the next demo runs another; --fresh begins with an empty history."""
    for arguments, total in (([], 1), ([], 2), (["--fresh"], 1)):
        with _demo(folder, "--seconds", "0", *arguments) as demo:
            url = demo.url()
            demo.wait_for(re.escape(FIGURES))
            history = _answer(f"{url}/api/v1/sync/history/{ORGANIZATION}")
            assert (history["total_syncs"], history["successful_syncs"]) == (total, total)
            demo.send(signal.SIGTERM)
            assert demo.end() == 0


def test_a_demo_that_is_started_again_knows_its_connections(folder: Path):
    """After each restart the clinic's name is shown, and an organization connected on the page can sync again."""
    connect = f"""mutation {{ connectCliniko(organizationId: "org_second", apiKey: "{EMULATED_API_KEY}") {{ ok }} }}"""
    for start in (1, 2):
        with _demo(folder, "--seconds", "0") as demo:
            url = demo.url()
            connection = _answer(f"{url}/api/v1/sync/dashboard/{ORGANIZATION}")["connection"]
            assert (connection["state"], connection["account"]) == ("connected", "Harbour Street Physio")
            if start == 1:
                answer = httpx.post(f"{url}/graphql", json={"query": connect}).json()
                assert answer == {"data": {"connectCliniko": {"ok": True}}}
            else:
                second = httpx.post(f"{url}/api/v1/sync/start/org_second").json()["sync_id"]
                with httpx.stream("GET", f"{url}/api/v1/sync/stream/{second}", timeout=60) as stream:
                    assert '"status":"completed"' in [line for line in stream.iter_lines() if "status" in line][-1]
            demo.wait_for(re.escape(FIGURES))


def test_trouble_on_purpose_says_whether_it_can_be_met_and_is_forgotten_whole(folder: Path):
    """An unconnected organization can't cause trouble; after “Behave again” the clinic has its 641 patients again."""

    def make(url: str, **body: str) -> Any:
        return httpx.post(f"{url}/demo/trouble", json=body)

    def patients(url: str) -> int:
        sync_id = httpx.post(f"{url}/api/v1/sync/start/{ORGANIZATION}").json()["sync_id"]
        httpx.get(f"{url}/api/v1/sync/stream/{sync_id}", timeout=60)
        return int(_answer(f"{url}/api/v1/sync/status/{sync_id}")["patients_found"])

    with _demo(folder, "--seconds", "0") as demo:
        url = demo.url()
        demo.wait_for("Ctrl-C ends it")
        refused = make(url, kind="rate_limit", organization_id="org_unknown")
        assert (refused.status_code, refused.json()["code"]) == (422, "BAD_USER_INPUT")
        assert "org_unknown is not connected to Cliniko" in refused.json()["detail"]
        assert make(url, kind="rate_limit", organization_id="<b>").status_code == 422
        assert make(url, kind="behave", organization_id="org_unknown").json()["needs_sync"] is False
        assert make(url, kind="moving_rows", organization_id=ORGANIZATION).json()["needs_sync"] is True
        assert patients(url) > 641
        assert make(url, kind="behave", organization_id=ORGANIZATION).json()["needs_sync"] is True
        assert patients(url) == 641
        assert make(url, kind="behave").json()["needs_sync"] is False


def test_a_change_of_patients_shows_in_the_next_sync_and_can_be_undone(folder: Path):
    """A button books five patients and archives three; the next sync says +5 active, −3, and an undo the reverse."""

    def changed(url: str, kind: str) -> tuple[int, int]:
        assert httpx.post(f"{url}/demo/trouble", json={"kind": kind}).json()["needs_sync"] is True
        sync_id = httpx.post(f"{url}/api/v1/sync/start/{ORGANIZATION}").json()["sync_id"]
        httpx.get(f"{url}/api/v1/sync/stream/{sync_id}", timeout=60)
        changes = _answer(f"{url}/api/v1/sync/status/{sync_id}")["changes"]
        return changes["became_active"], changes["became_inactive"]

    with _demo(folder, "--seconds", "0") as demo:
        url = demo.url()
        demo.wait_for("Ctrl-C ends it")
        assert changed(url, "patients_change") == (5, 3)
        assert changed(url, "patients_change") == (5, 3)
        assert changed(url, "behave") == (6, 10)


def test_the_clinic_of_a_demo_lives(folder: Path):
    """After the first sync someone changes the clinic, and the change is there without anybody starting a sync."""
    with _living_demo(folder) as demo:
        url = demo.url()
        demo.wait_for("people change the clinic")
        watch = f'subscription {{ dashboardUpdated(organizationId: "{ORGANIZATION}") {{ {LIVE_FIELDS} }} }}'
        events = {"Accept": "text/event-stream"}
        with httpx.stream("POST", f"{url}/graphql", json={"query": watch}, headers=events, timeout=60) as stream:
            boards = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: {"))
            shown = (board["data"]["dashboardUpdated"] for board in boards)
            first = next(shown)
            changed = next(board for board in shown if _newest(board) != _newest(first))
        assert changed["freshness"] == {"mode": "LIVE"}
        history = _answer(f"{url}/api/v1/sync/history/{ORGANIZATION}")
        assert history["total_syncs"] == 1, "such syncs don't fill the history"
        demo.send(signal.SIGINT)
        assert demo.end() == 0
        assert demo.complaints == ""


def test_a_webhook_of_the_demo_reaches_this_machine(folder: Path):
    """A developer tries webhooks with the demo alone: a receiver on this machine gets them, without a certificate."""
    received: Queue[str] = Queue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(json.loads(self.rfile.read(int(self.headers["content-length"])))["type"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with _demo(folder, "--seconds", "0") as demo, HTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        hooks = f"{demo.url()}/api/v1/webhooks/{ORGANIZATION}"
        Thread(target=receiver.serve_forever, daemon=True).start()
        body = {"url": f"http://localhost:{receiver.server_port}/", "events": ["sync.failed"]}
        registered = httpx.post(hooks, json=body).json()
        httpx.post(f"{hooks}/{registered['webhook']['id']}/test").raise_for_status()
        assert received.get(timeout=LIMIT_SECONDS) == "webhook.test"
        receiver.shutdown()


async def test_the_demo_knows_how_many_requests_a_sync_makes(folder: Path):
    """The latency per request determines the demo's duration, so the number of requests must be right."""
    settings = load_settings(database_url=f"sqlite+aiosqlite:///{folder}/routiq.db", cliniko_requests_per_minute=0)
    async with EmulatorServer(Emulator(demo_clinic(utc_now()))) as cliniko, open_runtime(settings) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        begun = await runtime.syncs.start(LOCAL_OPERATOR, ORGANIZATION, SyncMode.FULL)
        async with aclosing(runtime.syncs.watch(LOCAL_OPERATOR, begun.sync.sync_id)) as snapshots:
            last = [snapshot async for snapshot in snapshots][-1]
    assert last.status is SyncState.COMPLETED
    assert len(cliniko.emulator.requests) == pytest.approx(REQUESTS_OF_A_SYNC, rel=0.1)


def test_the_page_knows_its_organization(folder: Path):
    """The address opens the page of the emulated clinic without any input."""
    with _demo(folder, "--seconds", "0") as demo:
        page = httpx.get(demo.url() + "/")
        assert page.status_code == 200
        assert ORGANIZATION in page.text


def test_a_demo_with_tokens_gives_them_out(folder: Path):
    """With --auth the demo shows its sync, requires tokens from all others, and says how to get one."""
    with _demo(folder, "--auth", "--seconds", "0") as demo:
        url = demo.url()
        address = demo.wait_for(r"curl -X POST '(\S+)'").group(1)
        for_programs = demo.wait_for(r"export ROUTIQ_TOKEN_URL='(\S+)'").group(1)
        demo.wait_for(re.escape(FIGURES))
        dashboard = f"{url}/api/v1/sync/dashboard/{ORGANIZATION}"
        refused = httpx.get(dashboard)
        assert (refused.status_code, refused.json()["code"]) == (401, "UNAUTHENTICATED")
        for given_out in (address, for_programs):
            token = httpx.post(given_out).json()["token"]
            answer = httpx.get(dashboard, headers={"Authorization": f"Bearer {token}"})
            assert answer.json()["patient_stats"]["active_patients"] == 89
        assert '<meta name="routiq-token" content="/demo/issuer/token">' in httpx.get(url + "/").text
        stranger = httpx.post(f"{url}/demo/issuer/token?organization=org_other").json()["token"]
        assert httpx.get(dashboard, headers={"Authorization": f"Bearer {stranger}"}).status_code == 403
        assert httpx.get(f"{url}/demo/trouble").json()["kinds"]
        elsewhere = httpx.post(address, headers={"Origin": "https://elsewhere.example"})
        assert elsewhere.status_code == 403
        demo.send(signal.SIGINT)
        assert demo.end() == 0
        assert demo.complaints == ""


def test_a_demo_without_tokens_gives_none_out(folder: Path):
    """The emulated sign-in service exists with --auth only."""
    with _demo(folder, "--seconds", "0") as demo:
        url = demo.url()
        assert httpx.post(f"{url}/demo/issuer/token").status_code == 404
        assert '<meta name="routiq-token" content="">' in httpx.get(url + "/").text


def test_ctrl_c_is_quick_despite_an_open_stream(folder: Path):
    """An open event stream doesn't delay the end of the demo."""
    with _demo(folder, "--seconds", "30") as demo:
        url = demo.url()
        demo.wait_for(r"step 4/8")
        with httpx.stream("GET", f"{url}/api/v1/sync/stream/{_current_sync_id(url)}", timeout=30) as stream:
            lines = stream.iter_lines()
            next(lines)
            demo.send(signal.SIGINT)
            assert demo.process.wait(10) == 0
        assert demo.complaints == ""
