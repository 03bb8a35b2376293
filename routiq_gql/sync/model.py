"""The model of a sync as clients see it: states, steps, percentage and snapshot. Pure values without input or output.

Names and numbers are documented, and clients of other people rely on them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from math import floor

from routiq_gql.sync.actors import SyncActor
from routiq_gql.sync.change_counts import ChangeCounts
from routiq_gql.sync.receipt import Receipt
from routiq_gql.sync.step_times import StepEntries, StepTiming, timings_of

TOTAL_STEPS = 8
SYNC_CANCELLED_MESSAGE = "Sync cancelled by user"


class SyncMode(StrEnum):
    """How much is read from Cliniko. AUTO lets the service choose. TIME_ONLY reads nothing, and can't be started."""

    AUTO = "auto"
    FULL = "full"
    INCREMENTAL = "incremental"
    TIME_ONLY = "time_only"


class SyncState(StrEnum):
    """The documented status of a sync; IDLE is the status of an organization without a running sync."""

    IDLE = "idle"
    STARTING = "starting"
    FETCHING_PATIENTS = "fetching_patients"
    FETCHING_APPOINTMENTS = "fetching_appointments"
    ANALYZING = "analyzing"
    STORING = "storing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in {SyncState.COMPLETED, SyncState.FAILED, SyncState.CANCELLED}


class SyncStep(IntEnum):
    """The eight steps; the value is the documented number, 1 to 8."""

    INITIALIZING = 1
    CHECKING_CONFIG = 2
    CHECKING_CREDENTIALS = 3
    FETCHING_PATIENTS = 4
    FETCHING_APPOINTMENTS = 5
    LOADING_TYPES = 6
    ANALYZING = 7
    STORING = 8

    @property
    def state(self) -> SyncState:
        """The documented status while this step runs."""
        return _STATES[self]

    @property
    def opening_text(self) -> str:
        """The documented ``current_step`` text when this step begins."""
        return _OPENING_TEXTS[self]


_STATES = {
    SyncStep.INITIALIZING: SyncState.STARTING,
    SyncStep.CHECKING_CONFIG: SyncState.STARTING,
    SyncStep.CHECKING_CREDENTIALS: SyncState.STARTING,
    SyncStep.FETCHING_PATIENTS: SyncState.FETCHING_PATIENTS,
    SyncStep.FETCHING_APPOINTMENTS: SyncState.FETCHING_APPOINTMENTS,
    SyncStep.LOADING_TYPES: SyncState.FETCHING_APPOINTMENTS,
    SyncStep.ANALYZING: SyncState.ANALYZING,
    SyncStep.STORING: SyncState.STORING,
}

_OPENING_TEXTS = {
    SyncStep.INITIALIZING: "Initializing sync…",
    SyncStep.CHECKING_CONFIG: "Checking service configuration…",
    SyncStep.CHECKING_CREDENTIALS: "Validating credentials…",
    SyncStep.FETCHING_PATIENTS: "Fetching patients…",
    SyncStep.FETCHING_APPOINTMENTS: "Fetching appointments…",
    SyncStep.LOADING_TYPES: "Loading appointment types…",
    SyncStep.ANALYZING: "Analyzing active patients…",
    SyncStep.STORING: "Storing patient data…",
}

WAITING_FOR_DATABASE_TEXT = "Waiting for the database…"
COMPLETED_TEXT = "Sync completed successfully!"


def percentage(step: SyncStep, fraction: float) -> int:
    """The percentage with ``fraction`` (0 to 1) of ``step`` done: 0 to 99, as 100 is for a completed sync only."""
    done = min(max(fraction, 0.0), 1.0)
    return min(floor(100 * (step - 1) / TOTAL_STEPS + done * 100 / TOTAL_STEPS), 99)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress that a run shows when it stores something. ``None`` leaves a value unchanged.

    Attributes:
        fraction: The part of the current step that is done, 0 to 1.
        text: The sentence for ``current_step``.
    """

    fraction: float | None = None
    text: str | None = None
    patients_found: int | None = None
    appointments_found: int | None = None
    active_patients_identified: int | None = None


@dataclass(frozen=True, slots=True)
class CompletionRange:
    """The time within which a sync likely ends."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class NextSync:
    """The next sync of an organization: its mode, and the requests and seconds that it likely takes."""

    mode: SyncMode
    requests: int
    seconds: float


class WaitReason(StrEnum):
    """Why a running sync waits before it resumes by itself. The database stores the values, clients see the names."""

    RATE_LIMIT = "rate_limit"
    CLINIKO_RETRY = "cliniko_retry"
    DATABASE = "database"


class LogLevel(StrEnum):
    """The severity of a log line."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"


class FailureCode(StrEnum):
    """Why a sync ended without success. Stable; clients may branch on it."""

    CONNECTION_MISSING = "CONNECTION_MISSING"
    CONNECTION_DISABLED = "CONNECTION_DISABLED"
    KEY_REFUSED = "KEY_REFUSED"
    KEY_LACKS_PERMISSION = "KEY_LACKS_PERMISSION"
    ACCOUNT_MOVED = "ACCOUNT_MOVED"
    CLINIKO_UNREACHABLE = "CLINIKO_UNREACHABLE"
    CLINIKO_UNEXPECTED_ANSWER = "CLINIKO_UNEXPECTED_ANSWER"
    TIME_LIMIT = "TIME_LIMIT"
    CANCELLED = "CANCELLED"
    INTERNAL = "INTERNAL"

    @property
    def is_retryable(self) -> bool:
        """Whether starting again, with nothing else changed, may succeed."""
        return self in {
            FailureCode.CLINIKO_UNREACHABLE,
            FailureCode.CLINIKO_UNEXPECTED_ANSWER,
            FailureCode.TIME_LIMIT,
            FailureCode.CANCELLED,
            FailureCode.INTERNAL,
        }


@dataclass(frozen=True, slots=True)
class SyncFailure:
    """The reason why a sync failed or was cancelled, for the clinic: the step, a sentence, and what to do."""

    code: FailureCode
    step: SyncStep
    message: str
    what_to_do: str

    @property
    def retryable(self) -> bool:
        return self.code.is_retryable


@dataclass(frozen=True, slots=True)
class SyncSnapshot:
    """A committed state of a sync. Snapshots of a sync are ordered by ``version``; a newer snapshot replaces an older.

    Attributes:
        key: The sync's number, higher for newer syncs. Clients see it inside opaque cursors only.
        progress_percentage: 0 to 100; 100 only when completed; never lower than in an older snapshot.
        estimated_completion: When the sync will likely end; ``None`` while that is unknown and after the end.
        resumes_at: While a wait is under way (rate limit, retry, database): when the sync resumes.
        last_log_seq: Number of the newest log line written so far, 0 for none.
        waiting_for: Why it waits; ``None`` if it does not.
        estimated_earliest: The earliest likely end, and
        estimated_latest: the latest: the true end lies between them in four of five syncs.
        receipt: The comparison with Cliniko; ``None`` before the end, and for a sync that did not complete.
        entries: When it entered its steps; see ``steps``.
        waited_seconds: Seconds of waits for Cliniko until now.
        started_by: Who or what started it; ``None`` for a sync of an earlier version.
        cancelled_by: Who ended it before its time, by cancelling it or by disconnecting its organization.
        changes: How many patients it has changed; ``None`` before the end, for a sync that did not complete or is a
            baseline, and for a sync of an earlier version.
        trace_span: The span of its newest run, as a W3C ``traceparent``; ``None`` while traces are off.
        is_live_update: Whether a look at Cliniko has started it; see ``is_in_background``.
    """

    key: int
    sync_id: str
    organization_id: str
    mode: SyncMode
    status: SyncState
    step: SyncStep
    progress_percentage: int
    current_step: str
    patients_found: int
    appointments_found: int
    active_patients_identified: int
    active_patients_stored: int
    started_at: datetime
    completed_at: datetime | None
    estimated_completion: datetime | None
    resumes_at: datetime | None
    failure: SyncFailure | None
    last_updated: datetime
    version: int
    last_log_seq: int
    waiting_for: WaitReason | None = None
    estimated_earliest: datetime | None = None
    estimated_latest: datetime | None = None
    receipt: Receipt | None = None
    entries: StepEntries = ()
    waited_seconds: float = 0.0
    started_by: SyncActor | None = None
    cancelled_by: SyncActor | None = None
    changes: ChangeCounts | None = None
    trace_span: str | None = None
    is_live_update: bool = False

    @property
    def is_in_background(self) -> bool:
        """Whether dashboards do not show it while it runs: a look has started it, and it reads few rows.

        A person can start a sync meanwhile, but clients offer no start while they see a running sync.
        """
        return self.is_live_update and self.mode is not SyncMode.FULL

    @property
    def steps(self) -> tuple[StepTiming, ...]:
        """The times of the steps that it has entered, in order; empty for a sync of an earlier version."""
        return timings_of(self.entries, self.completed_at, self.waited_seconds)

    @property
    def is_terminal(self) -> bool:
        return self.completed_at is not None

    @property
    def estimated_completion_range(self) -> CompletionRange | None:
        """The time within which it will likely end; ``None`` while that is unknown and after the end."""
        if self.estimated_earliest is None or self.estimated_latest is None:
            return None
        return CompletionRange(self.estimated_earliest, self.estimated_latest)

    @property
    def duration_seconds(self) -> float | None:
        """How long it took; ``None`` while it runs. Not below 0, even if the clock was set back meanwhile."""
        return max(0.0, (self.completed_at - self.started_at).total_seconds()) if self.completed_at else None

    @property
    def errors(self) -> list[str]:
        """The documented ``errors``: empty, or a single sentence with the reason why the sync ended."""
        return [self.failure.message] if self.failure else []


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a sync's log. ``seq`` counts from 1 without gaps within the sync ``sync_id``."""

    sync_id: str
    seq: int
    time: datetime
    level: LogLevel
    step: SyncStep
    message: str
