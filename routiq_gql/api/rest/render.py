"""Turns snapshots, log lines and overviews into the documented JSON.

Documented keys come first and in the documented order, newer ones after them. Documented clients wait for
``completed`` or ``failed`` only, so a cancelled sync is shown as failed with the failure code CANCELLED.
"""

from datetime import datetime
from typing import Any

from routiq_gql.clock import format_time
from routiq_gql.connections.state import ConnectionInfo
from routiq_gql.organizations.dashboard import Dashboard, PatientStats
from routiq_gql.organizations.history import History
from routiq_gql.sync.model import TOTAL_STEPS, LogLine, SyncFailure, SyncSnapshot, SyncState

Json = dict[str, Any]


def status_word(state: SyncState) -> str:
    """One of the eight documented words."""
    return SyncState.FAILED.value if state is SyncState.CANCELLED else state.value


def status_json(sync: SyncSnapshot) -> Json:
    """One sync, as polled and as streamed."""
    return {
        "organization_id": sync.organization_id,
        "sync_id": sync.sync_id,
        "status": status_word(sync.status),
        "progress_percentage": sync.progress_percentage,
        "current_step": sync.current_step,
        "total_steps": TOTAL_STEPS,
        "current_step_number": sync.step.value,
        "patients_found": sync.patients_found,
        "appointments_found": sync.appointments_found,
        "active_patients_identified": sync.active_patients_identified,
        "active_patients_stored": sync.active_patients_stored,
        "started_at": format_time(sync.started_at),
        "completed_at": _time(sync.completed_at),
        "errors": sync.errors,
        "last_updated": format_time(sync.last_updated),
        "mode": sync.mode.value,
        "step": sync.step.name.lower(),
        "estimated_completion": _time(sync.estimated_completion),
        "resumes_at": _time(sync.resumes_at),
        "failure": _failure_json(sync.failure),
        "version": sync.version,
        "waiting_for": sync.waiting_for.name if sync.waiting_for else None,
    }


def log_json(line: LogLine) -> Json:
    """One log line, as streamed."""
    return {
        "sync_id": line.sync_id,
        "seq": line.seq,
        "time": format_time(line.time),
        "level": line.level.value,
        "step": line.step.name.lower(),
        "message": line.message,
    }


def dashboard_json(dashboard: Dashboard) -> Json:
    """An overview of one organization."""
    current, last, successful = dashboard.current_sync, dashboard.last_sync, dashboard.last_successful_sync
    return {
        "organization_id": dashboard.organization_id,
        "current_sync": _current_json(current) if current else None,
        "patient_stats": _stats_json(dashboard.patient_stats),
        "last_sync": _last_json(last) if last else None,
        "sync_available": dashboard.sync_available,
        "last_successful_sync": _last_json(successful) if successful else None,
        "connection": _connection_json(dashboard.connection) if dashboard.connection else None,
        "next_sync_at": _time(dashboard.next_sync_at),
    }


def history_json(history: History) -> Json:
    """One page of an organization's syncs. ``failed_syncs`` includes the cancelled ones here."""
    return {
        "organization_id": history.organization_id,
        "total_syncs": history.total_syncs,
        "successful_syncs": history.successful_syncs,
        "failed_syncs": history.failed_syncs + history.cancelled_syncs,
        "last_sync_at": _time(history.last_sync_at),
        "last_successful_sync_at": _time(history.last_successful_sync_at),
        "average_sync_duration_seconds": history.average_sync_duration_seconds,
        "recent_syncs": [_recent_json(sync) for sync in history.recent_syncs],
        "cancelled_syncs": history.cancelled_syncs,
        "next_cursor": history.next_cursor,
    }


def _current_json(sync: SyncSnapshot) -> Json:
    documented = (
        "sync_id",
        "status",
        "progress_percentage",
        "current_step",
        "patients_found",
        "appointments_found",
        "active_patients_identified",
        "active_patients_stored",
    )
    everything = status_json(sync)
    return {key: everything[key] for key in documented} | everything


def _stats_json(stats: PatientStats) -> Json:
    return {
        "total_patients": stats.total_patients,
        "active_patients": stats.active_patients,
        "patients_with_upcoming": stats.patients_with_upcoming,
        "patients_with_recent": stats.patients_with_recent,
        "last_sync_time": _time(stats.last_sync_time),
        "patients_in_cliniko": stats.patients_in_cliniko,
    }


def _last_json(sync: SyncSnapshot) -> Json:
    return {
        "status": status_word(sync.status),
        "started_at": format_time(sync.started_at),
        "completed_at": _time(sync.completed_at),
        "records_success": sync.active_patients_stored,
        "sync_id": sync.sync_id,
        "mode": sync.mode.value,
        "patients_found": sync.patients_found,
        "appointments_found": sync.appointments_found,
        "failure": _failure_json(sync.failure),
    }


def _recent_json(sync: SyncSnapshot) -> Json:
    processed, stored = sync.active_patients_identified, sync.active_patients_stored
    return {
        "sync_id": sync.sync_id,
        "status": status_word(sync.status),
        "started_at": format_time(sync.started_at),
        "completed_at": _time(sync.completed_at),
        "records_processed": processed,
        "records_success": stored,
        # While a sync runs, what is not stored yet has not failed.
        "records_failed": processed - stored if sync.is_terminal else 0,
        "mode": sync.mode.value,
        "progress_percentage": sync.progress_percentage,
        "patients_found": sync.patients_found,
        "appointments_found": sync.appointments_found,
        "failure": _failure_json(sync.failure),
        "duration_seconds": sync.duration_seconds,
    }


def _connection_json(connection: ConnectionInfo) -> Json:
    problem = connection.problem
    return {
        "state": connection.state.value,
        "account": connection.account_name,
        "shard": connection.shard,
        "role": connection.role,
        "last_validated_at": _time(connection.last_validated_at),
        "problem": {
            "code": problem.failure_code.value,
            "message": problem.message,
            "what_to_do": problem.what_to_do,
        }
        if problem
        else None,
    }


def _failure_json(failure: SyncFailure | None) -> Json | None:
    if failure is None:
        return None
    return {
        "code": failure.code.value,
        "step": failure.step.name.lower(),
        "message": failure.message,
        "what_to_do": failure.what_to_do,
        "retryable": failure.retryable,
    }


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment is not None else None
