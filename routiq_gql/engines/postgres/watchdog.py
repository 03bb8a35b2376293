"""A thread that ends the process when its own heartbeat has stopped although the database can be reached.

Such a worker looks alive to whoever started it, but nobody counts on it any more. A thread, because what stops a
heartbeat may be an event loop that is stuck. While the database itself is away, nothing is wrong with the process.
"""

import os
import threading
from collections.abc import Callable

import psycopg
import structlog
from sqlalchemy import URL

from routiq_gql.database.postgresql import connect_settings
from routiq_gql.engines.postgres.jobs import conninfo
from routiq_gql.supervision import SupervisedTask

EXIT_LOST = 75
"""EX_TEMPFAIL of sysexits: start it again."""
LOOK_SECONDS = 5.0
STALE_SECONDS = 20
"""Twice the silence after which the others go on with its syncs."""

_QUERY = f"SELECT last_heartbeat > now() - interval '{STALE_SECONDS} s' FROM procrastinate_workers WHERE id = %s"  # noqa: S608

log = structlog.get_logger(__name__)


def leave_process(reason: str) -> None:
    """End at once, without cleaning up: nothing that this process still does would count."""
    log.error("worker_stopping", reason=reason)
    os._exit(EXIT_LOST)


class Watchdog:
    """Looks after one worker process; a context manager."""

    def __init__(self, url: URL, worker_id: Callable[[], int | None], task: SupervisedTask) -> None:
        self._url = url
        self._worker_id = worker_id
        self._ended = threading.Event()
        self._task = task
        self._missed_by: int | None = None
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._task.ended()

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._task.attempt_blocking(self._look)

    def _look(self) -> None:
        worker_id = self._worker_id()
        if worker_id is None or self._is_heard(worker_id):
            self._missed_by = None
        elif self._missed_by == worker_id and not self._ended.is_set():  # twice, or it has only just woken up
            leave_process("its heartbeat has stopped")
        else:
            self._missed_by = worker_id

    def _is_heard(self, worker_id: int) -> bool:
        try:
            with psycopg.connect(conninfo(self._url), autocommit=True, **connect_settings(self._url)) as connection:
                row = connection.execute(_QUERY, (worker_id,)).fetchone()
        except psycopg.Error:
            return True  # the database is away, which is not this process's fault
        return bool(row and row[0])
