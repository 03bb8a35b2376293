"""The eight steps of a sync, from Cliniko's pages to the active patients that readers see.

Called by the engine with a fresh run context; when a checkpoint exists, the steps before it are skipped and reading
goes on behind the last stored page. Nothing here changes what readers see until the last transaction.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql import metrics
from routiq_gql.cliniko import (
    APPOINTMENT_TYPES,
    ATTENDEES,
    GROUP_APPOINTMENTS,
    INDIVIDUAL_APPOINTMENTS,
    PATIENTS,
    AccountMoved,
    ClinikoClient,
    KeyLacksPermission,
    KeyRefused,
    OnWait,
    Wait,
    check_access,
    starts_between,
)
from routiq_gql.clock import utc_now
from routiq_gql.connections.clients import ClientOpener, OpenConnection, appointment_window
from routiq_gql.database.active_patients import Windows, count_identified, identify_slice, show_generation
from routiq_gql.database.connections import forget_retry
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList, count_rows
from routiq_gql.settings import Settings
from routiq_gql.sync.model import COMPLETED_TEXT, LogLevel, SyncStep, WaitReason
from routiq_gql.sync.reading import Reader
from routiq_gql.sync.run import SyncRun

SLICE_PATIENTS = 5_000
"""Patients analysed in one transaction, so that a cancel or another organization's sync never waits long for it."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the steps work with; the same for every sync."""

    database: Database
    clients: ClientOpener
    settings: Settings

    async def run(self, run: SyncRun) -> None:
        """Take the sync from where its checkpoint stands to its end.

        Raises:
            StopRequested: The sync was cancelled or is someone else's now.
            ConnectionProblem, ClinikoError: It can't go on; the caller records the failure.
        """
        start, end = appointment_window(run.snapshot.started_at, self.settings)
        windows = Windows(recent_from=start, now=run.snapshot.started_at, upcoming_to=end)
        reached: int = run.cursor.get("step", 0)
        if reached:
            await run.progress(log=(LogLevel.INFO, "Continuing after an interruption"))
        else:
            await run.begin_step(SyncStep.INITIALIZING)
            await run.begin_step(SyncStep.CHECKING_CONFIG)
        if reached < SyncStep.ANALYZING:
            opened = await self.clients.open(run.snapshot.organization_id, _shown_by(run))
            try:
                async with opened.client as client:
                    if not reached:
                        await self._check_credentials(run, opened, windows)
                    await self._read_lists(run, client, windows, reached)
            except (KeyRefused, KeyLacksPermission, AccountMoved) as error:
                await self.clients.note_refusal(opened, error)
                raise
        if reached <= SyncStep.ANALYZING:
            await self._analyze(run, windows)
        await self._store(run)

    async def _check_credentials(self, run: SyncRun, opened: OpenConnection, windows: Windows) -> None:
        await run.begin_step(SyncStep.CHECKING_CREDENTIALS)
        access = await check_access(opened.client, windows.recent_from, windows.upcoming_to)
        await self.clients.note_access(opened, access)
        await run.checkpoint(
            {"step": SyncStep.FETCHING_PATIENTS.value, "totals": dict(access.totals)},
            fraction=1,
            log=(LogLevel.SUCCESS, "Cliniko accepts the key for every list that a sync reads"),
        )

    async def _read_lists(self, run: SyncRun, client: ClinikoClient, windows: Windows, reached: int) -> None:
        reader = Reader(run, client, self.database)
        if reached <= SyncStep.FETCHING_PATIENTS:
            await _enter(run, SyncStep.FETCHING_PATIENTS)
            await _fetch_patients(run, reader)
        if reached <= SyncStep.FETCHING_APPOINTMENTS:
            await _enter(run, SyncStep.FETCHING_APPOINTMENTS)
            await _fetch_appointments(reader, windows)
        await _enter(run, SyncStep.LOADING_TYPES)
        await _load_types(reader)

    async def _analyze(self, run: SyncRun, windows: Windows) -> None:
        await _enter(run, SyncStep.ANALYZING)
        after: str | None = run.cursor.get("after", "")
        analyzed: int = run.cursor.get("analyzed", 0)
        while after is not None:
            place: list[str | None] = []

            async def save(connection: AsyncConnection, after: str = after, place: list[str | None] = place) -> None:
                place.append(await identify_slice(connection, run.key, windows, after, SLICE_PATIENTS))

            # Where the slice ends is known only within its transaction, so the cursor names where it begins: a break
            # repeats one slice, which does no harm.
            cursor = {"step": SyncStep.ANALYZING.value, "after": after, "analyzed": analyzed}
            analyzed += SLICE_PATIENTS
            await run.checkpoint(cursor, save, fraction=min(1.0, analyzed / max(run.snapshot.patients_found, 1)))
            after = place[-1]
        async with self.database.reading() as connection:
            identified = await count_identified(connection, run.key)
        message = f"Identified {identified} active patients"
        await run.checkpoint(
            {"step": SyncStep.STORING.value},
            fraction=1,
            text=message,
            log=(LogLevel.SUCCESS, message),
            active_patients_identified=identified,
        )

    async def _store(self, run: SyncRun) -> None:
        await _enter(run, SyncStep.STORING)

        async def save(connection: AsyncConnection) -> int:
            patients = await count_rows(connection, MirrorList.PATIENTS, run.key)
            await forget_retry(connection, run.snapshot.organization_id)
            return await show_generation(connection, run.snapshot.organization_id, run.key, patients, utc_now())

        await run.complete(save, lambda stored: [f"Stored {stored} active patients", COMPLETED_TEXT])


async def _enter(run: SyncRun, step: SyncStep) -> None:
    """Begin ``step``, unless the run goes on in the middle of it."""
    if run.step is not step:
        await run.begin_step(step)


_REASONS = {"rate_limit": WaitReason.RATE_LIMIT, "retry": WaitReason.CLINIKO_RETRY}


def _shown_by(run: SyncRun) -> OnWait:
    @asynccontextmanager
    async def show(wait: Wait) -> AsyncIterator[None]:
        if wait.reason == "rate_limit":
            metrics.rate_limit_wait(wait.seconds)
        await run.begin_wait(_REASONS[wait.reason], wait.message, wait.resumes_at)
        yield  # not in a ``finally``: a sync that is stopped in a wait writes no more
        await run.end_wait()

    return show


async def _fetch_patients(run: SyncRun, reader: Reader) -> None:
    def show(read: int, remaining: int) -> dict[str, Any]:
        return {
            "fraction": read / max(read + remaining, 1),
            "text": f"{read} of {read + remaining} patients",
            "patients_found": read,
        }

    patients = await reader.read_whole(PATIENTS, [], show)
    message = f"Found {patients} patients"
    await reader.finish(
        PATIENTS,
        patients,
        {"step": SyncStep.FETCHING_APPOINTMENTS.value, "part": INDIVIDUAL_APPOINTMENTS.name},
        fraction=1,
        text=message,
        log=(LogLevel.SUCCESS, message),
        patients_found=patients,
    )


async def _fetch_appointments(reader: Reader, windows: Windows) -> None:
    """Individual appointments, then group appointments, then who attends these.

    In the fraction each group appointment counts twice: once for itself and once for its attendees.
    """
    step = {"step": SyncStep.FETCHING_APPOINTMENTS.value}
    opening = SyncStep.FETCHING_APPOINTMENTS.opening_text
    within = starts_between(windows.recent_from, windows.upcoming_to)

    def show_individual(read: int, remaining: int) -> dict[str, Any]:
        listed, expected = read + remaining, reader.totals.get(GROUP_APPOINTMENTS.name, 0)
        return {
            "fraction": read / max(listed + 2 * expected, 1),
            "text": f"{opening} {read} of {listed + expected}",
            "appointments_found": read,
        }

    individual = await reader.read_whole(INDIVIDUAL_APPOINTMENTS, within, show_individual)
    await reader.finish(INDIVIDUAL_APPOINTMENTS, individual, {**step, "part": GROUP_APPOINTMENTS.name})

    def show_group(read: int, remaining: int) -> dict[str, Any]:
        return {
            "fraction": (individual + read) / max(individual + 2 * (read + remaining), 1),
            "text": f"{opening} {individual + read} of {individual + read + remaining}",
            "appointments_found": individual + read,
        }

    group = await reader.read_whole(GROUP_APPOINTMENTS, within, show_group)
    await reader.finish(
        GROUP_APPOINTMENTS, group, {**step, "part": ATTENDEES.name}, appointments_found=individual + group
    )

    def show_attendees(done: int, remaining: int) -> dict[str, Any]:
        return {
            "fraction": (individual + group + done) / max(individual + group + done + remaining, 1),
            "text": f"Fetching attendees… {done} of {done + remaining} classes",
        }

    attendees = await reader.read_attendees(show_attendees)
    message = f"Found {individual + group} appointments"
    await reader.finish(
        ATTENDEES,
        attendees,
        {"step": SyncStep.LOADING_TYPES.value, "part": APPOINTMENT_TYPES.name},
        fraction=1,
        text=message,
        log=(LogLevel.SUCCESS, message),
    )


async def _load_types(reader: Reader) -> None:
    types = await reader.read_whole(
        APPOINTMENT_TYPES, [], lambda read, remaining: {"fraction": read / max(read + remaining, 1)}
    )
    await reader.finish(
        APPOINTMENT_TYPES,
        types,
        {"step": SyncStep.ANALYZING.value},
        fraction=1,
        log=(LogLevel.SUCCESS, f"Loaded {types} appointment types"),
    )
