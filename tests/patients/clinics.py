"""A clinic whose patients and lists a test writes by itself, sync by sync, on the tables of a real database.

The lists follow from ``rules``, as the analysis makes them. ``ListedClinic.sync`` writes versions like a sync: what did
not change keeps its version.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Table, insert, select, update

from routiq_gql.database.analysis_scope import RULES
from routiq_gql.database.engine import Database
from routiq_gql.database.tables import (
    ACTIVITY,
    APPOINTMENT,
    APPOINTMENT_TYPE,
    ATTENDEE,
    CURRENT,
    LISTING,
    MIRROR,
    PATIENT,
    PRACTITIONER,
    SYNC,
)
from routiq_gql.patients.bookings import Booking, Terms, to_milliseconds, to_moment
from routiq_gql.patients.folding import name_key, search_text
from routiq_gql.patients.rules import Assessment, assess
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode, SyncState

NOW = datetime(2026, 7, 1, 9, 30, 15, 123000, tzinfo=UTC)
HORIZON = NOW - timedelta(days=730)
DAY = timedelta(days=1)
PRACTITIONERS = {501: "Dr Sana Malik", 502: "Tom Ode", 503: None}
TYPES = {601: "Pilates class", 602: "Standard physio", 603: None}

MOST_IN_BATCH = 200
"""Patients written in a transaction."""


@dataclass(frozen=True)
class Visit:
    """A booking of a patient: an appointment, or a place in a class of its own."""

    id: int
    starts_at: datetime
    is_cancelled: bool = False
    is_missed: bool | None = None
    is_class: bool = False
    type_id: int | None = 602
    practitioner_id: int | None = 501

    @property
    def booking(self) -> Booking:
        return Booking(
            to_milliseconds(self.starts_at), self.is_cancelled, self.is_missed, 2 if self.is_class else 1, self.id,
            self.type_id, self.practitioner_id,
        )  # fmt: skip


@dataclass(frozen=True)
class Person:
    """A patient with bookings."""

    id: int
    first_name: str | None = "Ana"
    last_name: str | None = "Bo"
    preferred_first_name: str | None = None
    email: str | None = None
    phone: str | None = None
    created_at: datetime | None = NOW - 100 * DAY
    is_archived: bool = False
    visits: tuple[Visit, ...] = ()

    @property
    def bookings(self) -> list[Booking]:
        return sorted((one.booking for one in self.visits), key=lambda one: (one.starts_at, one.kind, one.id))

    def assessed(self, terms: Terms) -> Assessment:
        created_at = to_milliseconds(self.created_at) if self.created_at is not None else None
        return assess(self.bookings, not self.is_archived, created_at, terms)


Rows = dict[tuple[Table, tuple[Any, ...]], dict[str, Any]]


@dataclass
class ListedClinic:
    """An organization with syncs. ``people`` are the patients of the newest one, by id."""

    database: Database
    organization_id: str = "org_1"
    people: dict[int, Person] = field(default_factory=dict)
    mirror: int = 0
    sync_ids: list[str] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    terms: Terms = field(default_factory=lambda: terms_at(NOW))
    history: dict[str, dict[int, Person]] = field(default_factory=dict)
    recent_days: int = 30
    upcoming_days: int = 30
    seen_within_weeks: int = 26
    _rows: Rows = field(default_factory=dict)

    async def sync(self, people: Iterable[Person], at: datetime = NOW, **values: Any) -> str:
        """Publish a sync with exactly these patients, analyzed at this time; its id."""
        self.people = {one.id: one for one in people}
        self.terms = terms_at(at, HORIZON, self.recent_days, self.upcoming_days, self.seen_within_weeks)
        number = len(self.sync_ids) + 1
        sync_id = f"sync_{self.organization_id}_20260701_{number:06}"
        sync = first_values(SyncMode.FULL, at) | {
            "sync_id": sync_id, "organization_id": self.organization_id, "version": 1, "epoch": 1,
            "status": SyncState.COMPLETED.value, "step": 8, "completed_at": at, "analyzed_at": at,
            "recent_days": self.recent_days, "upcoming_days": self.upcoming_days,
            "seen_within_weeks": self.seen_within_weeks, "rules": RULES,
            "horizon_from": HORIZON, "time_zone": "Sydney",
            "patients_found": sum(not one.is_archived for one in self.people.values()),
        }  # fmt: skip
        async with self.database.writing() as connection:
            key = (await connection.execute(insert(SYNC).values(sync | values).returning(SYNC.c.key))).scalar_one()
            if not self.mirror:
                row = {
                    "organization_id": self.organization_id, "sync": 0, "oldest_kept": key, "keeps_window": False,
                    "format": 1, "patients_in_cliniko": 0, "horizon_from": HORIZON,
                }  # fmt: skip
                made = await connection.execute(insert(MIRROR).values(row).returning(MIRROR.c.number))
                self.mirror = made.scalar_one()
            # A server that prunes at the same time skips a locked organization; otherwise they could deadlock.
            await connection.execute(select(MIRROR.c.sync).where(MIRROR.c.number == self.mirror).with_for_update())
            rows = self._rows_of()
            await self._write(connection, key, rows)
            await connection.execute(update(MIRROR).where(MIRROR.c.number == self.mirror).values(sync=key))
        self._rows = rows
        self.sync_ids.append(sync_id)
        self.keys.append(key)
        self.history[sync_id] = dict(self.people)
        return sync_id

    async def fill(self, people: Iterable[Person], at: datetime = NOW) -> str:
        """Publish a first sync with very many patients, written in batches and not remembered; its id."""
        sync_id = await self.sync([], at)
        batch: dict[Table, list[dict[str, Any]]] = {}
        for number, person in enumerate(people, 1):
            for table, row in rows_of(person, self.mirror, self.terms):
                batch.setdefault(table, []).append(row | {"from_sync": self.keys[-1], "to_sync": CURRENT})
            if number % MOST_IN_BATCH == 0:
                await self._insert(batch)
                batch = {}
        await self._insert(batch)
        return sync_id

    async def _insert(self, batch: Mapping[Table, list[dict[str, Any]]]) -> None:
        async with self.database.writing() as connection:
            for table, rows in batch.items():
                await connection.execute(insert(table), rows)

    async def prune_before(self, sync_id: str) -> None:
        """Keep this sync and later ones only."""
        key = select(SYNC.c.key).where(SYNC.c.sync_id == sync_id).scalar_subquery()
        async with self.database.writing() as connection:
            await connection.execute(update(MIRROR).where(MIRROR.c.number == self.mirror).values(oldest_kept=key))

    async def _write(self, connection: Any, key: int, rows: Rows) -> None:
        new: dict[Table, list[dict[str, Any]]] = {}
        for (table, row_key), values in rows.items():
            if self._rows.get((table, row_key)) != values:
                new.setdefault(table, []).append(values | {"from_sync": key, "to_sync": CURRENT})
        for (table, row_key), values in self._rows.items():
            if rows.get((table, row_key)) != values:
                names = [name for name in ("mirror", "list", "kind", "id") if name in table.c]
                same = [table.c[name] == values[name] for name in names]
                closing = update(table).where(*same, table.c.to_sync == CURRENT).values(to_sync=key)
                await connection.execute(closing)
        for table, some in new.items():
            await connection.execute(insert(table), some)

    def _rows_of(self) -> Rows:
        rows: Rows = {}
        for table, row in names_of_clinic(self.mirror):
            rows[table, _key(row)] = row
        for one in self.people.values():
            rows.update(((table, _key(row)), row) for table, row in rows_of(one, self.mirror, self.terms))
        return rows


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("list", "kind", "id"))


def _row(table: Table, mirror: int, **values: Any) -> tuple[Table, dict[str, Any]]:
    empty: dict[str, Any] = {column.name: None for column in table.columns}
    empty |= {name: False for name in ("is_stub", "is_suppressed") if name in empty}
    return table, empty | {"mirror": mirror} | values


def names_of_clinic(mirror: int) -> Iterator[tuple[Table, dict[str, Any]]]:
    """The rows of practitioners and appointment types, without their syncs."""
    for row_id, name in PRACTITIONERS.items():
        yield _row(PRACTITIONER, mirror, id=row_id, name=name)
    for row_id, name in TYPES.items():
        yield _row(APPOINTMENT_TYPE, mirror, id=row_id, name=name)


def rows_of(one: Person, mirror: int, terms: Terms) -> Iterator[tuple[Table, dict[str, Any]]]:
    """All rows of a patient, without their syncs: as read from Cliniko, and the results."""
    names = (one.first_name, one.last_name, one.preferred_first_name, one.email, one.phone)
    yield _row(
        PATIENT, mirror, id=one.id, first_name=one.first_name, last_name=one.last_name,
        preferred_first_name=one.preferred_first_name, email=one.email, phone=one.phone,
        created_at=one.created_at, archived_at=NOW - 50 * DAY if one.is_archived else None,
    )  # fmt: skip
    for visit in one.visits:
        gone = NOW - 60 * DAY if visit.is_cancelled else None
        shared = {
            "starts_at": visit.starts_at, "ends_at": visit.starts_at + timedelta(minutes=45),
            "appointment_type_id": visit.type_id, "practitioner_id": visit.practitioner_id,
        }  # fmt: skip
        if visit.is_class:
            arrived = None if visit.is_missed is None else not visit.is_missed
            yield _row(APPOINTMENT, mirror, kind=2, id=visit.id, **shared)
            place = {"id": visit.id, "booking_id": visit.id, "patient_id": one.id, "arrived": arrived}
            yield _row(ATTENDEE, mirror, **place, cancelled_at=gone)
        else:
            own = {"kind": 1, "id": visit.id, "patient_id": one.id, "did_not_arrive": visit.is_missed}
            yield _row(APPOINTMENT, mirror, **own, cancelled_at=gone, **shared)
    found = one.assessed(terms)
    last, following = found.last_visit, found.next_booking
    listed = {
        "name_key": name_key(one.first_name, one.last_name), "search": search_text(*names),
        "last_at": to_moment(last.starts_at) if last else None,
        "next_at": to_moment(following.starts_at) if following else None,
        "last_practitioner_id": last.practitioner_id if last else None,
        "next_practitioner_id": following.practitioner_id if following else None,
    }  # fmt: skip
    for which in found.lists:
        yield _row(LISTING, mirror, list=which.value, id=one.id, **listed)
    if found.is_active:
        yield _row(
            ACTIVITY, mirror, id=one.id, is_active=True, was_active=True, active_since=1,
            recent_appointments=found.recent, upcoming_appointments=found.upcoming,
            missed_appointments=found.recently_missed,
        )  # fmt: skip


def terms_at(
    at: datetime,
    horizon: datetime = HORIZON,
    recent_days: int = 30,
    upcoming_days: int = 30,
    seen_within_weeks: int = 26,
) -> Terms:
    """The settings at a time, by default the default ones."""
    return Terms.at(at, recent_days, upcoming_days, seen_within_weeks, horizon)


FIRST_NAMES = ("Ana", "ana", "Zoë", "Björn", "Li", "", None, "O'Neil", "Łukasz")
LAST_NAMES = ("Müller", "muller", "de Souza", "Nguyen", "Smith", "Smith", "", None, "Ødegård")


def random_person(pick: random.Random, patient_id: int, at: datetime = NOW) -> Person:
    """A patient with up to six bookings; many share names, and many have no visit or booking."""
    visits = []
    for number in range(pick.choice((0, 0, 1, 1, 2, 3, 6))):
        starts_at = at + timedelta(minutes=pick.randint(-400 * 1440, 60 * 1440))
        if pick.random() < 0.2:
            starts_at = (
                at + pick.choice((-30, 30, 0, -14, -180)) * DAY + pick.choice((-1, 0, 1)) * timedelta(milliseconds=1)
            )
        visits.append(
            Visit(
                patient_id * 100 + number,
                starts_at,
                is_cancelled=pick.random() < 0.2,
                is_missed=pick.choice((None, None, None, False, True)),
                is_class=pick.random() < 0.3,
                type_id=pick.choice((601, 602, 603, 699, None)),
                practitioner_id=pick.choice((501, 502, 503, 599, None)),
            )
        )
    return Person(
        patient_id,
        first_name=pick.choice(FIRST_NAMES),
        last_name=pick.choice(LAST_NAMES),
        email=pick.choice((None, f"p{patient_id}@example.com")),
        phone=pick.choice((None, f"04{patient_id:08}")),
        created_at=pick.choice((None, at - 900 * DAY, at - 100 * DAY)),
        is_archived=pick.random() < 0.1,
        visits=tuple(visits),
    )
