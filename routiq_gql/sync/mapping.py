"""Turns stored rows into the snapshots and log lines that clients see, and the progress of a run into columns."""

from datetime import datetime

from routiq_gql.clock import utc_now
from routiq_gql.database.rows import LogRow, SyncRow
from routiq_gql.database.sync_changes import RunningChanges, SyncValues
from routiq_gql.sync.actors import ActorKind, SyncActor
from routiq_gql.sync.change_counts import read_changes
from routiq_gql.sync.checkpoint import Starting
from routiq_gql.sync.checkpoint_json import to_json
from routiq_gql.sync.model import (
    FailureCode,
    LogLevel,
    LogLine,
    Progress,
    SyncFailure,
    SyncMode,
    SyncSnapshot,
    SyncState,
    SyncStep,
    WaitReason,
    percentage,
)
from routiq_gql.sync.receipt import read_receipt
from routiq_gql.sync.step_times import StepEntry, entering, read_entries
from routiq_gql.sync.step_times import to_json as entries_to_json
from routiq_gql.tracing.origin import TraceOrigin

# Looking a member up takes a tenth of the time of LogLevel(…), and a log has thousands of lines.
_LEVELS = {level.value: level for level in LogLevel}
_STEPS = {step.value: step for step in SyncStep}


def snapshot_of(row: SyncRow) -> SyncSnapshot:
    """The snapshot that a row of ``syncs`` holds."""
    failure = None
    if row.failure_code is not None:
        failure = SyncFailure(
            code=FailureCode(row.failure_code),
            step=SyncStep(row.failure_step or row.step),
            message=row.failure_message or "",
            what_to_do=row.failure_what_to_do or "",
        )
    return SyncSnapshot(
        key=row.key,
        sync_id=row.sync_id,
        organization_id=row.organization_id,
        mode=SyncMode(row.mode),
        status=SyncState(row.status),
        step=SyncStep(row.step),
        progress_percentage=row.progress_percentage,
        current_step=row.current_step,
        patients_found=row.patients_found,
        appointments_found=row.appointments_found,
        active_patients_identified=row.active_patients_identified,
        active_patients_stored=row.active_patients_stored,
        started_at=row.started_at,
        completed_at=row.completed_at,
        estimated_completion=row.estimated_completion,
        resumes_at=row.resumes_at,
        failure=failure,
        last_updated=row.last_updated,
        version=row.version,
        last_log_seq=row.last_log_seq,
        waiting_for=WaitReason(row.waiting_for) if row.waiting_for is not None else None,
        estimated_earliest=row.estimated_earliest,
        estimated_latest=row.estimated_latest,
        receipt=read_receipt(row.receipt) if row.receipt is not None else None,
        entries=read_entries(row.steps),
        waited_seconds=row.waited_seconds,
        started_by=_actor(row.started_by, row.started_by_name),
        cancelled_by=_actor(row.cancelled_by, row.cancelled_by_name),
        changes=read_changes(row.changes),
        trace_span=row.trace_span,
        is_live_update=row.refresh,
    )


def _actor(kind: str | None, name: str | None) -> SyncActor | None:
    return SyncActor(ActorKind(kind), name) if kind is not None else None


def log_line_of(sync_id: str, row: LogRow) -> LogLine:
    """The log line that a row of ``sync_log`` holds."""
    return LogLine(sync_id, row.seq, row.time, _LEVELS[row.level], _STEPS[row.step], row.message)


def columns_of_step(step: SyncStep) -> RunningChanges:
    """The columns of a sync that enters ``step``."""
    return {
        "status": step.state.value,
        "step": step.value,
        "current_step": step.opening_text,
        "progress_percentage": percentage(step, 0),
        "resumes_at": None,
        "waiting_for": None,
    }


def columns_of_progress(progress: Progress, step: SyncStep) -> RunningChanges:
    """The columns of a sync that shows this progress within ``step``."""
    changes: RunningChanges = {}
    if progress.fraction is not None:
        changes["progress_percentage"] = percentage(step, progress.fraction)
    if progress.text is not None:
        changes["current_step"] = progress.text
    if progress.patients_found is not None:
        changes["patients_found"] = progress.patients_found
    if progress.appointments_found is not None:
        changes["appointments_found"] = progress.appointments_found
    if progress.active_patients_identified is not None:
        changes["active_patients_identified"] = progress.active_patients_identified
    return changes


def columns_of_entry(sync: SyncSnapshot, step: int, waited_seconds: float) -> RunningChanges:
    """The columns that note the entry of ``sync`` into ``step``; none if it is not its first, or is not noted."""
    entries = entering(sync.entries, step, utc_now(), waited_seconds)
    return {"steps": entries_to_json(entries)} if entries != sync.entries else {}


def first_values(
    mode: SyncMode,
    now: datetime,
    started_by: SyncActor | None = None,
    origin: TraceOrigin | None = None,
    *,
    refresh: bool = False,
) -> SyncValues:
    """The columns of a new sync."""
    return {
        "mode": mode.value,
        "status": SyncState.STARTING.value,
        "step": SyncStep.INITIALIZING.value,
        "progress_percentage": 0,
        "current_step": SyncStep.INITIALIZING.opening_text,
        "patients_found": 0,
        "appointments_found": 0,
        "active_patients_identified": 0,
        "active_patients_stored": 0,
        "started_at": now,
        "last_updated": now,
        "checkpoint": to_json(Starting()),
        "last_log_seq": 0,
        "steps": entries_to_json((StepEntry(SyncStep.INITIALIZING.value, now, 0.0),)),
        "started_by": started_by.kind.value if started_by is not None else None,
        "started_by_name": started_by.name if started_by is not None else None,
        "trace_parent": origin.parent if origin is not None else None,
        "trace_state": origin.state or None if origin is not None else None,
        "refresh": refresh,
    }
