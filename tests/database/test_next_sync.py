"""The next sync of a schedule is the stored time, but for times that only a wrong clock can have written."""

from datetime import timedelta
from itertools import product

from sqlalchemy import insert, update

from routiq_gql.clock import utc_now
from routiq_gql.database.connections import connection_of
from routiq_gql.database.engine import Database
from routiq_gql.database.rows import ScheduleRow
from routiq_gql.database.schedules import DENIED, MOST_UNTIL_RETRY, USABLE, next_sync_at, save_schedule
from routiq_gql.database.tables import CONNECTION

ORGANIZATION = "org_a"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AWAY = (None, -30 * DAY, HOUR / 2, 400 * DAY)
"""From now to a stored time."""
STATES = (USABLE, DENIED, "disabled")
A_MINUTE = timedelta(minutes=1)


async def test_no_clock_hides_the_next_sync(database: Database):
    """A usable connection is synced by its schedule, and a denied one is tried again, never later than it can be."""
    now = utc_now()
    values = {"organization_id": ORGANIZATION, "state": USABLE, "base_url": "", "shard": "au1", "encrypted_key": b""}
    async with database.writing() as connection:
        at = {"encryption_key_id": "", "created_at": now, "updated_at": now}
        await connection.execute(insert(CONNECTION).values(**values, **at))
        assert await connection_of(connection, ORGANIZATION) is not None
        assert await next_sync_at(connection, ORGANIZATION) is None, "without a schedule"
    for state, of_schedule, of_retry, is_local in product(STATES, AWAY[1:], AWAY, (False, True)):
        local = {"times": "06:00", "weekdays": "mon,tue,wed,thu,fri,sat,sun", "time_zone": "Australia/Sydney"}
        every = DAY + HOUR if is_local else HOUR
        schedule = ScheduleRow(
            ORGANIZATION, int(every.total_seconds()), now + of_schedule, now, **(local if is_local else {})
        )
        retry_at = None if of_retry is None else now + of_retry
        async with database.writing() as connection:
            await connection.execute(update(CONNECTION).values(state=state, retry_at=retry_at))
            await save_schedule(connection, schedule)
            found = await next_sync_at(connection, ORGANIZATION)
        if state == "disabled" or (state == DENIED and retry_at is None):
            assert found is None
            continue
        assert found is not None
        stored, most = (schedule.next_at, every) if state == USABLE else (retry_at, MOST_UNTIL_RETRY)
        assert stored is not None
        if stored <= now + most:
            assert found == stored
        else:
            assert now < found <= now + most + A_MINUTE
