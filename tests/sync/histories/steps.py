"""Random histories of a clinic, as plain data: hypothesis draws and shrinks them, and prints them when a test fails.

Edits name rows by their place in the clinic's list of that moment, so that an edit still has a row when hypothesis
removes other edits before it.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from hypothesis import strategies as st

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


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens right before (or after) the n-th request or transaction of a sync: edits, and then time passes."""

    number: int
    is_before: bool
    edits: tuple[Edit, ...]
    passes: timedelta


@dataclass(frozen=True, slots=True)
class Round:
    """Edits, time that passes, and a sync with what happens meanwhile."""

    edits: tuple[Edit, ...]
    passes: timedelta
    mode: SyncMode
    during: tuple[Moment, ...]
    organization: int


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
    """Two clinics in one database, and what happens to them."""

    sizes: tuple[Size, Size]
    tuning: Tuning
    rounds: tuple[Round, ...]


MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
EDGES = (-HISTORY_DAYS, -RECENT_DAYS, 0, UPCOMING_DAYS)
STARTS = tuple(edge * DAY + near for edge in EDGES for near in (-DAY, -MINUTE, timedelta(), MINUTE, DAY)) + (20 * DAY,)
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

_small = st.integers(0, 60)
_edits = st.builds(
    lambda kind, row, other, starts, touch: Edit(*kind, row, other, starts, touch),
    st.sampled_from(KINDS),
    _small,
    _small,
    st.integers(0, len(STARTS) - 1),
    st.booleans(),
)
_some_edits = st.lists(_edits, max_size=8).map(tuple)
_passes = st.sampled_from(PASSES)
_moments = st.builds(
    Moment,
    st.integers(1, 40),
    st.booleans(),
    st.lists(_edits, max_size=3).map(tuple),
    st.sampled_from((timedelta(), timedelta(seconds=1), MINUTE)),
)
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


def histories(rounds: int, *, during: bool) -> st.SearchStrategy[History]:
    """Histories of at most so many rounds; with ``during``, the clinic changes during syncs, too."""
    moments = st.lists(_moments, max_size=3).map(tuple) if during else st.just(())
    one = st.builds(Round, _some_edits, _passes, _modes, moments, st.sampled_from((0, 0, 1)))
    several = st.lists(one, min_size=rounds - 2, max_size=rounds).map(tuple)
    return st.builds(History, st.tuples(_sizes, _sizes), _tunings, several)
