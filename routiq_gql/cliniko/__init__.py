"""Client for Cliniko's API: reads the lists of an account, checks each response and announces each wait.

Used by the sync and by ``connect``. Of the product it imports only ``addresses`` and ``proxies``. It stores nothing and
logs nothing.
"""

from routiq_gql.cliniko.access import UNNAMED, Access, KeyUser, check_access, check_user
from routiq_gql.cliniko.answers import UnreadableRow
from routiq_gql.cliniko.client import ClinikoClient
from routiq_gql.cliniko.errors import (
    AccountMoved,
    ClinikoError,
    ClinikoUnreachable,
    CountsDisagree,
    InvalidApiKey,
    KeyLacksPermission,
    KeyRefused,
    QueryRefused,
    QueryTooSlow,
    ServerBlocked,
    UnexpectedAnswer,
)
from routiq_gql.cliniko.filters import (
    Horizon,
    booking_in,
    changed_since,
    content_filters,
    every_row,
    ids_between,
    ids_in,
    patient_in,
    unarchived_filters,
)
from routiq_gql.cliniko.keys import base_url_for, check_base_url, clean_key, names_shard, shard_of
from routiq_gql.cliniko.lists import count_list, read_list
from routiq_gql.cliniko.looking import newest_changes
from routiq_gql.cliniko.matching import MOST_IDS, read_matching
from routiq_gql.cliniko.observing import Observer
from routiq_gql.cliniko.pacing import (
    BURST,
    OnWait,
    Pacer,
    PacerRegistry,
    Wait,
    pace_digest,
    rate_limit_message,
    wait_openly,
)
from routiq_gql.cliniko.passes import Page
from routiq_gql.cliniko.practitioners import read_practitioners
from routiq_gql.cliniko.rationing import LEAST_PER_MINUTE, WINDOW_SECONDS, Ration, RationedPacer
from routiq_gql.cliniko.records import (
    AppointmentType,
    Attendee,
    GroupAppointment,
    IndividualAppointment,
    Patient,
    Practitioner,
)
from routiq_gql.cliniko.resources import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    PRACTITIONERS,
    RESOURCES,
    Record,
    Resource,
)
from routiq_gql.cliniko.retries import Backoff

__all__ = [
    "APPOINTMENT_TYPES",
    "ATTENDEES",
    "BURST",
    "GROUP_APPOINTMENTS",
    "INDIVIDUAL_APPOINTMENTS",
    "LEAST_PER_MINUTE",
    "MOST_IDS",
    "PATIENTS",
    "PRACTITIONERS",
    "RESOURCES",
    "UNNAMED",
    "WINDOW_SECONDS",
    "Access",
    "AccountMoved",
    "AppointmentType",
    "Attendee",
    "Backoff",
    "ClinikoClient",
    "ClinikoError",
    "ClinikoUnreachable",
    "CountsDisagree",
    "GroupAppointment",
    "Horizon",
    "IndividualAppointment",
    "InvalidApiKey",
    "KeyLacksPermission",
    "KeyRefused",
    "KeyUser",
    "Observer",
    "OnWait",
    "Pacer",
    "PacerRegistry",
    "Page",
    "Patient",
    "Practitioner",
    "QueryRefused",
    "QueryTooSlow",
    "Ration",
    "RationedPacer",
    "Record",
    "Resource",
    "ServerBlocked",
    "UnexpectedAnswer",
    "UnreadableRow",
    "Wait",
    "base_url_for",
    "booking_in",
    "changed_since",
    "check_access",
    "check_base_url",
    "check_user",
    "clean_key",
    "content_filters",
    "count_list",
    "every_row",
    "ids_between",
    "ids_in",
    "names_shard",
    "newest_changes",
    "pace_digest",
    "patient_in",
    "rate_limit_message",
    "read_list",
    "read_matching",
    "read_practitioners",
    "shard_of",
    "unarchived_filters",
    "wait_openly",
]
