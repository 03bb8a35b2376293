"""Random histories of a clinic, as plain data: hypothesis draws and shrinks them, and prints them when a test fails.

Edits name rows by their place in the clinic's list of that moment, so that an edit still has a row when hypothesis
removes other edits before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from hypothesis import strategies as st

from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.sync.model import SyncMode

RECENT_DAYS, UPCOMING_DAYS, HISTORY_DAYS = 5, 4, 12
"""Short windows and a short horizon, so that time alone moves many appointments across their edges."""


class Kind(StrEnum):
    """What happens to a row."""

    INSERT = "insert"
    INSERT_OLD = "insert old"
    """A row that is as old as the clinic, with an id among those of the other rows."""
    OPEN_CLASS = "open class"
    """A class with attendees that are older than it."""
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    CANCEL = "cancel"
    UNCANCEL = "uncancel"
    DELETE = "delete"
    """Leaves a row with ``deleted_at``."""
    REMOVE = "remove"
    """Leaves nothing; a patient's appointments go too."""
    MERGE = "merge"
    MOVE = "move"
    """To another time, or an attendee to another class."""
    HAND_OVER = "hand over"
    """To another patient, practitioner and type."""
    MARK = "mark"
    RENAME = "rename"


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the clinic.

    Attributes:
        resource: The list.
        row: Its row, counted from 0 and around.
        other: Another row: the survivor of a merge, the new patient, the class.
        starts: Where an appointment starts or moves to: a place in ``STARTS``.
        touch: Whether ``updated_at`` shows the change.
    """

    kind: Kind
    resource: str
    row: int
    other: int
    starts: int
    touch: bool


class Trouble(StrEnum):
    """What interrupts a sync."""

    KILL = "kill"
    """The process dies; another claims the sync later."""
    OVERTAKE = "overtake"
    """Another process claims the sync, and the first goes on, as after a pause that was taken for its death."""
    CANCEL = "cancel"
    """A user ends the sync."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens right before (or after) the n-th event of a sync, which is a request or one of its transactions.

    First edits, then time passes, then the sync is interrupted.
    """

    number: int
    is_before: bool
    edits: tuple[Edit, ...]
    passes: timedelta
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """Edits, time that passes, and a sync with what happens meanwhile.

    Attributes:
        faults: Faults of Cliniko during the sync: names of ``FAULTS``, and the list that each concerns.
        tidies: Whether old versions are deleted before the sync.
    """

    edits: tuple[Edit, ...]
    passes: timedelta
    mode: SyncMode
    during: tuple[Moment, ...]
    organization: int
    faults: tuple[tuple[str, str], ...] = ()
    tidies: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """The rows of a clinic at the beginning; ``seed`` decides their times."""

    patients: int
    appointments: int
    classes: int
    attendees: int
    seed: int


@dataclass(frozen=True, slots=True)
class Tuning:
    """Sizes of pages and of steps, so that small clinics have many."""

    per_page: int
    leaf_rows: int
    rows_per_step: int
    ids_per_request: int
    class_requests: int


@dataclass(frozen=True, slots=True)
class History:
    """Two clinics in one database, and what happens to them.

    Attributes:
        clocks: Minutes by which Cliniko's clock is ahead, and by which its ``Date`` is ahead of that.
    """

    sizes: tuple[Size, Size]
    tuning: Tuning
    rounds: tuple[Round, ...]
    clocks: tuple[int, int] = (0, 0)


MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
EDGES = (-HISTORY_DAYS, -RECENT_DAYS, 0, UPCOMING_DAYS)
STARTS = (*tuple(edge * DAY + near for edge in EDGES for near in (-DAY, -MINUTE, timedelta(), MINUTE, DAY)), 20 * DAY)
"""Starts of appointments, from the time of the edit: around the edges of the windows and the horizon."""
PASSES = (timedelta(), timedelta(seconds=1), 9 * MINUTE, 11 * MINUTE, 26 * timedelta(hours=1), 3 * DAY, 8 * DAY)

LISTS = (
    "patients",
    "individual_appointments",
    "group_appointments",
    "attendees",
    "appointment_types",
    "practitioners",
)
VISITS = ("individual_appointments", "attendees")
_LISTS_OF = {
    Kind.OPEN_CLASS: ("group_appointments",),
    Kind.CANCEL: VISITS,
    Kind.UNCANCEL: VISITS,
    Kind.MERGE: ("patients",),
    Kind.MOVE: ("individual_appointments", "group_appointments", "attendees"),
    Kind.HAND_OVER: ("individual_appointments", "group_appointments", "attendees"),
    Kind.MARK: VISITS,
    Kind.RENAME: ("patients", "appointment_types", "practitioners"),
    Kind.INSERT_OLD: ("patients", "individual_appointments", "group_appointments", "attendees"),
}
KINDS = tuple((kind, resource) for kind in Kind for resource in _LISTS_OF.get(kind, LISTS))
_LIKELY = tuple((kind, resource) for kind, resource in KINDS if resource not in {"appointment_types", "practitioners"})
_LIKELIEST = 4 * ((Kind.OPEN_CLASS, "group_appointments"), (Kind.MERGE, "patients"), (Kind.REMOVE, "patients"))

FAULTS: Mapping[str, Fault] = {
    "500 once": Fault(FaultKind.STATUS_500),
    "429 once": Fault(FaultKind.RATE_LIMIT),
    "504 twice": Fault(FaultKind.STATUS_504, times=2, only_above_per_page=1),
    "cut": Fault(FaultKind.CUT_JSON),
    "dropped": Fault(FaultKind.DROP_INSIDE),
    "repeated row": Fault(FaultKind.REPEAT_ROW),
    "repeated page": Fault(FaultKind.REPEAT_PAGE, request_number=2),
    "jump": Fault(FaultKind.JUMP, only_above_per_page=1),
    "short page": Fault(FaultKind.SHORT_PAGE, only_above_per_page=1),
    "no sort": Fault(FaultKind.REFUSE_SORT, times=None),
    "slow sort": Fault(FaultKind.SORT_TIMES_OUT, times=None),
    "no filter by id": Fault(FaultKind.REFUSE_ID_FILTER, times=None),
    "no filter by change": Fault(FaultKind.REFUSE_FILTER, times=None, filter="updated_at"),
    "no many values": Fault(FaultKind.REFUSE_MANY_VALUES, times=None, rows=1, status=414),
    "500 from the third": Fault(FaultKind.STATUS_500, request_number=3, times=None),
}
"""What goes wrong at Cliniko. The request numbers count those for the fault's list."""

_small = st.integers(0, 60)
_edits = st.builds(
    lambda kind, row, other, starts, touch: Edit(*kind, row, other, starts, touch),
    st.sampled_from(KINDS + _LIKELY + _LIKELIEST),
    _small,
    _small,
    st.integers(0, len(STARTS) - 1),
    st.booleans(),
)
_some_edits = st.lists(_edits, max_size=8).map(tuple)
_passes = st.sampled_from(PASSES)
_moments = st.builds(
    Moment,
    st.integers(1, 80),
    st.booleans(),
    st.lists(_edits, max_size=3).map(tuple),
    st.sampled_from((timedelta(), timedelta(seconds=1), MINUTE, 11 * MINUTE)),
)
_interruptions = st.builds(
    Moment,
    st.integers(1, 120),
    st.booleans(),
    st.lists(_edits, max_size=2).map(tuple),
    st.sampled_from((timedelta(), MINUTE, 11 * MINUTE, 26 * 60 * MINUTE)),
    st.sampled_from((Trouble.KILL, Trouble.KILL, Trouble.KILL, Trouble.OVERTAKE, Trouble.CANCEL)),
)
_faults = st.tuples(st.sampled_from(sorted(FAULTS)), st.sampled_from(LISTS))
CLOCKS = ((0, 0), (-15, 0), (15, 0), (0, 15), (0, -15))
_modes = st.sampled_from((SyncMode.AUTO, SyncMode.INCREMENTAL, SyncMode.INCREMENTAL, SyncMode.FULL))
_sizes = st.builds(
    Size, st.integers(0, 20), st.integers(0, 30), st.integers(0, 6), st.integers(0, 20), st.integers(0, 999)
)
_tunings = st.builds(
    Tuning,
    st.sampled_from((100, 3, 7)),
    st.sampled_from((100, 1, 4)),
    st.sampled_from((500, 3)),
    st.sampled_from((200, 2)),
    st.sampled_from((3, 1)),
)


def every_edit() -> History:
    """A history with every kind of edit, with and without a trace, a few before each sync of changes."""
    tuning = Tuning(per_page=7, leaf_rows=4, rows_per_step=10, ids_per_request=200, class_requests=3)
    chosen = [(kind, resource, touch) for touch in (True, False) for kind, resource in KINDS]
    edits = [Edit(*one[:2], 7 * at, 11 * at, 5 * at % len(STARTS), one[2]) for at, one in enumerate(chosen)]
    parts = [tuple(edits[at : at + 8]) for at in range(0, len(edits), 8)]
    rounds = [Round(part, MINUTE, SyncMode.INCREMENTAL, (), 0) for part in ((), *parts)]
    return History((Size(30, 40, 9, 30, 1), Size(0, 0, 0, 0, 0)), tuning, tuple(rounds))


def histories(rounds: int, *, during: bool = False, trouble: bool = False) -> st.SearchStrategy[History]:
    """Histories of at most so many rounds.

    Args:
        during: Let the clinic change during syncs, too.
        trouble: Interrupt syncs, let Cliniko's clock and responses be wrong, and delete old versions.
    """
    moments: list[st.SearchStrategy[tuple[Moment, ...]]] = [st.just(())]
    if during:
        moments.append(st.lists(_moments, max_size=3).map(tuple))
    if trouble:
        moments.append(st.lists(_interruptions, max_size=3).map(tuple))
    one = st.builds(
        Round,
        _some_edits,
        _passes,
        _modes,
        st.tuples(*moments).map(lambda parts: tuple(moment for part in parts for moment in part)),
        st.sampled_from((0, 0, 1)),
        st.lists(_faults, max_size=2).map(tuple) if trouble else st.just(()),
        st.booleans() if trouble else st.just(False),
    )
    several = st.lists(one, min_size=rounds - 2, max_size=rounds).map(tuple)
    clocks = st.sampled_from(CLOCKS) if trouble else st.just((0, 0))
    return st.builds(History, st.tuples(_sizes, _sizes), _tunings, several, clocks)
