"""How a sync ends. ``end_run``, ``end_from_outside`` and ``end_time_only`` call ``end_sync``, which ends every sync.

The first two return an ``EndedSync``, written in the caller's transaction. After the commit the caller passes it to
``announce``. Every effect that all endings have in common belongs into ``announce``.
"""

from dataclasses import dataclass
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql import metrics
from routiq_gql.database.rows import SyncRow
from routiq_gql.database.sync_changes import FinalChanges
from routiq_gql.database.syncs import NewLine, active_sync, end_sync
from routiq_gql.database.webhook_events import EventType, Happening, ListChanges, NewEvent, write_events
from routiq_gql.live.bus import ProgressBus
from routiq_gql.sync.actors import SyncActor
from routiq_gql.sync.change_counts import ChangeCounts
from routiq_gql.sync.change_counts import to_json as counts_to_json
from routiq_gql.sync.engine import SyncEngine
from routiq_gql.sync.mapping import snapshot_of
from routiq_gql.sync.model import (
    COMPLETED_TEXT,
    SYNC_CANCELLED_MESSAGE,
    FailureCode,
    LogLevel,
    SyncFailure,
    SyncSnapshot,
    SyncState,
    SyncStep,
)
from routiq_gql.sync.receipt import Receipt, to_json

REPLACED_MESSAGE = "A sync that was started by a person has replaced this one"


@dataclass(frozen=True, slots=True)
class Completed:
    """The result of the sync is stored.

    Attributes:
        stored: The number of its active patients.
        changes: What it has changed; ``None`` for a baseline.
        is_brief: Whether a single log line says so: a look at Cliniko has started the sync.
        patients: Who became active or inactive, for webhooks; ``None`` if there is none.
    """

    status: ClassVar[SyncState] = SyncState.COMPLETED
    stored: int
    receipt: Receipt
    changes: ChangeCounts | None = None
    is_brief: bool = False
    patients: ListChanges | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The sync can't continue. It keeps the percentage and the step that it had.

    Attributes:
        by: The caller who has ended it by a change of the connection; ``None`` if it failed by itself.
    """

    status: ClassVar[SyncState] = SyncState.FAILED
    failure: SyncFailure
    by: SyncActor | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A person, ``by``, cancelled the sync in this step.

    Attributes:
        is_replaced: Whether that person has started a sync instead, which reads the same changes.
    """

    status: ClassVar[SyncState] = SyncState.CANCELLED
    step: SyncStep
    by: SyncActor
    is_replaced: bool = False

    @property
    def failure(self) -> SyncFailure:
        """The reason that clients read."""
        if self.is_replaced:
            return SyncFailure(FailureCode.CANCELLED, self.step, REPLACED_MESSAGE, "Follow the newer sync.")
        return SyncFailure(
            FailureCode.CANCELLED, self.step, SYNC_CANCELLED_MESSAGE, "Start the sync again when you are ready."
        )


Ending = Completed | Failed | Cancelled


@dataclass(frozen=True, slots=True)
class EndedSync:
    """The last snapshot of a sync, as ``announce`` takes it once the end is committed."""

    snapshot: SyncSnapshot


async def end_run(
    connection: AsyncConnection, key: int, epoch: int, ending: Ending, waited_seconds: float
) -> EndedSync | None:
    """End a sync in its run; ``None`` when the sync has ended or another process runs it.

    Args:
        waited_seconds: Seconds of all its waits for Cliniko.
    """
    return await _end(connection, key, {**_changes(ending), "waited_seconds": waited_seconds}, ending, epoch)


async def end_from_outside(
    connection: AsyncConnection, engine: SyncEngine, key: int, ending: Ending
) -> EndedSync | None:
    """End a sync whichever process runs it, so that later writes of the run fail; ``None`` when it had ended."""
    ended = await _end(connection, key, _changes(ending), ending, None)
    await engine.withdraw(connection, key)
    return ended


async def end_refresh(
    connection: AsyncConnection, engine: SyncEngine, organization_id: str, by: SyncActor
) -> EndedSync | None:
    """End the organization's sync that a look at Cliniko has started, since ``by`` starts another."""
    running = await active_sync(connection, organization_id)
    if running is None or not running.refresh:
        return None
    return await end_from_outside(
        connection, engine, running.key, Cancelled(SyncStep(running.step), by, is_replaced=True)
    )


async def end_time_only(connection: AsyncConnection, key: int, changes: FinalChanges) -> SyncRow | None:
    """End a sync in the transaction that has begun it; ``None`` when it had ended. Nothing is counted."""
    return await end_sync(connection, key, changes, [])


def announce(ended: EndedSync, bus: ProgressBus, engine: SyncEngine | None = None) -> None:
    """Count a sync that has ended, stop its run, and publish its last snapshot. Call after the commit, once.

    Args:
        engine: Stops the run; ``None`` when the run itself has ended the sync.
    """
    snapshot = ended.snapshot
    if snapshot.duration_seconds is not None:
        metrics.sync_ended(snapshot.status.value, snapshot.duration_seconds)
    if engine is not None:
        engine.interrupt(snapshot)
    bus.publish(snapshot)


async def _end(
    connection: AsyncConnection, key: int, changes: FinalChanges, ending: Ending, epoch: int | None
) -> EndedSync | None:
    row = await end_sync(connection, key, changes, _lines(ending), epoch=epoch)
    if row is None:
        return None
    if happenings := _happenings(row, ending):
        await write_events(connection, row.organization_id, row.last_updated, happenings)
    return EndedSync(snapshot_of(row))


def _happenings(row: SyncRow, ending: Ending) -> list[Happening]:
    """The events for webhooks. For them a cancelled sync has failed, as in REST; a replaced one has just not ended."""
    if isinstance(ending, Completed):
        completed = NewEvent(EventType.SYNC_COMPLETED, row.sync_id)
        return [completed, ending.patients] if ending.patients is not None else [completed]
    if isinstance(ending, Cancelled) and ending.is_replaced:
        return []
    return [NewEvent(EventType.SYNC_FAILED, row.sync_id, {"failureCode": ending.failure.code.value})]


def _changes(ending: Ending) -> FinalChanges:
    changes: FinalChanges = {
        "status": ending.status.value,
        "estimated_completion": None,
        "estimated_earliest": None,
        "estimated_latest": None,
        "resumes_at": None,
        "waiting_for": None,
    }
    if isinstance(ending, Completed):
        changes["progress_percentage"] = 100
        changes["current_step"] = COMPLETED_TEXT
        changes["active_patients_stored"] = ending.stored
        changes["receipt"] = to_json(ending.receipt)
        changes["changes"] = counts_to_json(ending.changes) if ending.changes is not None else None
        return changes
    failure = ending.failure
    changes["current_step"] = changes["failure_message"] = failure.message
    changes["failure_code"] = failure.code.value
    changes["failure_step"] = failure.step.value
    changes["failure_what_to_do"] = failure.what_to_do
    if ending.by is not None:
        changes["cancelled_by"], changes["cancelled_by_name"] = ending.by.kind.value, ending.by.name
    return changes


def _lines(ending: Ending) -> list[NewLine]:
    if isinstance(ending, Completed):
        texts = [f"Stored {ending.stored} active patients", COMPLETED_TEXT]
        if ending.changes is not None:
            texts.insert(1, ending.changes.sentence)
            texts = texts[1:2] if ending.is_brief else texts
        return [NewLine(LogLevel.SUCCESS.value, SyncStep.STORING.value, text) for text in texts]
    level = LogLevel.WARNING if isinstance(ending, Cancelled) else LogLevel.ERROR
    return [NewLine(level.value, ending.failure.step.value, ending.failure.message)]
