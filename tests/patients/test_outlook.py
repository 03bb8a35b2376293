"""The condition in a sentence besides the date: a booking or a visit of the kind that it names has that effect."""

from datetime import UTC
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routiq_gql.patients.bookings import Booking, to_moment
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Appointment
from routiq_gql.patients.outlook import BY_BOOKING, Condition, outlook_of
from routiq_gql.patients.rules import assess, next_change
from routiq_gql.patients.subject import Subject
from routiq_gql.patients.wording import Wording
from tests.patients.oracle import DAY, oracle
from tests.patients.test_rules import BOOKINGS, CREATED, NOW, TERMS, at, kept

HOUR = DAY // 24


def subject_of(bookings: list[Booking], created_at: int | None, now: int = NOW) -> Subject:
    def show(one: Booking) -> Appointment:
        return Appointment(to_moment(one.starts_at), None, None, None, is_class=False)

    found = assess(bookings, True, created_at, at(now))
    return Subject(bookings, True, False, created_at, found, at(now), show, Wording(UTC, to_moment(now)))


def among(bookings: list[Booking], *more: Booking) -> list[Booking]:
    return sorted([*bookings, *more], key=lambda one: one.starts_at)


def cancelling(bookings: list[Booking], decider: Booking) -> list[Booking]:
    """The bookings, with all that start with this one cancelled."""
    return [one._replace(is_cancelled=True) if one.starts_at == decider.starts_at else one for one in bookings]


@pytest.mark.parametrize("which", PatientList)
@given(bookings=BOOKINGS, created_at=CREATED, share=st.floats(0, 1))
@settings(max_examples=120)
def test_the_condition_in_a_sentence_is_the_one_that_counts(which, bookings, created_at, share):
    """“Unless they book” and its kin are true: with such a booking the patient stays, and without it does not."""
    outlook, is_member = (
        outlook_of(subject_of(bookings, created_at), which),
        which in oracle(bookings, created_at, TERMS),
    )
    date = outlook.changes_at
    assert date == next_change(bookings, True, created_at, TERMS, which)
    newest = max([NOW, date or 0, *(one.starts_at for one in bookings)])

    def changes_with(start: int) -> int | None:
        return next_change(among(bookings, kept(start)), True, created_at, TERMS, which)

    def is_member_with(start: int) -> bool:
        return which in oracle(among(bookings, kept(start)), created_at, TERMS)

    if date is not None:
        assert (which in oracle(bookings, created_at, at(date - 1))) is is_member
        assert (which in oracle(bookings, created_at, at(date))) is not is_member
    match outlook.condition:
        case Condition.NOTHING if date is None:
            later = (NOW + 1, NOW + 200 * DAY, NOW + 4_000 * DAY)
            assert {which in oracle(bookings, created_at, at(one)) for one in later} == {is_member}
        case Condition.NOTHING:
            assert not is_member
            assert (found := changes_with(newest + HOUR)) is None or found <= date
        case Condition.UNLESS_BOOKED:
            assert (found := changes_with(date + HOUR)) is None or found > date
        case Condition.UNLESS_BOOKED_LATER:
            assert (found := changes_with(newest + HOUR)) is None or found > date
        case Condition.UNLESS_VISITED:
            assert outlook.decider is not None
            from_then = max(NOW, outlook.decider.starts_at) + 1
            assert (found := changes_with(from_then + int(share * (date - from_then)))) is not None
            assert found > date
            assert changes_with(date + 1) == date
        case Condition.IF_VISITED:
            assert outlook.decider is not None
            assert next_change(cancelling(bookings, outlook.decider), True, created_at, TERMS, which) != date
        case Condition.OR_BOOKED:
            assert is_member
            assert not is_member_with(NOW + 1 + int(share * 400 * DAY))
        case Condition.OR_BOOKED_LATER:
            cancelled = max(one.starts_at for one in bookings if one.is_cancelled)
            assert not is_member_with(cancelled + 1)
            assert is_member_with(NOW + 1 + int(share * (cancelled - NOW - 1)))
    if outlook.decider is not None and which in BY_BOOKING:
        assert next_change(cancelling(bookings, outlook.decider), True, created_at, TERMS, which) != date


def test_every_kind_of_condition_occurs():
    """Each end of a sentence is used for some list, for members or for others."""
    histories = [
        [],
        [kept(NOW - DAY)],
        [kept(NOW + DAY)],
        [kept(NOW - 20 * DAY), kept(NOW + DAY)],
        [kept(NOW + 20 * DAY)._replace(is_cancelled=True)],
        [kept(NOW - DAY)._replace(is_cancelled=True)],
    ]
    found = chain.from_iterable(
        (outlook_of(subject_of(one, NOW - 400 * DAY), which).condition for which in PatientList) for one in histories
    )
    assert set(found) == set(Condition)
