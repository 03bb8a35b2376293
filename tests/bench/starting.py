"""Measures the processor time from the start of a process to its first answer over GraphQL, or to the end of a command.

Beside the product the smallest server with the same libraries: Strawberry on uvicorn, with a schema of one field. Each
process is killed as soon as it has answered, so that its processor time holds no end. Rounds alternate, because the
machine may be busy for a while; the medians are shown. Compiled files exist after the first start, which is not
counted.
"""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.bench.children import ChildBroke
from tests.bench.table import print_table, show_progress
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 120

SMALLEST = """
import sys
import strawberry, uvicorn
from strawberry.asgi import GraphQL

@strawberry.type
class Query:
    @strawberry.field
    def answer(self) -> str:
        return ""

uvicorn.run(GraphQL(strawberry.Schema(Query)), port=int(sys.argv[1]), log_level="warning")
"""
ROUTIQ = ("-m", "routiq_gql")

Starts = dict[str, list[float]]
"""By row: seconds of processor time, in the order of the rounds."""


def measure_starts(rounds: int) -> Starts:
    """Start each program ``rounds`` times, and before once more if there are several rounds.

    Raises:
        ChildBroke: A program ended or did not answer.
    """
    found: Starts = {}
    for number in range(0 if rounds > 1 else 1, rounds + 1):
        show_progress(f"Starting programs, round {number} of {rounds}")
        with tempfile.TemporaryDirectory(prefix="routiq-bench-") as folder:
            measures: dict[str, Callable[[], float]] = {
                "Strawberry on uvicorn, first answer": lambda: _until_answer(folder, "-c", SMALLEST, "PORT"),
                "serve, first answer, new database": lambda: _until_answer(folder, *ROUTIQ, "serve", "--port", "PORT"),
                "serve, first answer": lambda: _until_answer(folder, *ROUTIQ, "serve", "--port", "PORT"),
                "status": lambda: _until_end(folder, *ROUTIQ, "status"),
                "--help": lambda: _until_end(folder, *ROUTIQ, "--help"),
            }
            for row, measure in measures.items():
                seconds = measure()
                if number > 0:
                    found.setdefault(row, []).append(seconds)
    return found


def figures_of_starts(starts: Starts) -> dict[str, dict[str, float]]:
    """Medians by row."""
    medians = {row: median(seconds) for row, seconds in starts.items()}
    base = next(iter(medians.values()))
    return {row: {"cpu_seconds": seconds, "to_strawberry": seconds / base} for row, seconds in medians.items()}


def print_starts(starts: Starts) -> None:
    """Print a table, relative to its first row."""
    found = figures_of_starts(starts)
    rows = [[row, f"{one['cpu_seconds']:.2f}", f"{one['to_strawberry']:.2f}"] for row, one in found.items()]
    print_table("Starts of a process, seconds of processor time", ["", "s", "x Strawberry"], rows)


def _until_answer(folder: str, *arguments: str) -> float:
    port = free_port()
    process = _start(folder, *(str(port) if argument == "PORT" else argument for argument in arguments))
    until = time.monotonic() + LIMIT_SECONDS
    try:
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                raise ChildBroke("A server has not answered.")
            time.sleep(0.005)
    finally:
        process.kill()
        seconds = _processor_seconds(process)
    return seconds


def _until_end(folder: str, *arguments: str) -> float:
    return _processor_seconds(_start(folder, *arguments))


def _start(folder: str, *arguments: str) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ROUTIQ_")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_SECONDS)
    try:
        body = json.dumps({"query": "{ __typename }"})
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _processor_seconds(process: "subprocess.Popen[bytes]") -> float:
    """Wait for the end of a process."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime
