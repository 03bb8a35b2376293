"""Writes events for webhooks, in the transaction that makes them happen, with a delivery for each webhook.

Nothing is written for an organization without a webhook for that kind of event, which a single lookup finds. A lock on
the webhooks lets one transaction of an organization write events at a time, so events are numbered in the order in
which they become visible. Changes of patients are written by statements over all of them, never one by one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import TypeAlias

from sqlalchemy import (
    JSON,
    BigInteger,
    CompoundSelect,
    Insert,
    String,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import UtcDateTime, new_id
from routiq_gql.database.patient_changes import Span, joined_list, left_list
from routiq_gql.database.tables import MIRROR, WEBHOOK, WEBHOOK_DELIVERY, WEBHOOK_EVENT


class EventType(StrEnum):
    """The kinds of events. The values are stored and sent."""

    SYNC_COMPLETED = "sync.completed"
    SYNC_FAILED = "sync.failed"
    CONNECTION_NEEDS_ATTENTION = "connection.needs_attention"
    PATIENT_BECAME_ACTIVE = "patient.became_active"
    PATIENT_BECAME_INACTIVE = "patient.became_inactive"
    WEBHOOK_TEST = "webhook.test"


OF_PATIENTS = frozenset({EventType.PATIENT_BECAME_ACTIVE, EventType.PATIENT_BECAME_INACTIVE})
"""Events whose subject is a patient."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to write; see ``WebhookEventRow``."""

    type: EventType
    subject: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListChanges:
    """The patients who joined or left a list by a publication.

    Attributes:
        span: The sync and its base.
        list_number: The list.
        sync_id: The id of the sync.
        types: The events to write for them: ``PATIENT_BECAME_ACTIVE`` for those who joined.
    """

    span: Span
    list_number: int
    sync_id: str
    types: frozenset[EventType] = OF_PATIENTS


Happening: TypeAlias = NewEvent | ListChanges


async def write_events(
    connection: AsyncConnection, organization_id: str, at: datetime, happenings: Sequence[Happening]
) -> None:
    """Write these events in their order, for the webhooks of the organization that receive any of them.

    Patients' events are in the order of the patients' ids, those who became active first.
    """
    wanted = {kind.value for one in happenings for kind in _types(one)}
    if not wanted:
        return
    found = await connection.execute(_WEBHOOKS, {"organization": organization_id})
    receivers = {one: wanted.intersection(events) for one, events in found}
    receivers = {one: types for one, types in receivers.items() if types}
    if receivers:
        await _write(connection, organization_id, at, happenings, receivers)


async def write_test_event(connection: AsyncConnection, organization_id: str, webhook_id: str, at: datetime) -> None:
    """Write a test event for a webhook that the transaction has locked."""
    test = NewEvent(EventType.WEBHOOK_TEST)
    await _write(connection, organization_id, at, [test], {webhook_id: {EventType.WEBHOOK_TEST.value}})


async def forget_patients(connection: AsyncConnection, mirror: int, patients: Collection[int]) -> int:
    """Delete the events about these patients, with their deliveries; returns how many events there were."""
    organization = select(MIRROR.c.organization_id).where(MIRROR.c.number == mirror).scalar_subquery()
    about = WEBHOOK_EVENT.c.subject.in_([str(one) for one in patients])
    own = (WEBHOOK_EVENT.c.organization_id == organization) & WEBHOOK_EVENT.c.type.in_(sorted(OF_PATIENTS))
    return (await connection.execute(delete(WEBHOOK_EVENT).where(own, about))).rowcount


async def forget_all_patients(connection: AsyncConnection, organization_id: str) -> None:
    """Delete the events about any of the organization's patients, with their deliveries."""
    own = (WEBHOOK_EVENT.c.organization_id == organization_id) & WEBHOOK_EVENT.c.type.in_(sorted(OF_PATIENTS))
    await connection.execute(delete(WEBHOOK_EVENT).where(own))


async def _write(
    connection: AsyncConnection,
    organization_id: str,
    at: datetime,
    happenings: Sequence[Happening],
    receivers: Mapping[str, set[str]],
) -> None:
    types = {one for wanted in receivers.values() for one in wanted}
    newest = (await connection.execute(_NEWEST, {"organization": organization_id})).scalar_one() or 0
    given = {"organization": organization_id, "at": at}
    for one in happenings:
        if isinstance(one, NewEvent):
            if one.type.value in types:
                event = {"type": one.type.value, "subject": one.subject, "data": dict(one.data)}
                await connection.execute(_INSERT_EVENT, {**given, **event})
            continue
        changes = {**one.span.parameters, "list": one.list_number}
        data = {"data": {"syncId": one.sync_id}}
        for kind in (EventType.PATIENT_BECAME_ACTIVE, EventType.PATIENT_BECAME_INACTIVE):
            if kind in one.types and kind.value in types:
                await connection.execute(_insert_changes(kind), {**given, **changes, **data, "type": kind.value})
    for webhook_id, wanted in receivers.items():
        which = {"organization": organization_id, "newest": newest, "webhook": webhook_id, "types": sorted(wanted)}
        if (await connection.execute(_INSERT_DELIVERIES, which)).rowcount:
            await connection.execute(_WAKE, {"webhook": webhook_id, "now": at})


def _types(happening: Happening) -> frozenset[EventType]:
    return frozenset({happening.type}) if isinstance(happening, NewEvent) else happening.types


_ORGANIZATION = bindparam("organization", type_=String)
_WEBHOOKS = (
    select(WEBHOOK.c.id, WEBHOOK.c.events)
    .where(WEBHOOK.c.organization_id == _ORGANIZATION)
    .order_by(WEBHOOK.c.id)  # the order of the locks
    .with_for_update()
)
_NEWEST = select(func.max(WEBHOOK_EVENT.c.key)).where(WEBHOOK_EVENT.c.organization_id == _ORGANIZATION)
_INSERT_EVENT = insert(WEBHOOK_EVENT).values(
    id=new_id("evt_"),
    organization_id=_ORGANIZATION,
    type=bindparam("type"),
    subject=bindparam("subject"),
    at=bindparam("at"),
    data=bindparam("data"),
)


@cache
def _insert_changes(kind: EventType) -> Insert:
    """The INSERT of an event for each patient who joined, or left, the list."""
    changes: CompoundSelect[int] = joined_list() if kind is EventType.PATIENT_BECAME_ACTIVE else left_list()
    ids = changes.subquery()
    events = select(
        new_id("evt_"),
        _ORGANIZATION,
        bindparam("type", type_=String),
        cast(ids.c.id, Text),
        bindparam("at", type_=UtcDateTime()),
        bindparam("data", type_=JSON()),
    )
    names = ["id", "organization_id", "type", "subject", "at", "data"]
    return insert(WEBHOOK_EVENT).from_select(names, events.order_by(ids.c.id))


_INSERT_DELIVERIES = insert(WEBHOOK_DELIVERY).from_select(
    ["id", "organization_id", "webhook_id", "event", "state", "attempts"],
    select(
        new_id("dlv_"),
        WEBHOOK_EVENT.c.organization_id,
        bindparam("webhook", type_=String),
        WEBHOOK_EVENT.c.key,
        literal_column("'PENDING'"),
        literal_column("0"),
    )
    .where(
        WEBHOOK_EVENT.c.organization_id == _ORGANIZATION,
        WEBHOOK_EVENT.c.key > bindparam("newest", type_=BigInteger),
        WEBHOOK_EVENT.c.type.in_(bindparam("types", expanding=True)),
    )
    .order_by(WEBHOOK_EVENT.c.key),
)
_WAKE = (
    update(WEBHOOK)
    # A later time is a wait after a failed attempt, and stays.
    .where(WEBHOOK.c.id == bindparam("webhook"), WEBHOOK.c.disabled_at.is_(None), WEBHOOK.c.next_at.is_(None))
    .values(next_at=bindparam("now"))
)
