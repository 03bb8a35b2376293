"""A snapshot of a running sync, to be varied by tests."""

from datetime import UTC, datetime

from routiq_gql.sync.model import SyncMode, SyncSnapshot, SyncState, SyncStep

BEGIN = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)

SNAPSHOT = SyncSnapshot(
    key=1,
    sync_id="sync_org_1_20260302_090000",
    organization_id="org_1",
    mode=SyncMode.FULL,
    status=SyncState.FETCHING_PATIENTS,
    step=SyncStep.FETCHING_PATIENTS,
    progress_percentage=43,
    current_step="300 of 641 patients",
    patients_found=300,
    appointments_found=1247,
    active_patients_identified=89,
    active_patients_stored=0,
    started_at=BEGIN,
    completed_at=None,
    estimated_completion=None,
    resumes_at=None,
    failure=None,
    last_updated=BEGIN,
    version=7,
    last_log_seq=3,
)
