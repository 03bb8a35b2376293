"""Configures logging for a process: structlog and the standard library in one chain, to standard error.

Secrets are removed from all lines: values under telltale names, and keys, tokens and e-mail addresses in sentences.
This is the second line of defence; the code must not log them in the first place.
"""

import logging
import re
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from routiq_gql.settings import Settings

REMOVED = "[removed]"

_PRIVATE_NAMES = ("authorization", "cookie", "email", "key", "name", "notes", "password", "phone", "secret", "token")
"""Also matched as the last word of a longer name: ``api_key``, ``patient_name``."""

_PRIVATE_TEXT = re.compile(
    r"""MS0[A-Za-z0-9+/=_]{8,}(?:-\w{2}\d{1,2})?      # a Cliniko API key
    | rtq_[A-Za-z0-9_-]{16,}                        # a token of ours
    | (?:Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{8,}     # a header's value
    | (?<![A-Za-z0-9_-])ey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*   # a signed token
    | [A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+""",
    re.VERBOSE,
)
_QUERY_STRING = re.compile(r"\?[^\s\"']*")


def configure_logging(settings: Settings, *, quiet: bool = False) -> None:
    """Send all log lines of this process to standard error, in the format and from the level of the settings.

    Args:
        quiet: Show warnings and errors only, unless ROUTIQ_LOG_LEVEL is set; for commands with terminal output.
    """
    level = "WARNING" if quiet and "log_level" not in settings.model_fields_set else settings.log_level
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        remove_query_strings,
        remove_private_values,
    ]
    as_json = settings.log_format == "json"
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([] if as_json else [escape_unprintable]),  # JSON is ASCII
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # They log every request, socket (with its address) or statement, which would hide our lines.
    for noisy in ("httpx", "httpcore", "alembic", "aiosqlite", "asyncio", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    # They log each database failure at length and repeatedly; we log it once, in a line.
    for verbose in ("procrastinate", "psycopg"):
        logging.getLogger(verbose).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def remove_private_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor that removes private values. ``event`` and ``exception`` keep their sentences."""
    return {key: _clean(key, value) for key, value in event.items()}


def remove_query_strings(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor that cuts query strings, which may hold tokens, from the web server's lines."""
    if str(event.get("logger", "")).startswith(("uvicorn", "websockets")):
        event["event"] = _QUERY_STRING.sub("", str(event["event"]))
    return event


def escape_unprintable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor that escapes characters that control a terminal, as from a request's header."""
    return {
        key: "".join(one if one.isprintable() or one in "\n\t" else ascii(one)[1:-1] for one in value)
        if isinstance(value, str) and not value.isprintable()
        else value
        for key, value in event.items()
    }


def _clean(key: str, value: object) -> object:
    if key.startswith("_"):
        return value  # set by the formatter
    if key.lower().rpartition("_")[2] in _PRIVATE_NAMES:
        return REMOVED
    if isinstance(value, str):
        return _PRIVATE_TEXT.sub(REMOVED, value)
    if isinstance(value, Mapping):
        return {name: _clean(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _PRIVATE_TEXT.sub(REMOVED, str(value))


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to the current ``sys.stderr``, so that a progress bar can put lines above itself."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)
