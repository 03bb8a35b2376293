"""``connect`` and ``sync`` as an operator uses them: alone, beside a server, interrupted, refused."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, demo_clinic
from tests.cli.programs import Program, percentages, run_in_terminal, run_program

ORGANIZATION = "org_harbour"
UNPACED = {"ROUTIQ_CLINIKO_REQUESTS_PER_MINUTE": "0"}


@pytest.fixture
async def cliniko() -> AsyncIterator[EmulatorServer]:
    """The demo clinic, without latency."""
    async with EmulatorServer(Emulator(demo_clinic(datetime.now(UTC)))) as server:
        yield server


async def _run(*arguments: str, folder: Path, stdin: str | None = None) -> tuple[int, str, str]:
    """In a thread, as the emulator runs on this event loop."""
    return await asyncio.to_thread(run_program, *arguments, folder=folder, settings=UNPACED, stdin=stdin)


def _files_with(folder: Path, text: str) -> list[Path]:
    return [file for file in folder.iterdir() if text.encode() in file.read_bytes()]


async def _connect(folder: Path, cliniko: EmulatorServer) -> None:
    code, _, err = await _run(
        "connect", ORGANIZATION, "--base-url", cliniko.base_url, folder=folder, stdin=EMULATED_API_KEY + "\n"
    )
    assert code == 0, err


async def test_connect_checks_the_key_and_never_shows_it(folder: Path, cliniko: EmulatorServer):
    """The command names the account, every list of a sync was checked, and the key appears nowhere."""
    code, out, err = await _run(
        "connect", ORGANIZATION, "--base-url", cliniko.base_url, folder=folder, stdin=EMULATED_API_KEY + "\n"
    )
    assert (code, err) == (0, "")
    assert "Harbour Street Physio" in out
    assert "709 patients" in out, "archived patients included"
    assert re.search(r"Appointments are stored from \d{4}-\d\d-\d\d on, 730 days back; there is no end\.", out)
    assert f"routiq-gql sync {ORGANIZATION}" in out
    assert EMULATED_API_KEY not in out
    assert {request.resource for request in cliniko.emulator.requests} >= {"patients", "attendees"}
    assert not _files_with(folder, EMULATED_API_KEY)


async def test_connect_takes_the_key_from_the_environment(folder: Path, cliniko: EmulatorServer):
    """A key in a variable stays out of the shell's history as well."""
    code, _, err = await asyncio.to_thread(
        run_program,
        *("connect", ORGANIZATION, "--base-url", cliniko.base_url),
        folder=folder,
        settings={"ROUTIQ_CLINIKO_API_KEY": EMULATED_API_KEY},
    )
    assert (code, err) == (0, "")


async def test_a_refused_key_is_not_stored(folder: Path, cliniko: EmulatorServer):
    """Connecting with a wrong key fails with a reason, and no connection is stored."""
    code, out, err = await _run(
        "connect", ORGANIZATION, "--base-url", cliniko.base_url, folder=folder, stdin="MS0xd3Jvbmcta2V5-au1\n"
    )
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "MS0x" not in err
    assert (await _run("sync", ORGANIZATION, folder=folder))[0] == 2


async def test_sync_alone_runs_to_the_end(folder: Path, cliniko: EmulatorServer):
    """Without a server, the command runs the sync itself and prints plain progress lines with the right figures."""
    await _connect(folder, cliniko)
    code, out, err = await _run("sync", ORGANIZATION, folder=folder)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"Sync started: sync_{ORGANIZATION}_")
    shown = percentages(lines)
    assert shown == sorted(shown)
    assert shown[-1] == 100
    last = next(number for number, line in enumerate(lines) if line.startswith("Sync completed in"))
    assert "641 patients, 1,247 appointments, 89 active patients stored." in lines[last]
    assert re.fullmatch(
        r"Agrees with Cliniko, checked \d\d:\d\d [+-]\d\d:\d\d; \d+ requests; \+[\d,]+.*", lines[last + 1]
    )
    assert "\x1b" not in out


async def test_a_failed_sync_says_why_and_exits_with_1(folder: Path, cliniko: EmulatorServer):
    """The exit code is for scripts, the sentences are for people."""
    code, _, err = await _run(
        *("connect", ORGANIZATION, "--no-check", "--base-url", cliniko.base_url),
        folder=folder,
        stdin="MS0xd3Jvbmcta2V5-au1\n",
    )
    assert (code, err) == (0, "")
    code, out, err = await _run("sync", ORGANIZATION, folder=folder)
    assert (code, err) == (1, "")
    assert "Sync failed at step 3 of 8" in out


async def test_sync_beside_a_server_only_watches(folder: Path, cliniko: EmulatorServer):
    """A server with the database runs the sync; the command starts it there and shows it to the end."""
    await _connect(folder, cliniko)
    with Program("serve", "--port", "0", folder=folder, settings=UNPACED) as server:
        url = await asyncio.to_thread(server.url)
        code, out, err = await _run("sync", ORGANIZATION, folder=folder)
        assert (code, err) == (0, "")
        assert "89 active patients stored" in out
        sync_id = re.search(r"sync_org_harbour_\d+_\d+", out).group()
        assert f"sync_id={sync_id}" in server.complaints  # the server logs the sync that it runs
        async with httpx.AsyncClient(base_url=url) as client:
            status = (await client.get(f"/api/v1/sync/status/{sync_id}")).json()
        assert (status["status"], status["active_patients_stored"]) == ("completed", 89)
        server.send(signal.SIGTERM)
        assert await asyncio.to_thread(server.end) == 0


async def test_a_sync_cancelled_elsewhere_exits_with_3(folder: Path, cliniko: EmulatorServer):
    """A sync cancelled on the page ends the operator's command in the terminal, which says so."""
    cliniko.emulator.latency_seconds = 0.3
    await _connect(folder, cliniko)
    with (
        Program("serve", "--port", "0", folder=folder, settings=UNPACED) as server,
        Program("sync", ORGANIZATION, folder=folder, settings=UNPACED) as sync,
    ):
        url = await asyncio.to_thread(server.url)
        sync_id = (await asyncio.to_thread(sync.wait_for, r"sync_org_harbour_\d+_\d+")).group()
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.delete(f"/api/v1/sync/cancel/{sync_id}")).json()["message"] == "Sync cancelled"
        assert await asyncio.to_thread(sync.end) == 3
        assert "Sync was cancelled" in sync.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_sync_is_resumed_by_the_next_command(
    folder: Path, cliniko: EmulatorServer, number: signal.Signals
):
    """After Ctrl-C the same command resumes the sync and reads nothing twice."""
    cliniko.emulator.latency_seconds = 0.1
    await _connect(folder, cliniko)
    with Program("sync", ORGANIZATION, folder=folder, settings=UNPACED) as sync:
        first = await asyncio.to_thread(sync.wait_for, r"Sync started: (\S+)")
        await asyncio.to_thread(sync.wait_for, r"step 5/8")
        sync.send(number)
        assert await asyncio.to_thread(sync.end) == 130
        assert "Nothing is lost" in sync.output
        assert sync.complaints == ""
        reached = max(percentages(sync.output.splitlines()))
    before = len(cliniko.emulator.requests)
    code, out, err = await _run("sync", ORGANIZATION, folder=folder)
    assert (code, err) == (0, "")
    assert f"Sync already in progress: {first.group(1)}" in out
    assert min(percentages(out.splitlines())) >= reached
    assert "89 active patients stored" in out
    # The comparison with Cliniko asks for counts, and for rows changed meanwhile.
    pages = [
        request
        for request in cliniko.emulator.requests[before:]
        if request.values("per_page") == ["100"] and "updated_at" not in str(request.values("q[]"))
    ]
    assert pages
    assert "patients" not in {request.resource for request in pages}


async def test_a_terminal_sees_a_moving_bar(folder: Path, cliniko: EmulatorServer):
    """In a real terminal there is a bar with step and percentage, and the result and its receipt stay at the end."""
    await _connect(folder, cliniko)
    code, shown = await asyncio.to_thread(run_in_terminal, "sync", ORGANIZATION, folder=folder, settings=UNPACED)
    assert code == 0, shown
    assert "━" in shown
    assert re.search(r"Step \d of 8", shown)
    assert "89 active patients stored" in shown.splitlines()[-2]
    assert shown.splitlines()[-1].startswith("Agrees with Cliniko, checked ")
