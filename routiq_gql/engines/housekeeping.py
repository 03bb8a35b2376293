"""Tidies the database while syncs run: rows that a sync has left, and what is older than it is kept for.

The engine calls ``step`` between its looks at the table; each step is one short transaction. From when on rows are
kept is settled once for each round of pruning; see ``retention``, which protects them from a wrong clock.
"""

import time
from datetime import datetime, timedelta

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.erasure import drop_unused_rows
from routiq_gql.database.pruning import Cutoffs, prune_batch
from routiq_gql.database.retention import move_cutoffs
from routiq_gql.settings import Settings

ROWS_PER_STEP = 2_000
"""Rows removed in one transaction; some 20 ms."""
PRUNING_INTERVAL_SECONDS = 3600.0
KEEP_PACES = timedelta(days=1)
"""Of API keys that are not used; a pace matters for some minutes at the most."""


class Housekeeping:
    """What is there to be removed, and when to look again."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._may_have_unused_rows = True
        self._prune_from = 0.0
        self._cutoffs: Cutoffs | None = None  # of the round under way

    def note_ended_sync(self) -> None:
        """A sync that failed, or replaced an earlier one, has left rows that nobody reads."""
        self._may_have_unused_rows = True

    async def step(self) -> bool:
        """Remove one batch, if there is anything to remove; whether there may be more.

        Raises:
            StorageError: The database can't be used.
        """
        if self._may_have_unused_rows:
            async with self._database.writing() as connection:
                self._may_have_unused_rows = await drop_unused_rows(connection, ROWS_PER_STEP)
            return True
        if time.monotonic() < self._prune_from:
            return False
        async with self._database.writing() as connection:
            if (cutoffs := self._cutoffs) is None:
                now = utc_now()
                cutoffs = await move_cutoffs(connection, self._wanted(now), now)
            has_more = await prune_batch(connection, cutoffs, ROWS_PER_STEP)
        self._cutoffs = cutoffs if has_more else None
        if not has_more:
            self._prune_from = time.monotonic() + PRUNING_INTERVAL_SECONDS
        return has_more

    def _wanted(self, now: datetime) -> Cutoffs:
        settings = self._settings
        return Cutoffs(
            log=now - timedelta(days=settings.keep_log_days),
            history=now - timedelta(days=settings.keep_history_days),
            audit=now - timedelta(days=settings.keep_history_days),
            appointments=now - timedelta(days=settings.recent_days),
            paces=now - KEEP_PACES,
        )
