"""Sends spans from a thread of its own, in batches. A collector that is away costs spans and never delays a sync.

OpenTelemetry's own variables (``OTEL_…``) set the address, the sampling and the name of the service. The provider is
not the global one, so that the spans of other libraries in the process are not sent with ours.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from uuid import uuid4

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.util.re import parse_env_headers

from routiq_gql.errors import SettingsError

FLUSH_SECONDS = 5.0
"""How long a process that stops tries to send its last spans."""

_PROTOCOL = "http/protobuf"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_BATCHES = (
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
)

# It would log a header that it can't read, and with it the collector's token.
logging.getLogger("opentelemetry.util.re").disabled = True

_LINES_EVERY_SECONDS = 60.0

log = structlog.get_logger(__name__)


class _OncePerMinute(logging.Filter):
    """Lets a line of each level pass in a minute: a collector that is away causes several every few seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._next_at: dict[int, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now < self._next_at.get(record.levelno, now):
            return False
        self._next_at[record.levelno] = now + _LINES_EVERY_SECONDS
        return True


@asynccontextmanager
async def open_provider() -> AsyncIterator[TracerProvider]:
    """A provider of tracers that sends its spans as OpenTelemetry's variables say.

    Raises:
        SettingsError: A variable is wrong.
    """
    _check_batches()
    exporter = _exporter()
    described = {"service.version": version("routiq-gql"), "service.instance.id": str(uuid4())}
    if not _has_name():
        described["service.name"] = "routiq-gql"
    resource = Resource.create(described)
    try:
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        if exporter is not None:
            provider.add_span_processor(BatchSpanProcessor(exporter))
    except ValueError as error:  # of a limit; the text names it
        raise SettingsError(f"A variable OTEL_… is wrong: {error}") from None
    exporter_log, once = logging.getLogger(OTLPSpanExporter.__module__), _OncePerMinute()
    exporter_log.addFilter(once)
    try:
        yield provider
    finally:
        await _shut_down(provider)
        exporter_log.removeFilter(once)


def _exporter() -> SpanExporter | None:
    kind = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() or "otlp"
    if kind == "none":
        return None
    if kind == "console":
        return ConsoleSpanExporter()
    if kind != "otlp":
        raise SettingsError("OTEL_TRACES_EXPORTER is wrong: otlp, console or none is expected.")
    protocol = next((value for name in _PROTOCOLS if (value := os.environ.get(name, "").strip())), _PROTOCOL)
    if protocol != _PROTOCOL:
        raise SettingsError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is wrong: this server speaks {_PROTOCOL}. Remove the variable, and use the "
            "collector's HTTP port, usually 4318."
        )
    _check_endpoints()
    _check_headers()
    return OTLPSpanExporter()


def _check_endpoints() -> None:
    for name in _ENDPOINTS:
        value = os.environ.get(name, "").strip()
        if value and not value.lower().startswith(("http://", "https://")):
            raise SettingsError(f"{name} is wrong: an address such as http://collector.internal:4318 is expected.")


def _check_headers() -> None:
    for name in _HEADERS:
        for header in filter(str.strip, os.environ.get(name, "").split(",")):
            found = parse_env_headers(header, liberal=True)
            if not found or not all(map(str.isprintable, found.values())):
                raise SettingsError(
                    f"{name} is wrong: name=value is expected, several of them separated by commas, with a comma or a "
                    "percent sign in a value as in addresses, such as %2C."
                )


def _check_batches() -> None:
    for name in _BATCHES:
        if (value := os.environ.get(name, "").strip()) and not value.isdecimal():
            raise SettingsError(f"{name} is wrong: a whole number is expected.")


def _has_name() -> bool:
    attributes = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").replace(" ", "")
    return bool(os.environ.get("OTEL_SERVICE_NAME")) or "service.name=" in attributes


async def _shut_down(provider: TracerProvider) -> None:
    """Send what is left. The thread is a daemon: an answer that never comes must not keep the process."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def shut_down() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=shut_down, name="last spans", daemon=True).start()
    try:
        async with asyncio.timeout(FLUSH_SECONDS):
            await done.wait()
    except TimeoutError:
        log.warning("spans_not_sent", reason="the collector did not answer in time", seconds=FLUSH_SECONDS)
