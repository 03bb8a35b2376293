"""A clinic with lists of 250 rows behind an emulated Cliniko, and clients that wait milliseconds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from routiq_gql.cliniko import Backoff, ClinikoClient, Pacer, Wait
from routiq_gql.emulator import EMULATED_API_KEY, Clinic, Emulator, EmulatorServer

ROWS = 250
FAST = Backoff(
    base_seconds=0.002,
    cap_seconds=0.01,
    rate_limit_floor_seconds=0.005,
    rate_limit_cap_seconds=0.01,
    rate_limit_attempts=4,
)
MakeClient = Callable[..., ClinikoClient]


class NotedWaits:
    """An ``on_wait`` that records each wait at its beginning, and counts ended waits."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Wait] = asyncio.Queue()
        self.ended = 0

    @asynccontextmanager
    async def __call__(self, wait: Wait) -> AsyncIterator[None]:
        self.begun.put_nowait(wait)
        yield
        self.ended += 1


def clinic_of(rows: int) -> Clinic:
    """Each list has ``rows`` rows with ascending ids, but creation times in another order."""
    clinic = Clinic("Harbour Street Physio")
    now = datetime.now(UTC)
    for number in range(1, rows + 1):
        created = now - timedelta(days=number * 7919 % 997)
        clinic.insert_patient(patient_id=str(10**15 + number * 3), at=created)
        clinic.insert_type(f"Type {number}", type_id=str(number), at=created)
        clinic.insert_practitioner(practitioner_id=str(number), at=created)
        visit = now + timedelta(days=number % 40 - 20)
        clinic.insert_appointment(str(10**15 + number * 3), visit, appointment_id=str(10**16 + number), at=created)
        clinic.insert_class(visit, class_id=str(10**17 + number), at=created)
        clinic.insert_attendee(str(10**17 + 1), str(10**15 + 3), attendee_id=str(90 + number), at=created)
    return clinic


@pytest.fixture
def make_client() -> MakeClient:
    def make(base_url: str, **options: Any) -> ClinikoClient:
        given: dict[str, Any] = {
            "contact_email": "ops@example.com",
            "pacer": Pacer(0),
            "max_attempts": 3,
            "read_timeout": 5,
            "backoff": FAST,
            "api_key": EMULATED_API_KEY,
            **options,
        }
        return ClinikoClient(base_url=base_url, **given)

    return make


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(clinic_of(ROWS))


@pytest.fixture
async def base_url(emulator: Emulator) -> AsyncIterator[str]:
    async with EmulatorServer(emulator) as server:
        yield server.base_url


@pytest.fixture
async def client(base_url: str, make_client: MakeClient) -> AsyncIterator[ClinikoClient]:
    async with make_client(base_url) as client:
        yield client
