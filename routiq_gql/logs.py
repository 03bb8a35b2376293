"""Configures logging for a process: structlog and the standard library in one chain, to standard error.

Secrets are removed from all lines: values under telltale names, and keys, tokens and e-mail addresses in sentences.
This is the second line of defence; the code must not log them in the first place.
"""

import logging
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

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
_SIGNS = ("@", "MS0", "rtq_", "Basic", "Bearer", "ey")
"""Every private text has one of these. They are found sooner than the text."""
_TIME = structlog.processors.TimeStamper(fmt="iso", utc=True)
_STACK = structlog.processors.StackInfoRenderer()
_NEEDS_QUOTES = re.compile(r"[ \t=\r\n\"']")
_QUERY_STRING = re.compile(r"\?[^\s\"']*")


def configure_logging(settings: Settings, *, quiet: bool = False) -> None:
    """Send all log lines of this process to standard error, in the format and from the level of the settings.

    Args:
        quiet: Show warnings and errors only, unless ROUTIQ_LOG_LEVEL is set; for commands with terminal output.
    """
    level = "WARNING" if quiet and "log_level" not in settings.model_fields_set else settings.log_level
    render = _renderer(settings.log_format)
    clean: list[Processor] = [add_traceback, remove_private_values]
    if settings.log_format != "json":  # whose text is ASCII
        clean.append(escape_unprintable)
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(  # for the lines of libraries
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                _TIME,
                remove_query_strings,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *clean, render],
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
    # Ours don't go through the standard library, whose records cost more than the rest of a line.
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            *clean,
            add_origin,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=partial(_Lines, handler, render),
        cache_logger_on_first_use=False,
    )


def _renderer(log_format: str) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback)
    return plain_line


def add_origin(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A processor that adds the logger's name, the level and the time."""
    event["logger"] = logger.name
    event["level"] = method
    return _TIME(logger, method, event)


def add_traceback(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A processor that adds the traceback or the stack, if either is asked for."""
    if "exc_info" in event or "stack_info" in event:
        event = structlog.processors.format_exc_info(logger, method, _STACK(logger, method, event))
    return event


def plain_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """A processor that renders a line as ``ConsoleRenderer`` does without colors, in a tenth of the time."""
    stack, exception = event.pop("stack", None), event.pop("exception", None)
    line = f"{event.pop('timestamp')} [{event.pop('level'):<9}] {event.pop('event'):<30} [{event.pop('logger')}]"
    for key in sorted(event):
        line += f" {key}={_shown(event[key])}"
    if stack is not None:
        line += f"\n{stack}" + (f"\n\n{'=' * 79}\n" if exception is not None else "")
    return line if exception is None else f"{line}\n{exception}"


def _shown(value: object) -> str:
    return value if isinstance(value, str) and not _NEEDS_QUOTES.search(value) else repr(value)


def remove_private_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor that removes private values. ``event`` and ``exception`` keep their sentences."""
    return {
        key: clean_text(value) if isinstance(value, str) and not _is_private(key) else _clean(key, value)
        for key, value in event.items()
    }


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
    if _is_private(key):
        return REMOVED
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {name: _clean(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean("", inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return clean_text(str(value))


@lru_cache(maxsize=1_000)
def _is_private(name: str) -> bool:
    return name.lower().rpartition("_")[2] in _PRIVATE_NAMES


def clean_text(text: str) -> str:
    """The text without the private values that a sentence could hold."""
    for sign in _SIGNS:
        if sign in text:
            return _PRIVATE_TEXT.sub(REMOVED, text)
    return text


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to the current ``sys.stderr``, so that a progress bar can put lines above itself."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)

    def write(self, line: str) -> None:
        """Write a line as it is, in its turn among the records."""
        self.acquire()
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            pass  # its disk is full, or it is closed
        finally:
            self.release()


class _Lines:
    """The end of a logger of ours: its name, and rendered lines at any level."""

    def __init__(self, handler: _StandardError, render: Processor, name: str = "") -> None:
        self.name = name
        self._write = handler.write
        self._render = render
        self.debug = self.info = self.warning = self.error = self.critical = handler.write

    def write_clean(self, lines: Iterable[tuple[str, EventDict]]) -> None:
        rendered = [cast(str, self._render(self, level, add_origin(self, level, event))) for level, event in lines]
        self._write("\n".join(rendered))


def clean_writer(log: FilteringBoundLogger) -> Callable[[Iterable[tuple[str, EventDict]]], None] | None:
    """A function that writes lines of ``log`` with these values only, which need no cleaning, in half of the time.

    Its argument has the level and the values of each line, ``event`` among them. ``None`` if ``configure_logging`` was
    not called.
    """
    end = getattr(log, "_logger", None)
    return end.write_clean if isinstance(end, _Lines) else None
