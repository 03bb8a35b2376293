"""The JSON objects of the REST routes, described as OpenAPI schemas, written by hand as data.

A test compares them with real answers, key by key and in order; whoever changes ``render.py`` changes this.
"""

from typing import Any

from routiq_gql.connections.state import ConnectionState
from routiq_gql.sync.model import FailureCode, LogLevel, SyncMode, SyncState, SyncStep, WaitReason

Json = dict[str, Any]

STATUSES = [state.value for state in SyncState if state is not SyncState.CANCELLED]
WAIT_REASONS = [reason.name for reason in WaitReason]
STEPS = [step.name.lower() for step in SyncStep]


def text(description: str, **more: Any) -> Json:
    return {"type": "string", "description": description, **more}


def number(description: str, **more: Any) -> Json:
    return {"type": "integer", "minimum": 0, "description": description, **more}


def _time(description: str) -> Json:
    return text(description, format="date-time", examples=["2024-12-22T14:30:22.123Z"])


def _nullable(schema: Json) -> Json:
    if "$ref" in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(description: str, properties: Json, *, optional: Json | None = None) -> Json:
    return {
        "type": "object",
        "description": description,
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
    }


ORGANIZATION_ID = text(
    "The organization, as named when it was connected.",
    pattern="^[A-Za-z0-9_-]{1,64}$",
    examples=["org_2xwHiNrj68eaRUlX10anlXGvzX7"],
)
SYNC_ID = text(
    "The sync.", pattern="^sync_[A-Za-z0-9_-]{1,96}$", examples=["sync_org_2xwHiNrj68eaRUlX10anlXGvzX7_20241222_143022"]
)
STATUS = text("The status of the sync. A cancelled sync is failed with the failure code CANCELLED.", enum=STATUSES)
MODE = text("How much is read from Cliniko.", enum=[mode.value for mode in SyncMode])
STARTED_AT = _time("When the sync was started.")
COMPLETED_AT = _nullable(_time("When it ended, whatever the outcome; null while it runs."))
PERCENTAGE = number("0 to 100; never decreases, and is 100 for a completed sync only.", maximum=100)
CURRENT_STEP = text("The current action, as a sentence for people.")
PATIENTS_FOUND = number("Patients that Cliniko lists.")
APPOINTMENTS_FOUND = number("Appointments within the window, individual and group.")
IDENTIFIED = number("Active patients found among them.")
STORED = number("Active patients stored; 0 until all are.")
FAILURE = _nullable(ref("Failure"))

_STATUS: Json = {
    "organization_id": ORGANIZATION_ID,
    "sync_id": SYNC_ID,
    "status": STATUS,
    "progress_percentage": PERCENTAGE,
    "current_step": CURRENT_STEP,
    "total_steps": number("Always 8."),
    "current_step_number": number("1 to 8.", minimum=1, maximum=8),
    "patients_found": PATIENTS_FOUND,
    "appointments_found": APPOINTMENTS_FOUND,
    "active_patients_identified": IDENTIFIED,
    "active_patients_stored": STORED,
    "started_at": STARTED_AT,
    "completed_at": COMPLETED_AT,
    "errors": {"type": "array", "items": {"type": "string"}, "description": "Why it ended without success, or empty."},
    "last_updated": _time("When this state was stored."),
    "mode": MODE,
    "step": text("The step by name.", enum=STEPS),
    "estimated_completion": _nullable(_time("When it will probably end; null while unknown.")),
    "resumes_at": _nullable(_time("While it waits: when it resumes, in UTC. Null if it doesn't wait.")),
    "failure": FAILURE,
    "version": number("Increases with every state of this sync."),
    "waiting_for": _nullable(text("Why it waits; null if it doesn't.", enum=[*WAIT_REASONS, None])),
}

_CURRENT_KEYS = (
    "sync_id",
    "status",
    "progress_percentage",
    "current_step",
    "patients_found",
    "appointments_found",
    "active_patients_identified",
    "active_patients_stored",
)

SCHEMAS: Json = {
    "Started": _object(
        "The sync that runs now.",
        {
            "message": text("Whether this call started it.", enum=["Sync started", "Sync already in progress"]),
            "sync_id": SYNC_ID,
            "organization_id": ORGANIZATION_ID,
            "status": STATUS,
        },
    ),
    "Cancelled": _object(
        "The final state of the sync.",
        {
            "message": text("“Sync cancelled”, or “Sync already completed” (failed, cancelled)."),
            "sync_id": SYNC_ID,
            "status": STATUS,
        },
    ),
    "SyncStatus": _object("One state of one sync.", _STATUS),
    "CurrentSync": _object("The running sync.", {key: _STATUS[key] for key in _CURRENT_KEYS} | _STATUS),
    "Failure": _object(
        "Why a sync failed or was cancelled.",
        {
            "code": text("Stable; programs may branch on it.", enum=[code.value for code in FailureCode]),
            "step": text("The step in which it ended.", enum=STEPS),
            "message": text("What happened, as a sentence for people."),
            "what_to_do": text("What to do, as a sentence for people."),
            "retryable": {"type": "boolean", "description": "Whether starting again, unchanged, may succeed."},
        },
    ),
    "LogLine": _object(
        "One line of a sync's log.",
        {
            "sync_id": SYNC_ID,
            "seq": number("Counts from 1 without gaps.", minimum=1),
            "time": _time("When it was written."),
            "level": text("Its severity.", enum=[level.value for level in LogLevel]),
            "step": text("The step by name.", enum=STEPS),
            "message": text("What happened, as a sentence for people."),
        },
    ),
    "PatientStats": _object(
        "Counts of patients as of the newest completed sync.",
        {
            "total_patients": number("Stored active patients, including those no longer active."),
            "active_patients": number("Those active now."),
            "patients_with_upcoming": number("Active ones with an appointment ahead."),
            "patients_with_recent": number("Active ones with a recent appointment; may overlap with upcoming."),
            "last_sync_time": _nullable(_time("When the newest completed sync ended.")),
            "patients_in_cliniko": number("Patients that Cliniko listed then."),
        },
    ),
    "EndedSync": _object(
        "A sync that has ended.",
        {
            "status": STATUS,
            "started_at": STARTED_AT,
            "completed_at": COMPLETED_AT,
            "records_success": STORED,
            "sync_id": SYNC_ID,
            "mode": MODE,
            "patients_found": PATIENTS_FOUND,
            "appointments_found": APPOINTMENTS_FOUND,
            "failure": FAILURE,
        },
    ),
    "Dashboard": _object(
        "An overview of one organization.",
        {
            "organization_id": ORGANIZATION_ID,
            "current_sync": _nullable(ref("CurrentSync")),
            "patient_stats": ref("PatientStats"),
            "last_sync": _nullable(ref("EndedSync")),
            "sync_available": {"type": "boolean", "description": "Whether there is an enabled connection to Cliniko."},
            "last_successful_sync": _nullable(ref("EndedSync")),
            "connection": _nullable(ref("Connection")),
            "next_sync_at": _nullable(_time("When its schedule starts the next sync; null without one or paused.")),
        },
    ),
    "Connection": _object(
        "An organization's access to Cliniko; its API key is never shown.",
        {
            "state": text("Whether it may be used.", enum=[state.value for state in ConnectionState]),
            "account": _nullable(text("The clinic's name in Cliniko; null until the key was checked.")),
            "shard": text("The part of Cliniko that holds the account, such as au1."),
            "role": _nullable(text("The Cliniko role of the key's owner.")),
            "last_validated_at": _nullable(
                _time(
                    "When Cliniko last accepted the key for every list that a sync reads. A refusal does not change it."
                )
            ),
            "problem": _nullable(ref("ConnectionProblem")),
        },
    ),
    "ConnectionProblem": _object(
        "Why a connection needs attention.",
        {
            "code": text("Stable; programs may branch on it.", enum=[code.value for code in FailureCode]),
            "message": text("What happened, as a sentence for people."),
            "what_to_do": text("What to do, as a sentence for people."),
        },
    ),
    "RecentSync": _object(
        "One sync of the history.",
        {
            "sync_id": SYNC_ID,
            "status": STATUS,
            "started_at": STARTED_AT,
            "completed_at": COMPLETED_AT,
            "records_processed": IDENTIFIED,
            "records_success": STORED,
            "records_failed": number("Active patients identified but not stored when the sync ended."),
            "mode": MODE,
            "progress_percentage": PERCENTAGE,
            "patients_found": PATIENTS_FOUND,
            "appointments_found": APPOINTMENTS_FOUND,
            "failure": FAILURE,
            "duration_seconds": {
                "type": ["number", "null"],
                "description": "How long it took, in seconds; null while it runs.",
            },
        },
    ),
    "History": _object(
        "One page of an organization's syncs, newest first, and totals over all of them.",
        {
            "organization_id": ORGANIZATION_ID,
            "total_syncs": number("All syncs, a running one included."),
            "successful_syncs": number("Completed ones."),
            "failed_syncs": number("Failed and cancelled ones."),
            "last_sync_at": _nullable(_time("When the newest was started.")),
            "last_successful_sync_at": _nullable(_time("When the newest completed one ended.")),
            "average_sync_duration_seconds": {
                "type": ["number", "null"],
                "description": "Over completed syncs, in seconds; null before the first.",
            },
            "recent_syncs": {"type": "array", "items": ref("RecentSync"), "description": "This page."},
            "cancelled_syncs": number("Cancelled ones, which failed_syncs counts too."),
            "next_cursor": _nullable(text("Pass as `after` for the next page; null on the last one.")),
        },
    ),
    "Problem": _object(
        "Why a request failed (application/problem+json); it has no member `status`.",
        {
            "type": text("Always about:blank."),
            "title": text("The kind of problem."),
            "detail": text("This problem, as a sentence for people."),
            "code": text("Stable; programs may branch on it.", examples=["SYNC_NOT_FOUND", "BAD_USER_INPUT"]),
        },
        optional={"reference": text("For an error of the server: the reference under which its log has the reason.")},
    ),
}
