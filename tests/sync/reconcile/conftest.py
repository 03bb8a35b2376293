"""An emulated clinic, a database, and syncs without steps between them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from routiq_gql.cliniko import Backoff, ClinikoClient, Pacer
from routiq_gql.database.engine import Database
from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, EmulatorServer
from tests.sync.reconcile.small_sync import SmallSync

FAST = Backoff(base_seconds=0.002, cap_seconds=0.01, rate_limit_floor_seconds=0.005, rate_limit_cap_seconds=0.01)
PATIENT, APPOINTMENT, CLASS, ATTENDEE = 10**15, 2 * 10**15, 3 * 10**15, 4 * 10**15
"""The first ids of each list."""


def clinic_of(patients: int, appointments: int = 3, classes: int = 20, attendees: int = 6) -> Clinic:
    """A clinic whose rows were last changed long ago. ``appointments`` are per patient, ``attendees`` per class."""
    clinic = Clinic("Harbour Street Physio")
    now = datetime.now(UTC)
    created = now - timedelta(days=400)
    clinic.insert_type("Physiotherapy", type_id="7", at=created)
    clinic.insert_practitioner(practitioner_id="8", at=created)
    for number in range(patients):
        clinic.insert_patient(patient_id=str(PATIENT + number * 7), at=created)
        for visit in range(appointments):
            starts = now + timedelta(days=number * 31 % 300 - 270 + visit, hours=1)
            row_id = str(APPOINTMENT + (number * appointments + visit) * 3)
            clinic.insert_appointment(str(PATIENT + number * 7), starts, appointment_id=row_id, at=created)
    for number in range(classes):
        class_id = str(CLASS + number)
        clinic.insert_class(now + timedelta(days=number * 7 % 50 - 25, hours=2), class_id=class_id, at=created)
        for place in range(attendees):
            patient_id = str(PATIENT + (number * attendees + place) % patients * 7)
            attendee_id = str(ATTENDEE + number * attendees + place)
            clinic.insert_attendee(class_id, patient_id, attendee_id=attendee_id, at=created)
    return clinic


class Layered:
    """The emulator's application, which a test may replace while it is served."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture
def clinic() -> Clinic:
    return clinic_of(300)


@pytest.fixture
async def emulator(clinic: Clinic) -> AsyncIterator[Emulator]:
    emulator = Emulator(clinic)
    emulator.app = Layered(emulator.app)
    async with EmulatorServer(emulator) as server:
        emulator.base_url = server.base_url  # type: ignore[attr-defined]
        yield emulator


@pytest.fixture
async def sync(emulator: Emulator, database: Database) -> AsyncIterator[SmallSync]:
    """Syncs of the clinic. No request waits."""
    client = ClinikoClient(
        EMULATED_API_KEY,
        base_url=emulator.base_url,  # type: ignore[attr-defined]
        contact_email="ops@example.com",
        pacer=Pacer(0),
        max_attempts=3,
        backoff=FAST,
    )
    async with client:
        yield SmallSync(client, database)
