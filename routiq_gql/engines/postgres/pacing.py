"""The pace of an API key that all processes share: a row holds the next turn, taken by the clock of the server.

A time that is far ahead was written while that clock was ahead, and counts as now: the key would wait for it otherwise.
"""

from datetime import timedelta

from sqlalchemy import Interval, bindparam, text

from routiq_gql.cliniko import BURST, OnWait, Pacer, PacerRegistry, rate_limit_message, wait_openly
from routiq_gql.database.engine import Database

LONGEST_AHEAD = "interval '30 minutes'"
"""More than any wait: a hold takes 90 s at most, and some hundred requests may queue behind it."""


def _sane(column: str) -> str:
    return f"CASE WHEN {column} > clock_timestamp() + {LONGEST_AHEAD} THEN clock_timestamp() ELSE {column} END"


_TAKE = text(
    "INSERT INTO key_paces AS pace (key_digest, turn_at, free_at, held_until) "  # noqa: S608
    "VALUES (:digest, clock_timestamp() + :hold, clock_timestamp() + :hold + :interval, clock_timestamp() + :hold) "
    "ON CONFLICT (key_digest) DO UPDATE SET "
    f"turn_at = greatest(clock_timestamp(), {_sane('pace.held_until')}, {_sane('pace.free_at')} - :early), "
    f"free_at = greatest(clock_timestamp(), {_sane('pace.held_until')}, {_sane('pace.free_at')}) + :interval, "
    f"held_until = {_sane('pace.held_until')} "
    "RETURNING extract(epoch FROM turn_at - clock_timestamp())::float"
).bindparams(*(bindparam(name, type_=Interval) for name in ("hold", "interval", "early")))
_HOLD = text(
    f"UPDATE key_paces AS pace SET held_until = greatest({_sane('held_until')}, clock_timestamp() + :hold), "  # noqa: S608
    f"free_at = greatest({_sane('free_at')}, clock_timestamp() + :hold + :early) WHERE key_digest = :digest"
).bindparams(*(bindparam(name, type_=Interval) for name in ("hold", "early")))
_IS_HELD = text("SELECT held_until > clock_timestamp() FROM key_paces WHERE key_digest = :digest")


class SharedPacer(Pacer):
    """Spaces the requests of an API key over all processes on the database."""

    def __init__(self, database: Database, digest: bytes, requests_per_minute: int) -> None:
        super().__init__(requests_per_minute)
        self._database = database
        self._digest = digest
        self._step = timedelta(minutes=1) / requests_per_minute
        self._unwritten_hold = 0.0

    async def wait_turn(self, on_wait: OnWait | None = None) -> None:
        await self.wait_turns(1, on_wait)

    async def wait_turns(self, count: int, on_wait: OnWait | None = None) -> None:
        while True:
            seconds = await self._take(count)
            if seconds <= 0:
                return
            await wait_openly(seconds, "rate_limit", rate_limit_message(seconds), on_wait)
            async with self._database.reading() as connection:
                if not (await connection.execute(_IS_HELD, {"digest": self._digest})).scalar_one():
                    return

    def hold(self, seconds: float) -> None:
        # Written with the next turn, which the caller takes at once.
        self._unwritten_hold = max(self._unwritten_hold, seconds)
        super().hold(seconds)  # so that the registry keeps this object as long

    async def _take(self, count: int) -> float:
        early = self._step * (BURST - 1)
        held, hold = self._unwritten_hold, timedelta(seconds=self._unwritten_hold)
        async with self._database.writing() as connection:
            if held:
                await connection.execute(_HOLD, {"digest": self._digest, "hold": hold, "early": early})
            values = {"digest": self._digest, "interval": self._step * count, "hold": hold}
            values["early"] = self._step * (BURST - count)
            seconds: float = (await connection.execute(_TAKE, values)).scalar_one()
        if self._unwritten_hold == held:
            self._unwritten_hold = 0.0
        return seconds


def shared_pacers(database: Database, requests_per_minute: int) -> PacerRegistry:
    """A registry of pacers that are shared between processes. Without a pace there is nothing to share."""
    if requests_per_minute == 0:
        return PacerRegistry(0)
    return PacerRegistry(requests_per_minute, lambda digest: SharedPacer(database, digest, requests_per_minute))
