"""Rate limits that are reported at any moment, also while turns are being taken; without a server."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from random import Random
from types import SimpleNamespace
from typing import Any

from routiq_gql.engines.postgres.pacing import SharedPacer
from routiq_gql.errors import DatabaseAway

SEEDS = 300


class _Database:
    """Takes turns at any pace, or is away.

    Attributes:
        holds: The seconds of each hold that was committed, in their order.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self.may_fail = True
        self.holds: list[float] = []

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Any]:
        written: list[float] = []

        async def execute(_statement: object, values: Mapping[str, Any]) -> Any:
            await self._pause()
            if "interval" not in values:
                written.append(values["hold"].total_seconds())
            return SimpleNamespace(scalar_one=lambda: 0.0)

        yield SimpleNamespace(execute=execute)
        await self._pause()
        if self.may_fail and self._random.random() < 0.3:
            raise DatabaseAway("")
        self.holds += written

    async def _pause(self) -> None:
        for _ in range(self._random.randrange(3)):
            await asyncio.sleep(0)


async def test_every_hold_is_written():
    """Whichever requests take turns meanwhile, and fail: each reported limit, or a longer one, is stored after it."""
    for seed in range(SEEDS):
        random = Random(seed)
        database = _Database(random)
        pacer = SharedPacer(database, b"", 60)  # type: ignore[arg-type]
        taking: list[asyncio.Task[None]] = []
        reported: list[tuple[float, int]] = []
        for _ in range(12):
            match random.choice(["hold", "turn", "turn", "pause", "pause"]):
                case "hold":
                    seconds = random.randint(1, 90)
                    reported.append((seconds, len(database.holds)))
                    pacer.hold(seconds)
                case "turn":
                    taking.append(asyncio.create_task(_turn(pacer)))
                case _:
                    await asyncio.sleep(0)
        await asyncio.gather(*taking)
        database.may_fail = False
        await pacer.wait_turn()
        for seconds, written in reported:
            assert max(database.holds[written:], default=0) >= seconds, seed
        written = len(database.holds)
        await pacer.wait_turn()
        assert len(database.holds) == written, "once is enough"


async def _turn(pacer: SharedPacer) -> None:
    with suppress(DatabaseAway):
        await pacer.wait_turn()
