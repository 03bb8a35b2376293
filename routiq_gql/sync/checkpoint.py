"""The checkpoint of a sync: where a process continues after a break.

``checkpoint_json`` stores it and reads every format that was ever written. Every checkpoint behind step 3 holds the
plan, so a sync that resumes reads by the same rules as before, whatever settings and clock say by then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from routiq_gql.sync.lists import LISTS, Totals
from routiq_gql.sync.model import SyncStep
from routiq_gql.sync.place import Place
from routiq_gql.sync.plan import Plan
from routiq_gql.sync.receipt import Receipt


class CheckpointError(Exception):
    """A stored checkpoint has no path into this version. The sync fails with these sentences."""

    def __init__(self, message: str, what_to_do: str = "Start a new sync, which reads everything again.") -> None:
        super().__init__(message)
        self.message = message
        self.what_to_do = what_to_do


@dataclass(frozen=True, slots=True)
class Starting:
    """Nothing is stored; the sync begins with its first step.

    Attributes:
        lost: The step in which a sync of an earlier version was interrupted. Its rows are gone, so it starts over.
    """

    lost: SyncStep | None = None

    @property
    def step(self) -> SyncStep:
        """The step that comes next."""
        return SyncStep.INITIALIZING


@dataclass(frozen=True, slots=True)
class Effort:
    """Requests and waits that the sync has spent on a list.

    Attributes:
        read: Rows read.
        requests: Requests sent.
        unreadable: Id and unreadable field of the first unreadable rows, each pair once.
    """

    read: int = 0
    requests: int = 0
    unreadable: tuple[tuple[str | None, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """What merged pages point to, and has not been read again yet.

    Attributes:
        patients: Patients of merges, whose appointments and attendees may have moved.
        classes: Group appointments that have appeared, whose attendees may be older than any mark.
    """

    patients: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The lists before ``list_name`` are stored.

    Attributes:
        plan: What the sync reads.
        list_name: The list that is being read, by its name in ``LISTS``.
        totals: Rows of each list; see ``Totals``.
        place: Where reading resumes in this list.
        pending: What pages of the lists so far point to.
        efforts: Requests and waits of each list, by its name.
        whole: Rows in Cliniko of the lists that are read whole in every mode; without a list that the key may not read.
    """

    plan: Plan
    list_name: str
    totals: Totals = field(default_factory=dict)
    place: Place = field(default_factory=Place)
    pending: Pending = field(default_factory=Pending)
    efforts: Mapping[str, Effort] = field(default_factory=dict, compare=False)  # repeating a page is no progress
    whole: Mapping[str, int] = field(default_factory=dict)

    @property
    def step(self) -> SyncStep:
        """The step that reads the list."""
        return LISTS[self.list_name].step


@dataclass(frozen=True, slots=True)
class Comparing:
    """All lists are read. What they point to is read again, and the mirror is compared with Cliniko."""

    plan: Plan
    totals: Totals = field(default_factory=dict)
    pending: Pending = field(default_factory=Pending)
    efforts: Mapping[str, Effort] = field(default_factory=dict, compare=False)
    whole: Mapping[str, int] = field(default_factory=dict)

    @property
    def step(self) -> SyncStep:
        """The step that comes next."""
        return SyncStep.LOADING_TYPES


@dataclass(frozen=True, slots=True)
class Analysis:
    """What the analysis goes by, fixed when it begins.

    Attributes:
        analyzed_at: Appointments before this time are past.
        recent_days: The days before it, and
        upcoming_days: the days after it that make a patient active.
        seen_within_weeks: The weeks of the list of patients without a future appointment.
        everything: Whether all patients are analyzed, or those whose result may have changed.
        patients: How many these are.
    """

    analyzed_at: datetime
    recent_days: int
    upcoming_days: int
    seen_within_weeks: int
    everything: bool
    patients: int


@dataclass(frozen=True, slots=True)
class Analyzing:
    """The mirror is complete, and the first patients are analyzed.

    Attributes:
        after: The patient behind whom the current slice begins; 0 at the first.
        analyzed: Patients in the slices before.
    """

    plan: Plan
    receipt: Receipt
    analysis: Analysis
    after: int = 0
    analyzed: int = 0

    @property
    def step(self) -> SyncStep:
        """The step that comes next."""
        return SyncStep.ANALYZING


@dataclass(frozen=True, slots=True)
class Storing:
    """The active patients are identified. Readers do not see them yet.

    Attributes:
        has_lists: Whether the patients are in lists too. An earlier version made none, so the analysis begins again.
    """

    plan: Plan
    receipt: Receipt
    has_lists: bool = True

    @property
    def step(self) -> SyncStep:
        """The step that comes next."""
        return SyncStep.STORING


Checkpoint = Starting | Reading | Comparing | Analyzing | Storing


def makes_progress(before: Checkpoint, after: Checkpoint) -> bool:
    """Whether a sync that continues at ``after`` has less to do than at ``before``.

    A comparison begins again after each interruption, and may note and forget the same patients each time.
    """
    return before != after and not (isinstance(before, Comparing) and isinstance(after, Comparing))
