"""Client for Cliniko's API: reads the lists of an account, checks each response and announces each wait.

Used by the sync and by ``connect``. Of the product it imports only ``addresses`` and ``proxies``. It stores nothing and
logs nothing.
"""

from routiq_gql.cliniko.access import Access, check_access
from routiq_gql.cliniko.answers import UnreadableRow
from routiq_gql.cliniko.client import ClinikoClient
from routiq_gql.cliniko.errors import (
    AccountMoved,
    ClinikoError,
    ClinikoUnreachable,
    InvalidApiKey,
    KeyLacksPermission,
    KeyRefused,
    QueryRefused,
    ServerBlocked,
    UnexpectedAnswer,
)
from routiq_gql.cliniko.keys import base_url_for, check_base_url, clean_key, names_shard, shard_of
from routiq_gql.cliniko.lists import read_list
from routiq_gql.cliniko.pacing import (
    BURST,
    OnWait,
    Pacer,
    PacerRegistry,
    Wait,
    rate_limit_message,
    wait_openly,
)
from routiq_gql.cliniko.passes import Page
from routiq_gql.cliniko.records import AppointmentType, Attendee, GroupAppointment, IndividualAppointment, Patient
from routiq_gql.cliniko.resources import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    RESOURCES,
    Record,
    Resource,
    booking_in,
    starts_between,
)
from routiq_gql.cliniko.retries import Backoff

__all__ = [
    "APPOINTMENT_TYPES",
    "ATTENDEES",
    "BURST",
    "GROUP_APPOINTMENTS",
    "INDIVIDUAL_APPOINTMENTS",
    "PATIENTS",
    "RESOURCES",
    "Access",
    "AccountMoved",
    "AppointmentType",
    "Attendee",
    "Backoff",
    "ClinikoClient",
    "ClinikoError",
    "ClinikoUnreachable",
    "GroupAppointment",
    "IndividualAppointment",
    "InvalidApiKey",
    "KeyLacksPermission",
    "KeyRefused",
    "OnWait",
    "Pacer",
    "PacerRegistry",
    "Page",
    "Patient",
    "QueryRefused",
    "Record",
    "Resource",
    "ServerBlocked",
    "UnexpectedAnswer",
    "UnreadableRow",
    "Wait",
    "base_url_for",
    "booking_in",
    "check_access",
    "check_base_url",
    "clean_key",
    "names_shard",
    "rate_limit_message",
    "read_list",
    "shard_of",
    "starts_between",
    "wait_openly",
]
