"""The limit of open files (``RLIMIT_NOFILE``): raised at startup, divided up, and named in the log when it is reached.

Each connection is an open file, and so is each file of the database. Called by the commands that serve. On platforms
without such a limit, the number of connections has a fixed limit.
"""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

import structlog

from routiq_gql.rate_limited_log import RateLimitedLog

resource: ModuleType | None
try:
    resource = import_module("resource")
except ImportError:  # Windows
    resource = None

log = structlog.get_logger(__name__)

OUT_OF_FILES = "Too many open files; raise `ulimit -n` (with systemd: LimitNOFILE=)."

MOST_CONNECTIONS = 10_000
"""The default maximum; an idle connection costs about 6 kB, a partly sent body up to 170 kB."""
FEWEST_CONNECTIONS = 16
SMALLEST_RESERVE, LARGEST_RESERVE = 100, 1024
"""Open files reserved for the database, for Cliniko and for connections while they are refused."""
_UNKNOWN_LIMIT = 1024


def raise_limit() -> None:
    """Raise this process's soft limit of open files to its hard limit, as far as the system allows."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS reports no hard limit and then refuses more than 10,240.
    for wished in (hard, 10_240):
        if wished != resource.RLIM_INFINITY and soft != resource.RLIM_INFINITY and wished <= soft:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wished, hard))
        except (ValueError, OSError):
            continue
        return


def most_connections(wished: int = 0) -> int:
    """How many connections this process may keep open, with a reserve of files for everything else.

    Args:
        wished: ROUTIQ_MAX_CONNECTIONS; 0 for as many as the limit of open files allows, up to ``MOST_CONNECTIONS``.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if resource is not None else _UNKNOWN_LIMIT
    if resource is not None and limit == resource.RLIM_INFINITY:
        possible = wished or MOST_CONNECTIONS
    else:
        reserve = min(LARGEST_RESERVE, max(SMALLEST_RESERVE, limit // 4))
        possible = max(FEWEST_CONNECTIONS, limit - reserve)
    if possible < wished:
        sentence = (
            f"ROUTIQ_MAX_CONNECTIONS is {wished}, but the limit of open files allows {possible}. Raise `ulimit -n`."
        )
        log.warning("max_connections_lowered", reason=sentence)
    return min(possible, wished or MOST_CONNECTIONS)


def is_out_of_files(error: BaseException | None) -> bool:
    """Whether ``error`` or one of its causes is the limit of open files, of the process or of the system."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def shortage_in_one_line(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """While files can't be opened, log one line a minute instead of asyncio's traceback for each attempt.

    Source: https://github.com/python/cpython/issues/151615.
    """
    shortage = RateLimitedLog("too_many_open_files")
    previous = loop.get_exception_handler()

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException) and is_out_of_files(error):
            shortage.warn(reason=OUT_OF_FILES)
        elif isinstance(error, ValueError) and "_start_serving" in str(context.get("handle")):
            pass  # asyncio tried to accept again after a shortage, when serving had ended
        elif previous is not None:
            previous(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(previous)
