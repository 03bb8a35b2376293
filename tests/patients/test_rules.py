"""Who is in which list, and when time alone changes that: at each edge, and beside an oracle of a few lines."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from routiq_gql.patients.lists import LISTS, PatientList
from routiq_gql.patients.rules import Assessment, Booking, Terms, assess, next_change
from tests.patients.oracle import ACTIVE, CANCELLED, DAY, FIRST, LAPSED, MISSED, NOTHING_AHEAD, RECENT, UPCOMING, oracle

NOW = 20_000 * DAY + 34_200_000
HORIZON = NOW - 730 * DAY
TERMS = Terms(NOW, recent_days=30, upcoming_days=30, seen_within_weeks=26, horizon_from=HORIZON)


def at(now: int) -> Terms:
    return Terms(now, TERMS.recent_days, TERMS.upcoming_days, TERMS.seen_within_weeks, TERMS.horizon_from)


def kept(starts_at: int) -> Booking:
    return Booking(starts_at, False, None, 1, 1, 5, 6)


def cancelled(starts_at: int) -> Booking:
    return Booking(starts_at, True, None, 1, 1, 5, 6)


def missed(starts_at: int) -> Booking:
    return Booking(starts_at, False, True, 2, 1, 5, 6)


def assessed(*bookings: Booking, created_at: int | None = NOW - 400 * DAY, now: int = NOW) -> Assessment:
    return assess(sorted(bookings, key=lambda one: one.starts_at), True, created_at, at(now))


def test_every_list_has_a_rule_in_words():
    """Each list has a title and says how it is counted, with the settings of the clinic in the sentence."""
    assert set(LISTS) == set(PatientList)
    for rule in LISTS.values():
        assert rule.title
        assert "{" not in rule.counted(1, 30, 26)
    assert "within the last 1 day or the next 30 days" in LISTS[ACTIVE].counted(1, 30, 26)
    assert "within the last 26 weeks" in LISTS[NOTHING_AHEAD].counted(30, 30, 26)
    assert "within the last 1 week and" in LISTS[NOTHING_AHEAD].counted(30, 30, 1)


def test_the_page_about_lists_has_this_table():
    """The documentation says how each list is counted, in the words of the page and the API."""
    page = (Path(__file__).parents[2] / "docs" / "patients.md").read_text()
    rows = [f"| `{one.name}` | {rule.title} | {rule.counted(30, 30, 26)} |" for one, rule in LISTS.items()]
    assert "\n".join(rows) in page


EDGES = [
    (ACTIVE, kept, -30 * DAY, 30 * DAY, ()),
    (ACTIVE, missed, -30 * DAY, 30 * DAY, ()),
    (RECENT, kept, -30 * DAY, 0, ()),
    (UPCOMING, kept, 1, 30 * DAY, ()),
    (NOTHING_AHEAD, kept, -182 * DAY, 0, ()),
    (CANCELLED, cancelled, -30 * DAY, 30 * DAY, (kept(NOW - 40 * DAY),)),
    (MISSED, missed, -30 * DAY, 0, (kept(NOW - 40 * DAY),)),
    (FIRST, kept, -180 * DAY, -14 * DAY, ()),
]
"""The list, the booking that decides, its first and last start that put the patient on the list, and other bookings."""


@pytest.mark.parametrize(("patient_list", "kind", "first", "last", "others"), EDGES)
def test_the_edges_of_each_list(patient_list, kind, first, last, others):
    """A booking at the first and at the last moment of its range counts; one a millisecond beyond does not."""
    for start, expected in ((first - 1, False), (first, True), (last, True), (last + 1, False)):
        found = assessed(kind(NOW + start), *others)
        assert (patient_list in found.lists) is expected, start


def test_a_patient_has_lapsed_after_twice_the_usual_interval():
    """Who comes every 10 days has lapsed a millisecond after 20 days, and with four visits the middle two decide."""
    visits = [kept(NOW - 100 * DAY), kept(NOW - 90 * DAY), kept(NOW - 80 * DAY)]
    last = NOW - 80 * DAY
    for after, expected in ((20 * DAY, False), (20 * DAY + 1, True)):
        assert (LAPSED in assessed(*visits, now=last + after).lists) is expected
    uneven = [kept(0), kept(10), kept(10 + 13), kept(23 + 14), kept(37 + 100)]
    assert assessed(*uneven, now=137).twice_usual_interval == 27
    for after, expected in ((27, False), (28, True)):
        assert (LAPSED in assessed(*uneven, now=137 + after).lists) is expected
    assert LAPSED not in assessed(*visits[:2]).lists, "two visits show no habit"


@pytest.mark.parametrize("patient_list", [NOTHING_AHEAD, FIRST, LAPSED])
def test_a_booking_ahead_keeps_a_patient_off_the_lists_to_call(patient_list):
    """A patient with any later booking, however far ahead, needs no call; a cancelled booking is none."""
    visits = [kept(NOW - 20 * DAY)] if patient_list is not LAPSED else [kept(NOW - days * DAY) for days in (60, 50, 40)]
    assert patient_list in assessed(*visits).lists
    assert patient_list in assessed(*visits, cancelled(NOW + 400 * DAY)).lists
    assert patient_list not in assessed(*visits, kept(NOW + 400 * DAY)).lists
    assert patient_list not in assessed(*visits, missed(NOW + 400 * DAY)).lists


@pytest.mark.parametrize(("patient_list", "kind"), [(CANCELLED, cancelled), (MISSED, missed)])
def test_a_later_booking_is_a_rebooking(patient_list, kind):
    """A patient who was booked again after the cancelled or missed one is off the list, and on it with a newer one."""
    gone = kind(NOW - 5 * DAY)
    assert patient_list in assessed(gone, kept(NOW - 5 * DAY)).lists
    assert patient_list not in assessed(gone, kept(NOW - 5 * DAY + 1)).lists
    assert patient_list not in assessed(gone, kept(NOW + 300 * DAY)).lists
    assert patient_list in assessed(gone, kept(NOW - 5 * DAY + 1), kind(NOW - DAY)).lists
    assert patient_list not in assessed(kind(NOW - 31 * DAY)).lists


def test_only_new_patients_are_on_the_list_of_first_visits():
    """A patient who is older than the history, or of unknown age, may have had visits before."""
    visit = kept(NOW - 20 * DAY)
    assert FIRST in assessed(visit, created_at=HORIZON).lists
    assert FIRST not in assessed(visit, created_at=HORIZON - 1).lists
    assert FIRST not in assessed(visit, created_at=None).lists
    assert FIRST in assessed(visit, missed(NOW - 19 * DAY), cancelled(NOW - 200 * DAY)).lists, "neither was a visit"


def test_a_patient_whom_cliniko_does_not_list_is_in_no_list():
    """An archived patient is in no list and not active, and still has visits to show."""
    bookings = [kept(NOW - DAY), kept(NOW + DAY)]
    found = assess(bookings, False, NOW - 400 * DAY, TERMS)
    assert (found.lists, found.recent, found.upcoming, found.changes_at) == (frozenset(), 0, 0, None)
    assert (found.last_visit, found.next_booking, found.visits, found.booked) == (*bookings, 1, 1)
    assert next_change(bookings, False, None, TERMS, ACTIVE) is None


def test_the_figures_of_a_patient():
    """Visits, missed, cancelled and future bookings are counted within the whole history that is stored."""
    found = assessed(
        kept(NOW - 300 * DAY), kept(NOW - 20 * DAY), missed(NOW - 200 * DAY), missed(NOW - 10 * DAY),
        cancelled(NOW - 9 * DAY), cancelled(NOW + 9 * DAY), kept(NOW + 30 * DAY), missed(NOW + 31 * DAY),
    )  # fmt: skip
    assert (found.visits, found.missed, found.cancelled, found.booked) == (2, 2, 2, 2)
    assert (found.recent, found.recently_missed, found.upcoming) == (1, 1, 1)
    assert found.first_visit == kept(NOW - 300 * DAY)
    assert found.last_visit == kept(NOW - 20 * DAY)
    assert found.next_booking == kept(NOW + 30 * DAY)


OFFSETS = [0, 14, 30, 60, 180, 182]
STARTS = st.one_of(
    st.builds(
        lambda days, sign, more: NOW + sign * days * DAY + more,
        st.sampled_from(OFFSETS), st.sampled_from([-1, 1]), st.integers(-1, 1),
    ),
    st.integers(-400, 100).map(lambda hours: NOW + hours * DAY),
)  # fmt: skip
BOOKINGS = st.lists(
    st.builds(
        Booking, STARTS, st.sampled_from([False, False, True]), st.sampled_from([None, None, False, True]),
        st.just(1), st.integers(1, 9), st.none(), st.none(),
    ),
    max_size=7,
).map(lambda found: sorted(found, key=lambda one: one.starts_at))  # fmt: skip
CREATED = st.sampled_from([None, HORIZON - 1, HORIZON, NOW - 400 * DAY])


@given(BOOKINGS, CREATED)
@settings(max_examples=400)
def test_the_lists_equal_the_table_of_rules(bookings, created_at):
    """Whatever a patient's bookings, the patient is in the lists that the table says, and in no other."""
    found = assess(bookings, True, created_at, TERMS)
    assert set(found.lists) == oracle(bookings, created_at, TERMS)
    assert (found.recent > 0, found.upcoming > 0) == (RECENT in found.lists, UPCOMING in found.lists)
    assert found.is_active is (ACTIVE in found.lists)


def _stored(found: Assessment) -> Assessment:
    """What is stored, and how it would look at another time: without the moment of the next change."""
    return found._replace(changes_at=None)


@given(BOOKINGS, CREATED)
@example([kept(NOW - 30 * DAY), missed(NOW - 30 * DAY), kept(NOW + 1), kept(NOW + 30 * DAY + 1)], NOW)
@settings(max_examples=300)
def test_time_alone_changes_a_result_exactly_when_it_said(bookings, created_at):
    """Nothing about a patient changes before the announced moment, and something does at that moment."""
    now, found = NOW, assess(bookings, True, created_at, TERMS)
    for _ in range(30):
        if found.changes_at is None:
            for later in (now + 1, now + 200 * DAY, now + 4000 * DAY):
                assert _stored(assess(bookings, True, created_at, at(later))) == _stored(found)
            break
        assert found.changes_at > now
        middle = (now + found.changes_at) // 2
        for before in (middle, found.changes_at - 1):
            assert _stored(assess(bookings, True, created_at, at(before))) == _stored(found)
        now = found.changes_at
        following = assess(bookings, True, created_at, at(now))
        assert _stored(following) != _stored(found)
        found = following
    else:
        pytest.fail("a patient with seven bookings changes at most some twenty times")


@pytest.mark.parametrize("patient_list", PatientList)
@given(bookings=BOOKINGS, created_at=CREATED)
@settings(max_examples=80)
def test_a_patient_leaves_and_joins_a_list_exactly_when_it_said(patient_list, bookings, created_at):
    """The announced moment is the first at which the patient is on the list and was not, or the other way round."""
    first = next_change(bookings, True, created_at, TERMS, patient_list)
    moments, now = [], NOW
    while (change := assess(bookings, True, created_at, at(now)).changes_at) is not None:
        moments.append(change)
        now = change
    is_member = patient_list in oracle(bookings, created_at, TERMS)
    flips = [one for one in moments if (patient_list in oracle(bookings, created_at, at(one))) is not is_member]
    assert first == min(flips, default=None)
