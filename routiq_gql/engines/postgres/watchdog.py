"""A thread that ends the process when the process's heartbeat has stopped although the database can be reached.

Such a worker looks alive to its operator, but other workers continue its syncs. It is a thread, because a blocked event
loop may have stopped the heartbeat. While the database is away, the process stays.
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
"""Twice the silence after which other workers continue its syncs."""

_QUERY = f"SELECT last_heartbeat > now() - interval '{STALE_SECONDS} s' FROM procrastinate_workers WHERE id = %s"  # noqa: S608

log = structlog.get_logger(__name__)


def leave_process(reason: str) -> None:
    """Exit at once without cleaning up, as no later write of this process would succeed."""
    log.error("worker_stopping", reason=reason)
    os._exit(EXIT_LOST)


class Watchdog:
    """Watches a worker process; a context manager."""

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
        elif (
            self._missed_by == worker_id and not self._ended.is_set()
        ):  # twice: after the first time the process may only have been suspended
            leave_process("its heartbeat has stopped")
        else:
            self._missed_by = worker_id

    def _is_heard(self, worker_id: int) -> bool:
        try:
            with psycopg.connect(conninfo(self._url), autocommit=True, **connect_settings(self._url)) as connection:
                row = connection.execute(_QUERY, (worker_id,)).fetchone()
        except psycopg.Error:
            return True  # the database is away; the process is not the cause
        return bool(row and row[0])
