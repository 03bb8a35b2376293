"""Types of the rows that leave this package, and of the values that other packages write.

A row type has a field for every column of its table, in the same order and of the same type, since rows are built by
position. A test compares the two. A ``Values`` type names columns to write; a column that is left out stays unchanged.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypedDict, TypeVar

from routiq_gql.local_times import LocalTimes, stored_local_times

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class SyncRow:
    """A row of ``syncs``."""

    #: The sync's number: higher for newer syncs, whatever the clocks said.
    key: int
    #: The id that clients use.
    sync_id: str
    #: The organization that is synced.
    organization_id: str
    #: The value of a ``SyncMode``.
    mode: str
    #: The value of a ``SyncState``.
    status: str
    #: The number of a ``SyncStep``.
    step: int
    #: 0 to 100; never decreases.
    progress_percentage: int
    #: The sentence that clients show.
    current_step: str
    #: Patients read so far.
    patients_found: int
    #: Individual and group appointments read so far.
    appointments_found: int
    #: Active patients found by the analysis so far.
    active_patients_identified: int
    #: Active patients stored; 0 before the end.
    active_patients_stored: int
    #: When it was requested.
    started_at: datetime
    #: When it ended; ``None`` while it is active.
    completed_at: datetime | None
    #: When it will likely end; ``None`` while unknown.
    estimated_completion: datetime | None
    #: The earliest likely end; ``None`` while unknown.
    estimated_earliest: datetime | None
    #: The latest likely end; ``None`` while unknown.
    estimated_latest: datetime | None
    #: When the current wait ends; ``None`` without a wait.
    resumes_at: datetime | None
    #: The value of a ``WaitReason``; ``None`` without a wait.
    waiting_for: str | None
    #: The value of a ``FailureCode``; ``None`` without a failure, as for all ``failure_`` fields.
    failure_code: str | None
    #: The number of the ``SyncStep`` that failed.
    failure_step: int | None
    #: A sentence about the reason.
    failure_message: str | None
    #: A sentence about the remedy, for the clinic.
    failure_what_to_do: str | None
    #: When the row last changed.
    last_updated: datetime
    #: Counts the changes of this row, from 1.
    version: int
    #: Counts the claims. A write that carries an earlier epoch matches no row.
    epoch: int
    #: The process that runs it; ``None`` before the first claim and after a release.
    claimed_by: str | None
    #: How many claims in a row ended with a dead process. Progress resets it.
    lost_claims: int
    #: How often in a row the database interrupted it. Progress resets it.
    pauses: int
    #: Where reading resumes after an interruption; empty before the first checkpoint.
    checkpoint: Mapping[str, object]
    #: The number of its newest log line; 0 for none.
    last_log_seq: int
    #: Requests sent to Cliniko.
    requests: int
    #: Seconds spent in waits for Cliniko.
    waited_seconds: float
    #: Whether it is the first sync of a mirror, which yields no changes.
    baseline: bool
    #: The time by which the analysis counts appointments as past or ahead; ``None`` before the analysis.
    analyzed_at: datetime | None
    #: How many days back the analysis looked; ``None`` before it.
    recent_days: int | None
    #: How many days ahead it looked; ``None`` likewise.
    upcoming_days: int | None
    #: The version of the analysis's rules.
    rules: int | None
    #: The receipt as JSON; see ``sync/receipt.py``. ``None`` before the end.
    receipt: Mapping[str, object] | None
    #: Its entries into steps as JSON; see ``sync/step_times.py``. ``None`` for a sync of an earlier version.
    steps: Mapping[str, object] | None
    #: The value of the ``ActorKind`` that started it; ``None`` likewise.
    started_by: str | None
    #: The person who started it, as named by the token's issuer; ``None`` if unknown.
    started_by_name: str | None
    #: The value of the ``ActorKind`` that ended it before its time; ``None`` if it was not.
    cancelled_by: str | None
    #: The person who ended it, named likewise.
    cancelled_by_name: str | None
    #: The weeks within which a visit puts a patient without a booking on a list; ``None`` before the analysis.
    seen_within_weeks: int | None
    #: Earlier appointments were not mirrored by then; ``None`` before the analysis.
    horizon_from: datetime | None
    #: What it has changed, as JSON; see ``sync/change_counts.py``. ``None`` before the end and for a baseline.
    changes: Mapping[str, object] | None
    #: The clinic's time zone: an IANA name, or Cliniko's label. ``None`` if Cliniko did not say.
    time_zone: str | None
    #: The ``traceparent`` of the span that started it; ``None`` if traces were off, or no span did.
    trace_parent: str | None
    #: The ``tracestate`` of that span; ``None`` without one.
    trace_state: str | None
    #: The ``traceparent`` of the span of its newest run; ``None`` while traces are off.
    trace_span: str | None
    #: Whether a look at Cliniko has started it.
    refresh: bool


@dataclass(frozen=True, slots=True)
class LogRow:
    """A row of ``sync_log``."""

    #: The number of the sync.
    sync_key: int
    #: The number of the line within the sync, from 1 without gaps.
    seq: int
    #: When it was written.
    time: datetime
    #: The value of a ``LogLevel``.
    level: str
    #: The number of the ``SyncStep`` that it is about.
    step: int
    #: The text of the line.
    message: str


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A row of ``connections``."""

    #: The organization that has this access to Cliniko.
    organization_id: str
    #: The value of a ``ConnectionState``.
    state: str
    #: The base URL of Cliniko's API for this key.
    base_url: str
    #: The part of Cliniko that holds the account, such as ``au1``.
    shard: str
    #: The API key, encrypted for this organization; empty after a disconnect.
    encrypted_key: bytes = field(repr=False)
    #: The id of the key that encrypted it.
    encryption_key_id: str
    #: The clinic's name in Cliniko; ``None`` until a check of the key has shown it.
    account_name: str | None
    #: The account's subdomain in Cliniko; ``None`` likewise.
    account_subdomain: str | None
    #: The Cliniko role of the key's owner; ``None`` likewise.
    role: str | None
    #: When Cliniko last accepted the key.
    last_validated_at: datetime | None
    #: The rows of each list in Cliniko, as the newest check of the key counted them; ``None`` without a check.
    totals: Mapping[str, int] | None
    #: The value of a ``FailureCode``; ``None`` while nothing is wrong, as for all ``problem_`` fields.
    problem_code: str | None
    #: A sentence about the problem.
    problem_message: str | None
    #: A sentence about the remedy, for the clinic.
    problem_what_to_do: str | None
    #: When a schedule tries a connection again that Cliniko denied (403).
    retry_at: datetime | None
    #: When the organization was first connected.
    created_at: datetime
    #: When the row last changed.
    updated_at: datetime


class ConnectionValues(TypedDict, total=False):
    """Columns of ``connections`` to write; see ``ConnectionRow``."""

    state: str
    base_url: str
    shard: str
    encrypted_key: bytes
    encryption_key_id: str
    account_name: str | None
    account_subdomain: str | None
    role: str | None
    last_validated_at: datetime | None
    totals: Mapping[str, int] | None
    problem_code: str | None
    problem_message: str | None
    problem_what_to_do: str | None
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A row of ``schedules``."""

    #: The organization that is synced regularly.
    organization_id: str
    #: The most seconds between two syncs.
    every_seconds: int
    #: When the next sync is due.
    next_at: datetime
    #: When the schedule was first due; ``None`` for schedules of earlier versions.
    first_at: datetime | None
    #: Times of day, such as ``06:00,13:00``; ``None`` for an interval.
    times: str | None = None
    #: Days of the week for ``times``, such as ``mon,tue``.
    weekdays: str | None = None
    #: The IANA name of the time zone of ``times``.
    time_zone: str | None = None

    @property
    def local_times(self) -> LocalTimes | None:
        """The times of day at which the organization is synced; ``None`` for an interval."""
        if self.times is None or self.weekdays is None or self.time_zone is None:
            return None
        return stored_local_times(self.times, self.weekdays, self.time_zone)

    @property
    def every(self) -> timedelta:
        """The interval, or the longest time between two local times."""
        return timedelta(seconds=self.every_seconds)

    def after(self, moment: datetime) -> datetime:
        """The first of the schedule's times that is later than ``moment``."""
        if (local_times := self.local_times) is not None:
            return local_times.after(moment)
        return self.next_at + ((moment - self.next_at) // self.every + 1) * self.every


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """A row of ``mirrors``."""

    #: The organization's number in the tables of versions. It is never used again.
    number: int
    #: The organization.
    organization_id: str
    #: The published sync; 0 before the first.
    sync: int
    #: The oldest sync whose rows can still be read.
    oldest_kept: int
    #: The sync that has written a draft; ``None`` without a draft.
    writing: int | None
    #: Whether it mirrors only the recent and upcoming days, as earlier versions did.
    keeps_window: bool
    #: When the published sync was published.
    published_at: datetime | None
    #: The number of patients that Cliniko listed.
    patients_in_cliniko: int
    #: The next incremental sync reads the rows that changed from this time on; ``None`` if it has to be full.
    mark: datetime | None
    #: When the newest full sync was published.
    full_at: datetime | None
    #: Appointments that start before this time are not mirrored.
    horizon_from: datetime | None
    #: Appointments that start after this time are not mirrored; ``None`` without an upper bound.
    horizon_to: datetime | None
    #: The days from ``horizon_from`` to the published sync.
    horizon_days: int | None
    #: The account in Cliniko that was read.
    account: str | None
    #: The format of the mirror. A full sync follows a change of it.
    format: int
    #: When a patient was last erased, or let in again; ``None`` if never.
    erased_at: datetime | None
    #: When all lists were last compared with Cliniko; ``None`` if no sync of this version has compared them.
    compared_at: datetime | None


def as_row(kind: Callable[..., R], row: Sequence[object] | None) -> R | None:
    """A whole row of a table as its type; ``None`` for a row that is missing."""
    return kind(*row) if row is not None else None


def as_rows(kind: Callable[..., R], rows: Iterable[Sequence[object]]) -> list[R]:
    """The same for every row."""
    return [kind(*row) for row in rows]
