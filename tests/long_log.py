"""A sync with a long log, as a clinic with many pages of records and many retries leaves it."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from routiq_gql.database.syncs import insert_sync
from routiq_gql.database.tables import LOG, SYNC
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode, SyncState
from tests.organization import ORGANIZATION
from tests.server import Server

BEGIN = datetime(2026, 11, 26, 10, 0, 0, 123000, tzinfo=UTC)
WARNING_EVERY = 25
ERROR_EVERY = 1000
LONG = "Cliniko did not answer as expected, trying again in 3 s. " * 5


def line_of(seq: int) -> tuple[str, int, str]:
    """Level, step and message of a line: some are long, so that they wrap."""
    step = 4 if seq % 2 else 5
    if seq % ERROR_EVERY == 0:
        return "error", step, f"Page {seq} could not be read"
    if seq % WARNING_EVERY == 0:
        return "warning", step, f"{LONG}Page {seq}"
    return "info", step, f"Fetched page {seq} of the list"


async def store_long_log(server: Server, count: int, organization: str = ORGANIZATION) -> str:
    """The id of a failed sync with so many lines."""
    async with server.runtime.database.writing() as connection:
        row = await insert_sync(connection, organization, first_values(SyncMode.FULL, BEGIN))
        assert row is not None
        ended = {
            "status": SyncState.FAILED.value,
            "completed_at": BEGIN + timedelta(seconds=count),
            "last_log_seq": count,
        }
        await connection.execute(update(SYNC).where(SYNC.c.key == row.key).values(**ended))
        rows = []
        for seq in range(1, count + 1):
            level, step, message = line_of(seq)
            time = BEGIN + timedelta(seconds=seq)
            rows.append(
                {"sync_key": row.key, "seq": seq, "time": time, "level": level, "step": step, "message": message}
            )
        await connection.execute(insert(LOG), rows)
    return row.sync_id
