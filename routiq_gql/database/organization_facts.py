"""Reads what overviews of many organizations need besides their ids, in a single statement for any number of them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Executable,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import UtcDateTime, each_text, milliseconds_between
from routiq_gql.database.history import FULL, TIME_ONLY
from routiq_gql.database.rows import MirrorRow, ScheduleRow
from routiq_gql.database.schedules import USABLE
from routiq_gql.database.tables import CONNECTION, MIRROR, REFRESH, SCHEDULE, SYNC

LATEST_SYNCS = 9
"""Completed syncs of each mode whose durations are read."""
COMPLETED: ColumnElement[str] = literal_column("'completed'")
"""Written into the statement, so that PostgreSQL finds the index of completed syncs."""
MODES = ("full", "incremental")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OTHER = REFRESH.alias("other")
_ITS = CONNECTION.alias("its")
_OTHERS = (_OTHER.c.key_digest == REFRESH.c.key_digest) & (_OTHER.c.organization_id != REFRESH.c.organization_id)


@dataclass(frozen=True, slots=True)
class CompletedSync:
    """The newest completed sync of an organization.

    Attributes:
        checked_at: When Cliniko's last total was taken, as ISO 8601; ``None`` without a receipt.
    """

    completed_at: datetime
    checked_at: str | None


@dataclass(frozen=True, slots=True)
class LookedAtToo:
    """Another organization with the same API key and a connection that can be used.

    Attributes:
        is_live_asked: Whether an operator asked to keep it live.
        watched_at: When a client last read its data.
    """

    is_live_asked: bool
    watched_at: datetime | None


@dataclass(frozen=True, slots=True)
class OrganizationFacts:
    """An organization. ``None`` stands for a missing row.

    Attributes:
        connection_state: The value of a ``ConnectionState``.
        name: The clinic's name in Cliniko.
        running_status: The status of the running sync.
        seconds: The durations of the latest completed syncs, by the value of their mode.
        is_live_asked: Whether an operator asked to keep it live.
        allowance: Requests a minute that Cliniko's rate limit left to looks with the key; ``None`` for their whole
            share.
        watched_at: When a client last read its data, if it is kept live.
        look_failures: Looks in a row that failed, or whose sync failed.
        sharers: The others with its key.
    """

    organization_id: str
    connection_state: str | None
    name: str | None
    schedule: ScheduleRow | None
    running_status: str | None
    completed: CompletedSync | None
    mirror: MirrorRow | None
    seconds: Mapping[str, Sequence[float]]
    is_live_asked: bool = False
    allowance: int | None = None
    watched_at: datetime | None = None
    look_failures: int = 0
    sharers: Sequence[LookedAtToo] = ()


async def facts_of(connection: AsyncConnection, organizations: Collection[str]) -> dict[str, OrganizationFacts]:
    """The facts about each organization, including organizations without any row."""
    given = {"organizations": orjson.dumps(list(organizations)).decode(), "count": len(organizations)}
    rows = await connection.execute(_facts(connection.dialect.name), given)
    return {row[0]: _facts_in(row) for row in rows}


def _facts_in(row: Sequence[object]) -> OrganizationFacts:
    organization, state, name, running, completed_at, checked_at, *rest = row
    is_asked, allowance, of_others, watched_at, failures, sharers, *rest = rest
    allowances = [one for one in (allowance, of_others) if isinstance(one, int)]
    durations, rest = rest[: len(MODES)], rest[len(MODES) :]
    schedule, mirror = rest[: len(SCHEDULE.columns)], rest[len(SCHEDULE.columns) :]
    return OrganizationFacts(
        organization_id=_text(organization) or "",
        connection_state=_text(state),
        name=_text(name),
        schedule=ScheduleRow(*schedule) if schedule[0] is not None else None,  # type: ignore[arg-type]
        running_status=_text(running),
        completed=CompletedSync(completed_at, _text(checked_at)) if isinstance(completed_at, datetime) else None,
        mirror=MirrorRow(*mirror) if mirror[0] is not None else None,  # type: ignore[arg-type]
        seconds={
            mode: [milliseconds / 1000 for milliseconds in found] if isinstance(found, list) else []
            for mode, found in zip(MODES, durations, strict=True)
        },
        is_live_asked=is_asked is True,
        allowance=min(allowances, default=None),
        watched_at=watched_at if isinstance(watched_at, datetime) else None,
        look_failures=failures if isinstance(failures, int) else 0,
        sharers=[LookedAtToo(bool(asked), _time(at)) for asked, at in sharers] if isinstance(sharers, list) else [],
    )


def _time(milliseconds: float | None) -> datetime | None:
    return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds is not None else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


@cache
def _facts(dialect: str) -> Executable:
    # Without the limit PostgreSQL expects 100 organizations, and reads whole tables to find one of them.
    given = select(each_text(dialect, "organizations").label("organization_id")).limit(bindparam("count")).subquery()
    organization = given.c.organization_id
    shown = ~SYNC.c.refresh | (SYNC.c.mode == literal_column(f"'{FULL}'"))  # not in the background
    running = select(SYNC.c.status).where(SYNC.c.organization_id == organization, SYNC.c.completed_at.is_(None), shown)
    newest = select(SYNC.c.key).where(SYNC.c.organization_id == organization, SYNC.c.status == COMPLETED)
    newest = newest.where(SYNC.c.mode != literal_column(f"'{TIME_ONLY}'"))
    its_newest = newest.order_by(SYNC.c.key.desc()).limit(1).scalar_subquery()
    completed = SYNC.alias("completed")
    is_sqlite = dialect == "sqlite"
    as_list = func.json_group_array if is_sqlite else func.json_agg
    as_pair = func.json_array if is_sqlite else func.json_build_array
    watched = milliseconds_between(literal(_EPOCH, UtcDateTime()), _OTHER.c.watched_at)
    sharers = (
        select(as_list(as_pair(_OTHER.c.is_asked, case((_OTHER.c.watched_at.is_not(None), watched)))))
        .join_from(_OTHER, _ITS, _ITS.c.organization_id == _OTHER.c.organization_id)
        .where(_OTHERS, _ITS.c.state == literal_column(f"'{USABLE}'"))
    )

    def durations(mode: str) -> ColumnElement[object]:
        duration = cast(milliseconds_between(SYNC.c.started_at, SYNC.c.completed_at), BigInteger).label("duration")
        latest = (
            select(duration)
            .where(
                SYNC.c.organization_id == organization, SYNC.c.status == COMPLETED, SYNC.c.mode == literal_column(mode)
            )
            .order_by(SYNC.c.key.desc())
            .limit(LATEST_SYNCS)
            .correlate(given)
            .subquery()
        )
        return type_coerce(select(as_list(latest.c.duration)).scalar_subquery(), JSON)

    return (
        select(
            organization,
            CONNECTION.c.state,
            CONNECTION.c.account_name,
            running.scalar_subquery(),
            completed.c.completed_at,
            completed.c.receipt["checked_at"].as_string(),
            REFRESH.c.is_asked,
            REFRESH.c.allowance,
            select(func.min(_OTHER.c.allowance)).where(_OTHERS).correlate(REFRESH).scalar_subquery(),
            REFRESH.c.watched_at,
            REFRESH.c.found["failures"].as_integer(),
            type_coerce(sharers.correlate(REFRESH).scalar_subquery(), JSON),
            *(durations(f"'{mode}'") for mode in MODES),
            *SCHEDULE.columns,
            *MIRROR.columns,
        )
        .select_from(given)
        .outerjoin(CONNECTION, CONNECTION.c.organization_id == organization)
        .outerjoin(SCHEDULE, SCHEDULE.c.organization_id == organization)
        .outerjoin(REFRESH, REFRESH.c.organization_id == organization)
        .outerjoin(MIRROR, MIRROR.c.organization_id == organization)
        .outerjoin(completed, completed.c.key == its_newest)
    )
