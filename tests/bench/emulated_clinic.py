"""A child that serves a generated clinic: ``python -m tests.bench.emulated_clinic PATIENTS [SECONDS]``.

It is a separate process, so that the clinic's memory and work don't count for the sync. It responds at once, or after
SECONDS, and has no rate limit, as the sync's share would disappear beside either.
"""

import asyncio
import sys
from random import Random

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Clinic, Emulator, EmulatorServer, generated_clinic
from routiq_gql.emulator.table import Table
from tests.bench.children import read_commands, tell


async def serve(patients: int, latency_seconds: float) -> None:
    clinic = generated_clinic(patients, utc_now())
    mix_appointments(clinic)
    expected = clinic.expected
    assert expected is not None
    async with EmulatorServer(Emulator(clinic, latency_seconds=latency_seconds)) as server:
        tell(
            base_url=server.base_url,
            patients=expected.patients_found,
            appointments=expected.appointments_found,
            active=len(expected.active),
        )
        async for _ in read_commands():
            pass


def mix_appointments(clinic: Clinic) -> None:
    """Exchange the ids of the appointments.

    A generated clinic books patient by patient. In a real clinic consecutive bookings are for different patients, so a
    page changes many places of an index by patient, which makes a page slower the larger that index is.
    """
    booked = clinic.individual_appointments
    rows = list(booked.rows())
    ids = booked.ids()
    Random(1).shuffle(rows)
    names = tuple(rows[0])
    mixed = Table(booked.resource)
    mixed.load((tuple({**row, "id": row_id}.values()) for row, row_id in zip(rows, ids, strict=True)), names)
    clinic.tables["individual_appointments"] = mixed


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0))
