"""Housekeeping: deletes rows that ended syncs have left, and rows that are older than their retention.

A chore of both engines; each step is a short transaction. The cutoffs are determined once for each round of pruning;
see ``retention``, which protects rows from a wrong clock.
"""

import time
from datetime import datetime, timedelta

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.pruning import Cutoffs, prune_batch
from routiq_gql.database.retention import move_cutoffs
from routiq_gql.database.rollback import rollback_any
from routiq_gql.database.version_pruning import KEEP_VERSIONS
from routiq_gql.settings import Settings

ROWS_PER_STEP = 2_000
"""Rows deleted in a transaction, which takes some 20 ms."""
PRUNING_INTERVAL_SECONDS = 3600.0
KEEP_PACES = timedelta(days=1)
"""Retention of the pace of an unused API key; a pace matters for some minutes at most."""

KEEP_LEFT_APPOINTMENTS = KEEP_VERSIONS + timedelta(days=1)
"""Retention of an appointment that left the horizon, of an organization that no longer syncs.

A sync closes it within a day, and after ``KEEP_VERSIONS`` no kept sync shows it.
"""


class Housekeeping:
    """Deletes rows in batches, and remembers when to look again."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._may_have_drafts = True
        self._prune_from = 0.0
        self._cutoffs: Cutoffs | None = None  # of the round under way

    def note_ended_sync(self) -> None:
        """Look for drafts of ended syncs: no reader uses the versions that a failed sync left."""
        self._may_have_drafts = True

    async def step(self) -> bool:
        """Delete a batch, if there is any; returns whether there may be more.

        Raises:
            StorageError: The database can't be used.
        """
        if self._may_have_drafts:
            async with self._database.writing() as connection:
                self._may_have_drafts = await rollback_any(connection, ROWS_PER_STEP)
            return True
        if time.monotonic() < self._prune_from:
            return False
        now, window = utc_now(), timedelta(days=self._settings.recent_days)
        async with self._database.writing() as connection:
            if (cutoffs := self._cutoffs) is None:
                cutoffs = await move_cutoffs(connection, self._wanted(now), now, window)
            has_more = await prune_batch(connection, cutoffs, ROWS_PER_STEP, now=now, window=window)
        self._cutoffs = cutoffs if has_more else None
        if not has_more:
            self._prune_from = time.monotonic() + PRUNING_INTERVAL_SECONDS
        return has_more

    def _wanted(self, now: datetime) -> Cutoffs:
        settings = self._settings
        return Cutoffs(
            log=now - timedelta(days=settings.keep_log_days),
            history=now - timedelta(days=settings.keep_history_days),
            webhooks=now - timedelta(days=settings.webhook_deliveries_days),
            audit=now - timedelta(days=settings.keep_history_days),
            versions=now - KEEP_VERSIONS,
            appointments=now - KEEP_LEFT_APPOINTMENTS,
            paces=now - KEEP_PACES,
        )
