"""Operations and changes are counted until their last task has ended, whatever order of events ends them."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from sqlalchemy import update

from routiq_gql import shares
from routiq_gql.api import admission
from routiq_gql.api.admission import Admission, bucket_of
from routiq_gql.clock import utc_now
from routiq_gql.database.syncs import insert_sync
from routiq_gql.database.tables.syncs import SYNC
from routiq_gql.errors import RateLimited
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.settings import Settings
from routiq_gql.shares import Share
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode
from tests.waiting import until

ORGANIZATIONS = ("org_1", "org_2")
MOST = 2


@dataclass(eq=False)
class Operation:
    """A caller, whose operation may go on as a change after the caller has left."""

    organization: str
    is_change: bool
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    is_begun: bool = False
    is_changing: bool = False
    caller: asyncio.Task[None] | None = None

    async def run(self, counted: Admission) -> None:
        async with counted.turn(self.organization) as turn:
            self.is_begun = True
            await (counted.to_its_end(self._change(), turn) if self.is_change else self.may_end.wait())

    async def _change(self) -> None:
        self.is_changing = True
        try:
            await self.may_end.wait()
        finally:
            self.is_changing = False

    @property
    def is_executed(self) -> bool:
        """Whether some task works on it."""
        return self.is_changing or (self.is_begun and self.caller is not None and not self.caller.done())

    @property
    def is_waiting(self) -> bool:
        return not self.is_begun and self.caller is not None and not self.caller.done()


@pytest.mark.parametrize("seed", range(20))
async def test_what_is_executed_is_counted(settings: Settings, monkeypatch: pytest.MonkeyPatch, seed: int):
    """Callers come, leave and end in any order. Never are more executed than allowed, and no place is lost or kept."""
    monkeypatch.setattr(admission, "WAIT_SECONDS", 1_000)
    chance = random.Random(seed)
    counted = Admission(settings.model_copy(update={"max_operations": MOST}))
    operations: list[Operation] = []
    for _ in range(40):
        living = [one for one in operations if one.is_executed or one.is_waiting]
        match chance.choice(("come", "come", "leave", "end", "end")) if living else "come":
            case "come":
                one = Operation(chance.choice(ORGANIZATIONS), chance.random() < 0.5)
                one.caller = asyncio.create_task(one.run(counted))
                operations.append(one)
            case "leave":
                caller = chance.choice(living).caller
                assert caller is not None
                caller.cancel()
            case _:
                chance.choice(living).may_end.set()
        for _ in range(chance.choice((0, 1, 10))):
            await asyncio.sleep(0)
        for organization in ORGANIZATIONS:
            executed = sum(one.is_executed for one in operations if one.organization == organization)
            assert executed <= MOST
    for one in operations:
        if chance.random() < 0.5:
            one.may_end.set()
    for _ in range(200):
        await asyncio.sleep(0)
    for organization in ORGANIZATIONS:
        ours = [one for one in operations if one.organization == organization]
        executed = sum(one.is_executed for one in ours)
        assert executed == MOST or not any(one.is_waiting for one in ours)
        assert counted.has_room(organization) == (executed < MOST)
    assert counted.executing == sum(one.is_executed or one.is_waiting for one in operations)
    for one in operations:
        one.may_end.set()
    await until(lambda: counted.executing == 0)
    assert counted._queues == {}
    assert counted._changes == set()


async def test_changes_count_after_their_callers_have_left(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """A client that begins changes and leaves, again and again, gets no more places than one that stays."""
    monkeypatch.setattr(admission, "WAIT_SECONDS", 0.01)
    counted = Admission(settings.model_copy(update={"max_operations": MOST}))
    operations = [Operation("org_1", is_change=True) for _ in range(MOST + 1)]
    for one in operations[:MOST]:
        one.caller = asyncio.create_task(one.run(counted))
    await until(lambda: all(one.is_changing for one in operations[:MOST]))
    for one in operations[:MOST]:
        assert one.caller is not None
        one.caller.cancel()
        await asyncio.wait({one.caller})
    with pytest.raises(RateLimited):
        await operations[MOST].run(counted)
    for one in operations:
        one.may_end.set()
    await counted.close()
    await operations[MOST].run(counted)
    assert counted.executing == 0


async def test_operations_and_events_of_each_organization_have_shares_of_their_own(settings: Settings):
    """Neither the queries of an organization delay its events, nor the other way round, nor do other organizations."""
    counted = Admission(settings)
    found: dict[tuple[str, str], Share] = {}
    for organization in [*ORGANIZATIONS, *ORGANIZATIONS]:
        for kind, begin in (("operation", counted.turn), ("event", counted.watching)):
            async with begin(organization):
                share = shares._used()
            assert share is not None
            assert found.setdefault((organization, kind), share) is share
    assert len(set(found.values())) == 4
    assert shares._used() is None
    sizes = {kind: share.connections._value for (_, kind), share in found.items()}
    assert sizes == {"operation": shares.OPERATION_CONNECTIONS, "event": shares.WATCH_CONNECTIONS}


@pytest.mark.sqlite_only
async def test_each_id_counts_for_the_organization_that_it_names(runtime: Runtime, monkeypatch: pytest.MonkeyPatch):
    """With authentication off, requests for any sync of an organization, even of the same second, share its limit."""
    moment = utc_now()
    for organization in ("org_1", "a", "sync_1_20250101", "x_20250101_101010_2", "A-b_" * 16):
        ids = []
        for _ in range(3):
            async with runtime.database.writing() as connection:
                row = await insert_sync(connection, organization, first_values(SyncMode.FULL, moment))
                assert row is not None
                ids.append(row.sync_id)
                await connection.execute(update(SYNC).values(completed_at=moment))
        for asked in (organization, *ids):
            assert bucket_of(LOCAL_OPERATOR, asked) == organization, asked
            assert bucket_of(Viewer("org_9"), asked) == "org_9"
