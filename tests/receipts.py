"""Receipts made by hand, stored in the row of a sync: for tests of how clients and people get them."""

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import update

from routiq_gql.database.engine import Database
from routiq_gql.database.tables import SYNC
from routiq_gql.sync.receipt import ListReceipt, Receipt, UnreadableRowReceipt, to_json

CHECKED_AT = datetime(2026, 3, 2, 14, 2, 40, 125_000, tzinfo=UTC)
PATIENTS = ListReceipt("patients", 641, 641, True, read=4, added=1, updated=2, removed=1, requests=3)
APPOINTMENTS = ListReceipt("individual_appointments", 1_100, 1_100, True, read=4, added=1, updated=3, requests=3)
ATTENDEES = ListReceipt("attendees", 30, 30, True, requests=3, compared=147, of=147, oldest_check=CHECKED_AT)
PRACTITIONERS = ListReceipt("practitioners", 3, 3, True, read=3, requests=2)
DENIED = ListReceipt("practitioners", None, 0, None, requests=1)
"""Practitioners of a key that may not read them."""
UNREADABLE = (
    UnreadableRowReceipt("patients", "514810976034364378", "id"),
    UnreadableRowReceipt("attendees", None, "id"),
)

AGREES = Receipt(CHECKED_AT, 14, 1.5, (PATIENTS, APPOINTMENTS, ATTENDEES, PRACTITIONERS))
IN_PART = replace(AGREES, lists=(replace(PATIENTS, in_cliniko=None, agrees=None), *AGREES.lists[1:]))
DIFFERS = replace(AGREES, lists=(replace(PATIENTS, in_mirror=640, agrees=False), *AGREES.lists[1:]))


async def store_receipt(database: Database, sync_id: str, receipt: Receipt, /, **columns: object) -> None:
    """Write the receipt, and other columns, into the row of a sync that has ended."""
    values = {"receipt": to_json(receipt), **columns}
    async with database.writing() as connection:
        await connection.execute(update(SYNC).where(SYNC.c.sync_id == sync_id).values(**values))
