"""Compares a completed sync with the oracle, using the classes of what a sync must find and what the next full must.

The sync of a look reads the lists in which the look has found changes, as of the look, and compares nothing.

A row that did not change at the source during the sync must be right after a full sync. After an incremental sync, a
row may still be as the sync before left it, if its difference leaves no trace: its ``updated_at`` is older than what
the sync reads, and no compared count shows it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from routiq_gql.database.rows import SyncRow
from routiq_gql.emulator import Clinic
from routiq_gql.patients.rules import Terms
from routiq_gql.sync.checkpoint_json import read_plan
from routiq_gql.sync.plan import OVERLAP, Plan
from routiq_gql.sync.receipt import Receipt, read_receipt
from tests.sync.histories.oracle import WITHOUT_CLASS, Content, Values, activity_of, lists_of
from tests.sync.histories.steps import RECENT_DAYS, UPCOMING_DAYS
from tests.sync.histories.world import Organization, World

COUNTED = ("patients", "individual_appointments", "group_appointments")
WHOLE = ("appointment_types", "practitioners")
NOTHING: Content = {key: {} for key in (*COUNTED, "attendees", *WHOLE)}


async def check_completed(world: World, organization: Organization, row: SyncRow, *, is_honest: bool = True) -> None:
    """Check everything that a completed sync says and shows.

    Args:
        is_honest: Whether Cliniko has responded without faults, so that every list must agree.
    """
    mirror = await world.mirror(organization)
    assert mirror is not None
    assert (mirror.sync, mirror.writing) == (row.key, None)
    before = max(organization.shown, default=0)
    base, activity_before = organization.shown.get(before, (NOTHING, {}))
    content, activity = await world.content_at(organization, row.key)
    plan = read_plan(row.checkpoint)
    assert plan is not None
    assert row.receipt is not None
    receipt = read_receipt(row.receipt)
    assert row.baseline is (before == 0)
    _Comparison(organization, base, content, plan, receipt, row.started_at).check(is_honest=is_honest)
    _check_figures(content, row, receipt, base)
    assert row.analyzed_at is not None
    assert row.horizon_from == plan.horizon.start
    terms = Terms.at(row.analyzed_at, RECENT_DAYS, UPCOMING_DAYS, row.seen_within_weeks or 0, row.horizon_from)
    expected = activity_of(content, terms, activity_before, row.key)
    assert activity == expected, "the analysis"
    lists = await world.lists_at(organization, row.key)
    assert lists == lists_of(content, terms), "the lists of patients"
    # Cliniko counts a merged patient who was taken out of the archive. No list has that patient.
    patients = [one for one in content["patients"].values() if one and one["archived_at"] is None]
    assert len(lists["ALL"]) == row.patients_found - sum(one["merged_with_id"] is not None for one in patients)
    assert lists["ACTIVE"] == {one for one, found in activity.items() if found["is_active"]}
    for name, figure in (("RECENT", "recent_appointments"), ("UPCOMING", "upcoming_appointments")):
        assert lists[name] == {one for one, found in activity.items() if found[figure]}
    organization.lists[row.key] = lists
    active = sum(one["is_active"] for one in activity.values())
    assert (row.active_patients_identified, row.active_patients_stored) == (active, active)
    organization.shown[row.key] = (content, activity)


async def check_unpublished(world: World, organization: Organization) -> None:
    """Check that a sync without a result changes nothing that readers see."""
    mirror = await world.mirror(organization)
    newest = max(organization.shown, default=0)
    assert (mirror.sync if mirror is not None else 0) == newest
    if newest:
        await _check_shown(world, organization, newest)


async def check_older(world: World, organization: Organization) -> None:
    """Check that every kept sync still shows what it showed when it was published."""
    mirror = await world.mirror(organization)
    for sync in organization.shown:
        if mirror is not None and sync >= mirror.oldest_kept:
            await _check_shown(world, organization, sync)


async def _check_shown(world: World, organization: Organization, sync: int) -> None:
    content, activity = organization.shown[sync]
    now = await world.content_at(organization, sync)
    assert untimed(now[0]) == untimed(content), f"sync {sync} shows other rows than before"
    assert now[1] == activity, f"sync {sync} shows another analysis than before"
    lists = await world.lists_at(organization, sync)
    assert lists == organization.lists[sync], f"sync {sync} shows other lists than before"


def untimed(content: Content) -> Content:
    """The content without ``updated_at``, which is overwritten where nothing else has changed."""
    return {name: {row_id: _without_time(row) for row_id, row in rows.items()} for name, rows in content.items()}


def _without_time(row: Values) -> Values:
    return {name: value for name, value in row.items() if name != "updated_at"}


class _Comparison:
    """The content of a mirror beside the states of its clinic since the sync began."""

    def __init__(
        self,
        organization: Organization,
        base: Content,
        content: Content,
        plan: Plan,
        receipt: Receipt,
        started_at: datetime,
    ) -> None:
        self._clinic: Clinic = organization.clinic
        self._states = organization.states
        self._now = organization.states[-1]
        self._base = base
        self._content = content
        self._plan = plan
        self._lists = {one.list: one for one in receipt.lists}
        self._recent_from = started_at - timedelta(days=RECENT_DAYS)
        self._upcoming_to = started_at + timedelta(days=UPCOMING_DAYS)
        self._is_calm = len(organization.states) == 1
        self._merged, self._vanished = self._followed_patients()

    def check(self, *, is_honest: bool) -> None:
        for name, rows in self._content.items():
            further = self._now[WITHOUT_CLASS].keys() if name == "attendees" else set()
            for row_id in sorted(rows.keys() | self._now[name].keys() | self._base[name].keys() | further):
                self._check_row(name, row_id, [self._expected(state, name, row_id) for state in self._states])
        for attendee in self._content["attendees"].values():
            assert attendee["booking_id"] in self._content["group_appointments"], "an attendee without its class"
        for name in COUNTED:
            if self._lists[name].agrees is True and is_honest and self._plan.compares:
                assert any(self._agrees_with(name, state[name]) for state in self._states), f"{name} never agreed"
        if self._is_calm:
            self._check_counts(is_honest=is_honest)

    def _check_row(self, name: str, row_id: int, states: Sequence[Values | None]) -> None:
        found = self._content[name].get(row_id)
        if found == states[-1]:
            return
        was = self._base[name].get(row_id)
        where = f"{name} {row_id} is {found}, was {was}, and should be {states}"
        if any(state != states[0] for state in states):
            assert found in [*states, *self._stale(name, was)], where
            return
        assert not self._plan.is_full, where
        assert name not in WHOLE or not self._plan.reads(name), where
        assert found in self._stale(name, was), where
        assert not self._has_trace(name, row_id, states[0]), f"{where}: its updated_at shows it"
        assert not self._is_followed(name, found, states[0]), f"{where}: it belongs to a patient who was followed"
        if name == "attendees":
            classes = {row["booking_id"] for row in (found, states[0]) if row is not None}
            assert not any(map(self._is_compared, classes)), f"{where}: its class was compared"

    def _expected(self, state: Content, name: str, row_id: int) -> Values | None:
        """The row of a state that belongs into a mirror with the classes of this one.

        A class may have appeared or gone without a trace: then its attendees follow the mirror's classes.
        """
        row = state[name].get(row_id)
        if name != "attendees":
            return row
        row = row or state[WITHOUT_CLASS].get(row_id)
        return row if row is not None and row["booking_id"] in self._content["group_appointments"] else None

    def _stale(self, name: str, was: Values | None) -> Iterator[Values | None]:
        """The row that an unfound change may leave: that of the sync before, unless time or its class has closed it."""
        is_aged = was is not None and "starts_at" in was and was["starts_at"] < self._plan.horizon.start
        classes = self._content["group_appointments"]
        is_closed = was is not None and name == "attendees" and was["booking_id"] not in classes
        yield None if is_aged or is_closed else was

    def _has_trace(self, name: str, row_id: int, row: Values | None) -> bool:
        """Whether the sync's reading of changes holds the row, or a local rule closes it."""
        if row_id not in self._clinic.tables[name]:
            return False
        source = self._clinic.tables[name].get(row_id)
        is_hidden = name == "patients" and source["deleted_at"] is not None
        since, changed = self._plan.since, source["updated_at"] or 0
        assert since is not None
        if not self._plan.compares and changed >= (self._plan.mark + OVERLAP).timestamp():
            return False  # changed after the look, so the next look finds it
        return not is_hidden and self._plan.reads(name) and changed >= since.timestamp()

    def _followed_patients(self) -> tuple[set[int], set[int]]:
        """Patients of merges that the sync has seen, and those who vanished."""
        merged, vanished = set[int](), set[int]()
        for row_id in self._content["patients"].keys() | self._base["patients"].keys():
            row, was = self._content["patients"].get(row_id), self._base["patients"].get(row_id)
            if row is None:
                vanished.add(row_id)
            elif row != was and row["merged_with_id"] is not None:
                merged |= {row_id, row["merged_with_id"]}
        return merged, vanished

    def _is_followed(self, name: str, found: Values | None, state: Values | None) -> bool:
        """Whether the sync must have read this visit again.

        Of a merge it reads all visits of both patients; of a vanished patient the visits that the mirror has.
        """
        if name not in {"individual_appointments", "attendees"}:
            return False
        if found is not None and found["patient_id"] in self._vanished:
            return True
        return any(row["patient_id"] in self._merged for row in (found, state) if row is not None)

    def _is_compared(self, booking: int) -> bool:
        """Whether the attendees of a class were read again: it has appeared, or all classes were compared."""
        row = self._content["group_appointments"].get(booking)
        if row is None:
            return False
        attendees = self._lists["attendees"]
        is_near = self._plan.compares and self._recent_from <= row["starts_at"] <= self._upcoming_to
        return booking not in self._base["group_appointments"] or (is_near and attendees.compared == attendees.of)

    def _agrees_with(self, name: str, rows: Mapping[int, Values]) -> bool:
        """Whether the mirror has as many rows as Cliniko had at a moment, and all that changed since the sync began."""
        mirrored = self._content[name]
        greatest = max(mirrored, default=0)
        listed = [row for row_id, row in rows.items() if row_id <= greatest]
        if len(listed) != len(mirrored):
            return False
        if name == "patients" and _present(listed) != _present(mirrored.values()):
            return False
        return all(mirrored.get(row_id) == row for row_id, row in rows.items() if row["updated_at"] >= self._plan.mark)

    def _check_counts(self, *, is_honest: bool) -> None:
        """Without changes meanwhile, a list that the receipt says to agree agrees; without faults, all lists do."""
        for name in COUNTED:
            mirrored, now = self._content[name], self._now[name]
            greatest = max(mirrored, default=0)
            listed = {row_id for row_id in now if row_id <= greatest}
            shown = self._lists[name]
            assert shown.agrees is True or not (is_honest and self._plan.compares), f"{name}: {shown}"
            if shown.agrees is not True or not self._plan.compares:
                continue
            assert (shown.in_cliniko, shown.in_mirror) == (len(listed), len(mirrored)), f"{name}: {shown}"
            assert len(listed) == len(mirrored), f"{name}: {sorted(listed ^ mirrored.keys())}"
            if name == "patients":
                assert _present([now[row_id] for row_id in listed]) == _present(mirrored.values()), "archived patients"
        for name in WHOLE:
            is_required = is_honest and self._plan.reads(name)
            assert self._lists[name].agrees is True or not is_required, f"{name}: {self._lists[name]}"
        attendees = self._lists["attendees"]
        assert not is_honest or attendees.agrees is not False, attendees
        assert attendees.agrees is not True or attendees.compared == attendees.of, attendees


def _present(patients: Iterable[Values]) -> int:
    return sum(row["archived_at"] is None for row in patients)


def _check_figures(content: Content, row: SyncRow, receipt: Receipt, base: Content) -> None:
    def listed(name: str) -> int:
        hiding = ("archived_at", "cancelled_at")
        return sum(all(one.get(column) is None for column in hiding) for one in content[name].values() if one)

    assert row.patients_found == listed("patients")
    assert row.appointments_found == listed("individual_appointments") + listed("group_appointments")
    before, after = untimed(base), untimed(content)
    for shown in receipt.lists:
        old, new = before[shown.list], after[shown.list]
        updated = sum(old[row_id] != new[row_id] for row_id in old.keys() & new.keys())
        expected = (len(new.keys() - old.keys()), updated, len(old.keys() - new.keys()))
        assert (shown.added, shown.updated, shown.removed) == expected, f"changes of {shown}"
    assert {one.list for one in receipt.lists} == set(NOTHING)
