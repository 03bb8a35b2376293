"""Requests to a server, and the answers of GraphQL and REST as records of a history.

REST shows a cancelled sync as failed with the failure code CANCELLED; both APIs give the same records here.
"""

from collections.abc import Mapping
from typing import Any

from tests.engines.postgres.histories.records import (
    MOST_ROWS,
    Cancelled,
    Dashboard,
    Json,
    Line,
    Lines,
    Started,
    Sync,
    SyncList,
)

FIGURES = (
    *("step", "currentStep", "patientsFound", "appointmentsFound", "activePatientsIdentified"),
    *("activePatientsStored", "startedAt", "completedAt", "lastUpdated", "mode", "resumesAt", "waitingFor"),
)
SYNC = f"{{ syncId organizationId status version progressPercentage failure {{ code }} {' '.join(FIGURES)} }}"
LINE = "{ id seq time level step message }"
COUNTS = ("totalPatients", "activePatients", "patientsWithUpcoming", "patientsWithRecent", "patientsInCliniko")
OVERVIEW = f"""{{ organizationId status currentSync {SYNC} lastSync {SYNC} lastSuccessfulSync {SYNC}
  patientStats {{ {" ".join(COUNTS)} lastSyncTime }} }}"""

START = f"""mutation ($id: ID!, $mode: SyncMode!) {{
  startSync(organizationId: $id, mode: $mode) {{ created sync {SYNC} }} }}"""
CANCEL = f"mutation ($id: ID!) {{ cancelSync(syncId: $id) {{ message sync {SYNC} }} }}"
STATUS = f"query ($id: ID!) {{ syncStatus(syncId: $id) {SYNC} }}"
LOG = f"query ($id: ID!, $after: Int!) {{ syncStatus(syncId: $id) {{ syncId log(after: $after) {LINE} }} }}"
DASHBOARD = f"query ($id: ID!) {{ dashboard(organizationId: $id) {OVERVIEW} }}"
HISTORY = f"""query ($id: ID!) {{ history(organizationId: $id, limit: {MOST_ROWS}) {{
  organizationId totalSyncs successfulSyncs failedSyncs cancelledSyncs recentSyncs {SYNC} }} }}"""
FOLLOW = f"subscription ($id: ID!) {{ syncProgress(syncId: $id) {SYNC} }}"
FOLLOW_LOG = f"subscription ($id: ID!, $after: Int!) {{ syncLog(syncId: $id, after: $after) {LINE} }}"
FOLLOW_DASHBOARD = f"subscription ($id: ID!) {{ dashboardUpdated(organizationId: $id) {OVERVIEW} }}"

_CAMEL = {
    "step": "step",
    "current_step": "currentStep",
    "patients_found": "patientsFound",
    "appointments_found": "appointmentsFound",
    "active_patients_identified": "activePatientsIdentified",
    "active_patients_stored": "activePatientsStored",
    "records_processed": "activePatientsIdentified",
    "records_success": "activePatientsStored",
    "started_at": "startedAt",
    "completed_at": "completedAt",
    "last_updated": "lastUpdated",
    "mode": "mode",
    "resumes_at": "resumesAt",
    "waiting_for": "waitingFor",
}
"""The keys of REST that show a figure, and GraphQL's names."""
_ENUMS = ("step", "mode", "waiting_for")


def sync_of(shown: Mapping[str, Any]) -> Sync:
    """A sync of GraphQL."""
    figures: dict[str, Json] = {name: shown[name] for name in FIGURES}
    figures["failure"] = shown["failure"]["code"] if shown["failure"] else None
    return Sync(
        *(shown["syncId"], shown["organizationId"], shown["status"], shown["version"], shown["progressPercentage"]),
        figures,
    )


def started_of(shown: Mapping[str, Any]) -> Started:
    return Started(sync_of(shown["sync"]), shown["created"])


def cancelled_of(shown: Mapping[str, Any]) -> Cancelled:
    return Cancelled(sync_of(shown["sync"]), shown["message"] == "Sync cancelled")


def line_of(shown: Mapping[str, Any]) -> Line:
    """A line of GraphQL's ``syncLog`` or ``log``."""
    return _line(shown["id"].rpartition(":")[0], shown)


def lines_of(shown: Mapping[str, Any], after: int) -> Lines:
    return Lines(after, tuple(line_of(line) for line in shown["log"]))


def dashboard_of(shown: Mapping[str, Any]) -> Dashboard:
    current, last, successful = (
        sync_of(shown[name]) if shown[name] else None for name in ("currentSync", "lastSync", "lastSuccessfulSync")
    )
    return Dashboard(
        *(shown["organizationId"], shown["status"], current, last, successful), counts=dict(shown["patientStats"])
    )


def list_of(shown: Mapping[str, Any]) -> SyncList:
    """GraphQL's ``history``."""
    return SyncList(
        shown["organizationId"],
        shown["totalSyncs"],
        shown["successfulSyncs"],
        shown["failedSyncs"],
        shown["cancelledSyncs"],
        tuple(map(sync_of, shown["recentSyncs"])),
    )


def rest_sync_of(shown: Mapping[str, Any], organization: str) -> Sync:
    """A sync of REST: a status, an event of a stream, or a row of the history, which has no version."""
    failure = shown["failure"]["code"] if shown["failure"] else None
    status = "CANCELLED" if failure == "CANCELLED" else shown["status"].upper()
    figures: dict[str, Json] = {"failure": failure}
    for key, name in _CAMEL.items():
        if key in shown:
            value = shown[key]
            figures[name] = value.upper() if key in _ENUMS and value is not None else value
    return Sync(
        shown["sync_id"],
        shown.get("organization_id", organization),
        status,
        shown.get("version"),
        shown["progress_percentage"],
        figures,
    )


def rest_started_of(shown: Mapping[str, Any]) -> Started:
    sync = Sync(shown["sync_id"], shown["organization_id"], shown["status"].upper())
    return Started(sync, shown["message"] == "Sync started")


def rest_cancelled_of(shown: Mapping[str, Any], organization: str) -> Cancelled:
    accepted = shown["message"] == "Sync cancelled"
    status = "CANCELLED" if accepted else shown["message"].rpartition(" ")[2].upper()
    return Cancelled(Sync(shown["sync_id"], organization, status), accepted)


def rest_line_of(shown: Mapping[str, Any]) -> Line:
    return _line(shown["sync_id"], {**shown, "level": shown["level"].upper(), "step": shown["step"].upper()})


def rest_list_of(shown: Mapping[str, Any]) -> SyncList:
    organization = shown["organization_id"]
    return SyncList(
        organization,
        shown["total_syncs"],
        shown["successful_syncs"],
        shown["failed_syncs"] - shown["cancelled_syncs"],
        shown["cancelled_syncs"],
        tuple(rest_sync_of(one, organization) for one in shown["recent_syncs"]),
    )


def _line(sync_id: str, shown: Mapping[str, Any]) -> Line:
    return Line(sync_id, shown["seq"], f"{shown['time']} {shown['level']} {shown['step']} {shown['message']}")
