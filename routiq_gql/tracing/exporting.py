"""Sends spans from a thread of its own, in batches. A collector that is away costs spans and never delays a sync.

OpenTelemetry's own variables (``OTEL_…``) set the address, the sampling and the name of the service. The provider is
not the global one, so that the spans of other libraries in the process are not sent with ours.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from uuid import uuid4

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

from routiq_gql.errors import SettingsError

FLUSH_SECONDS = 5.0
"""How long a process that stops tries to send its last spans."""

_PROTOCOL = "http/protobuf"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_provider() -> AsyncIterator[TracerProvider]:
    """A provider of tracers that sends its spans as OpenTelemetry's variables say.

    Raises:
        SettingsError: A variable is wrong.
    """
    exporter = _exporter()
    described = {"service.version": version("routiq-gql"), "service.instance.id": str(uuid4())}
    if not _has_name():
        described["service.name"] = "routiq-gql"
    resource = Resource.create(described)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if exporter is not None:
        try:
            provider.add_span_processor(BatchSpanProcessor(exporter))
        except ValueError as error:
            raise SettingsError(f"A variable OTEL_BSP_… is wrong: {error}") from None
    try:
        yield provider
    finally:
        await _shut_down(provider)


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
    return OTLPSpanExporter()


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
