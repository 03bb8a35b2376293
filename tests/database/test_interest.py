"""Notes of what clients read: of every state of an organization's looks, compared with the rules in plain Python."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import insert, select

from routiq_gql.database.engine import Database
from routiq_gql.database.interest import FRESH_FOR, note_watched
from routiq_gql.database.schema import upgrade
from routiq_gql.database.tables import REFRESH

pytestmark = pytest.mark.both_databases

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
WATCHED_SINCE, LATEST = NOW - 5 * MINUTE, NOW + MINUTE
READ_AT = (None, NOW - 6 * MINUTE, NOW - FRESH_FOR - SECOND, NOW - FRESH_FOR + SECOND, NOW + 300 * MINUTE)
"""When a client last read: never, long ago, a moment ago, just now, and while the clock was ahead."""
NEXT_AT = (NOW - SECOND, NOW + 30 * SECOND, LATEST, LATEST + SECOND)
STATES = [*product(READ_AT, NEXT_AT, (False, True), (False, True))]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await upgrade(opened)
    async with opened.writing() as connection:
        for number, (watched_at, next_at, is_asked, _) in enumerate(STATES):
            row = {"organization_id": f"org_{number}", "is_asked": is_asked, "next_at": next_at, "epoch": 0}
            await connection.execute(insert(REFRESH).values(**row, spent=[], found={}, watched_at=watched_at))
    yield opened
    await opened.close()


@pytest.mark.parametrize("everywhere", [False, True])
async def test_the_first_reader_makes_a_look_due(database: Database, everywhere: bool):
    """A note moves what it must: a time that is old or lies ahead, and a look that no client had waited for."""
    read = [f"org_{number}" for number, (*_, is_read) in enumerate(STATES) if is_read]
    async with database.writing() as connection:
        times = {"watched_since": WATCHED_SINCE, "latest": LATEST, "everywhere": everywhere}
        await note_watched(connection, read, NOW, **times)
    async with database.reading() as connection:
        query = select(REFRESH.c.organization_id, REFRESH.c.watched_at, REFRESH.c.next_at)
        found = {row[0]: (row[1], row[2]) for row in await connection.execute(query)}
    for number, (watched_at, next_at, is_asked, is_read) in enumerate(STATES):
        is_old = watched_at is None or not NOW - FRESH_FOR <= watched_at <= NOW
        expected = watched_at, next_at
        if is_read and (is_asked or everywhere) and is_old:
            was_unwatched = watched_at is None or watched_at < WATCHED_SINCE
            is_brought_forward = was_unwatched and NOW < next_at <= LATEST
            expected = NOW, NOW if is_brought_forward else next_at
        assert found[f"org_{number}"] == expected, STATES[number]
