"""The syncs that are watched, their states, and the operations that watch them; the same for all servers."""

import json
from dataclasses import replace

from routiq_gql.clock import utc_now
from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState, SyncStep, percentage

PATIENTS = 100_000
ROWS_PER_PAGE = 100
STEP = SyncStep.FETCHING_PATIENTS
FIRST_VERSION = 1_000
"""The version of the first published state, above those of states that were stored."""

FIELDS = """
  id organizationId syncId mode status step progressPercentage currentStep totalSteps currentStepNumber
  patientsFound appointmentsFound activePatientsIdentified activePatientsStored startedAt completedAt
  estimatedCompletion resumesAt errors failure { code step message whatToDo retryable } lastUpdated version"""
WATCH_SYNC = f"subscription ($syncId: ID!) {{ syncProgress(syncId: $syncId) {{{FIELDS}\n}} }}"
WATCH_SYNC_AND_LOG = (
    f"subscription ($syncId: ID!) {{ syncProgress(syncId: $syncId) {{ log(limit: 1) {{ id }} {FIELDS}\n}} }}"
)
"""The same with a field that is resolved for each event, so that the general way of execution is measured."""
WATCH_LOG = "subscription ($syncId: ID!) { syncLog(syncId: $syncId) { id seq level step message } }"
WATCH_DASHBOARD = """subscription ($organizationId: ID!) { dashboardUpdated(organizationId: $organizationId) {
  id organizationId syncAvailable
  currentSync { id syncId status currentStep progressPercentage lastUpdated version }
  lastSync { id status completedAt }
  patientStats { totalPatients activePatients patientsWithUpcoming patientsWithRecent lastSyncTime }
} }"""
ASK_STATUS = f"query ($syncId: ID!) {{ syncStatus(syncId: $syncId) {{{FIELDS}\n}} }}"


def organization(number: int) -> str:
    return f"org_{number:05}"


def subscribe(query: str, **variables: str) -> bytes:
    """The message that opens a subscription."""
    payload = {"query": query, "variables": variables}
    return json.dumps({"id": "1", "type": "subscribe", "payload": payload}, separators=(",", ":")).encode()


def frame_end(version: int) -> bytes:
    """The end of every frame of ``WATCH_SYNC`` with this version, from any server."""
    return b"%d}}}}" % version


def page_shown(number: int) -> tuple[str, int]:
    """The progress of a sync after a page of patients: the text and the patients found."""
    read = number * ROWS_PER_PAGE % PATIENTS
    return f"{read} of {PATIENTS} patients", read


def next_state(snapshot: SyncSnapshot, version: int) -> SyncSnapshot:
    """The state of a sync after another page of patients."""
    text, read = page_shown(version)
    return replace(
        snapshot,
        version=version,
        current_step=text,
        patients_found=read,
        progress_percentage=percentage(STEP, read / PATIENTS),
        last_updated=utc_now(),
    )


def first_state(number: int) -> SyncSnapshot:
    """A sync that is in memory only."""
    now = utc_now()
    return SyncSnapshot(
        key=number + 1,
        sync_id=f"sync_{organization(number)}_{now:%Y%m%d_%H%M%S}",
        organization_id=organization(number),
        mode=SyncMode.FULL,
        status=SyncState.FETCHING_PATIENTS,
        step=STEP,
        progress_percentage=percentage(STEP, 0),
        current_step=STEP.opening_text,
        patients_found=0,
        appointments_found=0,
        active_patients_identified=0,
        active_patients_stored=0,
        started_at=now,
        completed_at=None,
        estimated_completion=None,
        resumes_at=None,
        failure=None,
        last_updated=now,
        version=FIRST_VERSION,
        last_log_seq=0,
    )
