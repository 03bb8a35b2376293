"""Times of day in a time zone, on some days of the week: when a schedule at local times is due.

Where clocks change, each time is due exactly once a day. A time that the change skips is due that much later: 02:30 at
03:30. A time that occurs twice is due the first time.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import available_timezones

from routiq_gql.errors import BadInput
from routiq_gql.time_zones import name_of, zone_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SHORTEST = timedelta(minutes=5)
"""The shortest time between two times."""
MOST_TIMES = 48
"""Times a day: every half hour."""

_WEEK = timedelta(days=7)
_DAYS = range(-1, 9)
"""The days around a moment that can have its next time: a week, and a day more where a zone skips a whole day."""


@dataclass(frozen=True, slots=True)
class LocalTimes:
    """Times of day on some days of the week.

    Attributes:
        times: Sorted, whole minutes, at least one.
        weekdays: Monday is 0; sorted, at least one.
        time_zone: The IANA name.
    """

    times: tuple[time, ...]
    weekdays: tuple[int, ...]
    time_zone: str

    def after(self, moment: datetime) -> datetime:
        """The first of the times that is later than ``moment``, in UTC."""
        zone = zone_of(self.time_zone)
        today = moment.astimezone(zone).date()
        days = [day for number in _DAYS if (day := today + timedelta(days=number)).weekday() in self.weekdays]
        # fold=0 is the first of two equal times; in a gap it has the offset before it, and so is later by the gap.
        due = (datetime.combine(day, one, zone).astimezone(UTC) for day in days for one in self.times)
        return min(one for one in due if one > moment)

    @property
    def gaps(self) -> list[timedelta]:
        """The time from each of a week's times to the next one, without changes of the clocks."""
        week = [timedelta(days=day, hours=one.hour, minutes=one.minute) for day in self.weekdays for one in self.times]
        return [later - earlier for earlier, later in zip(week, [*week[1:], week[0] + _WEEK], strict=True)]

    @property
    def times_text(self) -> str:
        """``06:00,13:00``."""
        return ",".join(f"{one:%H:%M}" for one in self.times)

    @property
    def weekdays_text(self) -> str:
        """``mon,tue,wed``."""
        return ",".join(WEEKDAYS[day] for day in self.weekdays)

    def __str__(self) -> str:
        """``06:00 and 13:00 on mon, tue and wed, Australia/Sydney time``."""
        days = "every day" if len(self.weekdays) == len(WEEKDAYS) else f"on {_listed(_runs(self.weekdays))}"
        return f"{_listed([f'{one:%H:%M}' for one in self.times])} {days}, {self.time_zone} time"


def stored_local_times(times: str, weekdays: str, time_zone: str) -> LocalTimes:
    """What ``times_text`` and ``weekdays_text`` describe."""
    return LocalTimes(
        tuple(time.fromisoformat(one) for one in times.split(",")),
        tuple(WEEKDAYS.index(one) for one in weekdays.split(",")),
        time_zone,
    )


def read_local_times(at: Iterable[str], weekdays: str | None, time_zone: str) -> LocalTimes:
    """Local times as people write them: ``06:00``, ``mon-fri`` or ``mon,thu``, ``Australia/Sydney``.

    Raises:
        BadInput: A part has another form, or two times are less than ``SHORTEST`` apart.
    """
    times = tuple(sorted({_time(text) for text in at}))
    if not 1 <= len(times) <= MOST_TIMES:
        raise BadInput(f"A schedule has 1 to {MOST_TIMES} times a day, and this one has {len(times)}.")
    days = tuple(range(7)) if weekdays is None else _weekdays(weekdays)
    found = LocalTimes(times, days, find_time_zone(time_zone))
    if min(found.gaps) < SHORTEST:
        raise BadInput("Two times of a schedule are at least 5 minutes apart.")
    return found


def find_time_zone(name: str) -> str:
    """The IANA name of a time zone, from the name in any case, from its city, or from Cliniko's label.

    Raises:
        BadInput: There is no such time zone.
    """
    known = {one.casefold(): one for one in available_timezones()}
    wanted = name.strip().replace(" ", "_").casefold()
    if wanted in known:
        return known[wanted]
    for label in (name.strip(), name.strip().title()):
        if (zone := name_of(zone_of(label))) != "UTC":
            return zone
    similar = difflib.get_close_matches(wanted, known, n=1)
    hint = f" Did you mean {known[similar[0]]}?" if similar else ""
    raise BadInput(f"“{_printable(name)}” is not a time zone.{hint} Use an IANA name, such as Australia/Sydney.")


def _time(text: str) -> time:
    match = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text.strip())
    if match is None:
        raise BadInput(f"“{_printable(text)}” is not a time of day. Use hours and minutes, such as 06:00 or 13:30.")
    return time(int(match[1]), int(match[2]))


def _weekdays(text: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = (one.strip() for one in part.partition("-"))
        begin, end = _weekday(first, text), _weekday(last if dash else first, text)
        found.update((begin + number) % 7 for number in range((end - begin) % 7 + 1))
    return tuple(sorted(found))


def _weekday(name: str, text: str) -> int:
    if name[:3] not in WEEKDAYS or not _FULL_NAMES[WEEKDAYS.index(name[:3])].startswith(name):
        raise BadInput(f"“{_printable(text)}” are not days of the week. Use names such as mon-fri, or mon,wed,sat.")
    return WEEKDAYS.index(name[:3])


_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def _runs(days: Sequence[int]) -> list[str]:
    """``mon-fri`` for three and more days in a row."""
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return [
        text
        for run in runs
        for text in ([f"{WEEKDAYS[run[0]]}-{WEEKDAYS[run[-1]]}"] if len(run) > 2 else [WEEKDAYS[day] for day in run])
    ]


def _listed(texts: Sequence[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _printable(text: str) -> str:
    """The start of a text that may be anything, for a message."""
    return "".join(one if one.isprintable() else "�" for one in text[:60])
