"""Times of day in a time zone: each once a day, whatever the clocks do."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routiq_gql.errors import BadInput
from routiq_gql.local_times import LocalTimes, read_local_times, stored_local_times

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
CHANGES = {
    "Australia/Sydney": [date(2026, 4, 5), date(2026, 10, 4)],
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1)],
    "Europe/Dublin": [date(2026, 3, 29), date(2026, 10, 25)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4)],
    "Antarctica/Troll": [date(2026, 3, 29), date(2026, 10, 25)],
    "America/Santiago": [date(2026, 4, 5), date(2026, 9, 6)],
    "Pacific/Apia": [date(2011, 12, 30)],
    "Asia/Kathmandu": [date(2026, 6, 1)],
}
"""Days with a change of the clocks: by an hour, half an hour or two hours, at midnight, by a whole day, and none."""

zones_and_days = st.sampled_from([(zone, day) for zone, days in CHANGES.items() for day in days])
minutes = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))


@settings(max_examples=60)
@given(
    zones_and_days,
    st.sets(minutes | st.sampled_from([time(0), time(0, 30), time(2), time(2, 30), time(3)]), min_size=1, max_size=4),
    st.sets(st.integers(0, 6), min_size=1),
)
def test_each_time_is_due_once_a_day(zone_and_day: tuple[str, date], times: set[time], weekdays: set[int]):
    """Over a week around a change of the clocks, each due time is the one that a clock on the wall shows."""
    zone, changed = zone_and_day
    local_times = LocalTimes(tuple(sorted(times)), tuple(sorted(weekdays)), zone)
    begin = datetime.combine(changed - 4 * DAY, time(), UTC)
    found, moment = [], begin
    while (moment := local_times.after(moment)) <= begin + 8 * DAY:
        found.append(moment)
    assert found == sorted(set(_on_the_wall(local_times, begin, begin + 8 * DAY)))


def _on_the_wall(local_times: LocalTimes, begin: datetime, end: datetime) -> Iterator[datetime]:
    """When a clock first shows each of the times, or, if it never does, when it would have without the change."""
    zone, shown = ZoneInfo(local_times.time_zone), dict[tuple[date, time], datetime]()
    moment = begin - 3 * DAY
    while moment <= end + 3 * DAY:
        there = moment.astimezone(zone)
        shown.setdefault((there.date(), there.time()), moment)
        moment += MINUTE
    first = (begin - 2 * DAY).date()
    for day in (first + number * DAY for number in range(13)):
        if day.weekday() not in local_times.weekdays:
            continue
        for one in local_times.times:
            due = shown.get((day, one)) or _without_the_change(shown, day, one)
            if begin < due <= end:
                yield due


def _without_the_change(shown: dict[tuple[date, time], datetime], day: date, one: time) -> datetime:
    """Count minutes from the last one that a clock showed before it."""
    wanted = last = datetime.combine(day, one)
    while (last.date(), last.time()) not in shown:
        last -= MINUTE
    return shown[last.date(), last.time()] + (wanted - last)


@pytest.mark.parametrize(
    ("at", "weekdays", "zone", "text"),
    [
        (["06:00"], None, "Australia/Sydney", "06:00 every day, Australia/Sydney time"),
        (["13:00", "6:00", "06:00"], "mon-fri", "sydney", "06:00 and 13:00 on mon-fri, Australia/Sydney time"),
        (["00:00"], "sat-mon", "europe/LONDON", "00:00 on mon, sat and sun, Europe/London time"),
        (["23:59"], "Monday, wed,tues,FRI", "UTC", "23:59 on mon-wed and fri, UTC time"),
        (["07:30"], "sun", "New York", "07:30 on sun, America/New_York time"),
        (["07:30"], "sun", "Eastern Time (US & Canada)", "07:30 on sun, America/New_York time"),
    ],
)
def test_times_are_read_as_people_write_them(at: list[str], weekdays: str | None, zone: str, text: str):
    """Hours with one digit, ranges over the weekend, whole names and cities are understood, and stored as read."""
    read = read_local_times(at, weekdays, zone)
    assert str(read) == text
    assert stored_local_times(read.times_text, read.weekdays_text, read.time_zone) == read


@pytest.mark.parametrize(
    ("at", "weekdays", "zone", "part"),
    [
        (["24:00"], None, "UTC", "“24:00” is not a time of day"),
        (["6"], None, "UTC", "such as 06:00"),
        (["06:00\x00"], None, "UTC", "“06:00�” is not"),
        (["٠٦:٠٠"], None, "UTC", "is not a time of day"),
        (["06:00"], "mon-", "UTC", "not days of the week"),
        (["06:00"], "", "UTC", "not days of the week"),
        (["06:00"], "m", "UTC", "not days of the week"),
        (["06:00"], "monkey", "UTC", "not days of the week"),
        (["06:00"], None, "Australia/Sidney", "Did you mean Australia/Sydney?"),
        (["06:00"], None, "../etc/passwd", "is not a time zone"),
        (["06:00"], None, "Australia", "is not a time zone"),
        (["06:00"], None, "", "is not a time zone"),
        (["06:00", "06:04"], None, "UTC", "5 minutes apart"),
        (["00:01", "23:58"], None, "UTC", "5 minutes apart"),
        ([f"{hour:02}:{minute}" for hour in range(24) for minute in (10, 20, 30)], None, "UTC", "this one has 72"),
    ],
)
def test_other_texts_are_refused(at: list[str], weekdays: str | None, zone: str, part: str):
    """The sentence has the wrong part and the form that is expected."""
    with pytest.raises(BadInput, match=r".") as refused:
        read_local_times(at, weekdays, zone)
    assert part in str(refused.value)


def test_times_around_midnight_are_apart_on_different_days():
    """Monday 23:58 and Wednesday 00:01 are no neighbours."""
    assert read_local_times(["00:01", "23:58"], "mon,wed", "UTC").times_text == "00:01,23:58"


@settings(max_examples=50)
@given(st.lists(minutes, min_size=1, max_size=3, unique=True), st.sets(st.integers(0, 6), min_size=1))
def test_the_gaps_of_a_week_are_those_between_its_times(times: list[time], days: set[int]):
    """No pair of neighbouring times is left out: not around midnight, and not around the end of the week."""
    found = LocalTimes(tuple(sorted(times)), tuple(sorted(days)), "UTC")
    due = [found.after(datetime(2026, 6, 3, 12, tzinfo=UTC))]
    for _ in found.gaps:
        due.append(found.after(due[-1]))
    assert sorted(found.gaps) == sorted(later - earlier for earlier, later in pairwise(due))
    assert sum(found.gaps, timedelta()) == 7 * DAY


def test_times_around_the_end_of_the_week_are_too_close():
    """Sunday 23:58 and Monday 00:01 are neighbours, as are those of any two days in a row."""
    for days in ("sun,mon", "mon,tue", "sat-sun"):
        with pytest.raises(BadInput, match="5 minutes apart"):
            read_local_times(["00:01", "23:58"], days, "UTC")
