"""The analysis: at the edges of the windows, for rows that no clinic should have, and compared with plain Python."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import insert, select, update

from routiq_gql.database import tables
from routiq_gql.database.activity import active_counts, next_change, patients_in_cliniko
from routiq_gql.database.analysis_scope import NEW_PATIENTS_LIST, RULES, AnalysisScope, analysis_scope
from routiq_gql.database.draft_lookups import count_active
from routiq_gql.database.drafts import Draft
from routiq_gql.database.engine import Database
from routiq_gql.database.tables import ACTIVITY, CURRENT, LISTING, MIRROR, MIRRORED, RESULTS, SYNC
from routiq_gql.patients.analysis import analyze_slice
from routiq_gql.patients.bookings import Booking, Terms, to_milliseconds, to_moment
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.rules import assess
from tests.patients.oracle import oracle

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MILLISECOND = timedelta(milliseconds=1)
DAY = timedelta(days=1)
HORIZON = NOW - 730 * DAY
RECENT_FROM, UPCOMING_TO = NOW - 30 * DAY, NOW + 30 * DAY
SETTINGS = {"recent_days": 30, "upcoming_days": 30, "seen_within_weeks": 26}


def terms_at(now, horizon=HORIZON):
    return Terms.at(now, **SETTINGS, horizon_from=horizon)


TERMS = terms_at(NOW)
FIRST = Draft(mirror=1, base=0, sync=1)

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def database(database_url):
    """An empty database."""
    opened = Database(database_url)
    yield opened
    await opened.close()


class Clinic:
    """Writes rows of a mirror. Every method takes the sync that writes."""

    def __init__(self, connection) -> None:
        self.connection = connection

    async def patient(self, id_, sync=1, **values):
        await self._write(tables.PATIENT, sync, id=id_, **values)

    async def appointment(self, id_, patient_id, starts_at, sync=1, **values):
        of_patient = {"kind": 1, "id": id_, "patient_id": patient_id, "starts_at": starts_at}
        await self._write(tables.APPOINTMENT, sync, **of_patient, **values)

    async def group(self, id_, starts_at, sync=1, **values):
        await self._write(tables.APPOINTMENT, sync, kind=2, id=id_, starts_at=starts_at, **values)

    async def attendee(self, id_, booking_id, patient_id, sync=1, **values):
        await self._write(tables.ATTENDEE, sync, id=id_, booking_id=booking_id, patient_id=patient_id, **values)

    async def close(self, table, sync, *conditions):
        """Close current versions of earlier syncs, and forget what this sync has written."""
        is_current = (table.c.to_sync == CURRENT, *conditions)
        await self.connection.execute(table.delete().where(*is_current, table.c.from_sync == sync))
        await self.connection.execute(update(table).where(*is_current).values(to_sync=sync))

    async def _write(self, table, sync, **values):
        row = {column.name: None for column in table.columns if column.name != "is_suppressed"}
        row |= {"mirror": 1, "is_stub": False}
        await self.connection.execute(insert(table).values(row | values | {"from_sync": sync, "to_sync": CURRENT}))

    async def analyze(self, draft=FIRST, terms=TERMS, size=100, everything=True):
        """Analyze in slices, and return the results that are visible at the draft."""
        after = 0
        while after is not None:
            after = await analyze_slice(self.connection, draft, terms, after, size, everything=everything)
        return await self.results(draft.sync)

    async def results(self, sync):
        visible = (ACTIVITY.c.mirror == 1, ACTIVITY.c.from_sync <= sync, ACTIVITY.c.to_sync > sync)
        rows = [row._asdict() for row in await self.connection.execute(select(ACTIVITY).where(*visible))]
        found = {row["id"]: {name: row[name] for name in row if name not in NOT_COMPARED} for row in rows}
        assert len(found) == len(rows), "two versions of a result are visible at once"
        return found

    async def listings(self, sync):
        """What is visible of each list at a sync, by its number and the patient."""
        visible = (LISTING.c.mirror == 1, LISTING.c.from_sync <= sync, LISTING.c.to_sync > sync)
        rows = list(await self.connection.execute(select(LISTING).where(*visible)))
        found = {(row.list, row.id): tuple(row)[5:] for row in rows}
        assert len(found) == len(rows), "two versions of a place in a list are visible at once"
        return found


NOT_COMPARED = {"mirror", "id", "from_sync", "to_sync"}
COUNTS = ("recent_appointments", "missed_appointments", "upcoming_appointments")
TIMES = ("last_appointment_at", "next_appointment_at")


@pytest.fixture
async def clinic(database):
    """A clinic without rows, in a transaction."""
    async with database.writing() as connection:
        yield Clinic(connection)


def figures(result):
    return tuple(result[name] for name in (*COUNTS, *TIMES))


@pytest.mark.parametrize(
    ("starts_at", "recent", "upcoming"),
    [
        (RECENT_FROM - MILLISECOND, None, None),
        (RECENT_FROM, 1, 0),
        (NOW - MILLISECOND, 1, 0),
        (NOW, 1, 0),
        (NOW + MILLISECOND, 0, 1),
        (UPCOMING_TO, 0, 1),
        (UPCOMING_TO + MILLISECOND, None, None),
    ],
)
async def test_the_edges_of_the_windows(clinic, starts_at, recent, upcoming):
    """Both windows include their ends; an appointment that begins this very second is recent."""
    await clinic.patient(7)
    await clinic.appointment(1, 7, starts_at)
    found = await clinic.analyze()
    if recent is None:
        assert figures(found[7]) == (0, 0, 0, None, None)
        assert (found[7]["is_active"], found[7]["was_active"]) == (False, False)
        return
    assert figures(found[7]) == (recent, 0, upcoming, starts_at if recent else None, starts_at if upcoming else None)
    assert (found[7]["is_active"], found[7]["was_active"], found[7]["active_since"]) == (True, True, 1)


MOMENTS = (
    (RECENT_FROM, NOW + MILLISECOND),
    (NOW - DAY, NOW + 29 * DAY + MILLISECOND),
    (NOW, NOW + 30 * DAY + MILLISECOND),
    (NOW + MILLISECOND, NOW + MILLISECOND),
    (NOW + 30 * DAY, NOW + 30 * DAY),
    (NOW + 30 * DAY + MILLISECOND, NOW + MILLISECOND),
    (NOW + 40 * DAY, NOW + 10 * DAY),
)
"""When a visit starts, and when time alone changes its patient's result."""


@pytest.mark.parametrize("in_class", [False, True])
@pytest.mark.parametrize("microseconds", [0, 999])
async def test_a_result_changes_by_time_alone_at_the_stored_moment(clinic, in_class, microseconds):
    """The result stays equal until the millisecond before the stored moment, and differs from that moment on."""
    kinds = [(*moment, missed) for moment in MOMENTS for missed in (None, True)]
    for patient, (starts_at, _, missed) in enumerate(kinds, 1):
        await clinic.patient(patient)
        if in_class:
            await clinic.group(patient, starts_at)
            await clinic.attendee(patient, patient, patient, arrived=None if missed is None else not missed)
        else:
            await clinic.appointment(patient, patient, starts_at, did_not_arrive=missed)
    fraction = timedelta(microseconds=microseconds)  # the mirror's times have milliseconds, those of clocks have more
    first = await clinic.analyze(terms=terms_at(NOW + fraction))
    for patient, (_, changes_at, _) in enumerate(kinds, 1):
        assert first[patient]["changes_at"] == changes_at
        before = terms_at(changes_at - MILLISECOND + fraction)
        assert (await clinic.analyze(Draft(1, 1, 2), before))[patient] == first[patient]
        assert (await clinic.analyze(Draft(1, 1, 2), terms_at(changes_at)))[patient] != first[patient]


YESTERDAY, LAST_WEEK, TOMORROW = NOW - DAY, NOW - 7 * DAY, NOW + DAY


@pytest.mark.parametrize(
    ("visits", "expected"),
    [
        ([(YESTERDAY, None)], (1, 0, 0, YESTERDAY, None)),
        ([(YESTERDAY, True)], (1, 0, 0, YESTERDAY, None)),
        ([(YESTERDAY, False)], (0, 1, 0, None, None)),
        ([(YESTERDAY, False), (LAST_WEEK, None)], (1, 1, 0, LAST_WEEK, None)),
        ([(YESTERDAY, False), (LAST_WEEK, False), (TOMORROW, None)], (0, 2, 1, None, TOMORROW)),
        ([(TOMORROW, False)], (0, 0, 1, None, TOMORROW)),
    ],
)
@pytest.mark.parametrize("in_class", [False, True])
async def test_only_an_explicit_mark_makes_a_missed_visit(clinic, visits, expected, in_class):
    """A patient with a booking is active even if marked as missed; only attended or unmarked visits count as recent."""
    await clinic.patient(7)
    for number, (starts_at, came) in enumerate(visits):
        if in_class:
            await clinic.group(10 + number, starts_at)
            await clinic.attendee(20 + number, 10 + number, 7, arrived=came)
        else:
            await clinic.appointment(10 + number, 7, starts_at, did_not_arrive=None if came is None else not came)
    (found,) = (await clinic.analyze()).values()
    assert figures(found) == expected
    assert found["is_active"]
    assert await count_active(clinic.connection, FIRST) == 1


async def test_a_patient_who_is_no_longer_active_is_remembered_without_figures(clinic):
    """A patient who was active keeps that fact, and no figures of visits that have passed."""
    await clinic.patient(7)
    await clinic.appointment(1, 7, YESTERDAY, did_not_arrive=True)
    assert (await clinic.analyze())[7]["missed_appointments"] == 1
    (found,) = (await clinic.analyze(Draft(1, 1, 2), terms_at(NOW + 60 * DAY))).values()
    assert figures(found) == (0, 0, 0, None, None)
    assert (found["is_active"], found["was_active"], found["active_since"], found["changes_at"]) == (
        False, True, None, None
    )  # fmt: skip
    await clinic.close(tables.PATIENT, 3)
    assert (await clinic.analyze(Draft(1, 2, 3), terms_at(NOW + 60 * DAY)))[7] == found


async def test_a_patient_is_active_since_the_sync_that_found_it(clinic):
    """The sync that found a patient active is kept while the patient stays active, and replaced after a gap."""
    await clinic.patient(7)
    await clinic.appointment(1, 7, NOW + DAY)
    await clinic.appointment(2, 7, NOW + 90 * DAY)
    found = []
    for base, days in enumerate((0, 2, 50, 70)):
        results = await clinic.analyze(Draft(1, base, base + 1), terms_at(NOW + days * DAY))
        found.append((results[7]["is_active"], results[7]["active_since"]))
    assert found == [(True, 1), (True, 1), (False, None), (True, 4)]


async def test_a_visit_without_a_patient_makes_no_patient_active(clinic):
    """A visit without a patient, or a booking without a class, makes no patient active."""
    await clinic.patient(7)
    await clinic.appointment(1, None, NOW)
    await clinic.group(2, NOW)
    await clinic.attendee(3, 2, None)
    await clinic.attendee(4, None, 7)
    assert await clinic.analyze() == {}


async def test_an_appointment_of_an_unlisted_patient_makes_no_patient_active(clinic):
    """A visit of a patient whom Cliniko doesn't list makes no patient active."""
    await clinic.patient(7)
    await clinic.appointment(1, 6, NOW)
    assert await clinic.analyze() == {}


@pytest.mark.parametrize("everything", [True, False])
async def test_a_patient_who_cannot_be_read_is_not_active(clinic, everything):
    """A patient whose row can't be read is not active, whatever visits name the patient."""
    await clinic.patient(7, is_stub=True)
    await clinic.appointment(1, 7, NOW)
    assert await clinic.analyze(everything=everything) == {}


async def test_readers_get_the_counts_of_the_published_sync(clinic):
    """Readers see the counts of the published sync only; before the first all counts are 0."""
    assert (await active_counts(clinic.connection, "org_a")).stored == 0
    assert await patients_in_cliniko(clinic.connection, "org_a") == 0
    await clinic.patient(7)
    await clinic.appointment(1, 7, NOW + DAY)
    await clinic.analyze()
    mirror = {
        "organization_id": "org_a", "sync": 0, "oldest_kept": 0, "keeps_window": False, "format": 1,
        "patients_in_cliniko": 5,
    }  # fmt: skip
    await clinic.connection.execute(insert(MIRROR).values(mirror))
    assert (await active_counts(clinic.connection, "org_a")).stored == 0
    await clinic.connection.execute(update(MIRROR).values(sync=1))
    counts = await active_counts(clinic.connection, "org_a")
    assert (counts.stored, counts.active, counts.with_recent, counts.with_upcoming) == (1, 1, 0, 1)
    assert await patients_in_cliniko(clinic.connection, "org_a") == 5
    assert await next_change(clinic.connection, 1, 1) == NOW + DAY
    assert await next_change(clinic.connection, 1, 0) is None


async def _published(clinic, key, **values):
    row = {
        "key": key, "sync_id": f"sync_org_a_{key}", "organization_id": "org_a", "mode": "full", "status": "completed",
        "step": 8, "progress_percentage": 100, "current_step": "", "patients_found": 0, "appointments_found": 0,
        "active_patients_identified": 0, "active_patients_stored": 0, "started_at": NOW, "completed_at": NOW,
        "last_updated": NOW, "version": 1, "epoch": 1, "checkpoint": {}, "last_log_seq": 0, "rules": RULES, **SETTINGS,
        "horizon_from": HORIZON,
    }  # fmt: skip
    await clinic.connection.execute(insert(SYNC).values(row | values))


@pytest.mark.parametrize(
    ("published", "asked", "everything"),
    [
        (None, {}, True),
        ({}, {}, False),
        ({}, {"everything": True}, True),
        ({"recent_days": 31}, {}, True),
        ({"upcoming_days": 29}, {}, True),
        ({"seen_within_weeks": 25}, {}, True),
        ({"horizon_from": HORIZON - 7 * DAY}, {}, False),
        ({"horizon_from": HORIZON - 8 * DAY}, {}, True),
        ({"analyzed_at": NOW}, {}, False),
        ({"analyzed_at": NOW + MILLISECOND}, {}, True),
        ({"rules": RULES + 1}, {}, True),
        ({"rules": 1, "seen_within_weeks": None}, {}, True),
    ],
)
async def test_all_patients_are_analyzed_where_the_rule_differs(clinic, published, asked, everything):
    """All patients are analyzed by a full sync, and after the windows or the rule have changed."""
    if published is not None:
        await _published(clinic, 1, **published)
    for patient in (5, 6, 7):
        await clinic.patient(patient, sync=2 if patient == 7 else 1)
    scope = await analysis_scope(clinic.connection, Draft(1, 1, 2), NOW, HORIZON, SETTINGS, **asked)
    assert scope == AnalysisScope(everything, 3 if everything else 1)


async def test_a_patient_ceases_to_be_new_when_the_horizon_passes(clinic):
    """A patient whom Cliniko held before the synced history begins is not new, also if nothing else has changed."""
    assert PatientList.FIRST_VISIT_ONLY.value == NEW_PATIENTS_LIST
    await _published(clinic, 1)
    await clinic.patient(7, created_at=HORIZON)
    await clinic.appointment(1, 7, NOW - 20 * DAY)
    await clinic.analyze()
    assert (NEW_PATIENTS_LIST, 7) in await clinic.listings(1)
    for milliseconds, is_new in ((0, True), (1, False)):
        draft, horizon = Draft(1, 1, 2), HORIZON + milliseconds * MILLISECOND
        scope = await analysis_scope(clinic.connection, draft, NOW, horizon, SETTINGS)
        assert scope == AnalysisScope(everything=False, patients=0 if is_new else 1)
        await clinic.analyze(draft, terms_at(NOW, horizon), everything=False)
        assert ((NEW_PATIENTS_LIST, 7) in await clinic.listings(2)) is is_new


async def test_all_patients_are_analyzed_where_many_have_changed(clinic, monkeypatch):
    """All patients are analyzed when a sync has changed very many of them."""
    await _published(clinic, 1)
    monkeypatch.setattr("routiq_gql.database.analysis_scope.MOST_TOUCHED", 2)
    for patient in (5, 6, 7):
        await clinic.patient(patient, sync=2)
    assert (await analysis_scope(clinic.connection, Draft(1, 1, 2), NOW, HORIZON, SETTINGS)).everything


class Rows:
    """A random clinic in plain Python, which is also written as versions."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.patients, self.appointments, self.groups, self.attendees = {}, {}, {}, {}

    def some_time(self, now):
        edges = [now, now - 30 * DAY, now + 30 * DAY]
        if self.random.random() < 0.4:
            return self.random.choice(edges) + self.random.choice([-1, 0, 1]) * MILLISECOND
        return now + timedelta(minutes=self.random.randint(-60 * 1440, 60 * 1440))

    def change(self, now):
        """Change something anywhere."""
        pick = self.random.random
        flag = lambda: self.random.choice([None, None, True, False])  # noqa: E731
        gone = lambda: NOW if pick() < 0.2 else None  # noqa: E731
        patient = self.random.choice([*range(1, 13), None])
        kind = self.random.choice(["patients", "appointments", "groups", "attendees", "attendees"])
        rows, id_ = getattr(self, kind), self.random.randint(1, 12)
        if pick() < 0.25:
            rows.pop(id_, None)
        elif kind == "patients":
            rows[id_] = {"archived_at": gone(), "merged_with_id": 7 if pick() < 0.1 else None,
                         "is_stub": pick() < 0.1, "last_name": self.random.choice("ÄBC"),
                         "created_at": self.random.choice([None, HORIZON, HORIZON + 9 * DAY, NOW])}  # fmt: skip
        elif kind == "appointments":
            rows[id_] = {"patient_id": patient, "starts_at": self.some_time(now), "cancelled_at": gone(),
                         "did_not_arrive": flag(), "is_stub": False}  # fmt: skip
        elif kind == "groups":
            rows[id_] = {"starts_at": self.some_time(now), "is_stub": False}
        else:
            rows[id_] = {"booking_id": self.random.choice([*range(1, 13), None]), "patient_id": patient,
                         "cancelled_at": gone(), "arrived": flag(), "is_stub": False}  # fmt: skip

    def bookings(self):
        """The bookings of each patient, by start."""
        found = defaultdict(list)
        for id_, one in self.appointments.items():
            missed, cancelled = one["did_not_arrive"], one["cancelled_at"] is not None
            found[one["patient_id"]].append(
                Booking(to_milliseconds(one["starts_at"]), cancelled, missed, 1, id_, None, None)
            )
        for one in self.attendees.values():
            if group := self.groups.get(one["booking_id"]):
                missed, cancelled = one["arrived"] is False, one["cancelled_at"] is not None
                starts_at = to_milliseconds(group["starts_at"])
                found[one["patient_id"]].append(Booking(starts_at, cancelled, missed, 2, one["booking_id"], None, None))
        return {id_: sorted(own, key=lambda one: (one.starts_at, one.kind, one.id)) for id_, own in found.items()}

    def listed(self):
        """The patients who may be in lists: their bookings, and when they were created."""
        bookings = self.bookings()
        return {
            id_: (bookings.get(id_, []), one["created_at"] and to_milliseconds(one["created_at"]))
            for id_, one in self.patients.items()
            if one["archived_at"] is None and one["merged_with_id"] is None and not one["is_stub"]
        }

    def active(self, terms):
        """The figures of each patient, and when they change next."""
        now = to_moment(terms.analyzed_at)
        found = {}
        for id_, (bookings, created_at) in self.listed().items():
            booked = [(to_moment(one.starts_at), one.is_missed is True) for one in bookings if not one.is_cancelled]
            mine = [(at, missed) for at, missed in booked if now - 30 * DAY <= at <= now + 30 * DAY]
            past = [(at, missed) for at, missed in mine if at <= now]
            recent = [at for at, missed in past if not missed]
            upcoming = [at for at, _ in mine if at > now]
            counts = (len(recent), len(past) - len(recent), len(upcoming))
            changes_at = assess(bookings, True, created_at, terms).changes_at  # see test_rules
            changes = to_moment(changes_at) if changes_at is not None else None
            found[id_] = (*counts, max(recent, default=None), min(upcoming, default=None), changes)
        return found

    def lists(self, terms):
        """What is stored of each patient in each list."""
        found = {}
        for id_, (bookings, created_at) in self.listed().items():
            booked = [to_moment(one.starts_at) for one in bookings if not one.is_cancelled]
            came = [to_moment(one.starts_at) for one in bookings if not one.is_cancelled and not one.is_missed]
            now, name = to_moment(terms.analyzed_at), self.patients[id_]["last_name"].lower().replace("ä", "a")
            content = (
                name, name, max((one for one in came if one <= now), default=None),
                min((one for one in booked if one > now), default=None), None, None,
            )  # fmt: skip
            for one in oracle(bookings, created_at, terms):
                found[one.value, id_] = content
        return found


class Oracle:
    """The expected results, sync after sync."""

    def __init__(self):
        self.since = {}
        self.ever = set()

    def after(self, sync, figures):
        active = {id_ for id_, found in figures.items() if any(found[:3])}
        self.since = {id_: self.since.get(id_, sync) for id_ in active}
        self.ever |= active
        expected = {}
        for id_ in self.ever | {id_ for id_, found in figures.items() if found[5] is not None}:
            found = figures.get(id_, (0, 0, 0, None, None, None))
            expected[id_] = dict(zip((*COUNTS, *TIMES, "changes_at"), found, strict=True)) | {
                "is_active": id_ in active, "was_active": id_ in self.ever, "active_since": self.since.get(id_)
            }  # fmt: skip
        return expected


LISTS = {
    "patients": (tables.PATIENT, {}),
    "appointments": (tables.APPOINTMENT, {"kind": 1}),
    "groups": (tables.APPOINTMENT, {"kind": 2}),
    "attendees": (tables.ATTENDEE, {}),
}


async def write_differences(clinic, rows, before, sync):
    """Write what differs from the state before as versions of this sync."""
    for name, (table, fixed) in LISTS.items():
        now, then = getattr(rows, name), before[name]
        for id_ in {*now, *then}:
            if now.get(id_) != then.get(id_):
                conditions = [table.c.id == id_, *(table.c[column] == value for column, value in fixed.items())]
                await clinic.close(table, sync, *conditions)
                if id_ in now:
                    await clinic._write(table, sync, id=id_, **fixed, **now[id_])


def copy_of(rows):
    return {name: dict(getattr(rows, name)) for name in LISTS}


@pytest.mark.parametrize("seed", range(5))
async def test_random_histories_give_what_plain_python_finds(clinic, seed):
    """After any changes and any time, also a clock that was set back, results are those of a few lines of Python."""
    rows, known, now, before = Rows(seed), Oracle(), NOW, {name: {} for name in LISTS}
    horizon = HORIZON
    shown = {}
    for sync in range(1, 9):
        draft = Draft(1, sync - 1, sync)
        now += rows.random.choice([timedelta(0), MILLISECOND, timedelta(hours=7), 11 * DAY, -12 * DAY])
        horizon = min(max(horizon, HORIZON + (now - NOW)), horizon + 6 * DAY)  # with more, all are analyzed
        terms = terms_at(now, horizon)
        for attempt in range(rows.random.choice([1, 1, 2])):
            if attempt:  # a later page of the same sync brings rows back, or other changes
                for name in LISTS:
                    if rows.random.random() < 0.5:
                        setattr(rows, name, dict(before[name]))
            for _ in range(60 if sync == 1 else rows.random.choice([0, 1, 3, 8])):
                rows.change(now)
            for table in MIRRORED:
                await _restore(clinic, table, sync)
            await write_differences(clinic, rows, before, sync)
            is_full = rows.random.random() < 0.2
            scope = await analysis_scope(clinic.connection, draft, now, horizon, SETTINGS, everything=is_full)
            everything = scope.everything
            found = await clinic.analyze(draft, terms, rows.random.choice([1, 2, 5, 100]), everything)
            if rows.random.random() < 0.5:  # an interruption repeats slices
                assert await clinic.analyze(draft, terms, 3, everything) == found
        expected = known.after(sync, rows.active(terms))
        assert found == expected, f"seed {seed}, sync {sync}"
        listed = rows.lists(terms)
        assert await clinic.listings(sync) == listed, f"seed {seed}, sync {sync}"
        await _check_versions(clinic, sync)
        assert await count_active(clinic.connection, draft) == len(known.since)
        before, shown[sync] = copy_of(rows), (found, listed)
        await _published(clinic, sync, analyzed_at=now, horizon_from=horizon)
    for sync, (found, listed) in shown.items():
        assert await clinic.results(sync) == found
        assert await clinic.listings(sync) == listed


async def _restore(clinic, table, sync):
    await clinic.connection.execute(table.delete().where(table.c.from_sync == sync))
    await clinic.connection.execute(update(table).where(table.c.to_sync == sync).values(to_sync=CURRENT))


async def _check_versions(clinic, sync):
    """A version was written only where its result differs from that of the version before."""
    for table in RESULTS:
        written = await _by_key(clinic, table, table.c.from_sync == sync)
        closed = await _by_key(clinic, table, table.c.to_sync == sync)
        for key in written.keys() & closed.keys():
            differing = {name for name in written[key] if written[key][name] != closed[key][name]}
            assert differing - NOT_COMPARED
        assert all(row["from_sync"] < row["to_sync"] for row in (*written.values(), *closed.values()))


async def _by_key(clinic, table, condition):
    rows = [row._asdict() for row in await clinic.connection.execute(select(table).where(condition))]
    return {(row.get("list"), row["id"]): row for row in rows}


async def test_patients_who_leave_the_mirror_leave_every_list(clinic):
    """Whichever patients are gone, so that slices end anywhere, the next analysis leaves nothing of theirs."""
    ids = (1, 2, 3)
    for one in ids:
        await clinic.patient(one)
        await clinic.appointment(one, one, NOW - DAY)
    await clinic.analyze()
    draft = Draft(1, 1, 2)
    for everything, number in product((True, False), range(2 ** len(ids))):
        gone = {one for place, one in enumerate(ids) if number >> place & 1}
        await clinic.close(tables.PATIENT, 2, tables.PATIENT.c.id.in_(gone))
        found = await clinic.analyze(draft, size=2, everything=everything)
        assert {one for one in found if found[one]["is_active"]} == {*ids} - gone, everything
        assert {one for _, one in await clinic.listings(2)} == {*ids} - gone, everything
        for table in (*MIRRORED, *RESULTS):
            await _restore(clinic, table, 2)


async def test_slices_find_the_same_as_one_look(clinic):
    """The same active patients are found once each, however many patients a step analyzes."""
    ids = [1, 2, 10, 11, 12, 100, 514810976034364376]
    for one in ids:
        await clinic.patient(one)
        for day in (-2, 2):
            await clinic.appointment(one * 10 % 2**62 + day, one, NOW + day * DAY)
    found = {}
    for size in (1, 2, 3, 7, 100):
        found[size] = await clinic.analyze(size=size)
        await clinic.connection.execute(ACTIVITY.delete())
    assert set(found[100]) == set(ids)
    assert all(figures(row)[:3] == (1, 0, 1) for row in found[100].values())
    assert all(rows == found[100] for rows in found.values())
