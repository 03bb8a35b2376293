"""The whole log of a sync, read in parts for a download.

Each part is a short transaction, and none is open while the client reads. A download ends with the newest line that
existed when it began, so it also ends for a sync that writes faster than its client reads.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from routiq_gql.database.engine import Database
from routiq_gql.database.sync_log import log_after
from routiq_gql.sync.mapping import log_line_of
from routiq_gql.sync.model import LogLine, SyncSnapshot

PART_LINES = 1000
"""Lines in memory per download: some 0.4 MB. Making their objects blocks the event loop for some milliseconds."""


@dataclass(frozen=True, slots=True)
class WholeLog:
    """A log that is about to be read.

    Attributes:
        sync: The sync, as of now.
        parts: The lines up to its ``last_log_seq``, ascending; close it.
    """

    sync: SyncSnapshot
    parts: AsyncGenerator[list[LogLine], None]


async def read_parts(database: Database, sync: SyncSnapshot, after: int) -> AsyncGenerator[list[LogLine], None]:
    """The lines of ``sync`` after the number ``after``. They end early if their retention period has ended."""
    seq = after
    while seq < sync.last_log_seq:
        limit = min(PART_LINES, sync.last_log_seq - seq)
        async with database.reading() as connection:
            rows = await log_after(connection, sync.key, seq, limit, sync.sync_id)
        if not rows:
            return
        seq = rows[-1].seq
        yield [log_line_of(sync.sync_id, row) for row in rows if row.seq <= sync.last_log_seq]
