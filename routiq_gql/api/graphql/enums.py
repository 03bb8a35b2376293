"""The enums of the schema, with a description for every value.

They repeat the names of ``sync/model.py`` and ``patients``, which know no GraphQL; a test keeps them alike. A domain
value is turned into one of these by its name: ``SyncState[snapshot.status.name]``.
"""

from enum import Enum

from strawberry import enum, enum_value


@enum(description="The status of a sync; IDLE is that of an organization without a running one.")
class SyncState(Enum):
    IDLE = enum_value("IDLE", description="No sync is running.")
    STARTING = enum_value("STARTING", description="The sync is being set up: steps 1 to 3.")
    FETCHING_PATIENTS = enum_value("FETCHING_PATIENTS", description="Patients are read from Cliniko: step 4.")
    FETCHING_APPOINTMENTS = enum_value(
        "FETCHING_APPOINTMENTS", description="Appointments and their types are read from Cliniko: steps 5 and 6."
    )
    ANALYZING = enum_value("ANALYZING", description="Active patients are identified: step 7.")
    STORING = enum_value("STORING", description="Active patients are stored: step 8.")
    COMPLETED = enum_value("COMPLETED", description="Ended, and everything is stored.")
    FAILED = enum_value("FAILED", description="Ended without success; what was stored before is unchanged.")
    CANCELLED = enum_value("CANCELLED", description="Ended by a person; what was stored before is unchanged.")


@enum(description="How much a sync reads from Cliniko.")
class SyncMode(Enum):
    AUTO = enum_value(
        "AUTO",
        description="The server chooses: FULL the first time, at regular intervals, and after a change of the key or "
        "of the stored history; otherwise INCREMENTAL.",
    )
    FULL = enum_value("FULL", description="Everything is read.")
    INCREMENTAL = enum_value(
        "INCREMENTAL",
        description="Only changes since the last completed sync are read, and counts are compared with Cliniko. The "
        "sync becomes FULL where that is not possible; its log says why.",
    )
    TIME_ONLY = enum_value(
        "TIME_ONLY",
        description="Nothing is read: the server has published what time alone has changed, such as a patient who is "
        "no longer active. Only as a result; `startSync` refuses it.",
    )


@enum(description="The eight steps of a sync, in their order.")
class SyncStep(Enum):
    INITIALIZING = enum_value("INITIALIZING", description="Step 1, 0 to 12 %: setting up.")
    CHECKING_CONFIG = enum_value("CHECKING_CONFIG", description="Step 2, 12 to 25 %: is there a connection?")
    CHECKING_CREDENTIALS = enum_value(
        "CHECKING_CREDENTIALS", description="Step 3, 25 to 37 %: does Cliniko accept the API key?"
    )
    FETCHING_PATIENTS = enum_value("FETCHING_PATIENTS", description="Step 4, 37 to 50 %: reading patients.")
    FETCHING_APPOINTMENTS = enum_value("FETCHING_APPOINTMENTS", description="Step 5, 50 to 62 %: reading appointments.")
    LOADING_TYPES = enum_value("LOADING_TYPES", description="Step 6, 62 to 75 %: reading appointment types.")
    ANALYZING = enum_value("ANALYZING", description="Step 7, 75 to 87 %: identifying active patients.")
    STORING = enum_value("STORING", description="Step 8, 87 to 100 %: storing active patients, all at once.")


@enum(description="Why a running sync waits before it resumes by itself. Waits of up to one second are not shown.")
class WaitReason(Enum):
    RATE_LIMIT = enum_value(
        "RATE_LIMIT",
        description="Cliniko's limit of requests per minute is reached, or this server spaces its requests to stay "
        "below it.",
    )
    CLINIKO_RETRY = enum_value(
        "CLINIKO_RETRY",
        description="A request to Cliniko failed, for example with a timeout or a server error, and is repeated.",
    )
    DATABASE = enum_value(
        "DATABASE", description="The server's own database can't be used at the moment: busy, full or unreachable."
    )


@enum(description="How the stored data of an organization is kept up to date.")
class FreshnessMode(Enum):
    ON_DEMAND = enum_value("ON_DEMAND", description="By syncs that people start.")
    SCHEDULED = enum_value("SCHEDULED", description="By the organization's schedule, too.")
    LIVE = enum_value(
        "LIVE",
        description="By looks at Cliniko every `lookIntervalSeconds`. A look that finds a change starts a sync of it; "
        "every 15 minutes a sync compares the lists.",
    )
    UNWATCHED = enum_value(
        "UNWATCHED",
        description="Like LIVE, but by rarer looks, as no client has read the organization for five minutes. It is "
        "LIVE again a second or two after a query or subscription.",
    )


@enum(description="Who or what asked for the start or the end of a sync.")
class SyncActorKind(Enum):
    PERSON = enum_value("PERSON", description="A request to the API, by a person or a program.")
    SCHEDULE = enum_value("SCHEDULE", description="The organization's schedule.")
    TERMINAL = enum_value("TERMINAL", description="A command of `routiq-gql` on the server.")


@enum(description="Whether an organization's connection to Cliniko may be used.")
class ConnectionState(Enum):
    CONNECTED = enum_value("CONNECTED", description="Syncs use it.")
    DISABLED = enum_value("DISABLED", description="It was switched off, and its API key removed.")
    NEEDS_ATTENTION = enum_value(
        "NEEDS_ATTENTION",
        description="Cliniko did not accept the API key when it was last used; `problem` says why.",
    )


@enum(description="The severity of a log line.")
class LogLevel(Enum):
    INFO = enum_value("INFO", description="Progress.")
    SUCCESS = enum_value("SUCCESS", description="A result.")
    WARNING = enum_value("WARNING", description="Worth a look: the sync continues, or was ended on purpose.")
    ERROR = enum_value("ERROR", description="The reason why the sync failed.")


@enum(description="Why a sync ended without success. Programs may branch on it.")
class SyncFailureCode(Enum):
    CONNECTION_MISSING = enum_value(
        "CONNECTION_MISSING", description="The organization has no connection to Cliniko that can be used."
    )
    CONNECTION_DISABLED = enum_value("CONNECTION_DISABLED", description="Its connection is switched off.")
    KEY_REFUSED = enum_value("KEY_REFUSED", description="Cliniko does not accept the API key.")
    KEY_LACKS_PERMISSION = enum_value(
        "KEY_LACKS_PERMISSION", description="The API key's user may not read a list that a sync needs."
    )
    ACCOUNT_MOVED = enum_value("ACCOUNT_MOVED", description="Cliniko serves the account at another address now.")
    CLINIKO_UNREACHABLE = enum_value(
        "CLINIKO_UNREACHABLE", description="Cliniko did not answer, or only with errors, in every attempt."
    )
    CLINIKO_UNEXPECTED_ANSWER = enum_value(
        "CLINIKO_UNEXPECTED_ANSWER", description="Cliniko's answer was inconsistent or malformed."
    )
    TIME_LIMIT = enum_value("TIME_LIMIT", description="The sync exceeded its time limit.")
    CANCELLED = enum_value("CANCELLED", description="A person cancelled it.")
    INTERNAL = enum_value("INTERNAL", description="An error of this server.")


@enum(description="Why the sync in the answer to `startSync` will not do as asked. Programs may branch on it.")
class StartSyncProblemCode(Enum):
    CONNECTION_MISSING = enum_value(
        "CONNECTION_MISSING",
        description="The organization has no connection to Cliniko: the sync fails in step 2, CHECKING_CONFIG.",
    )
    CONNECTION_DISABLED = enum_value(
        "CONNECTION_DISABLED",
        description="The organization's connection is switched off: the sync fails in step 2, CHECKING_CONFIG.",
    )
    CONNECTION_NEEDS_ATTENTION = enum_value(
        "CONNECTION_NEEDS_ATTENTION",
        description="Cliniko did not accept the API key when it was last used. Unless that was corrected in Cliniko, "
        "the sync fails in step 3, CHECKING_CREDENTIALS.",
    )
    OTHER_MODE_RUNS = enum_value(
        "OTHER_MODE_RUNS",
        description="FULL was asked for, and a sync in another mode runs already. It keeps its mode, and may not read "
        "everything.",
    )


@enum(description="Why `cancelSync` did not end the sync. Programs may branch on it.")
class CancelSyncProblemCode(Enum):
    ALREADY_ENDED = enum_value(
        "ALREADY_ENDED", description="The sync had completed, failed or been cancelled before; `status` says which."
    )


@enum(description="Why a mutation of webhooks has changed nothing. Programs may branch on it.")
class WebhookProblemCode(Enum):
    LIMIT_REACHED = enum_value("LIMIT_REACHED", description="The organization has as many webhooks as it may have: 10.")
    ALREADY_PENDING = enum_value("ALREADY_PENDING", description="The delivery waits to be sent already.")
    WEBHOOK_DISABLED = enum_value("WEBHOOK_DISABLED", description="The webhook is disabled, so nothing is sent to it.")


@enum(
    description="A list of patients, at the moment of a sync's analysis. `patientLists` says how each is counted. A "
    "visit is a past appointment that was neither cancelled nor missed."
)
class PatientList(Enum):
    ALL = enum_value("ALL", description="Patients whom Cliniko lists: neither archived, deleted nor merged away.")
    ACTIVE = enum_value(
        "ACTIVE", description="An appointment that is not cancelled in the recent or the upcoming window."
    )
    RECENT = enum_value("RECENT", description="A visit in the recent window.")
    UPCOMING = enum_value("UPCOMING", description="A booked appointment in the upcoming window.")
    NO_FUTURE_APPOINTMENT = enum_value(
        "NO_FUTURE_APPOINTMENT", description="A visit within the last weeks, 26 by default, and nothing booked."
    )
    CANCELLED_NOT_REBOOKED = enum_value(
        "CANCELLED_NOT_REBOOKED",
        description="The newest cancelled appointment is at most 30 days away, with no later booking.",
    )
    MISSED_NOT_REBOOKED = enum_value(
        "MISSED_NOT_REBOOKED",
        description="The newest missed appointment is at most 30 days ago, with no later booking.",
    )
    FIRST_VISIT_ONLY = enum_value(
        "FIRST_VISIT_ONLY", description="A new patient with one visit, 14 to 180 days ago, and nothing booked."
    )
    LAPSED = enum_value(
        "LAPSED",
        description="At least three visits, the last one longer ago than twice the usual interval, and nothing booked.",
    )


@enum(description="The order of a list. Patients without such an appointment come last in both directions.")
class PatientSort(Enum):
    NAME = enum_value("NAME", description="By last name, then first name. Patients without a name come last.")
    NAME_DESC = enum_value("NAME_DESC", description="The same from the end.")
    LAST_APPOINTMENT = enum_value("LAST_APPOINTMENT", description="By the last visit, the oldest first.")
    LAST_APPOINTMENT_DESC = enum_value("LAST_APPOINTMENT_DESC", description="By the last visit, the newest first.")
    NEXT_APPOINTMENT = enum_value("NEXT_APPOINTMENT", description="By the next booking, the soonest first.")
    NEXT_APPOINTMENT_DESC = enum_value("NEXT_APPOINTMENT_DESC", description="By the next booking, the latest first.")


@enum(description="An event that is sent to webhooks. A request has the name in its second form.")
class WebhookEvent(Enum):
    SYNC_COMPLETED = enum_value("SYNC_COMPLETED", description="`sync.completed`: a sync has published its results.")
    SYNC_FAILED = enum_value("SYNC_FAILED", description="`sync.failed`: a sync has failed or was cancelled.")
    CONNECTION_NEEDS_ATTENTION = enum_value(
        "CONNECTION_NEEDS_ATTENTION",
        description="`connection.needs_attention`: Cliniko no longer accepts the organization's API key.",
    )
    PATIENT_BECAME_ACTIVE = enum_value(
        "PATIENT_BECAME_ACTIVE", description="`patient.became_active`: a patient has become active."
    )
    PATIENT_BECAME_INACTIVE = enum_value(
        "PATIENT_BECAME_INACTIVE", description="`patient.became_inactive`: a patient is no longer active."
    )
    WEBHOOK_TEST = enum_value(
        "WEBHOOK_TEST",
        description="`webhook.test`: `testWebhook` was called. Only as a result; no webhook is registered for it.",
    )


@enum(description="How far the delivery of an event to a webhook is.")
class WebhookDeliveryState(Enum):
    PENDING = enum_value("PENDING", description="It waits for its first attempt or the next one.")
    DELIVERED = enum_value("DELIVERED", description="The receiver has answered with a 2xx status.")
    FAILED = enum_value(
        "FAILED", description="It is not tried again by itself: `repeatWebhookDelivery`, or enable the webhook."
    )
