"""A webhook with one delivery, as rows with known ids: those of the examples in the schema."""

from typing import Any

from sqlalchemy import insert

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.tables import WEBHOOK, WEBHOOK_DELIVERY, WEBHOOK_EVENT
from routiq_gql.database.webhook_attempts import PastAttempt, with_attempt

WEBHOOK_ID = "hook_3f9a0c52e81b4d6fa7c25d9e1b804f37"
DELIVERY_ID = "dlv_58c1e7b09a3d4f26b1d40e9f7a6c2b85"
EVENT_ID = "evt_c07d4a915e2b48f3967ab8d1e05f3c42"


async def stored_webhook(database: Database, organization_id: str, *, state: str = "FAILED", **values: Any) -> None:
    """Store a webhook with these values and one delivery, which nothing sends."""
    now = utc_now()
    row = {
        "id": WEBHOOK_ID,
        "organization_id": organization_id,
        "url": "https://example.com/hooks/routiq",
        "events": ["sync.completed"],
        "includes_names": False,
        "description": "",
        "encryption_key_id": "none",
        "encrypted_secret": b"",
        "created_at": now,
        "epoch": 0,
    }
    event = {
        "id": EVENT_ID,
        "organization_id": organization_id,
        "type": "sync.completed",
        "subject": "sync_1",
        "at": now,
        "data": {},
    }
    delivery = {
        "id": DELIVERY_ID,
        "organization_id": organization_id,
        "webhook_id": WEBHOOK_ID,
        "state": state,
        "attempts": 3,
        "last_attempt_at": now,
        "last_status": 500,
        "last_error": "The receiver answered 500.",
        "attempt_log": with_attempt(None, PastAttempt(now, 500, "The receiver answered 500.", 0.25)),
    }
    async with database.writing() as connection:
        await connection.execute(insert(WEBHOOK).values(row | values))
        key = (
            await connection.execute(insert(WEBHOOK_EVENT).values(event).returning(WEBHOOK_EVENT.c.key))
        ).scalar_one()
        await connection.execute(insert(WEBHOOK_DELIVERY).values(delivery | {"event": key}))
