"""Opens and closes the traces of a process. OpenTelemetry is imported only if traces are on."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from routiq_gql.errors import SettingsError

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import Tracing

PACKAGES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
"""The packages of the extra ``otel``."""


@asynccontextmanager
async def open_tracing(*, is_on: bool) -> AsyncIterator["Tracing | None"]:
    """The traces of this process, ``None`` when they are off. On exit the last spans are sent, within a few seconds.

    Raises:
        SettingsError: The packages are missing, or a variable of OpenTelemetry is wrong.
    """
    if not is_on:
        yield None
        return
    if not all(map(_is_installed, PACKAGES)):
        raise SettingsError(
            "ROUTIQ_TRACES is on, and the packages for traces are not installed. Type: pip install 'routiq-gql[otel]'"
        )
    # At the top these imports would need the packages, which only users of traces install.
    from routiq_gql.tracing.exporting import open_provider  # noqa: PLC0415
    from routiq_gql.tracing.spans import Tracing  # noqa: PLC0415

    async with open_provider() as provider:
        yield Tracing(provider)


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of a package above it
        return False
