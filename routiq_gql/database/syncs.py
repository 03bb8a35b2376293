"""Queries on syncs. Each takes the connection of a ``reading()`` or ``writing()`` transaction.

All changes of a running sync use ``change_running``, and the heartbeats of many syncs use ``touch_running``. Both check
the epoch, raise the version, and never lower the percentage, so that no caller can forget that.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Executable,
    Integer,
    String,
    bindparam,
    case,
    func,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.columns import among
from routiq_gql.database.history import reads_cliniko
from routiq_gql.database.rows import SyncRow, as_row, as_rows
from routiq_gql.database.sync_changes import FinalChanges, RunningChanges, SyncValues
from routiq_gql.database.tables import LOG, SYNC


@dataclass(frozen=True, slots=True)
class NewLine:
    """A log line without a number yet."""

    level: str
    step: int
    message: str


async def insert_sync(connection: AsyncConnection, organization_id: str, values: SyncValues) -> SyncRow | None:
    """Insert an active sync and return its row, or ``None`` when the organization has an active sync already.

    With PostgreSQL a second caller waits for the first one's commit before it gets a number. So of two syncs of an
    organization the later one has the higher number.

    ``values`` holds all columns except ``sync_id``, ``version``, ``epoch`` and those of the end.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(_ONE_AT_A_TIME, {"organization": organization_id})
    if await active_sync(connection, organization_id) is not None:
        return None
    base = f"sync_{organization_id}_{values['started_at']:%Y%m%d_%H%M%S}"
    sync_id, number = base, 1
    while await sync_by_id(connection, sync_id) is not None:
        number += 1
        sync_id = f"{base}_{number}"
    row = {**values, "organization_id": organization_id, "sync_id": sync_id, "version": 1, "epoch": 0}
    return SyncRow(*(await connection.execute(insert(SYNC).values(**row).returning(SYNC))).one())


_STARTS_LOCK = 0x73796E63  # "sync"; any number, the same for every process
_ONE_AT_A_TIME = select(
    func.pg_advisory_xact_lock(_STARTS_LOCK, func.hashtext(bindparam("organization", type_=String)))
)


async def sync_by_id(
    connection: AsyncConnection, sync_id: str, organization_id: str | None = None, *, only: str | None = None
) -> SyncRow | None:
    """The sync's row. If given, ``organization_id`` must match its organization, and ``only`` its id."""
    given = {"sync_id": sync_id, "only": only, "organization_id": organization_id}
    given = {name: value for name, value in given.items() if value is not None}
    return as_row(SyncRow, (await connection.execute(_sync_where(tuple(given)), given)).one_or_none())


@cache
def _sync_where(conditions: tuple[str, ...]) -> Executable:
    columns = {"sync_id": SYNC.c.sync_id, "only": SYNC.c.sync_id, "organization_id": SYNC.c.organization_id}
    return select(SYNC).where(*(columns[name] == bindparam(name) for name in conditions))


async def started_since(
    connection: AsyncConnection, organization_id: str, moment: datetime, until: datetime, *, but: int
) -> list[datetime]:
    """When the organization's syncs after ``moment`` and up to ``until`` were started, the oldest first.

    The sync with the key ``but`` is left out.
    """
    query = (
        select(SYNC.c.started_at)
        .where(
            SYNC.c.organization_id == organization_id,
            SYNC.c.started_at > moment,
            SYNC.c.started_at <= until,
            SYNC.c.key != but,
            reads_cliniko(),
            ~SYNC.c.refresh,
        )
        .order_by(SYNC.c.started_at)
    )
    return list((await connection.execute(query)).scalars())


_ACTIVE_SYNC = select(SYNC).where(SYNC.c.organization_id == bindparam("organization"), SYNC.c.completed_at.is_(None))


async def active_sync(connection: AsyncConnection, organization_id: str) -> SyncRow | None:
    """The organization's running sync."""
    return as_row(SyncRow, (await connection.execute(_ACTIVE_SYNC, {"organization": organization_id})).one_or_none())


async def syncs_where(connection: AsyncConnection, condition: ColumnElement[bool]) -> list[SyncRow]:
    """The syncs whose rows meet the condition, in no particular order."""
    return as_rows(SyncRow, await connection.execute(select(SYNC).where(condition)))


_ACTIVE = select(SYNC.c.key, SYNC.c.epoch).where(SYNC.c.completed_at.is_(None)).order_by(SYNC.c.key)


async def ended_among(connection: AsyncConnection, keys: Collection[int]) -> list[int]:
    """Those of these syncs that have ended."""
    ended = select(SYNC.c.key).where(among(SYNC.c.key, "keys"), SYNC.c.completed_at.is_not(None))
    return list((await connection.execute(ended, {"keys": list(keys)})).scalars())


async def active_epochs(connection: AsyncConnection) -> dict[int, int]:
    """The epochs of all running syncs by their keys, the oldest first."""
    return {row.key: row.epoch for row in await connection.execute(_ACTIVE)}


async def claim(
    connection: AsyncConnection, key: int, holder: str, opening_texts: Mapping[int, str], epoch: int | None = None
) -> SyncRow | None:
    """Claim the sync for this process and return its row; ``None`` when it has ended, or has another epoch.

    Writes of earlier holders match no row from then on. A claim that another process did not release was lost with
    that process, and is counted.

    Args:
        holder: The name of this process. No other process, earlier or later, has the same.
        opening_texts: The ``current_step`` of each step, which replaces the text of a wait.
        epoch: The epoch that the caller has read; ``None`` for any.
    """
    as_read = [] if epoch is None else [SYNC.c.epoch == epoch]
    was_lost = SYNC.c.claimed_by.is_not(None) & (SYNC.c.claimed_by != holder)
    statement = (
        update(SYNC)
        .where(SYNC.c.key == key, SYNC.c.completed_at.is_(None), *as_read)
        .values(
            epoch=SYNC.c.epoch + 1,
            version=SYNC.c.version + 1,
            last_updated=utc_now(),
            claimed_by=holder,
            lost_claims=case((was_lost, SYNC.c.lost_claims + 1), else_=SYNC.c.lost_claims),
            **_without_wait(opening_texts),
        )
        .returning(SYNC)
    )
    return as_row(SyncRow, (await connection.execute(statement)).one_or_none())


async def release_claims(
    connection: AsyncConnection, holder: str, opening_texts: Mapping[int, str], key: int | None = None
) -> None:
    """Note that this process stops running a sync, or all its syncs, on purpose. Such claims don't count as lost.

    A wait of such a sync is over, as with ``claim``.
    """
    statement = update(SYNC).where(SYNC.c.claimed_by == holder, SYNC.c.completed_at.is_(None))
    if key is not None:
        statement = statement.where(SYNC.c.key == key)
    shown = {"version": SYNC.c.version + 1, "last_updated": utc_now(), **_without_wait(opening_texts)}
    await connection.execute(statement.where(SYNC.c.waiting_for.is_not(None)).values(claimed_by=None, **shown))
    await connection.execute(statement.values(claimed_by=None))


def _without_wait(opening_texts: Mapping[int, str]) -> dict[str, object]:
    texts = [(SYNC.c.step == step, text) for step, text in opening_texts.items()]
    text = case((SYNC.c.waiting_for.is_(None), SYNC.c.current_step), *texts, else_=SYNC.c.current_step)
    return {"current_step": text, "resumes_at": None, "waiting_for": None}


async def change_running(
    connection: AsyncConnection, key: int, epoch: int, changes: RunningChanges, lines: Sequence[NewLine] = ()
) -> SyncRow | None:
    """Change a sync that this holder still runs, append ``lines`` to its log, and return the new row.

    ``None`` means that the sync has ended or was taken up by another holder: nothing was written.
    """
    return await _change(connection, {"its_key": key, "its_epoch": epoch}, dict(changes), lines)


async def touch_running(connection: AsyncConnection, epochs: Mapping[int, int]) -> dict[int, SyncRow]:
    """Write a heartbeat for syncs, by key and epoch, and return the new rows of those with the same epoch still."""
    given = {"epochs": list(epochs.items()), "now": utc_now()}
    return {row.key: row for row in as_rows(SyncRow, await connection.execute(_TOUCH, given))}


_TOUCH = (
    update(SYNC)
    .where(tuple_(SYNC.c.key, SYNC.c.epoch).in_(bindparam("epochs", expanding=True)), SYNC.c.completed_at.is_(None))
    .values(version=SYNC.c.version + 1, last_updated=bindparam("now"))
    .returning(SYNC)
)


async def end_sync(
    connection: AsyncConnection, key: int, changes: FinalChanges, lines: Sequence[NewLine], *, epoch: int | None = None
) -> SyncRow | None:
    """End a sync and return its new row; ``None`` when it had ended, or no longer has the ``epoch`` that was given."""
    which = {"its_key": key} if epoch is None else {"its_key": key, "its_epoch": epoch}
    return await _change(connection, which, {**changes, "completed_at": utc_now()}, lines)


async def _change(
    connection: AsyncConnection, which: Mapping[str, int], values: Mapping[str, object], lines: Sequence[NewLine]
) -> SyncRow | None:
    now = utc_now()
    new = {f"new_{name}": value for name, value in {**values, "last_updated": now}.items()}
    statement = _changing("its_epoch" in which, frozenset(values))
    given = {**which, **new, "new_lines": len(lines)}
    row = as_row(SyncRow, (await connection.execute(statement, given)).one_or_none())
    if row is not None and lines:
        await append_lines(connection, row.key, row.last_log_seq - len(lines), lines, now)
    return row


@cache
def _changing(has_epoch: bool, columns: frozenset[str]) -> Executable:
    """The statement that changes these columns, to parameters ``new_…``, of the running sync ``its_key``.

    With the column ``completed_at`` it ends the sync, and so raises the epoch.
    """
    statement = update(SYNC).where(SYNC.c.key == bindparam("its_key"), SYNC.c.completed_at.is_(None))
    if has_epoch:
        statement = statement.where(SYNC.c.epoch == bindparam("its_epoch"))
    changes: dict[str, object] = {name: bindparam(f"new_{name}") for name in sorted(columns | {"last_updated"})}
    changes["version"] = SYNC.c.version + 1
    changes["last_log_seq"] = SYNC.c.last_log_seq + bindparam("new_lines", type_=Integer)
    if "completed_at" in columns:
        changes["epoch"] = SYNC.c.epoch + 1
    if "progress_percentage" in columns:
        new = bindparam("new_progress_percentage", type_=Integer)
        changes["progress_percentage"] = case((SYNC.c.progress_percentage < new, new), else_=SYNC.c.progress_percentage)
    return statement.values(**changes).returning(SYNC)


async def append_lines(
    connection: AsyncConnection, key: int, last_seq: int, lines: Sequence[NewLine], now: datetime
) -> None:
    """Write log lines with the numbers after ``last_seq``, which the sync's row has already given out."""
    rows = [
        {"sync_key": key, "seq": last_seq + number, "time": now, "level": line.level, "step": line.step,
         "message": line.message}
        for number, line in enumerate(lines, 1)
    ]  # fmt: skip
    await connection.execute(_INSERT_LINES, rows)


_INSERT_LINES = insert(LOG)
