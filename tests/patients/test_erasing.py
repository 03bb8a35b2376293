"""Erasing one person: nothing is left in any version, and no later sync brings that person back."""

import asyncio
import base64
import sqlite3
from contextlib import aclosing, closing
from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import BigInteger, select, text, update

from routiq_gql.cliniko import Horizon
from routiq_gql.clock import utc_now
from routiq_gql.database.drafts import ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.persons import patient_column
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.tables import AUDIT, METADATA, SUPPRESSED, SUPPRESSION_KEY, VERSIONED
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.errors import BadInput, StorageError
from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.requests import PageRequest
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncMode, SyncSnapshot
from routiq_gql.sync.verifying import Difference, Verifier
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.sync.logs import messages
from tests.syncs import follow, run_sync, start
from tests.waiting import LIMIT_SECONDS

pytestmark = pytest.mark.both_databases
DAY = timedelta(days=1)
VISITS = "individual_appointments"
PERSON = 514810976034400077
TEXTS = {
    "first_name": "Zebulonia",
    "last_name": "Quackenbush",
    "email": "zebulonia@quackenbush.example",
    "phone": "+61 491 577 644",
}


def insert_person(cliniko: Cliniko, patient_id: int = PERSON, **texts: str) -> list[str]:
    """Add a person with past, future and cancelled appointments and a place in a class; the ids of the bookings."""
    clinic, now = cliniko.emulator.clinic, utc_now()
    patient = clinic.insert_patient(patient_id=str(patient_id), **{**TEXTS, **texts})
    bookings = [clinic.insert_appointment(patient, now + days * DAY) for days in (-5, -200, 4, 60)]
    clinic.cancel("individual_appointments", clinic.insert_appointment(patient, now + 9 * DAY))
    bookings.append(clinic.insert_attendee(clinic.insert_class(now + 3 * DAY), patient))
    return bookings


async def listed(runtime: Runtime, which: PatientList = PatientList.ALL, as_of: str | None = None) -> list[int]:
    """The ids of a list, the first 200."""
    request = PageRequest(list=which, first=200, as_of=as_of)
    page = await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, request)
    return [one.key.cliniko_id for one in page.patients]


async def rows_about(database: Database, patient_id: int) -> dict[str, int]:
    """How many rows of each table hold the id in any column."""
    found = {}
    async with database.reading() as connection:
        for table in METADATA.sorted_tables:
            columns = [one for one in table.columns if isinstance(one.type, BigInteger)]
            rows = await connection.execute(select(*columns)) if columns else []
            if count := sum(patient_id in row for row in rows):
                found[table.name] = count
    return found


async def differences(runtime: Runtime) -> list[Difference]:
    """What ``routiq-gql verify`` finds."""
    async with runtime.database.reading() as connection:
        mirror = await mirror_of(connection, ORGANIZATION)
        assert mirror is not None
        assert mirror.horizon_from is not None
        erased = await runtime.keep_out.read(connection, mirror.number)
    opened = await runtime.clients.open(ORGANIZATION)
    horizon = Horizon(mirror.horizon_from, mirror.horizon_to)
    async with opened.client as client:
        events = Verifier(client, runtime.database, mirror, horizon, erased).events()
        async with aclosing(events):
            return [one async for one in events if isinstance(one, Difference)]


def suppressed(snapshot: SyncSnapshot) -> dict[str, int]:
    """The rows of erased persons in a receipt, by list."""
    assert snapshot.receipt is not None
    return {one.list: one.suppressed for one in snapshot.receipt.lists if one.suppressed}


OF_PERSON = {"patients": 1, "individual_appointments": 5, "attendees": 1}


async def test_an_erased_person_is_in_no_list_no_past_sync_and_no_later_one(runtime: Runtime, cliniko: Cliniko):
    """After an erasure nobody finds the person, today or as of last week, however often the clinic is synced."""
    insert_person(cliniko)
    first = await run_sync(runtime)
    cliniko.emulator.clinic.rename(str(PERSON), last_name="Quackenbush-Li")
    second = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    others = [one for one in await listed(runtime) if one != PERSON]
    assert PERSON in await listed(runtime, PatientList.ACTIVE, first.sync_id)
    assert await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))

    assert await rows_about(runtime.database, PERSON) == {}
    key = PatientKey(ORGANIZATION, PERSON)
    for as_of in (None, first.sync_id, second.sync_id):
        for which in PatientList:
            assert PERSON not in await listed(runtime, which, as_of)
        assert await runtime.patients.patient(LOCAL_OPERATOR, PatientKey(ORGANIZATION, PERSON, as_of)) is None
    changes = await runtime.patient_changes.sync_changes(LOCAL_OPERATOR, second.sync_id)
    assert PERSON not in {one.key.cliniko_id for one in changes.changes}
    assert await listed(runtime) == others

    for mode in (SyncMode.INCREMENTAL, SyncMode.INCREMENTAL, SyncMode.FULL, SyncMode.INCREMENTAL):
        cliniko.emulator.clinic.rename(str(PERSON), first_name=f"Zebulonia {mode.value}")
        last = await run_sync(runtime, mode=mode)
        assert last.receipt is not None
        assert last.receipt.agrees, [one for one in last.receipt.lists if not one.agrees]
        assert suppressed(last) == OF_PERSON
        assert last.mode is mode
        assert last.patients_found == first.patients_found, "it is Cliniko's count"
        assert last.appointments_found == first.appointments_found
        assert not [row for row in last.receipt.unreadable_rows if row.id == str(PERSON)]
        assert await listed(runtime) == others
        assert await rows_about(runtime.database, PERSON) == {"patient_versions": 1}, "a stub, which Cliniko counts"
        assert await runtime.patients.patient(LOCAL_OPERATOR, key) is None
        assert await differences(runtime) == []
        assert not any("Zebulonia" in line or str(PERSON) in line for line in await messages(runtime, last.sync_id))
    spent = (await run_sync(runtime, mode=SyncMode.INCREMENTAL)).receipt
    assert spent is not None
    assert spent.requests <= 15, "an erased person costs no request of a sync that has nothing to read"


@pytest.mark.parametrize("name", ["after", "before"])
async def test_a_cursor_at_an_erased_person_is_refused(runtime: Runtime, cliniko: Cliniko, name: str):
    """A client that pages from a person who was erased is told to begin again, and does not get the list twice."""
    insert_person(cliniko)
    await run_sync(runtime)
    sizes = {"after": {"first": 200}, "before": {"last": 200}}[name]
    whole = await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, PageRequest(list=PatientList.ALL, **sizes))
    place = [one.key.cliniko_id for one in whole.patients].index(PERSON)
    request = PageRequest(list=PatientList.ALL, **sizes, **{name: whole.cursors[place]})
    rest = await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, request)
    assert rest.patients == (whole.patients[place + 1 :] if name == "after" else whole.patients[:place])
    assert await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    with pytest.raises(BadInput, match=f"“{name}” is not a cursor of this list"):
        await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, request)


async def test_new_changed_moved_and_cancelled_bookings_of_an_erased_person_stay_out(
    runtime: Runtime, cliniko: Cliniko
):
    """The person books again after the erasure; the clinic's counts agree, and the booking is shown nowhere."""
    clinic, now = cliniko.emulator.clinic, utc_now()
    bookings = insert_person(cliniko)
    await run_sync(runtime)
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    clinic.insert_appointment(str(PERSON), now + 6 * DAY)
    clinic.move("individual_appointments", bookings[2], now + 12 * DAY)
    clinic.cancel("individual_appointments", bookings[3])
    clinic.delete("individual_appointments", bookings[1])
    clinic.archive("patients", str(PERSON))
    for mode in (SyncMode.INCREMENTAL, SyncMode.FULL):
        last = await run_sync(runtime, mode=mode)
        assert last.receipt is not None
        assert last.receipt.agrees
        assert suppressed(last) == OF_PERSON
        assert PERSON not in await listed(runtime)
        assert await differences(runtime) == []


@pytest.mark.parametrize("erased_one_goes", [True, False], ids=["into another", "into the erased one"])
async def test_a_merge_in_cliniko_does_not_bring_an_erased_person_back(
    runtime: Runtime, cliniko: Cliniko, erased_one_goes: bool
):
    """The clinic merges two records of an erased person: the other record is the same person, and is erased too."""
    other = PERSON + 100
    insert_person(cliniko)
    insert_person(cliniko, other, first_name="Zeb")
    await run_sync(runtime)
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert other in await listed(runtime)
    pair = (str(PERSON), str(other)) if erased_one_goes else (str(other), str(PERSON))
    cliniko.emulator.clinic.merge(*pair)
    for mode in (SyncMode.INCREMENTAL, SyncMode.FULL):
        last = await run_sync(runtime, mode=mode)
        assert last.receipt is not None
        assert last.receipt.agrees
        assert suppressed(last) == {name: 2 * count for name, count in OF_PERSON.items()}
        assert not {PERSON, other} & set(await listed(runtime))
        assert await differences(runtime) == []
    await runtime.erasures.undo(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    last = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert suppressed(last) == {}
    assert len({PERSON, other} & set(await listed(runtime))) == 1


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
async def test_a_page_that_shows_a_merge_is_stored_without_the_person(
    runtime: Runtime, cliniko: Cliniko, order: tuple[int, ...]
):
    """The very page that shows whose record another one is brings no name back: many syncs read a page only once."""
    insert_person(cliniko)
    await run_sync(runtime)
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    chain = [PERSON, PERSON + 1, PERSON + 2]
    nothing = dict.fromkeys(MirrorList.PATIENTS.read_columns)
    rows = [
        nothing | {"id": one, "merged_with_id": other} for one, other in zip(chain, [*chain[1:], None], strict=True)
    ]
    stranger = nothing | {"id": PERSON + 9}
    async with runtime.database.writing() as connection:
        mirror = await mirror_of(connection, ORGANIZATION)
        assert mirror is not None
        page = ReadPage([stranger, *(rows[one] for one in order)])
        stored = await runtime.keep_out.filter(connection, mirror.number, MirrorList.PATIENTS, page)
        erased = await runtime.keep_out.read(connection, mirror.number)
    assert erased is not None
    assert [one for one in chain if not erased.has(one)] == []
    assert list(stored.rows) == [stranger]
    assert {row["id"] for row in stored.suppressed} == {*chain}


async def test_a_patient_merged_before_is_erased_with_both_records(runtime: Runtime, cliniko: Cliniko):
    """A person with two merged records in Cliniko is erased by the number of either."""
    other = PERSON + 100
    insert_person(cliniko)
    insert_person(cliniko, other)
    cliniko.emulator.clinic.merge(str(PERSON), str(other))
    await run_sync(runtime)
    erased = await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    assert (erased.merged, erased.bookings) == (1, 12)
    assert await rows_about(runtime.database, other) == {}
    assert other not in await listed(runtime)


@pytest.mark.parametrize("held", ["patients", "individual_appointments", "group_appointments", "appointment_types"])
async def test_a_person_can_be_erased_while_a_sync_runs(runtime: Runtime, cliniko: Cliniko, held: str):
    """Whatever a sync has read when someone is erased, it ends well, without that person."""
    insert_person(cliniko)
    await run_sync(runtime)
    cliniko.emulator.clinic.rename(str(PERSON), first_name="Zebulon")
    cliniko.gate.hold(held)
    sync_id = await start(runtime)
    await cliniko.gate.reached()
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    assert await rows_about(runtime.database, PERSON) == {}
    cliniko.gate.open()
    last = (await follow(runtime, sync_id))[-1]
    assert last.failure is None
    assert last.receipt is not None
    assert last.receipt.agrees
    assert PERSON not in await listed(runtime)
    last = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert last.receipt is not None
    assert last.receipt.agrees
    assert suppressed(last) == OF_PERSON
    assert await differences(runtime) == []


async def test_an_undone_erasure_lets_the_next_sync_read_everything(runtime: Runtime, cliniko: Cliniko):
    """A person who was erased by mistake is back after the next sync, with all bookings."""
    insert_person(cliniko)
    await run_sync(runtime)
    before = {which: await listed(runtime, which) for which in PatientList}
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    await runtime.erasures.undo(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    with pytest.raises(BadInput, match="is not erased"):
        await runtime.erasures.undo(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    last = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    assert last.mode is SyncMode.FULL
    assert "This sync reads everything: a patient who was erased is let in again" in await messages(
        runtime, last.sync_id
    )
    assert {which: await listed(runtime, which) for which in PatientList} == before
    assert suppressed(last) == {}
    assert await differences(runtime) == []


async def test_an_erasure_says_what_is_wrong(runtime: Runtime, cliniko: Cliniko):
    """An unknown number, no number, a second erasure, and an undo during a sync each have a sentence."""
    with pytest.raises(BadInput, match=f"No patient 77 of {ORGANIZATION} is stored"):
        await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, "77")
    insert_person(cliniko)
    await run_sync(runtime)
    with pytest.raises(BadInput, match=f"No patient 77 of {ORGANIZATION} is stored"):
        await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, "77")
    for typed in ("", "Zebulonia", "-1", "0", "1.5", str(2**63), "٣"):
        with pytest.raises(BadInput, match="its number in Cliniko"):
            await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, typed)
    async with runtime.database.reading() as connection:
        assert not (await connection.execute(select(SUPPRESSED))).all()
    once = await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    twice = await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    assert (once.was_erased, once.bookings) == (False, 6)
    assert (twice.was_erased, twice.bookings) == (True, 0)
    cliniko.gate.hold("patients")
    sync_id = await start(runtime)
    await cliniko.gate.reached()
    with pytest.raises(BadInput, match="is running"):
        await runtime.erasures.undo(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    cliniko.gate.open()
    await follow(runtime, sync_id)
    async with runtime.database.reading() as connection:
        entries = (await connection.execute(select(AUDIT).where(AUDIT.c.action == "erase_patient"))).all()
    assert [entry.outcome for entry in entries] == ["DONE", "DONE"]
    assert not any(str(PERSON) in str(value) for entry in entries for value in entry)


async def test_watchers_get_the_figures_without_the_person(runtime: Runtime, cliniko: Cliniko):
    """A dashboard that is open during the erasure shows one active patient less, without a sync."""
    insert_person(cliniko)
    await run_sync(runtime)
    watched = runtime.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION)
    before = await anext(watched)
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    after = await anext(watched)
    while after.patient_stats.active_patients == before.patient_stats.active_patients:
        after = await anext(watched)
    assert after.patient_stats.active_patients == before.patient_stats.active_patients - 1
    assert after.patient_stats.patients_in_cliniko == before.patient_stats.patients_in_cliniko
    await watched.aclose()


async def test_receipts_and_logs_of_past_syncs_name_no_row_of_the_person(runtime: Runtime, cliniko: Cliniko):
    """A booking that could not be read once was named in a log and a receipt; the erasure removes its number."""
    bookings = insert_person(cliniko)
    await run_sync(runtime)
    cliniko.emulator.clinic.mark(VISITS, bookings[0], arrived=False)
    cliniko.emulator.faults.add(Fault(FaultKind.ROW_WITHOUT_START, VISITS, times=None, only_above_per_page=1))
    sync = await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    cliniko.emulator.faults.clear()
    assert sync.receipt is not None
    (named,) = {row.id for row in sync.receipt.unreadable_rows}
    assert named is not None
    assert any(f"row {named} of" in line for line in await messages(runtime, sync.sync_id))
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    scrubbed = await runtime.syncs.status(LOCAL_OPERATOR, sync.sync_id)
    assert scrubbed.receipt is not None
    assert named not in {row.id for row in scrubbed.receipt.unreadable_rows}
    assert len(scrubbed.receipt.unreadable_rows) == len(sync.receipt.unreadable_rows)
    assert not any(named in line for line in await messages(runtime, sync.sync_id))


async def test_a_rotation_of_the_keys_keeps_the_list(runtime: Runtime, cliniko: Cliniko):
    """The operator makes a new key: everyone who was erased stays out, and the old key is needed no more."""
    insert_person(cliniko)
    await run_sync(runtime)
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    await runtime.connections.rotate_keys(LOCAL_OPERATOR)
    async with open_runtime(runtime.settings, run_syncs=False) as restarted:
        async with restarted.database.reading() as connection:
            mirror = await mirror_of(connection, ORGANIZATION)
            assert mirror is not None
            erased = await restarted.keep_out.read(connection, mirror.number)
        assert erased is not None
        assert erased.has(PERSON)
        assert not erased.has(PERSON + 1)
    last = await run_sync(runtime)
    assert suppressed(last) == OF_PERSON


async def test_a_lost_key_fails_syncs_and_brings_no_one_back(runtime: Runtime, cliniko: Cliniko):
    """When the operator loses the key of the keep-out list, no sync stores patients, and each one says why."""
    insert_person(cliniko)
    await run_sync(runtime)
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    lost = f"other:{base64.b64encode(b'k' * 32).decode()}"
    async with (
        open_runtime(runtime.settings.model_copy(update={"encryption_keys": lost}), run_syncs=False) as restarted,
        restarted.database.reading() as connection,
    ):
        mirror = await mirror_of(connection, ORGANIZATION)
        assert mirror is not None
        with pytest.raises(StorageError, match="The list of erased patients can't be read"):
            await restarted.keep_out.read(connection, mirror.number)
    async with runtime.database.writing() as connection:
        await connection.execute(update(SUPPRESSION_KEY).values(encryption_key_id="lost"))
    last = await run_sync(runtime)
    assert last.failure is not None
    assert "The list of erased patients can't be read" in last.failure.message + last.failure.what_to_do
    assert PERSON not in await listed(runtime)


_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)) "
    "AND datname = current_database()"
)


@pytest.mark.postgres_only
async def test_a_page_waits_for_an_erasure_that_is_under_way(runtime: Runtime, cliniko: Cliniko):
    """A sync that starts within an erasure stores its page after it, without the person."""
    insert_person(cliniko)
    await run_sync(runtime)
    page = ReadPage([{**dict.fromkeys(MirrorList.PATIENTS.read_columns), "id": PERSON}])

    async def filtered() -> ReadPage:
        async with runtime.database.writing() as connection:
            return await runtime.keep_out.filter(connection, mirror.number, MirrorList.PATIENTS, page)

    other = Database(runtime.settings.database_url)
    try:
        async with other.writing() as erasing:
            mirror = await mirror_of(erasing, ORGANIZATION)
            assert mirror is not None
            await runtime.keep_out.add(erasing, mirror.number, PERSON, [])
            storing = asyncio.create_task(filtered())
            async with asyncio.timeout(LIMIT_SECONDS):
                while not (await erasing.execute(_WAITING)).scalar_one():
                    await asyncio.sleep(0.01)
        stored = await storing
    finally:
        await other.close()
    assert (list(stored.rows), [row["id"] for row in stored.suppressed]) == ([], [PERSON])


async def test_another_organization_keeps_a_patient_with_the_same_number(runtime: Runtime, cliniko: Cliniko):
    """Two clinics may have a patient with the same number in Cliniko; erasing one leaves the other alone."""
    insert_person(cliniko)
    await run_sync(runtime)
    await runtime.connections.connect(LOCAL_OPERATOR, "org_2", EMULATED_API_KEY, cliniko.base_url, check=False)
    await run_sync(runtime, "org_2")
    await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    last = await run_sync(runtime, "org_2", mode=SyncMode.FULL)
    assert suppressed(last) == {}
    assert await runtime.patients.patient(LOCAL_OPERATOR, PatientKey("org_2", PERSON)) is not None
    assert await runtime.patients.patient(LOCAL_OPERATOR, PatientKey(ORGANIZATION, PERSON)) is None


@pytest.mark.parametrize("table", VERSIONED, ids=lambda table: table.name)
def test_every_table_of_versions_says_which_patient_a_row_is_about(table):
    """A new table with patients' ids can't be forgotten by an erasure."""
    column = patient_column(table)
    named = [one.name for one in table.columns if "patient" in one.name]
    assert column is not None or not named
    assert named in ([], ["patient_id"])
    assert column is None or column.name == (named[0] if named else "id")


@pytest.mark.sqlite_only
async def test_the_files_of_the_database_hold_nothing_of_an_erased_person(runtime: Runtime, cliniko: Cliniko):
    """A search through every byte of the database's files finds no name, no e-mail address, no phone and no number."""
    path = runtime.database.path
    if path is None:
        return
    insert_person(cliniko)
    await run_sync(runtime)
    for name in ("Quackenbush-Li", "Quackenbush-Ng"):
        cliniko.emulator.clinic.rename(str(PERSON), last_name=name)
        await run_sync(runtime, mode=SyncMode.INCREMENTAL)
    sought = [text.encode() for text in ("Zebulonia", "Quackenbush", "zebulonia@", "491 577 644", "491577644")]
    sought += [b"zebulonia", b"quackenbush", str(PERSON).encode(), PERSON.to_bytes(8, "big")]

    def found() -> set[bytes]:
        files = [one for one in path.parent.iterdir() if one.name.startswith(path.name)]
        assert path in files
        content = [one.read_bytes() for one in files if one.is_file()]
        return {one for one in sought if any(one in part for part in content)}

    assert {b"Zebulonia", b"quackenbush", PERSON.to_bytes(8, "big")} <= found()
    erased = await runtime.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(PERSON))
    assert erased.is_gone
    assert found() == set()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    await run_sync(runtime, mode=SyncMode.FULL)
    numbers = {PERSON.to_bytes(8, "big"), str(PERSON).encode()}
    assert found() <= numbers, "a later sync stores a stub with the number, and the number as its place in the list"
