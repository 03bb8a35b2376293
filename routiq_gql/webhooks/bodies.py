"""The JSON that a receiver gets: the kind of event, its time, ids and links.

A patient's name is added at the time of sending, and only for webhooks that were registered for names, so that no name
is stored with an event. An erased patient has none.
"""

from collections.abc import Mapping
from urllib.parse import quote

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import format_time
from routiq_gql.database.patient_pages import patients_at
from routiq_gql.database.patient_reading import asked_sync
from routiq_gql.database.webhook_events import OF_PATIENTS
from routiq_gql.database.webhook_rows import WebhookEventRow
from routiq_gql.patients.people import full_name

OF_SYNCS = ("sync.completed", "sync.failed")


def body_of(event: WebhookEventRow, patient_name: str | None = None) -> str:
    """The body of the event's requests. Links are paths on this server."""
    organization_id = event.organization_id
    data: dict[str, object] = {"organizationId": organization_id, **event.data}
    if event.type in OF_SYNCS:
        data["syncId"] = event.subject
    elif event.type in OF_PATIENTS:
        data["patientId"] = event.subject
        if patient_name is not None:
            data["patientName"] = patient_name
    data["links"] = _links(organization_id, data)
    return orjson.dumps({"type": event.type, "timestamp": format_time(event.at), "data": data}).decode()


def _links(organization_id: str, data: Mapping[str, object]) -> dict[str, str]:
    links = {"dashboard": f"/api/v1/sync/dashboard/{organization_id}"}
    if "syncId" in data:
        links["sync"] = f"/api/v1/sync/status/{quote(str(data['syncId']), safe='')}"
    if "patientId" in data:
        links["patients"] = f"/api/v1/patients/{organization_id}"
    return links


async def name_for(connection: AsyncConnection, event: WebhookEventRow) -> str | None:
    """The current name of the patient of an event; ``None`` for other events, and without a readable patient."""
    if event.type not in OF_PATIENTS:
        return None
    published = await asked_sync(connection, event.organization_id)
    if published is None or published.published == 0:
        return None
    rows = await patients_at(connection, published.mirror, published.published, [int(event.subject)])
    return full_name(rows[0]) if rows else None
