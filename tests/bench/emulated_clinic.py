"""A child that serves a generated clinic: ``python -m tests.bench.emulated_clinic PATIENTS [SECONDS]``.

It is a process of its own, so that the clinic's memory and its work are not counted as the sync's. It answers at
once, or after SECONDS, and sets no limit, as the sync's own share would vanish beside either.
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
    """Give the ids of the appointments to each other.

    A generated clinic books patient by patient. In a real one the next booking is anybody's, so that each page changes
    many places of an index by patient, which is what makes a page slower the larger that index is.
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
