"""Traces are off by default and cost nothing then; a wrong set-up ends the start with a sentence."""

import asyncio
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from routiq_gql.errors import SettingsError
from routiq_gql.settings import Settings
from routiq_gql.tracing import opening
from routiq_gql.tracing.names import NAMES
from routiq_gql.tracing.opening import open_tracing
from tests.ports import free_port
from tests.tracing.collector import collecting, set_environment
from tests.waiting import LIMIT_SECONDS

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
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector.internal:4317", "an address such as http://collector"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "a=b,api-key: s3cret",
            "OTEL_EXPORTER_OTLP_HEADERS is wrong: name=value is expected",
        ),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key=s3cret%0ax", "name=value is expected"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "must be a positive integer"),
        ("OTEL_BSP_SCHEDULE_DELAY", "5s", "OTEL_BSP_SCHEDULE_DELAY is wrong: a whole number is expected"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be a non-negative integer"),
    ],
)
async def test_wrong_variables_end_the_start_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str, sentence: str
):
    """A variable of OpenTelemetry that can't work is refused at the start. No secret in it is shown or logged."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=sentence) as raised:
        async with open_tracing(is_on=True):
            pass
    assert "s3cret" not in raised.value.message + caplog.text


async def test_headers_for_the_collector_may_be_written_as_people_do(monkeypatch: pytest.MonkeyPatch):
    """A token with spaces or encoded letters starts the traces, as other programs accept it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer abc==, x-scope=a%2Cb,")
    async with open_tracing(is_on=True) as tracing:
        assert tracing is not None


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


async def test_a_stop_waits_for_the_collector_only(monkeypatch: pytest.MonkeyPatch):
    """A process that stops continues once its last spans are sent, and loses none without a line in the log.

    In debug mode asyncio refuses calls from another thread that would not wake it.
    """
    asyncio.get_running_loop().set_debug(True)
    with collecting() as collector:
        set_environment(monkeypatch, collector)
        for number in range(1, 4):
            with capture_logs() as logs:
                async with open_tracing(is_on=True) as tracing:
                    assert tracing is not None
                    with tracing.http_request("GET", "https", []).current():
                        pass
            assert logs == []
            assert len(collector.spans) == number


async def test_a_collector_that_is_away_does_not_fill_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Of many attempts to send spans, the log has a warning and an error a minute, with the reason."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    async with open_tracing(is_on=True) as tracing:
        assert tracing is not None

        async def has_failed() -> bool:
            with tracing.http_request("GET", "https", []).current():
                pass
            return any(record.levelname == "ERROR" for record in of_exporter())

        def of_exporter() -> list[logging.LogRecord]:
            return [record for record in caplog.records if "otlp" in record.name]

        async with asyncio.timeout(LIMIT_SECONDS):
            while not await has_failed():
                await asyncio.sleep(0.05)
    levels = [record.levelname for record in of_exporter()]
    assert sorted(levels) == ["ERROR", "WARNING"]
    assert "Connection refused" in caplog.text


def test_the_page_for_operators_names_everything_in_a_span():
    """The page has exactly the attributes and events of the code, and those that are left out on purpose."""
    left_out = {"url.path", "url.full", "graphql.document"}
    section = PAGE.partition("\n## Traces\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"`((?:http|url|server|error|graphql|routiq)\.[\w.]+)`", section)) == NAMES | left_out


def test_traces_are_off_by_default():
    """Nothing is sent unless an operator says so."""
    assert Settings().traces is False
