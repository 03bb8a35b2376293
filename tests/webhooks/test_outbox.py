"""What happens is written to the outbox in the same transaction: each event once, with a delivery for each webhook."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, insert, select, update

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.patient_changes import Span
from routiq_gql.database.pruning import Cutoffs, prune_batch
from routiq_gql.database.tables import CURRENT, LISTING, WEBHOOK, WEBHOOK_DELIVERY, WEBHOOK_EVENT
from routiq_gql.database.webhook_events import ListChanges, NewEvent, write_events
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.patients.change_model import ChangeKind
from routiq_gql.patients.lists import PatientList
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import pipeline
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState
from routiq_gql.webhooks.deliveries import repeat_delivery
from routiq_gql.webhooks.model import REGISTRABLE, EventType
from tests.emulated_cliniko import Cliniko
from tests.engines.test_time_only import next_moment, publish
from tests.organization import ORGANIZATION
from tests.patients.statements import recorded
from tests.syncs import run_sync, start
from tests.waiting import LIMIT_SECONDS
from tests.webhooks.outbox import URL, delivered_to, silent_webhook, types_and_subjects, written

pytestmark = pytest.mark.both_databases

DAY = timedelta(days=1)
COMPLETED, FAILED = EventType.SYNC_COMPLETED.value, EventType.SYNC_FAILED.value
ACTIVE, INACTIVE = EventType.PATIENT_BECAME_ACTIVE.value, EventType.PATIENT_BECAME_INACTIVE.value
ATTENTION = EventType.CONNECTION_NEEDS_ATTENTION.value
KINDS = {ChangeKind.BECAME_ACTIVE: ACTIVE, ChangeKind.BECAME_INACTIVE: INACTIVE}


@pytest.fixture
async def idle(settings: Settings) -> AsyncIterator[Runtime]:
    """A runtime that runs no syncs and deletes nothing by itself."""
    async with open_runtime(settings, run_syncs=False) as opened:
        yield opened


async def changes_of(runtime: Runtime, sync: SyncSnapshot) -> list[tuple[str, str]]:
    """Who became active or inactive by a sync, as the change log says it."""
    page = await runtime.patient_changes.sync_changes(LOCAL_OPERATOR, sync.sync_id, first=200)
    assert not page.has_next
    changed = [(KINDS[kind], one.key.cliniko_id) for one in page.changes for kind in one.kinds if kind in KINDS]
    return [(kind, str(patient)) for kind, patient in sorted(changed)]


async def test_events_are_those_of_the_change_log_with_a_delivery_each(runtime: Runtime, cliniko: Cliniko):
    """Each sync is reported once, then who became active and inactive; the first sync names no patients."""
    everything = await silent_webhook(runtime)
    some = await silent_webhook(runtime, EventType.PATIENT_BECAME_INACTIVE, EventType.SYNC_FAILED)
    first = await run_sync(runtime)
    assert await types_and_subjects(runtime) == [(COMPLETED, first.sync_id)]

    clinic = cliniko.emulator.clinic
    patients = [clinic.insert_patient(first_name="Nia", last_name=name) for name in ("Li", "Ng", "Oh")]
    bookings = [clinic.insert_appointment(one, utc_now() + 2 * DAY) for one in patients]
    second = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert await changes_of(runtime, second) == [(ACTIVE, one) for one in sorted(patients, key=int)]
    clinic.cancel("individual_appointments", bookings[0])
    clinic.cancel("individual_appointments", bookings[2])
    clinic.rename(patients[1], first_name="Noa")
    third = await run_sync(runtime, mode=SyncMode.FULL)
    assert await changes_of(runtime, third) == [(INACTIVE, one) for one in sorted(patients[::2], key=int)]
    fourth = await run_sync(runtime, mode=SyncMode.INCREMENTAL)

    expected = [(COMPLETED, first.sync_id)]
    for sync in (second, third, fourth):
        expected += [(COMPLETED, sync.sync_id), *await changes_of(runtime, sync)]
    assert await types_and_subjects(runtime) == expected
    events = await written(runtime)
    assert [one.data["syncId"] for one in events if one.type == ACTIVE] == [second.sync_id] * 3
    assert await delivered_to(runtime, everything.id) == [one.key for one in events]
    assert await delivered_to(runtime, some.id) == [one.key for one in events if one.type == INACTIVE]


async def test_nothing_is_written_without_a_webhook_and_one_lookup_finds_that(runtime: Runtime, cliniko: Cliniko):
    """An organization without webhooks pays for a single lookup in each sync, even if patients have changed."""
    await silent_webhook(runtime, organization_id="org_other")
    await run_sync(runtime)
    clinic = cliniko.emulator.clinic
    clinic.insert_appointment(clinic.insert_patient(first_name="Nia", last_name="Li"), utc_now() + 2 * DAY)
    with recorded(runtime.database) as statements:
        last = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert last.changes is not None
    assert last.changes.became_active == 1
    about = [one.text for one in statements if ORGANIZATION in str(one.parameters) and "webhooks" in one.text]
    assert len(about) == 1, about
    assert await written(runtime) == []


async def test_a_publication_that_fails_leaves_no_event(
    runtime: Runtime, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """If a sync can't be published, readers see that it failed, and neither a completion nor who became active."""
    await silent_webhook(runtime)
    await run_sync(runtime)
    clinic = cliniko.emulator.clinic
    clinic.insert_appointment(clinic.insert_patient(first_name="Nia", last_name="Li"), utc_now() + 2 * DAY)
    before = await types_and_subjects(runtime)

    async def broken(*_: object) -> None:
        raise LookupError("a fault of ours")

    monkeypatch.setattr(pipeline, "publish", broken)
    failed = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert failed.status is SyncState.FAILED
    assert await types_and_subjects(runtime) == [*before, (FAILED, failed.sync_id)]
    monkeypatch.undo()
    completed = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    added = (await types_and_subjects(runtime))[len(before) + 1 :]
    assert added == [(COMPLETED, completed.sync_id), *await changes_of(runtime, completed)]
    assert len(added) == 2


async def test_a_connection_that_stops_working_is_reported_once(runtime: Runtime, cliniko: Cliniko):
    """The first refusal of a key is reported, further ones are not; after a recovery the next one is."""
    await silent_webhook(runtime)
    ends = []
    for _ in range(2):
        for _ in range(2):
            cliniko.emulator.faults.add(Fault(FaultKind.STATUS_401, times=None))
            ends.append(await run_sync(runtime))
            cliniko.emulator.faults.clear()
        ends.append(await run_sync(runtime))
    one, two, good, three, four, better = (end.sync_id for end in ends)
    assert await types_and_subjects(runtime) == [
        *((ATTENTION, ""), (FAILED, one), (FAILED, two), (COMPLETED, good)),
        *((ATTENTION, ""), (FAILED, three), (FAILED, four), (COMPLETED, better)),
    ]
    events = await written(runtime)
    assert events[0].data == {"problemCode": "KEY_REFUSED"}
    assert events[1].data == {"failureCode": "KEY_REFUSED"}


async def test_a_cancelled_sync_is_reported_as_failed(runtime: Runtime, cliniko: Cliniko):
    """As in REST, a cancelled sync has failed with the code CANCELLED, whichever process has run it."""
    await silent_webhook(runtime)
    cliniko.gate.hold("patients")
    sync_id = await start(runtime)
    await runtime.syncs.cancel(LOCAL_OPERATOR, sync_id)
    cliniko.gate.open()
    (event,) = await written(runtime)
    assert (event.type, event.subject, event.data) == (FAILED, sync_id, {"failureCode": "CANCELLED"})


async def test_time_alone_makes_patients_inactive(runtime: Runtime, cliniko: Cliniko):
    """A patient whose last visit leaves the window is reported, without a sync that anyone has started."""
    await silent_webhook(runtime)
    first = await run_sync(runtime)
    expected = [(COMPLETED, first.sync_id)]
    for _ in range(12):
        snapshot = await publish(runtime, await next_moment(runtime.database))
        assert snapshot is not None
        expected += await changes_of(runtime, snapshot)
    assert {kind for kind, _ in expected} >= {COMPLETED, INACTIVE}
    assert await types_and_subjects(runtime) == expected


async def test_many_changes_are_written_by_a_few_statements(idle: Runtime):
    """Thousands of patients who became active and inactive cost as many statements as one of them."""
    webhooks = [await silent_webhook(idle) for _ in range(3)]
    count = 3_000
    texts = {"name_key": "", "search": ""}
    own = {"mirror": 77, "list": PatientList.ACTIVE.value, **texts}
    async with idle.database.writing() as connection:
        rows = [{**own, "id": 10_000 + n, "from_sync": 9, "to_sync": CURRENT} for n in range(count)]
        rows += [{**own, "id": 90_000 + n, "from_sync": 8, "to_sync": 9} for n in range(count)]
        rows += [{**own, "id": 70_000 + n, "from_sync": 8, "to_sync": CURRENT} for n in range(50)]
        await connection.execute(insert(LISTING), rows)
    changed = ListChanges(Span(77, 8, 9), PatientList.ACTIVE.value, "sync_x")
    with recorded(idle.database) as statements:
        async with idle.database.writing() as connection:
            await write_events(connection, ORGANIZATION, utc_now(), [changed])
    # Without the search for webhooks that are due, each second.
    about_webhooks = [one for one in statements if "webhook" in one.text and "next_at <=" not in one.text]
    assert len(about_webhooks) <= 4 + 2 * len(webhooks)
    expected = [(ACTIVE, str(10_000 + n)) for n in range(count)] + [(INACTIVE, str(90_000 + n)) for n in range(count)]
    assert await types_and_subjects(idle) == expected
    keys = [one.key for one in await written(idle)]
    for webhook in webhooks:
        assert await delivered_to(idle, webhook.id) == keys
    async with idle.database.reading() as connection:
        for table in (WEBHOOK_EVENT, WEBHOOK_DELIVERY):
            ids = select(func.count(), func.count(table.c.id.distinct()))
            total, different = (await connection.execute(ids)).one()
            assert total == different, "each has an id of its own"


async def test_events_are_numbered_in_the_order_of_their_commits(runtime: Runtime):
    """Of two transactions of an organization the later one waits, so that no event appears before one already read."""
    await silent_webhook(runtime)
    database: Database = runtime.database
    is_written, may_commit = asyncio.Event(), asyncio.Event()

    async def write(subject: str, *, waits: bool) -> None:
        async with database.writing() as connection:
            event = NewEvent(EventType.SYNC_COMPLETED, subject)
            await write_events(connection, ORGANIZATION, utc_now(), [event])
            if waits:
                is_written.set()
                await may_commit.wait()

    async with asyncio.timeout(LIMIT_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(write("first", waits=True))
        await is_written.wait()
        later = [tasks.create_task(write("later", waits=False)) for _ in range(3)]
        await asyncio.sleep(0)
        assert await written(runtime) == []
        assert not any(task.done() for task in later)
        may_commit.set()
    assert [one.subject for one in await written(runtime)] == ["first", "later", "later", "later"]


async def test_an_enabled_webhook_is_due_at_once_and_a_waiting_one_keeps_its_time(runtime: Runtime):
    """A new event wakes an idle webhook. One that waits after a failed attempt, or is disabled, is left alone."""
    idle, waiting, disabled = [await silent_webhook(runtime) for _ in range(3)]
    later = utc_now() + DAY
    async with runtime.database.writing() as connection:
        for webhook, next_at in ((idle, None), (waiting, later)):
            changed = update(WEBHOOK).where(WEBHOOK.c.id == webhook.id)
            # The deliverer of this runtime leaves a claimed webhook alone.
            await connection.execute(changed.values(disabled_at=None, next_at=next_at, claimed_until=later))
        now = utc_now()
        await write_events(connection, ORGANIZATION, now, [NewEvent(EventType.SYNC_COMPLETED, "sync_x")])
        rows = await connection.execute(select(WEBHOOK.c.id, WEBHOOK.c.next_at))
        found = {webhook_id: next_at for webhook_id, next_at in rows}  # noqa: C416
        await connection.execute(delete(WEBHOOK))
    assert found == {idle.id: now, waiting.id: later, disabled.id: None}


async def test_old_events_are_deleted_with_their_deliveries(idle: Runtime):
    """After the retention an event disappears, with its deliveries, also those of a webhook that stays disabled."""
    webhook = await silent_webhook(idle)
    now = utc_now()
    async with idle.database.writing() as connection:
        for days in (40, 31, 29, 0):
            event = NewEvent(EventType.SYNC_COMPLETED, f"sync_{days}")
            await write_events(connection, ORGANIZATION, now - days * DAY, [event])
    for size, is_more in ((1, True), (1, True), (1, False)):
        assert await _prune(idle, size) is is_more
    events = await written(idle)
    assert [one.subject for one in events] == ["sync_29", "sync_0"]
    assert await delivered_to(idle, webhook.id) == [one.key for one in events]


async def test_an_old_event_is_kept_until_an_enabled_webhook_has_it(idle: Runtime):
    """A delivery of long ago is repeated: it is sent before it is deleted, also if it is deleted at that moment."""
    made, _ = await idle.webhooks.register(LOCAL_OPERATOR, ORGANIZATION, url=URL, events=REGISTRABLE)
    async with idle.database.writing() as connection:
        event = NewEvent(EventType.SYNC_COMPLETED, "sync_1")
        await write_events(connection, ORGANIZATION, utc_now() - 40 * DAY, [event])
    (delivery,) = (await idle.webhooks.deliveries(LOCAL_OPERATOR, ORGANIZATION, made.id)).deliveries
    assert not await _prune(idle)
    await _end_deliveries(idle)
    async with idle.database.writing() as connection:
        await repeat_delivery(connection, ORGANIZATION, delivery.id)
        pruning = asyncio.create_task(_prune(idle))
        if idle.database.path is None:  # a second writer of SQLite waits for the first one
            await pruning
    assert not await pruning
    assert await delivered_to(idle, made.id) == [one.key for one in await written(idle)] != []
    await _end_deliveries(idle)
    assert await _prune(idle)
    assert await delivered_to(idle, made.id) == await written(idle) == []


async def _prune(runtime: Runtime, size: int = 100) -> bool:
    """Delete events that are older than 30 days."""
    now = utc_now()
    cutoffs = replace(Cutoffs(*[now - 999 * DAY] * 7), webhooks=now - 30 * DAY)
    async with runtime.database.writing() as connection:
        return await prune_batch(connection, cutoffs, size, now=now, window=30 * DAY)


async def _end_deliveries(runtime: Runtime) -> None:
    async with runtime.database.writing() as connection:
        await connection.execute(update(WEBHOOK_DELIVERY).values(state="DELIVERED"))


async def test_an_erased_person_leaves_no_event(runtime: Runtime, cliniko: Cliniko):
    """The events about an erased patient are deleted, with those about merged ones; all others stay."""
    webhook = await silent_webhook(runtime)
    await run_sync(runtime)
    clinic = cliniko.emulator.clinic
    patients = [clinic.insert_patient(first_name="Nia", last_name=name) for name in ("Li", "Ng")]
    for one in patients:
        clinic.insert_appointment(one, utc_now() + 2 * DAY)
    await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    before = await types_and_subjects(runtime)
    gone = (ACTIVE, patients[0])
    assert gone in before
    erased = await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, patients[0])
    assert erased.events == 1
    assert await types_and_subjects(runtime) == [one for one in before if one != gone]
    assert await delivered_to(runtime, webhook.id) == [one.key for one in await written(runtime)]
    await run_sync(runtime)
    assert not [one for one in (await types_and_subjects(runtime))[len(before) - 1 :] if one[0] != COMPLETED]


async def test_another_account_and_an_erasure_take_events_along(runtime: Runtime, cliniko: Cliniko):
    """After a change of the account no event names the earlier patients; after an erasure no webhook is left."""
    await silent_webhook(runtime)
    await silent_webhook(runtime, organization_id="org_other")
    first = await run_sync(runtime)
    async with runtime.database.writing() as connection:
        events = [NewEvent(EventType.PATIENT_BECAME_ACTIVE, "9"), NewEvent(EventType.SYNC_COMPLETED, "sync_9")]
        await write_events(connection, ORGANIZATION, utc_now(), events)
        await write_events(connection, "org_other", utc_now(), events)
    cliniko.emulator.clinic.subdomain = "another-clinic"
    connect = runtime.connections.connect
    await connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, replace=True)
    assert await types_and_subjects(runtime) == [(COMPLETED, first.sync_id), (COMPLETED, "sync_9")]
    await runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
    assert len(await runtime.webhooks.list_of(LOCAL_OPERATOR, ORGANIZATION)) == 1, "a connection may come back"
    await runtime.connections.erase(LOCAL_OPERATOR, ORGANIZATION)
    assert await runtime.webhooks.list_of(LOCAL_OPERATOR, ORGANIZATION) == await written(runtime) == []
    assert len(await written(runtime, "org_other")) == 2
