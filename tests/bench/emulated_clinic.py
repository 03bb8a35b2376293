"""A child that serves a generated clinic: ``python -m tests.bench.emulated_clinic PATIENTS [SECONDS [APPOINTMENTS]]``.

Lines on its standard input change the clinic; see ``change``.

It is a separate process, so that the clinic's memory and work don't count for the sync. It responds at once, or after
SECONDS, and has no rate limit, as the sync's share would disappear beside either.
"""

import asyncio
import sys
from collections.abc import Mapping
from datetime import timedelta
from random import Random

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Clinic, Emulator, EmulatorServer, generated_clinic
from routiq_gql.emulator.table import Table
from tests.bench.children import read_commands, tell

KNOWN_DAYS = 700
"""Appointments of these days are within the horizon of a sync."""


async def serve(patients: int, latency_seconds: float, appointments: int | None) -> None:
    clinic = generated_clinic(patients, utc_now(), appointments=appointments)
    mix_appointments(clinic)
    expected = clinic.expected
    assert expected is not None
    random = Random(2)
    async with EmulatorServer(Emulator(clinic, latency_seconds=latency_seconds)) as server:
        tell(
            base_url=server.base_url,
            patients=expected.patients_found,
            appointments=expected.appointments_found,
            active=len(expected.active),
        )
        async for command in read_commands():
            change(clinic, random, *command.split())
            tell(changed=command)


def change(clinic: Clinic, random: Random, kind: str, number: str) -> None:
    """Change so many rows.

    ``edit`` moves and cancels appointments and renames patients. ``lose_patients`` and ``lose_appointments`` delete
    rows without a trace, which only counts show.
    """
    booked, people = clinic.individual_appointments, clinic.patients
    if kind == "edit":
        for place, row_id in enumerate(random.sample(booked.ids(), int(number) // 2)):
            if place % 2:
                clinic.cancel("individual_appointments", str(row_id))
            else:
                starts_at = utc_now() + timedelta(hours=random.randint(-600, 600))
                clinic.move("individual_appointments", str(row_id), starts_at)
        for row_id in random.sample(people.ids(), int(number) - int(number) // 2):
            clinic.rename(str(row_id), first_name=f"Renamed {row_id % 97}")
    elif kind == "lose_patients":
        for row_id in random.sample([one for one in people.ids() if is_listed(people.get(one))], int(number)):
            clinic.delete("patients", str(row_id), trace=False)
    elif kind == "lose_appointments":
        known = (utc_now() - timedelta(days=KNOWN_DAYS)).timestamp()
        within = [one for one in booked.ids() if is_listed(row := booked.get(one)) and (row["starts_at"] or 0) > known]
        for row_id in random.sample(within, int(number)):
            clinic.remove("individual_appointments", str(row_id))
    else:
        raise ValueError(f"There is no change {kind}.")


def is_listed(row: Mapping[str, int | None]) -> bool:
    return row["archived_at"] is None and row["deleted_at"] is None and row.get("cancelled_at") is None


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
    given = sys.argv[1:]
    asyncio.run(serve(int(given[0]), float(given[1]) if given[1:] else 0, int(given[2]) if given[2:] else None))
