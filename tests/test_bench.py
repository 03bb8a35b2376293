"""``make bench`` works: its short form measures everything and shows every row. Times are not checked."""

import json
import os
import re
from collections.abc import Container
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

import pytest

from routiq_gql.patients.lists import PatientList
from tests.browser.conftest import find_chromium
from tests.forked import start
from tests.machine import leave_out

ROOT = Path(__file__).parent.parent

ROWS = [
    *("300 patients, first sync", "900 patients, second sync", "more for 900 patients, at most 20"),
    *("Time per page of patients", "Time per page of appointments"),
    *("emulator alone", "bare httpx", "connector", "first sync", "second sync"),
    *("a page of patients", "a page of appointments", "an analysis slice", "publishing (what readers see)"),
    *("the longest of all", "between two snapshots"),
    *("unchanged", "200 changes", "a patient deleted without a trace", "20 appointments deleted without a trace"),
    *("Strawberry on uvicorn, first answer", "serve, first answer, new database", "serve, first answer"),
    *("status", "--help"),
]
"""The beginnings of rows about syncs and starts."""

RATES = {"Routiq", "bare ASGI", "Strawberry with caches", "stock Strawberry"}
IDLE_KINDS = ("syncProgress", "dashboardUpdated", "syncLog", "REST stream")
LIVE = {
    "one-sync": RATES,
    "many-syncs": RATES,
    "latency": {"Routiq", "bare ASGI"},
    "idle": {"bare ASGI", *(f"Routiq: {kind}" for kind in IDLE_KINDS)},
    "events": {"plain fields", "with the field log"},
    "connecting": {"Routiq", "bare ASGI", "Strawberry with caches"},
    "reads": {"Routiq: REST status", "Routiq: GraphQL syncStatus", "bare ASGI: JSON route of Starlette"},
    "stalled": {"while it reads", "while it does not read", "the stalled watcher"},
}
"""The rows of each part about watchers; a part may have more."""


class Ran(NamedTuple):
    """The output of a benchmark."""

    stdout: str
    stderr: str


@pytest.mark.postgres_only
@pytest.mark.usefixtures("postgres")  # skipped, or failed in CI, without PostgreSQL
@pytest.mark.timeout(300)
def test_the_short_benchmark_of_workers_measures_everything():
    """The short benchmark of syncs in several processes shows every row."""
    ran = _run(module="tests.bench.scale")
    assert "An unchanged incremental sync" in ran.stdout
    rows = [line.split() for line in ran.stdout.splitlines() if line.startswith("1 ")]
    assert [len(row) for row in rows] == [3, 7]
    assert all(float(cell) > 0 for row in rows for cell in row)


@pytest.mark.postgres_only
@pytest.mark.usefixtures("postgres")
@pytest.mark.timeout(300)
def test_the_short_benchmark_of_progress_elsewhere_measures_a_watcher():
    """The short benchmark of progress in another process shows the delay until a watcher gets it."""
    ran = _run("--only", "elsewhere")
    (row,) = (line for line in ran.stdout.splitlines() if line.startswith("PostgreSQL, one worker"))
    assert all(float(cell) > 0 for cell in row.split()[3:])


@pytest.mark.timeout(300)
def test_the_short_benchmark_of_syncs_measures_everything():
    """The short benchmark of syncs and starts shows every row."""
    ran = _run("--only", "clinics", "incremental", "starts")
    starts = [line.partition("  ")[0].rstrip() for line in ran.stdout.splitlines()]
    assert [row for row in ROWS if not any(line.startswith(row) for line in starts)] == []


@pytest.mark.timeout(600)
def test_the_short_benchmark_of_watchers_measures_everything(tmp_path: Path):
    """The short benchmark of watchers and reads shows every row, and writes the same figures to a file."""
    if not hasattr(os, "sched_setaffinity"):
        leave_out("this is not Linux, whose epoll the load needs")
    file = tmp_path / "figures.json"
    ran = _run("--only", *LIVE, "--json", str(file))
    figures = json.loads(file.read_text())
    assert figures.keys() == LIVE.keys()
    for part, rows in LIVE.items():
        assert rows <= figures[part].keys()
        for row in rows - {"the stalled watcher"}:
            assert re.search(rf"^{re.escape(row)} ", ran.stdout, re.MULTILINE)
    for part in ("one-sync", "many-syncs"):
        assert all(found["frames_per_second"] > 0 for found in figures[part].values())
    woken = figures["stalled"]["the stalled watcher"]
    assert 0 < woken["frames_on_waking"] < woken["states_missed"]
    assert woken["disconnected_after_seconds"] >= woken["send_timeout_seconds"]


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_short_benchmark_of_the_page_opens_and_searches_a_log(tmp_path: Path):
    """The short benchmark of a long log on the page shows both times, and how few rows were mounted."""
    if find_chromium() is None:
        leave_out("chromium is not installed; it is needed to open the page")
    file = tmp_path / "figures.json"
    _run("--only", "log", "--json", str(file))
    figures = json.loads(file.read_text())["log"]
    assert all(figures[name]["median_ms"] > 0 for name in ("opens", "is searched"))
    assert 0 < figures["rows"]["most"] < 200


@pytest.mark.timeout(300)
def test_the_short_benchmark_of_patients_reads_every_list(tmp_path: Path):
    """The short benchmark of pages of patients measures each list, searches, and pages in the middle."""
    file = tmp_path / "figures.json"
    _run("--only", "patients", "--json", str(file))
    figures = json.loads(file.read_text())["patients"]
    assert {f"SQLite: list {one.name}, every sort" for one in PatientList} <= set(figures)
    assert all(0 < row["median_ms"] <= row["worst_ms"] for row in figures.values())


def _run(*arguments: str, module: str = "tests.bench", codes: Container[int] = (0,)) -> Ran:
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        with start(
            *("--quick", *arguments),
            module=module,
            cwd=ROOT,
            env=os.environ,
            stdout=output.fileno(),
            stderr=errors.fileno(),
        ) as process:
            code = process.wait()
        output.seek(0)
        errors.seek(0)
        ran = Ran(output.read(), errors.read())
    assert code in codes, ran.stderr
    assert code or ran.stderr == ""
    return ran


FAIRNESS_ROWS = ("alone", "under attack", "half-open connections opened", "costliest operations", "memory", "log")


@pytest.mark.timeout(300)
def test_the_short_benchmark_of_fairness_measures_everything():
    """The short benchmark of an attack by one organization measures the effect on another, and the log stays small."""
    ran = _run(module="tests.bench.fairness", codes=(0, 1))  # 1: too slow, as a busy machine may be
    assert [row for row in FAIRNESS_ROWS if not re.search(rf"^{row}", ran.stdout, re.MULTILINE)] == []
    assert "the log grew" not in ran.stderr
