"""Estimates the requests that a sync still needs, and the cost of the next sync. Pure functions over a few numbers.

``durations`` turns requests into seconds. The reader asks after each page, and the dashboard asks between syncs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, exp, log2
from statistics import median

from routiq_gql.cliniko import ATTENDEES, GROUP_APPOINTMENTS, INDIVIDUAL_APPOINTMENTS, PATIENTS, PRACTITIONERS
from routiq_gql.sync.checkpoint import Pending
from routiq_gql.sync.durations import Amount, EarlierSync, Tempo
from routiq_gql.sync.lists import LISTS, lists_after
from routiq_gql.sync.model import NextSync, SyncMode

ROWS_PER_PAGE = 100
"""The most that a page of Cliniko holds."""
CLASSES_PER_REQUEST = 200
"""The most group appointments whose attendees a request asks for."""
ATTENDEES_PER_CLASS = 5
"""A guess, before the first sync has counted them; classes have 1 to 12."""
CHECKING_REQUESTS = {SyncMode.FULL: 9, SyncMode.INCREMENTAL: 1}
"""Whose key it is; before a full sync also the account's name, a row of each list, and the patients who are listed."""
TOTALS = {PATIENTS.name: 2, INDIVIDUAL_APPOINTMENTS.name: 1, GROUP_APPOINTMENTS.name: 1}
"""Requests for the totals of a list that is compared."""
CLASS_REQUESTS = 3
"""The most requests that compare attendees."""
UNCHANGED_REQUESTS = 15
"""An incremental sync without changes."""
CHANGED_ROWS = 20
"""A guess, before an earlier sync has shown how many rows of a list change in a day."""
CHANGES_DOUBT = 1.0
"""How many more or fewer pages of changes a list has: so many, and as many again as are expected."""
AGAIN = Amount(0.3, 0.8)
"""Requests for lists that are compared again since rows change during the comparison of a full sync, and
AGAIN_OF_CHANGES: of an incremental sync, which finds vanished rows besides."""
AGAIN_OF_CHANGES = Amount(0.7, 8.0)
CLOSING_SECONDS = 0.1
"""The analysis and the publication of an incremental sync."""
SECONDS_PER_PATIENT = 0.0001
"""The same of a full sync, besides."""


@dataclass(frozen=True, slots=True)
class PastSync:
    """A completed sync of the same clinic.

    Attributes:
        days: The time since the start of the completed sync before it; ``None`` if there is none.
        requests_of: Requests by list, empty without a receipt, like
        rows_of: rows in the mirror, and
        changed_of: rows that it has changed.
    """

    mode: SyncMode
    requests: int
    seconds: float
    waited_seconds: float
    days: float | None = None
    requests_of: Mapping[str, int] = field(default_factory=dict)
    rows_of: Mapping[str, int] = field(default_factory=dict)
    changed_of: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """Facts about a sync's lists besides its place.

    Attributes:
        is_full: Whether it reads everything.
        days: The days whose changes an incremental sync reads.
        totals: Rows in Cliniko, of the lists whose total is known.
        past: Completed syncs of the clinic, the newest first.
        changed: The lists with rows that it has changed.
    """

    is_full: bool
    days: float = 0.0
    totals: Mapping[str, int] = field(default_factory=dict)
    past: Sequence[PastSync] = ()
    changed: Collection[str] = ()


def closing_seconds(patients: int, *, is_full: bool) -> float:
    """Seconds from the last request of a sync to its end."""
    return CLOSING_SECONDS + (patients * SECONDS_PER_PATIENT if is_full else 0.0)


def left_from_start(known: Known) -> Amount:
    """Requests of a whole sync."""
    mode = SyncMode.FULL if known.is_full else SyncMode.INCREMENTAL
    return Amount(CHECKING_REQUESTS[mode]) + left_before(next(iter(LISTS)), known)


def left_before(list_name: str, known: Known) -> Amount:
    """Requests from the beginning of a list to the end of the sync."""
    left = _list(list_name, known)
    for later in lists_after(list_name):
        left += _list(later.name, known)
    return left + left_while_comparing(known, known.changed, before=list_name)


def left_while_reading(
    list_name: str, remaining: int, known: Known, *, classes_read: int = 0, attendees_read: int = 0
) -> Amount:
    """Requests from within a list to the end of the sync.

    Args:
        list_name: The list that is being read.
        remaining: Its rows that were not read yet; of attendees read by class: those of the current batch.
        classes_read: Group appointments in the batches of attendees before the current batch.
        attendees_read: The rows of attendees so far.
    """
    left = Amount(_pages(remaining) if remaining else 0)
    if list_name == ATTENDEES.name and known.is_full:
        classes = known.totals.get(GROUP_APPOINTMENTS.name, 0)
        begun = min(classes_read + CLASSES_PER_REQUEST, classes)
        per_class = (attendees_read + remaining) / begun if begun else None
        left += _attendees(classes - begun, known.past, per_class)
    later = lists_after(list_name)
    for one in later:
        left += _list(one.name, known)
    return left + left_while_comparing(known, known.changed, before=later[0].name if later else None)


def left_while_comparing(known: Known, changed: Collection[str], *, before: str | None = None) -> Amount:
    """Requests of the comparison, which begins once all lists are read.

    Args:
        changed: The lists with changed rows, as far as lists are read.
        before: The list before whose beginning the sync is; ``None`` if all are read.
    """
    names = list(LISTS)
    unread = names[names.index(before) :] if before is not None else []
    left = _class_requests(known)
    for name, totals in TOTALS.items():
        # A list that the sync has changed is counted again, and its changes are read again.
        likely = 1.0 if known.is_full or name in changed else _chance_of_changes(name, known) if name in unread else 0.0
        left += Amount(likely * (totals + 1), likely * (1 - likely) * (totals + 1) ** 2)
    return left + (AGAIN if known.is_full else AGAIN_OF_CHANGES)


def left_to_follow(pending: Pending) -> Amount:
    """Requests for the appointments and attendees of merged patients, and for the attendees of new classes."""
    batches = 2 * ceil(len(pending.patients) / CLASSES_PER_REQUEST) + ceil(len(pending.classes) / CLASSES_PER_REQUEST)
    return Amount(batches)


def of_search(list_name: str, rows: int, differing: int) -> Amount:
    """Requests of a search for rows by which a list of so many rows differs, and of the comparison after it.

    Each differing row takes a count in each half of the list that holds it, down to a page that is read.
    """
    pages = max(rows / ROWS_PER_PAGE, 1.0)
    differing = max(min(differing, ceil(pages)), 1)
    likely = differing * (log2(pages / differing) + 1) if pages > differing else pages
    return Amount(likely + TOTALS.get(list_name, 0) + 1, (0.2 * likely) ** 2)


def _class_requests(known: Known) -> Amount:
    if GROUP_APPOINTMENTS.name in known.totals and not known.totals[GROUP_APPOINTMENTS.name]:
        return Amount()
    of_changes = [one.requests_of[ATTENDEES.name] for one in known.past if _has(one, SyncMode.INCREMENTAL)]
    if of_changes:
        return Amount(min(max(median(of_changes) - 1, 1), CLASS_REQUESTS), 0.3)
    return Amount(CLASS_REQUESTS / 2, 0.7)


def _list(name: str, known: Known) -> Amount:
    """Requests for a whole list."""
    return _whole(name, known.totals, known.past) if known.is_full else _changes(name, known)


def _whole(name: str, totals: Mapping[str, int], past: Sequence[PastSync]) -> Amount:
    if name == PRACTITIONERS.name:
        return Amount(2)
    if name == ATTENDEES.name:
        return _attendees(totals.get(GROUP_APPOINTMENTS.name, 0), past, None)
    rows = totals.get(name)
    if rows is None:
        return Amount(1)
    pages = _pages(rows)
    return Amount(pages, (0.02 * pages) ** 2)


def _attendees(classes: int, past: Sequence[PastSync], per_class: float | None) -> Amount:
    """Requests for the attendees of so many classes."""
    if classes == 0:
        return Amount()
    batches = ceil(classes / CLASSES_PER_REQUEST)
    earlier = next((one for one in past if _has(one, SyncMode.FULL) and one.rows_of.get(GROUP_APPOINTMENTS.name)), None)
    if per_class is None and earlier is not None:
        likely = earlier.requests_of[ATTENDEES.name] * classes / earlier.rows_of[GROUP_APPOINTMENTS.name]
        likely = max(likely - CLASS_REQUESTS / 2, batches)
        return Amount(likely, (0.1 * likely) ** 2)
    rows = classes * (ATTENDEES_PER_CLASS if per_class is None else per_class)
    likely = max(rows / ROWS_PER_PAGE + batches / 2, batches)
    doubt = 0.8 if per_class is None else 0.1
    return Amount(likely, (doubt * likely) ** 2)


def _changes(name: str, known: Known) -> Amount:
    """Requests for the changes of a list, and for its totals before them."""
    if name == PRACTITIONERS.name:
        return Amount(2)
    if not LISTS[name].resource.has_changes:
        return _whole(name, known.totals, known.past)
    rows = _changed_rows(name, known) / ROWS_PER_PAGE
    return Amount(TOTALS.get(name, 0) + 1 + max(rows - 0.5, 0.0), (CHANGES_DOUBT * (1 + rows)) ** 2)


def _changed_rows(name: str, known: Known) -> float:
    """The rows of a list that have likely changed, by the changes of the days that earlier syncs have read."""
    counted = [one for one in known.past if one.days and one.changed_of]
    if not counted:
        return CHANGED_ROWS * min(known.days, 1.0)
    # The median of the days, as an import of many rows on a single day says little about the next.
    rates = sorted((one.changed_of.get(name, 0) / one.days, one.days) for one in counted if one.days)
    half = sum(days for _, days in rates) / 2
    for rate, days in rates:
        half -= days
        if half <= 0:
            return rate * known.days
    return 0.0


def _chance_of_changes(name: str, known: Known) -> float:
    return 1 - exp(-_changed_rows(name, known))


def _has(one: PastSync, mode: SyncMode) -> bool:
    return one.mode is mode and ATTENDEES.name in one.requests_of


def _pages(rows: int) -> int:
    return max(ceil(rows / ROWS_PER_PAGE), 1)


def earlier_syncs(past: Sequence[PastSync]) -> list[EarlierSync]:
    """Past syncs as measurements of the tempo."""
    return [
        EarlierSync(one.requests, max(one.seconds - one.waited_seconds, 0.0), one.waited_seconds)
        for one in past
        if one.requests
    ]


def next_sync(
    mode: SyncMode,
    past: Sequence[PastSync],
    requests_per_minute: int,
    checked_totals: Mapping[str, int] | None = None,
) -> NextSync | None:
    """The likely cost of the next sync; ``None`` while neither a completed sync nor a key check shows its size.

    Args:
        mode: FULL or INCREMENTAL, as AUTO would choose.
        past: Completed syncs of the clinic, the newest first.
        checked_totals: Rows of each list before the first sync, as a key check counts them.
    """
    alike = [one for one in past if one.mode is mode and one.requests]
    if not past:
        if not checked_totals:
            return None
        requests = round(left_from_start(Known(is_full=True, totals=checked_totals)).mean)
    elif mode is SyncMode.INCREMENTAL:
        requests = ceil(median(one.requests for one in alike)) if alike else UNCHANGED_REQUESTS
    elif past[0].rows_of:
        requests = round(left_from_start(Known(is_full=True, totals=totals_of(past), past=past)).mean)
    elif alike:
        requests = alike[0].requests
    else:
        return None
    tempo = Tempo.guessed(requests_per_minute, earlier_syncs(past))
    spread = tempo.seconds_for(Amount(requests))
    return NextSync(mode, requests, round(spread.likely, 1))


def totals_of(past: Sequence[PastSync]) -> dict[str, int]:
    """The rows of each list by the newest receipt."""
    rows = next((one.rows_of for one in past if one.rows_of), {})
    return {name: count for name, count in rows.items() if name in LISTS}
