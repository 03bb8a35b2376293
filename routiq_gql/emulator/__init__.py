"""An emulated Cliniko: a real HTTP server over an emulated clinic, for the demo and for tests only.

Of the product, only the command line imports this package.
"""

from routiq_gql.emulator.access import EMULATED_API_KEY, Access
from routiq_gql.emulator.awkward import awkward_clinic
from routiq_gql.emulator.changes import CANCELLATION_REASONS
from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.clock import EmulatedClock
from routiq_gql.emulator.demo import demo_clinic
from routiq_gql.emulator.expected import HORIZON_DAYS, WINDOW_DAYS, Expected, Secrets, horizon_of
from routiq_gql.emulator.faults import Fault, FaultKind, Faults
from routiq_gql.emulator.generated import generated_clinic
from routiq_gql.emulator.issuer import Issuer
from routiq_gql.emulator.living import ClinicLife
from routiq_gql.emulator.people import PLANTED_MARKERS
from routiq_gql.emulator.recording import RecordedRequest
from routiq_gql.emulator.running import EmulatorServer
from routiq_gql.emulator.script import Script
from routiq_gql.emulator.server import Emulator

__all__ = [
    "CANCELLATION_REASONS",
    "EMULATED_API_KEY",
    "HORIZON_DAYS",
    "PLANTED_MARKERS",
    "WINDOW_DAYS",
    "Access",
    "Clinic",
    "ClinicLife",
    "EmulatedClock",
    "Emulator",
    "EmulatorServer",
    "Expected",
    "Fault",
    "FaultKind",
    "Faults",
    "Issuer",
    "RecordedRequest",
    "Script",
    "Secrets",
    "awkward_clinic",
    "demo_clinic",
    "generated_clinic",
    "horizon_of",
]
