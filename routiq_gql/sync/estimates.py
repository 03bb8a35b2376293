"""Estimates the end of a sync, and the cost of the next sync. Pure functions over a few numbers.

A sync takes as long as its requests, since everything else is done in between. So an estimate is the number of requests
that the plan still needs, times the seconds that a request takes, plus waits. The reader asks after each page, and the
dashboard asks between syncs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from typing import Self

from routiq_gql.cliniko import ATTENDEES, GROUP_APPOINTMENTS
from routiq_gql.sync.lists import LISTS, lists_after
from routiq_gql.sync.model import NextSync, SyncMode

ROWS_PER_PAGE = 100
"""The most that a page of Cliniko holds."""
CLASSES_PER_REQUEST = 200
"""The most group appointments whose attendees a request asks for."""
BURST = 5
"""Requests that are sent at once after a pause; the later ones are spaced."""
ATTENDEES_PER_CLASS = 5
"""A guess, before the first sync has counted them; classes have 1 to 12."""
CHECKING_REQUESTS = 9
"""Whose key it is, and a row of each list, before a full sync reads its first page."""
COMPARING_REQUESTS = 7
"""Four totals, and at most three requests that compare attendees."""
UNCHANGED_REQUESTS = 15
"""An incremental sync without changes."""
REPAIR_REQUESTS = 12
"""Further requests of an incremental sync in a tenth of all cases: many changes, or a search for a vanished row."""
SECONDS_PER_REQUEST = 0.25
"""A guess, before the first request of a sync and without an earlier sync."""
SECONDS_PER_PATIENT = 0.0001
"""The analysis and the publication of a full sync."""
FIRST_REQUESTS = 60
"""Requests without an unplanned wait that are added to those measured, before such waits are expected to continue."""


@dataclass(frozen=True, slots=True)
class PastSync:
    """A completed sync of the same clinic. ``requests_of`` and ``rows_of`` are by list, and empty without a receipt."""

    mode: SyncMode
    requests: int
    seconds: float
    waited_seconds: float
    requests_of: Mapping[str, int] = field(default_factory=dict)
    rows_of: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Requests:
    """How many requests are likely needed, and the range that holds in four of five syncs."""

    likely: int
    least: int
    most: int

    @classmethod
    def exactly(cls, number: int) -> Self:
        return cls(number, number, number)

    def __add__(self, other: "Requests") -> "Requests":
        return Requests(self.likely + other.likely, self.least + other.least, self.most + other.most)


@dataclass(frozen=True, slots=True)
class Speed:
    """The requests that a sync has sent, and their time.

    Attributes:
        requests_per_minute: The pace of the API key; 0 for no limit.
        requests: Requests that this process has sent for the sync.
        seconds: The time since the first of them, waits included.
        waited_seconds: The part of that time in which requests waited for their turn, a limit or another attempt.
    """

    requests_per_minute: int
    requests: int = 0
    seconds: float = 0.0
    waited_seconds: float = 0.0

    @property
    def working_seconds(self) -> float:
        """Seconds that a request takes without waits: Cliniko's answer, and its storage."""
        if self.requests == 0:
            return SECONDS_PER_REQUEST
        return max(self.seconds - self.waited_seconds, 0.0) / self.requests

    @property
    def interval(self) -> float:
        """The least seconds between two requests."""
        return 60 / self.requests_per_minute if self.requests_per_minute else 0.0

    def seconds_for(self, requests: int) -> float:
        """Seconds for so many more requests, without waits that are not planned."""
        spaced = max(requests - max(BURST - self.requests, 0), 0)
        return max(requests * self.working_seconds, spaced * self.interval)

    def lost_seconds_for(self, requests: int) -> float:
        """Unplanned waits that so many more requests will likely bring, as when another program uses the same key."""
        lost = max(self.seconds - self.requests * max(self.working_seconds, self.interval), 0.0)
        return lost * requests / (self.requests + FIRST_REQUESTS)

    def spaced(self, requests: int, working_seconds: float) -> float:
        """Seconds that requests take from the first on without unplanned waits."""
        return max(requests * working_seconds, max(requests - BURST, 0) * self.interval)


@dataclass(frozen=True, slots=True)
class Estimate:
    """When a sync likely ends; in four of five syncs between ``earliest`` and ``latest``."""

    completion: datetime
    earliest: datetime
    latest: datetime


def estimate(
    now: datetime, left: Requests, speed: Speed, *, closing: float = 0.0, resumes_at: datetime | None = None
) -> Estimate:
    """The likely end of a sync.

    Args:
        left: Requests that it still needs.
        closing: Seconds for the analysis and the publication; see ``closing_seconds``.
        resumes_at: When the current wait ends, if there is one.
    """
    start = now if resumes_at is None else max(now, resumes_at)
    likely = speed.seconds_for(left.likely) + speed.lost_seconds_for(left.likely) + closing
    least = 0.9 * speed.seconds_for(left.least) + closing / 2
    most = 1.15 * speed.seconds_for(left.most) + 2 * (speed.lost_seconds_for(left.most) + closing) + 1

    def after(seconds: float) -> datetime:
        return start + timedelta(milliseconds=ceil(seconds * 1000))

    return Estimate(after(likely), after(min(least, likely)), after(max(most, likely)))


def closing_seconds(patients: int, *, is_full: bool) -> float:
    """Seconds from the last request of a sync to its end."""
    return 0.3 + (patients * SECONDS_PER_PATIENT if is_full else 0.0)


def left_while_reading(
    list_name: str, remaining: int, totals: Mapping[str, int], past: Sequence[PastSync], *, is_full: bool,
    classes_read: int = 0, attendees_read: int = 0,
) -> Requests:  # fmt: skip
    """Requests from within a list to the end of the sync.

    Args:
        list_name: The list that is being read.
        remaining: Its rows that were not read yet; of attendees read by class: those of the current batch.
        totals: Rows in Cliniko of the lists that follow, as far as they are known.
        past: Completed syncs of the clinic, the newest first.
        classes_read: Group appointments whose attendees are read, and
        attendees_read: the rows of these attendees.
    """
    left = Requests.exactly(_pages(remaining) if remaining else 0)
    if list_name == ATTENDEES.name and is_full:
        per_class = attendees_read / classes_read if classes_read else None
        left += _attendees(max(totals.get(GROUP_APPOINTMENTS.name, 0) - classes_read, 0), past, per_class)
    for later in lists_after(list_name):
        left += _whole(later.name, totals, past) if is_full else _changes(later.name, past)
    return left + left_while_comparing(is_full=is_full)


def left_while_comparing(*, is_full: bool) -> Requests:
    """Requests once all lists are read."""
    return Requests(
        COMPARING_REQUESTS, COMPARING_REQUESTS - 3, COMPARING_REQUESTS + (3 if is_full else REPAIR_REQUESTS)
    )


def _whole(name: str, totals: Mapping[str, int], past: Sequence[PastSync]) -> Requests:
    if name == ATTENDEES.name:
        return _attendees(totals.get(GROUP_APPOINTMENTS.name, 0), past, None)
    if name in totals:
        return Requests.exactly(_pages(totals[name]))
    return Requests.exactly(next((one.requests_of[name] for one in past if _knows(one, name)), 1))


def _attendees(classes: int, past: Sequence[PastSync], per_class: float | None) -> Requests:
    """Requests for the attendees of so many classes."""
    if classes == 0:
        return Requests.exactly(0)
    batches = ceil(classes / CLASSES_PER_REQUEST)
    earlier = next((one for one in past if _knows(one, ATTENDEES.name)), None)
    if per_class is None and earlier is not None and earlier.rows_of.get(GROUP_APPOINTMENTS.name):
        likely = ceil(earlier.requests_of[ATTENDEES.name] * classes / earlier.rows_of[GROUP_APPOINTMENTS.name])
        return Requests(max(likely, batches), max(ceil(0.9 * likely), batches), max(ceil(1.1 * likely), batches))
    rows = classes * (ATTENDEES_PER_CLASS if per_class is None else per_class)
    likely = max(ceil(rows / ROWS_PER_PAGE + batches / 2), batches)
    doubt = 0.5 if per_class is None else 0.1
    return Requests(likely, max(batches, ceil(likely * (1 - doubt))), ceil(likely * (1 + doubt)))


def _changes(name: str, past: Sequence[PastSync]) -> Requests:
    requests = [one.requests_of[name] for one in past if one.mode is SyncMode.INCREMENTAL and name in one.requests_of]
    likely = max(ceil(median(requests)), 1) if requests else 1
    return Requests(likely, 1, max([likely, *requests]))


def _knows(one: PastSync, name: str) -> bool:
    return one.mode is SyncMode.FULL and name in one.requests_of


def _pages(rows: int) -> int:
    return max(ceil(rows / ROWS_PER_PAGE), 1)


def next_sync(mode: SyncMode, past: Sequence[PastSync], requests_per_minute: int) -> NextSync | None:
    """The likely cost of the next sync; ``None`` while no completed sync of the clinic shows its size.

    Args:
        mode: FULL or INCREMENTAL, as AUTO would choose.
        past: Completed syncs of the clinic, the newest first.
    """
    alike = [one for one in past if one.mode is mode and one.requests]
    if not past:
        return None
    if mode is SyncMode.INCREMENTAL:
        requests = ceil(median(one.requests for one in alike)) if alike else UNCHANGED_REQUESTS
    elif rows := past[0].rows_of:
        totals = {name: count for name, count in rows.items() if name in LISTS}
        requests = CHECKING_REQUESTS + COMPARING_REQUESTS
        requests += sum(_whole(name, totals, past).likely for name in LISTS)
    elif alike:
        requests = alike[0].requests
    else:
        return None
    speed = Speed(requests_per_minute)
    if measured := [(one.seconds - one.waited_seconds) / one.requests for one in past if one.requests]:
        seconds = speed.spaced(requests, median(measured))
    else:
        seconds = speed.spaced(requests, SECONDS_PER_REQUEST)
    return NextSync(mode, requests, round(seconds, 1))
