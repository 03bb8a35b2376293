"""A process that runs all syncs, unless it kills itself before; used by ``test_kills``.

Started as ``python -m tests.sync.killed_process MOMENT NUMBER`` with settings in the environment. MOMENT is ``before``
or ``after`` the commit of that NUMBER, or ``storing``: inside the transaction that publishes the result.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.syncs import active_epochs
from routiq_gql.runtime import open_runtime
from routiq_gql.settings import load_settings
from routiq_gql.sync import pipeline


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at_commit(moment: str, number: int) -> None:
    commit = AsyncConnection.commit
    done = 0

    async def counted(self: AsyncConnection) -> None:
        nonlocal done
        done += 1
        if done == number and moment == "before":
            _die()
        await commit(self)
        if done == number:
            _die()

    AsyncConnection.commit = counted


def _die_while_storing() -> None:
    publish = pipeline.publish

    async def published(*arguments: Any) -> None:
        await publish(*arguments)
        _die()

    pipeline.publish = published


async def _run_syncs() -> None:
    async with open_runtime(load_settings()) as runtime:
        while True:
            async with runtime.database.reading() as connection:
                if not await active_epochs(connection):
                    return
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    if sys.argv[1] == "storing":
        _die_while_storing()
    else:
        _die_at_commit(sys.argv[1], int(sys.argv[2]))
    asyncio.run(_run_syncs())
