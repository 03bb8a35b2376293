"""What the span of a sync says about it: ids of ours, states and counts, and nothing of a patient.

``SyncRunner`` calls this, and only when traces are on.
"""

from typing import TYPE_CHECKING

from routiq_gql.database.rows import SyncRow
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import SyncSnapshot, SyncState
from routiq_gql.tracing import names
from routiq_gql.tracing.origin import TraceOrigin

if TYPE_CHECKING:
    from routiq_gql.tracing.spans import Tracing
    from routiq_gql.tracing.syncs import SyncSpan


def begin_span(tracing: "Tracing", row: SyncRow) -> "SyncSpan":
    """The span of the run that has claimed this row."""
    snapshot = snapshot_of(row)
    origin = TraceOrigin(row.trace_parent, row.trace_state or "") if row.trace_parent is not None else None
    described: dict[str, str | int | float] = {
        names.ORGANIZATION_ID: snapshot.organization_id,
        names.SYNC_ID: snapshot.sync_id,
        names.SYNC_CLAIM: row.epoch,
    }
    return tracing.sync(origin, snapshot.trace_span, snapshot.step.name, described)


def end_span(span: "SyncSpan", outcome: str, snapshot: SyncSnapshot) -> None:
    """End the span of a run that has ended the sync, or leaves it to another run."""
    described = {
        names.SYNC_MODE: snapshot.mode.value,
        names.SYNC_STATUS: snapshot.status.value,
        names.PATIENTS_FOUND: snapshot.patients_found,
        names.APPOINTMENTS_FOUND: snapshot.appointments_found,
        names.ACTIVE_PATIENTS: snapshot.active_patients_identified,
        names.WAITED_SECONDS: round(snapshot.waited_seconds, 3),
    }
    failure = snapshot.failure
    span.end(outcome, described, failure.code.value if failure and snapshot.status is SyncState.FAILED else None)
