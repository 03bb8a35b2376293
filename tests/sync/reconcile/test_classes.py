"""The attendees of classes are compared in turn, a few requests in each sync."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from routiq_gql.cliniko import ATTENDEES
from routiq_gql.clock import utc_now
from routiq_gql.database.class_checks import class_checks, save_class_checks
from routiq_gql.database.drafts import Draft
from routiq_gql.database.engine import Database
from routiq_gql.database.publishing import mirror_of
from routiq_gql.emulator import Clinic, Emulator
from routiq_gql.sync.reconcile import classes
from tests.cliniko.reading import sent_conditions
from tests.sync.reconcile.conftest import ATTENDEE, CLASS, clinic_of
from tests.sync.reconcile.small_sync import ORGANIZATION, SmallSync

CLASSES = 60


@pytest.fixture
def clinic() -> Clinic:
    """60 classes with 10 attendees each: 6 requests compare all of them."""
    return clinic_of(30, 1, CLASSES, 10)


def compared(emulator: Emulator) -> list[int]:
    """The classes whose attendees were asked for since the last call."""
    asked = [
        int(class_id)
        for conditions in sent_conditions(emulator.requests, "attendees")
        for condition in conditions
        if condition.startswith("booking_id:=")
        for class_id in condition.removeprefix("booking_id:=").split(",")
    ]
    emulator.requests.clear()
    return asked


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Sets the clock of the comparison of classes ahead."""

    def set_ahead(by: timedelta) -> None:
        monkeypatch.setattr(classes, "utc_now", lambda: utc_now() + by)

    return set_ahead


async def test_all_classes_are_compared_in_turn(sync: SmallSync, emulator: Emulator) -> None:
    """Three requests in each sync compare 30 of 60 classes; two syncs compare all, and the third begins anew."""
    await sync.run()
    compared(emulator)
    await sync.run()
    first = compared(emulator)
    await sync.run()
    second = compared(emulator)
    assert (len(first), len(second)) == (30, 30)
    assert {*first, *second} == {CLASS + number for number in range(CLASSES)}
    await sync.run()
    assert compared(emulator) == first


async def test_attendees_agree_when_all_were_compared_within_a_day(
    sync: SmallSync, later: Callable[[timedelta], None]
) -> None:
    """A receipt says how many classes were compared within a day, and when the longest unchecked was."""
    first = (await sync.run()).of(ATTENDEES)
    assert (first.compared, first.of, first.agrees) == (CLASSES, CLASSES, True)
    later(timedelta(hours=25))
    half = await sync.run()
    attendees = half.of(ATTENDEES)
    assert (attendees.compared, attendees.of, attendees.agrees) == (30, CLASSES, None)
    assert (attendees.in_cliniko, attendees.in_mirror) == (300, 300)
    assert attendees.oldest_check is not None
    assert utc_now() - attendees.oldest_check < timedelta(minutes=20)
    assert half.receipt.agrees
    attendees = (await sync.run()).of(ATTENDEES)
    assert (attendees.compared, attendees.agrees) == (CLASSES, True)
    assert attendees.oldest_check is not None
    assert attendees.oldest_check > utc_now() + timedelta(hours=24)


async def test_an_attendee_is_found_when_the_class_is_due(sync: SmallSync, clinic: Clinic) -> None:
    """An attendee who left without a trace is found by the sync that compares the class."""
    await sync.run()
    await sync.run()
    clinic.remove("attendees", str(ATTENDEE + 5))
    removed = [(await sync.run()).of(ATTENDEES).removed for _ in range(2)]
    assert sum(removed) == 1


@pytest.mark.both_databases
async def test_an_attendee_who_moves_to_a_class_that_is_not_due_is_kept(sync: SmallSync, clinic: Clinic) -> None:
    """An attendee who moved to another class without a trace stays a visit, although that class is compared later."""
    await sync.run()
    clinic.move("attendees", str(ATTENDEE + 5), class_id=str(CLASS + CLASSES - 1), touch=False)
    outcome = await sync.run()
    attendees = outcome.of(ATTENDEES)
    assert (attendees.updated, attendees.removed) == (1, 0)
    assert (await sync.rows(ATTENDEES))[ATTENDEE + 5]["booking_id"] == CLASS + CLASSES - 1


async def test_a_failed_sync_leaves_its_classes_unchecked(sync: SmallSync, database: Database) -> None:
    """What a sync has compared counts once the sync is published, as its repairs do."""
    await sync.run()
    async with database.reading() as connection:
        mirror = await mirror_of(connection, ORGANIZATION)
    assert mirror is not None
    failed = Draft(mirror.number, mirror.sync, mirror.sync + 1)
    following = replace(failed, sync=mirror.sync + 2)
    start, end = utc_now() - timedelta(days=30), utc_now() + timedelta(days=30)
    checked_at = utc_now() + timedelta(hours=1)

    async def checks(draft: Draft) -> set[datetime | None]:
        async with database.reading() as connection:
            return {one.checked_at for one in await class_checks(connection, draft, start, end)}

    async with database.writing() as connection:
        await save_class_checks(connection, failed, {CLASS: checked_at})
    assert await checks(failed) == {mirror.full_at, checked_at}
    assert await checks(following) == {mirror.full_at}
    async with database.writing() as connection:
        await save_class_checks(connection, following, {})
    assert await checks(failed) == {mirror.full_at}
