"""Several processes as an operator starts them: servers, workers, their status, and schedules."""

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from routiq_gql.emulator import EMULATED_API_KEY
from tests.cli.conftest import Command
from tests.cli.programs import Program
from tests.conftest import ENCRYPTION_KEYS


@pytest.fixture
def cliniko(folder: Path) -> Iterator[str]:
    """The base URL of an emulated Cliniko with 50 patients, in a separate process."""
    with Program("emulator", "--port", "0", "--patients", "50", folder=folder) as emulator:
        yield emulator.wait_for(r"(http://127\.0\.0\.1:\d+/v1)").group(1)


@pytest.mark.postgres_only
def test_servers_and_workers_from_an_empty_database(
    folder: Path, cliniko: str, command: Command, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
):
    """Make the tables, start a server and a worker, sync over the server, list the processes, and stop both."""
    together = {
        "ROUTIQ_DATABASE_URL": empty_database_url,
        "ROUTIQ_ENCRYPTION_KEYS": ENCRYPTION_KEYS,
        "ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": "0",
    }
    for name, value in together.items():
        monkeypatch.setenv(name, value)
    assert "is at revision" in command("db", "upgrade").out
    assert command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY).code == 0
    assert "No worker is alive" in command("workers").out
    assert command("sync", "org_1").code == 0, "it runs here, as nobody else does"

    with (
        Program("serve", "--port", "0", folder=folder, settings=together) as server,
        Program("worker", "--port", "0", folder=folder, settings=together) as worker,
        httpx.Client(base_url=server.url(), timeout=60) as http,
    ):
        health = worker.wait_for(r"(http://127\.0\.0\.1:\d+)/readyz").group(1)
        sync_id = http.post("/api/v1/sync/start/org_1").json()["sync_id"]
        with http.stream("GET", f"/api/v1/sync/stream/{sync_id}") as stream:
            assert '"status":"completed"' in "".join(stream.iter_text())
        found = json.loads(command("workers", "--json").out)
        assert [one["alive"] for one in found["workers"]] == [True]
        assert found["workers"][0]["name"].endswith(f":{worker.process.pid}")
        assert found["waiting"] == []
        assert "alive, runs 0 of 50" in command("workers").out
        assert command("sync", "org_1").code == 0, "the worker runs it"

        shown = http.get("/metrics").text
        for line in ("routiq_workers_alive 1.0", "routiq_queue_depth 0.0", "routiq_queue_age_seconds 0.0"):
            assert line in shown
        own = httpx.get(f"{health}/metrics").text
        assert 'routiq_syncs_ended_total{status="completed"} 2.0' in own
        assert "routiq_rescues_total 0.0" in own
        assert "routiq_flush_lag_seconds_count" in own
        assert httpx.get(f"{health}/healthz").json() == {"status": "ok"}
        assert httpx.get(f"{health}/api/v1/sync/dashboard/org_1").status_code == 404

        worker.send(signal.SIGTERM)
        assert worker.end() == 0
        server.send(signal.SIGTERM)
        assert server.end() == 0
        assert worker.complaints.count("Traceback") == server.complaints.count("Traceback") == 0


def test_with_sqlite_there_are_no_workers(command: Command):
    """With SQLite the command says what to do instead."""
    for name in ("worker", "workers"):
        refused = command(name)
        assert (refused.code, "needs PostgreSQL" in refused.err) == (2, True)


def test_an_organization_that_is_kept_live_is_shown_as_live(cliniko: str, command: Command):
    """No sentence claims that nothing is synced by itself while looks continue, and the way to end them is named."""
    live = "org_1 is kept live: a look at Cliniko every 15 s."
    unconnected = "Saved. org_1 is kept live as soon as it has a working connection: routiq-gql connect org_1\n"
    assert command("schedule", "org_1", "--live").out == unconnected
    command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY)
    assert command("schedule", "org_1", "--live").out == f"{live}\n"
    assert command("schedule", "org_1").out == f"{live}\n"
    ended = f"{live} To end that, too: routiq-gql schedule org_1 --no-live\n"
    assert command("schedule", "org_1", "--every", "off").out == ended
    command("schedule", "org_1", "--every", "1h")
    first, second = command("schedule", "org_1").out.splitlines()
    assert (first, "every 1h" in second) == (live, True)
    both = command("schedule", "org_1", "--every", "off", "--no-live").out
    assert both == "org_1 has no schedule.\norg_1 is not kept live.\n"
    assert "has no schedule" in command("schedule", "org_1").out


def test_looks_of_a_server_with_other_settings_are_shown(folder: Path, cliniko: str, command: Command):
    """A terminal without a server's setting does not say that nothing is synced by itself."""
    command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY)
    command("sync", "org_1")
    assert "has no schedule" in command("schedule", "org_1").out
    live = {"ROUTIQ_REFRESH_SECONDS": "15"}
    with Program("serve", "--port", "0", folder=folder, settings=live) as server:
        server.wait_for("/graphql")
        while (shown := command("schedule", "org_1").out).startswith("org_1 has no schedule"):
            time.sleep(0.2)
        assert re.match(r"org_1 was looked at in Cliniko at .+\. If a server's ROUTIQ_REFRESH_SECONDS is set", shown)
        ended = command("schedule", "org_1", "--every", "off").out
        assert ended.startswith("org_1 has no schedule, as before. org_1 was looked at in Cliniko at ")
        assert command("schedule", "org_1", "--no-live").out.startswith("org_1 was looked at in Cliniko at ")


LOCAL_TIME = r"20\d\d-\d\d-\d\d \d\d:\d\d [+-]\d\d:\d\d"


def test_a_schedule_is_made_shown_and_ended(cliniko: str, command: Command):
    """The command prints the time of the next sync, or the missing condition."""
    assert "starts when org_1 has a working connection" in command("schedule", "org_1", "--every", "1h").out
    command("connect", "org_1", "--base-url", cliniko, stdin=EMULATED_API_KEY)
    planned = command("schedule", "org_1", "--every", "6h").out
    assert re.fullmatch(rf"Next sync of org_1 at {LOCAL_TIME}, then every 6h\.\n", planned)
    assert command("schedule", "org_1", "--every", "off").out == "org_1 is synced on demand only.\n"
    assert "as before" in command("schedule", "org_1", "--every", "off").out
    zone = ("--time-zone", "Australia/Sydney")
    assert "has no schedule" in command("schedule", "org_1").out
    planned = command("schedule", "org_1", "--at", "13:00", "--at", "06:00", "--weekdays", "mon-fri", *zone).out
    assert re.fullmatch(
        r"Next sync of org_1 on (Mon|Tue|Wed|Thu|Fri) 20\d\d-\d\d-\d\d at (06|13):00, "
        r"then at 06:00 and 13:00 on mon-fri, Australia/Sydney time\.\n",
        planned,
    )
    assert command("schedule", "org_1").out == planned
    for nonsense in ("1m", "99d", "soon", "1h30m", "-1h"):
        refused = command("schedule", "org_1", f"--every={nonsense}")
        assert refused.code == 2, nonsense
        assert refused.err
