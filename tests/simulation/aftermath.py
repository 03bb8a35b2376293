"""The days after the syncs of a simulation: old versions are pruned, and readers notice nothing.

*leak*: versions that no kept sync shows are deleted. *less*: kept syncs show the same rows as before.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from routiq_gql.database.tables import VERSIONED
from routiq_gql.database.version_pruning import KEEP_VERSIONS
from tests.simulation.invariants import Ledger
from tests.simulation.sync_story import Violated

LATER = timedelta(days=9)
"""Longer than versions, and appointments that have left the horizon, are kept."""
ROUNDS = 12
"""Rounds of pruning, of which each may delete the rows of another day."""
ROUND_SECONDS = 20
BETWEEN_ROUNDS = timedelta(hours=1)

_PRUNABLE = " UNION ALL ".join(
    f"SELECT count(*) FROM {table.name} JOIN mirrors ON number = mirror WHERE to_sync <= (SELECT max(key) FROM syncs "
    "WHERE syncs.organization_id = mirrors.organization_id AND status = 'completed' AND completed_at < '{before}')"
    for table in VERSIONED
)
"""Versions that no kept sync shows: a sync that completed ``before`` has closed them."""


async def check_pruning(ledger: Ledger, let_pass: Callable[[timedelta], None]) -> None:
    """Let days pass, wait until housekeeping has deleted all closed versions, and check the other rows."""
    let_pass(LATER)
    for _ in range(ROUNDS):
        for _ in range(ROUND_SECONDS):
            await asyncio.sleep(1)
            if not _left(ledger):
                ledger.check_kept("after old versions were pruned")
                return
        let_pass(BETWEEN_ROUNDS)
    raise Violated("leak", f"{_left(ledger)} versions are left that no kept sync shows")


def _left(ledger: Ledger) -> int:
    before = ledger.wall_time() - KEEP_VERSIONS
    return ledger.reader.total(_PRUNABLE.replace("{before}", f"{before:%Y-%m-%d %H:%M:%S}"))
