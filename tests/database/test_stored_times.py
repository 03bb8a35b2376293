"""A time is stored, compared and read as the same millisecond, by every way that leads to a column and back."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from routiq_gql.cliniko.rows import read_time
from routiq_gql.database.columns import CompactTime, UtcDateTime, milliseconds_between, milliseconds_of, time_of
from routiq_gql.database.stored_versions import stored_time
from routiq_gql.patients.bookings import to_milliseconds, to_moment

DIALECTS = (sqlite.dialect(), postgresql.dialect())
MILLISECOND = timedelta(milliseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=10, minutes=30)), timezone(-timedelta(hours=9, minutes=30))])
TIMES = st.datetimes(timezones=ZONES).filter(lambda one: 1 < one.year < 9999)
NEAR = st.builds(
    lambda microseconds, zone: (EPOCH + timedelta(microseconds=microseconds)).astimezone(zone),
    st.integers(-(10**15), 2 * 10**15),
    ZONES,
)


def cut(moment: datetime) -> datetime:
    """The millisecond that the moment is in."""
    return EPOCH + (moment - EPOCH) // MILLISECOND * MILLISECOND


@settings(max_examples=200)
@given(TIMES | NEAR)
def test_a_time_is_the_same_millisecond_wherever_it_is_stored(moment: datetime):
    """Pages, conditions and the analysis write the same value, and readers get the moment back."""
    expected = cut(moment)
    number = (expected - EPOCH) // MILLISECOND
    assert to_milliseconds(moment) == number
    assert to_moment(number) == expected
    assert read_time({"at": moment.isoformat()}, "at") == expected
    for dialect in DIALECTS:
        compact = CompactTime()
        bound = compact.process_bind_param(moment, dialect)
        assert bound == stored_time(moment, dialect.name)
        assert compact.process_result_value(bound, dialect) == expected
        stored = UtcDateTime()
        assert stored.process_result_value(stored.process_bind_param(moment, dialect), dialect) == moment


@settings(max_examples=30)
@given(st.lists(NEAR, min_size=2, max_size=10))
def test_sqlite_computes_with_times_to_the_millisecond(moments: list[datetime]):
    """Durations are exact, also across the change of a century or of a clock; a time in the future lasts 0."""
    moments = [cut(one) for one in moments]
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        for start, end in pairwise(moments):
            between = milliseconds_between(literal(start, UtcDateTime()), literal(end, UtcDateTime()))
            number = milliseconds_of(literal(end, CompactTime()))
            found = connection.execute(select(between, number, time_of(number))).one()
            assert tuple(found) == (max(0, (end - start) // MILLISECOND), to_milliseconds(end), end)
    engine.dispose()
