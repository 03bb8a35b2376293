"""The columns of ``syncs`` that are written when a sync starts, while it runs, and when it ends.

A column that is left out of a change stays as it is.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict


class SyncValues(TypedDict):
    """The columns of a new sync, all required; see ``SyncRow`` for the meaning of each column."""

    mode: str
    status: str
    step: int
    progress_percentage: int
    current_step: str
    patients_found: int
    appointments_found: int
    active_patients_identified: int
    active_patients_stored: int
    started_at: datetime
    last_updated: datetime
    checkpoint: Mapping[str, object]
    last_log_seq: int
    steps: Mapping[str, object]
    started_by: str | None
    started_by_name: str | None
    trace_parent: str | None
    trace_state: str | None
    refresh: bool


class RunningChanges(TypedDict, total=False):
    """The columns that the run of a sync may change; see ``SyncRow`` for the meaning of each column.

    ``progress_percentage`` never falls: a lower value is ignored.
    """

    status: str
    mode: str
    step: int
    progress_percentage: int
    current_step: str
    patients_found: int
    appointments_found: int
    active_patients_identified: int
    estimated_completion: datetime | None
    estimated_earliest: datetime | None
    estimated_latest: datetime | None
    requests: int
    waited_seconds: float
    baseline: bool
    time_zone: str | None
    analyzed_at: datetime
    recent_days: int
    upcoming_days: int
    seen_within_weeks: int
    horizon_from: datetime
    rules: int
    resumes_at: datetime | None
    waiting_for: str | None
    checkpoint: Mapping[str, object]
    claimed_by: str | None
    lost_claims: int
    pauses: int
    steps: Mapping[str, object]
    trace_span: str | None


class FinalChanges(TypedDict, total=False):
    """The columns that the end of a sync changes, besides ``completed_at``, which ``end_sync`` writes itself."""

    status: str
    progress_percentage: int
    current_step: str
    active_patients_stored: int
    estimated_completion: None
    estimated_earliest: None
    estimated_latest: None
    requests: int
    waited_seconds: float
    receipt: Mapping[str, object]
    changes: Mapping[str, object] | None
    resumes_at: None
    waiting_for: None
    failure_code: str
    failure_step: int
    failure_message: str
    failure_what_to_do: str
    cancelled_by: str
    cancelled_by_name: str | None
