"""Drives the looks of an organization in tests: a look, and the sync that it has started, to its end."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import update

from routiq_gql.clock import utc_now
from routiq_gql.database.operation_rows import RefreshRow
from routiq_gql.database.refreshes import DueRefresh, ask_for_refreshes, due_refreshes, refresh_of
from routiq_gql.database.syncs import active_sync, syncs_where
from routiq_gql.database.tables import MIRROR, REFRESH, SYNC
from routiq_gql.emulator import Clinic
from routiq_gql.engines.refreshing import Refreshes
from routiq_gql.runtime import Runtime
from routiq_gql.sync.found_pages import FoundPagesKeeper
from routiq_gql.sync.model import SyncSnapshot
from routiq_gql.sync.parts import PARTS
from tests.organization import ORGANIZATION
from tests.syncs import follow

MOST_LOOKS = 2 * len(PARTS)
"""Looks until a comparison has completed: one for each part, and more if a part fails."""


@dataclass(frozen=True)
class Looks:
    """The looks at an organization of a runtime, one at a time and when the test says so."""

    runtime: Runtime
    refreshes: Refreshes
    organization_id: str = ORGANIZATION

    async def note_unwatched(self) -> None:
        """No client has read the organization for six minutes."""
        async with self.runtime.database.writing() as connection:
            long_ago = utc_now() - timedelta(minutes=6)
            own = REFRESH.c.organization_id == self.organization_id
            await connection.execute(update(REFRESH).where(own).values(watched_at=long_ago))

    async def row(self) -> RefreshRow:
        """The organization's row; live from now on, but due in an hour at the earliest for the runtime itself."""
        async with self.runtime.database.writing() as connection:
            later = utc_now() + timedelta(minutes=25)
            await ask_for_refreshes(connection, self.organization_id, later, is_asked=True)
            row = await refresh_of(connection, self.organization_id)
        assert row is not None
        return row

    async def stored(self) -> RefreshRow:
        """The organization's row as it is."""
        async with self.runtime.database.reading() as connection:
            row = await refresh_of(connection, self.organization_id)
        assert row is not None
        return row

    async def due(self) -> DueRefresh:
        """The organization with all that a look needs, as if its time had come."""
        await self.row()
        async with self.runtime.database.reading() as connection:
            found = await due_refreshes(connection, utc_now() + timedelta(minutes=26), 9, everywhere=False)
        (due,) = [one for one in found if one.refresh.organization_id == self.organization_id]
        return due

    async def running(self) -> str | None:
        """The id of the organization's running sync, which no dashboard shows if a look has started it."""
        async with self.runtime.database.reading() as connection:
            row = await active_sync(connection, self.organization_id)
        return row.sync_id if row is not None else None

    async def look(self) -> SyncSnapshot | None:
        """Look now; the last snapshot of the sync that has followed, or ``None``."""
        due = await self.due()
        await self.refreshes.look(due, self.runtime.engine)
        return await self.followed(due)

    async def compare(self) -> list[SyncSnapshot]:
        """Look as if the last comparison was long ago, until the next has ended; its syncs, a part each."""
        async with self.runtime.database.writing() as connection:
            own = MIRROR.c.organization_id == self.organization_id
            await connection.execute(update(MIRROR).where(own).values(compared_at=utc_now() - timedelta(minutes=16)))
        syncs: list[SyncSnapshot] = []
        for _ in range(MOST_LOOKS):
            last = await self.look()
            if last is not None:
                syncs.append(last)
                if last.receipt is not None and last.receipt.agrees:
                    return syncs
        raise AssertionError("No comparison has completed.")

    async def followed(self, due: DueRefresh) -> SyncSnapshot | None:
        """The last snapshot of the sync that the look has started, or ``None``. It may have ended already."""
        key = (await self.stored()).sync
        if key is None or key == due.refresh.sync:
            return None
        async with self.runtime.database.reading() as connection:
            (row,) = await syncs_where(connection, SYNC.c.key == key)
        return (await follow(self.runtime, row.sync_id))[-1]


def looks_of(
    runtime: Runtime,
    organization_id: str = ORGANIZATION,
    *,
    is_elsewhere: bool = False,
    pages: FoundPagesKeeper | None = None,
) -> Looks:
    """The looks of a runtime.

    Args:
        is_elsewhere: Whether another process looks, so that the syncs ask Cliniko for the changes again,
        pages: with these pages.
    """
    pages = pages if pages is not None else (FoundPagesKeeper() if is_elsewhere else runtime.found_pages)
    refreshes = Refreshes(runtime.database, runtime.bus, runtime.clients, runtime.settings, pages)
    return Looks(runtime, refreshes, organization_id)


Edit = Callable[[Clinic, random.Random], object]


def _patient(clinic: Clinic, choice: random.Random) -> str:
    return str(choice.choice([row["id"] for row in clinic.patients.rows() if not row["deleted_at"]]))


def _row(clinic: Clinic, resource: str, choice: random.Random) -> str:
    rows = [row["id"] for row in clinic.tables[resource].rows() if not row["deleted_at"]]
    return str(choice.choice(rows))


def _soon(choice: random.Random) -> timedelta:
    return timedelta(hours=choice.randint(-40 * 24, 40 * 24), minutes=choice.randint(0, 59))


LISTS = ("individual_appointments", "group_appointments", "attendees")

EDITS: dict[str, Edit] = {
    "joins": lambda clinic, choice: clinic.insert_patient(first_name=f"Mia{choice.randint(0, 999)}"),
    "is renamed": lambda clinic, choice: clinic.rename(
        _patient(clinic, choice), first_name=f"Ada{choice.randint(0, 99999)}"
    ),
    "is archived": lambda clinic, choice: clinic.archive("patients", _patient(clinic, choice)),
    "is restored": lambda clinic, choice: clinic.unarchive("patients", _patient(clinic, choice)),
    "is merged": lambda clinic, choice: clinic.merge(_patient(clinic, choice), into=_patient(clinic, choice)),
    "books": lambda clinic, choice: clinic.insert_appointment(_patient(clinic, choice), utc_now() + _soon(choice)),
    "moves": lambda clinic, choice: clinic.move(
        "individual_appointments", _row(clinic, "individual_appointments", choice), utc_now() + _soon(choice)
    ),
    "changes hands": lambda clinic, choice: clinic.move(
        "individual_appointments",
        _row(clinic, "individual_appointments", choice),
        patient_id=_patient(clinic, choice),
    ),
    "is missed": lambda clinic, choice: clinic.mark(
        "individual_appointments", _row(clinic, "individual_appointments", choice), arrived=choice.random() < 0.5
    ),
    "a class is made": lambda clinic, choice: clinic.insert_class(utc_now() + _soon(choice)),
    "attends": lambda clinic, choice: clinic.insert_attendee(
        _row(clinic, "group_appointments", choice), _patient(clinic, choice)
    ),
    **{
        f"{action} of {resource}": lambda clinic, choice, resource=resource, action=action: getattr(clinic, action)(
            resource, _row(clinic, resource, choice)
        )
        for resource in LISTS
        for action in ("cancel", "uncancel", "archive", "unarchive", "delete")
        if not (resource == "group_appointments" and action in {"cancel", "uncancel"})
    },
}
"""Everything that people do in a clinic and that moves ``updated_at``."""
