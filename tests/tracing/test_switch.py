"""Traces are off by default and cost nothing then; a wrong set-up ends the start with a sentence."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from routiq_gql.errors import SettingsError
from routiq_gql.settings import Settings
from routiq_gql.tracing import opening
from routiq_gql.tracing.names import NAMES
from routiq_gql.tracing.opening import open_tracing
from tests.tracing.collector import collecting

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text()

SYNCING = """
import asyncio, sys
from tests.emulated_cliniko import emulated_cliniko
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.settings import Settings
from tests.server import Server
async def main():
    settings = Settings(database_url=sys.argv[1], cliniko_requests_per_minute=0)
    async with emulated_cliniko() as cliniko, Server(settings) as server:
        await server.connect_organization(cliniko.base_url, EMULATED_API_KEY)
        assert (await server.until_ended(await server.start_sync()))["status"] == "completed"
        assert (await server.ask("{ organizations { organizations { id } } }"))["data"]
asyncio.run(main())
print(sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""


def test_without_traces_opentelemetry_is_not_imported(tmp_path: Path):
    """A server that syncs and answers without traces has loaded no part of OpenTelemetry."""
    command = [sys.executable, "-c", SYNCING, f"sqlite+aiosqlite:///{tmp_path}/routiq.db"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


async def test_missing_packages_end_the_start_with_a_sentence(monkeypatch: pytest.MonkeyPatch):
    """An operator reads what to install."""
    monkeypatch.setattr(opening, "PACKAGES", ("opentelemetry_that_is_missing.sdk",))
    with pytest.raises(SettingsError, match=r"pip install 'routiq-gql\[otel\]'"):
        async with open_tracing(is_on=True):
            pass


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp, console or none is expected"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "speaks http/protobuf"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "must be a positive integer"),
    ],
)
async def test_wrong_variables_end_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
):
    """A variable of OpenTelemetry that can't work is refused at the start."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=sentence):
        async with open_tracing(is_on=True):
            pass


async def test_the_operators_variables_decide(monkeypatch: pytest.MonkeyPatch):
    """The name of the service and the sampling come from OpenTelemetry's variables; a stop sends the last spans."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "clinic-syncs")
        async with open_tracing(is_on=True) as tracing:
            assert tracing is not None
            with tracing.http_request("GET", "https", []).current():
                pass
        assert [span.service["service.name"] for span in collector.spans] == ["clinic-syncs"]
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        async with open_tracing(is_on=True) as tracing:
            assert tracing is not None
            with tracing.http_request("GET", "https", []).current():
                pass
        assert len(collector.spans) == 1


def test_the_page_for_operators_names_everything_in_a_span():
    """The page has exactly the attributes and events of the code, and those that are left out on purpose."""
    left_out = {"url.path", "url.full", "graphql.document"}
    section = PAGE.partition("\n## Traces\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"`((?:http|url|server|error|graphql|routiq)\.[\w.]+)`", section)) == NAMES | left_out


def test_traces_are_off_by_default():
    """Nothing is sent unless an operator says so."""
    assert Settings().traces is False
