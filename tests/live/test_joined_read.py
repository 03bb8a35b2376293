"""Callers of the same moment share a read; a database that hangs gets no queue of reads."""

import asyncio
from contextlib import suppress

from routiq_gql.live.joined_read import READS_AT_ONCE, JoinedRead


async def test_a_database_that_hangs_gets_no_queue_of_reads():
    """However many callers give up while the database hangs, few reads wait, and the next caller gets a new state."""
    begun = 0
    answers = asyncio.Event()

    async def read() -> int:
        nonlocal begun
        begun += 1
        number = begun
        await answers.wait()
        return number

    joined = JoinedRead(read, "hanging")
    for _ in range(50):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.002):
                await joined()
    waiting = [task for task in asyncio.all_tasks() if task.get_name() == "hanging"]
    assert begun == READS_AT_ONCE
    assert len(waiting) == READS_AT_ONCE + 1
    last = asyncio.create_task(joined())
    await asyncio.sleep(0)
    answers.set()
    assert await last == READS_AT_ONCE + 1  # begun after the call
    assert await joined() == READS_AT_ONCE + 2
