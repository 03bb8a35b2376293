"""The JSON objects of the REST routes, each declared once: responses, events and the OpenAPI document come from here.

A field takes the attribute of its name from a snapshot, a log line or an overview; ``validation_alias`` names another
attribute. Documented keys come first and in the documented order, newer keys after them. Documented clients wait for
``completed`` or ``failed`` only, so a cancelled sync is shown as failed with the failure code CANCELLED.
"""

from typing import Annotated

from pydantic import AliasPath, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from routiq_gql.api.json_objects import Count, JsonObject, Time, one_of
from routiq_gql.api.problem import Problem
from routiq_gql.api.rest.changes import ChangesOfSync, SyncChangeCounts
from routiq_gql.api.rest.freshness import Freshness, FreshnessOfData
from routiq_gql.api.rest.live_updates import LiveUpdates, LiveUpdatesOfHistory
from routiq_gql.api.rest.log_objects import LOG_OBJECTS
from routiq_gql.api.rest.receipts import RECEIPT_OBJECTS, CompletionRange, Mode, NextSync, Receipt
from routiq_gql.api.rest.start_problems import StartProblem
from routiq_gql.api.rest.steps import STEP_OBJECTS, Actor, StepTiming
from routiq_gql.api.rest.values import Advice, Sentence, StepName, SyncId
from routiq_gql.connections.state import ConnectionState
from routiq_gql.sync.model import TOTAL_STEPS, FailureCode, SyncState, WaitReason


def _status_word(state: SyncState) -> str:
    """One of the eight documented words."""
    return SyncState.FAILED.value if state is SyncState.CANCELLED else state.value


OrganizationId = Annotated[
    str,
    Field(
        pattern="^[A-Za-z0-9_-]{1,64}$",
        description="The organization, as named when it was connected.",
        examples=["org_2xwHiNrj68eaRUlX10anlXGvzX7"],
    ),
]
Status = Annotated[
    str,
    BeforeValidator(_status_word),
    Field(
        description="The status of the sync. A cancelled sync is failed with the failure code CANCELLED.",
        json_schema_extra=one_of(state.value for state in SyncState if state is not SyncState.CANCELLED),
    ),
]
Reason = Annotated[
    str, BeforeValidator(lambda reason: reason.name), Field(json_schema_extra=one_of(WaitReason.__members__))
]
Code = Annotated[
    str,
    Field(
        description="Stable; programs may branch on it.",
        json_schema_extra=one_of(code.value for code in FailureCode),
    ),
]
CurrentStep = Annotated[str, Field(description="The current action, as a sentence for people.")]
Percentage = Annotated[
    Count, Field(le=100, description="0 to 100; never decreases, and is 100 for a completed sync only.")
]
ReceiptOfSync = Annotated[
    Receipt | None,
    Field(
        description="The comparison with Cliniko at the end of the sync. Null before the end, for a sync that did not "
        "complete, and for syncs of earlier versions."
    ),
]
StartedAt = Annotated[Time, Field(description="When the sync was started.")]
CompletedAt = Annotated[Time, Field(description="When it ended, whatever the outcome; null while it runs.")] | None
PatientsFound = Annotated[Count, Field(description="Patients that Cliniko lists.")]
AppointmentsFound = Annotated[
    Count, Field(description="Appointments from the start of the stored history on, individual and group.")
]
Identified = Annotated[Count, Field(description="Active patients found among them.")]
Stored = Annotated[Count, Field(description="Active patients stored; 0 until all are.")]


class Failure(JsonObject):
    """Why a sync failed or was cancelled."""

    code: Code
    step: StepName = Field(description="The step in which it ended.")
    message: Sentence
    what_to_do: Advice
    retryable: bool = Field(description="Whether starting again, unchanged, may succeed.")


class Started(JsonObject):
    """The sync that runs now."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    message: str = Field(
        description="Whether this call started it.",
        json_schema_extra=one_of(("Sync started", "Sync already in progress")),
    )
    sync_id: SyncId = Field(validation_alias=AliasPath("sync", "sync_id"))
    organization_id: OrganizationId = Field(validation_alias=AliasPath("sync", "organization_id"))
    status: Status = Field(validation_alias=AliasPath("sync", "status"))
    problem: StartProblem | SkipJsonSchema[None] = Field(
        None,
        description="Why it will fail, such as a missing connection, or read less than asked. Absent otherwise.",
        exclude_if=lambda problem: problem is None,
    )


class Cancelled(JsonObject):
    """The final state of the sync."""

    message: str = Field(description="“Sync cancelled”, or “Sync already completed” (failed, cancelled).")
    sync_id: SyncId = Field(validation_alias=AliasPath("sync", "sync_id"))
    status: Status = Field(validation_alias=AliasPath("sync", "status"))


class SyncStatus(JsonObject):
    """One state of one sync."""

    organization_id: OrganizationId
    sync_id: SyncId
    status: Status
    progress_percentage: Percentage
    current_step: CurrentStep
    total_steps: Count = Field(TOTAL_STEPS, description="Always 8.")
    current_step_number: int = Field(validation_alias="step", ge=1, le=8, description="1 to 8.")
    patients_found: PatientsFound
    appointments_found: AppointmentsFound
    active_patients_identified: Identified
    active_patients_stored: Stored
    started_at: StartedAt
    completed_at: CompletedAt
    errors: list[str] = Field(description="Why it ended without success, or empty.")
    last_updated: Time = Field(description="When this state was stored.")
    mode: Mode
    step: StepName = Field(description="The step by name.")
    estimated_completion: Time | None = Field(description="When it will probably end; null while unknown.")
    resumes_at: Time | None = Field(description="While it waits: when it resumes, in UTC. Null if it doesn't wait.")
    failure: Failure | None
    version: Count = Field(description="Increases with every state of this sync.")
    waiting_for: Reason | None = Field(description="Why it waits; null if it doesn't.")
    estimated_completion_range: CompletionRange | None
    receipt: ReceiptOfSync
    steps: list[StepTiming] = Field(
        description="The steps that it has entered, in order, without gaps between them. Of a sync that has to read "
        "everything after all: its last pass. Empty for syncs of earlier versions."
    )
    started_by: Actor | None = Field(description="Who or what started it; null for syncs of earlier versions.")
    cancelled_by: Actor | None = Field(
        description="Who ended it before its time, by cancelling it or by disconnecting its organization; or null."
    )
    changes: ChangesOfSync


class _DocumentedFirst(JsonObject):
    """The keys that the dashboard's clients were promised for a running sync, in their order."""

    sync_id: SyncId
    status: Status
    progress_percentage: Percentage
    current_step: CurrentStep
    patients_found: PatientsFound
    appointments_found: AppointmentsFound
    active_patients_identified: Identified
    active_patients_stored: Stored


class CurrentSync(SyncStatus, _DocumentedFirst):  # pydantic orders the fields from the last base class on
    """The running sync."""


class PatientStats(JsonObject):
    """Counts of patients as of the newest completed sync."""

    total_patients: Count = Field(description="Stored active patients, including those no longer active.")
    active_patients: Count = Field(description="Those active now.")
    patients_with_upcoming: Count = Field(description="Active ones with an appointment ahead.")
    patients_with_recent: Count = Field(description="Active ones with a recent appointment; may overlap with upcoming.")
    last_sync_time: Time | None = Field(description="When the newest completed sync ended.")
    patients_in_cliniko: Count = Field(description="Patients that Cliniko listed then.")


class EndedSync(JsonObject):
    """A sync that has ended."""

    status: Status
    started_at: StartedAt
    completed_at: CompletedAt
    records_success: Stored = Field(validation_alias="active_patients_stored")
    sync_id: SyncId
    mode: Mode
    patients_found: PatientsFound
    appointments_found: AppointmentsFound
    failure: Failure | None
    receipt: ReceiptOfSync
    changes: ChangesOfSync


class ConnectionProblem(JsonObject):
    """Why a connection needs attention."""

    code: Code = Field(validation_alias="failure_code")
    message: Sentence
    what_to_do: Advice


class Connection(JsonObject):
    """An organization's access to Cliniko; its API key is never shown."""

    state: str = Field(
        description="Whether it may be used.", json_schema_extra=one_of(state.value for state in ConnectionState)
    )
    account: str | None = Field(
        validation_alias="account_name", description="The clinic's name in Cliniko; null until the key was checked."
    )
    shard: str = Field(description="The part of Cliniko that holds the account, such as au1.")
    role: str | None = Field(description="The Cliniko role of the key's owner.")
    last_validated_at: Time | None = Field(
        description="When Cliniko last accepted the key for every list that a sync reads. A refusal does not change it."
    )
    problem: ConnectionProblem | None


class Dashboard(JsonObject):
    """An overview of one organization."""

    organization_id: OrganizationId
    current_sync: CurrentSync | None
    patient_stats: PatientStats
    last_sync: EndedSync | None
    sync_available: bool = Field(description="Whether there is an enabled connection to Cliniko.")
    last_successful_sync: EndedSync | None
    connection: Connection | None
    next_sync_at: Time | None = Field(description="When its schedule starts the next sync; null without one or paused.")
    next_sync: NextSync | None
    freshness: FreshnessOfData


def _not_stored(earlier: dict[str, int]) -> int:
    """While a sync runs, records that are not stored yet have not failed."""
    return earlier["records_processed"] - earlier["records_success"] if earlier["completed_at"] else 0


class RecentSync(JsonObject):
    """One sync of the history."""

    sync_id: SyncId
    status: Status
    started_at: StartedAt
    completed_at: CompletedAt
    records_processed: Identified = Field(validation_alias="active_patients_identified")
    records_success: Stored = Field(validation_alias="active_patients_stored")
    records_failed: Count = Field(
        default_factory=_not_stored, description="Active patients identified but not stored when the sync ended."
    )
    mode: Mode
    progress_percentage: Percentage
    patients_found: PatientsFound
    appointments_found: AppointmentsFound
    failure: Failure | None
    duration_seconds: float | None = Field(description="How long it took, in seconds; null while it runs.")
    receipt: ReceiptOfSync
    changes: ChangesOfSync


class History(JsonObject):
    """One page of an organization's syncs, newest first, and totals over all of them."""

    organization_id: OrganizationId
    total_syncs: Count = Field(description="All syncs, a running one included.")
    successful_syncs: Count = Field(description="Completed ones.")
    failed_syncs: Count = Field(validation_alias="unsuccessful_syncs", description="Failed and cancelled ones.")
    last_sync_at: Time | None = Field(description="When the newest was started.")
    last_successful_sync_at: Time | None = Field(description="When the newest completed one ended.")
    average_sync_duration_seconds: float | None = Field(
        description="Over completed syncs, in seconds; null before the first."
    )
    recent_syncs: list[RecentSync] = Field(description="This page.")
    cancelled_syncs: Count = Field(description="Cancelled ones, which failed_syncs counts too.")
    next_cursor: str | None = Field(description="Pass as `after` for the next page; null on the last one.")
    live_updates: LiveUpdatesOfHistory


OBJECTS = (
    *(
        Started,
        StartProblem,
        Cancelled,
        SyncStatus,
        CurrentSync,
        Failure,
        *LOG_OBJECTS,
        PatientStats,
        EndedSync,
        Dashboard,
    ),
    *(Connection, ConnectionProblem, RecentSync, History, LiveUpdates, Freshness, *RECEIPT_OBJECTS, *STEP_OBJECTS),
    *(SyncChangeCounts, Problem),
)
"""All of them, in the order of the OpenAPI document."""
