"""Looks at organizations that no client reads are rarer, and frequent again as soon as a client comes back."""

import asyncio
from collections.abc import Collection
from contextlib import aclosing
from datetime import timedelta

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.database.refreshes import due_refreshes
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.errors import DatabaseAway
from routiq_gql.organizations import interest as organizations_interest
from routiq_gql.organizations.freshness import Freshness, FreshnessMode
from routiq_gql.organizations.interest import Interest
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import Looks, looks_of
from tests.organization import ORGANIZATION
from tests.patients.statements import recorded
from tests.syncs import run_sync
from tests.waiting import LIMIT_SECONDS


def interest_of(runtime: Runtime) -> Interest:
    """The interest of another process, where every organization is kept live."""
    return Interest(runtime.database, runtime.settings.model_copy(update={"refresh_seconds": 15}))


async def wait_after_a_look(looks: Looks) -> timedelta:
    """Look as if it were due, and return when the next look is."""
    due, now = await looks.due(), utc_now()
    await looks.note_unwatched()
    await looks.refreshes.look(due, looks.runtime.engine)
    return (await looks.stored()).next_at - now


async def freshness(runtime: Runtime) -> Freshness:
    """The freshness in the list of organizations, whose readers watch no single organization."""
    (summary,) = (await runtime.syncs.organizations(LOCAL_OPERATOR)).organizations
    assert summary.freshness is not None
    return summary.freshness


@pytest.mark.both_databases
async def test_a_clinic_without_readers_is_looked_at_less_often(runtime: Runtime, cliniko: Cliniko):
    """After five minutes without a client the wait is four times as long. The first request ends it at once."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    await looks.look()
    assert await wait_after_a_look(looks) > timedelta(seconds=50)
    found = await freshness(runtime)
    assert (found.mode, found.look_interval_seconds) == (FreshnessMode.UNWATCHED, 60)
    interest = interest_of(runtime)
    interest.note(ORGANIZATION)
    await interest.write([])
    async with runtime.database.reading() as connection:
        assert await due_refreshes(connection, utc_now(), 1, everywhere=False), "a look is due at once"
    found = await freshness(runtime)
    assert (found.mode, found.look_interval_seconds) == (FreshnessMode.LIVE, 15)
    due, now = await looks.due(), utc_now()
    await looks.refreshes.look(due, runtime.engine)
    assert (await looks.stored()).next_at - now < timedelta(seconds=20)


async def test_a_reader_who_comes_during_a_look_makes_the_next_one_frequent(runtime: Runtime, cliniko: Cliniko):
    """The wait after a look goes by the readers at its end, not by those when it became due."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    await looks.look()
    due = await looks.due()
    await looks.note_unwatched()
    interest = interest_of(runtime)
    interest.note(ORGANIZATION)
    await interest.write([])
    now = utc_now()
    await looks.refreshes.look(due, runtime.engine)
    assert (await looks.stored()).next_at - now < timedelta(seconds=20)


async def test_a_reader_does_not_shorten_the_waits_after_failures(runtime: Runtime, cliniko: Cliniko):
    """While Cliniko fails, clients that come and go cause no more requests to it."""
    await run_sync(runtime)
    looks = looks_of(runtime)
    cliniko.emulator.faults.add(Fault(FaultKind.STATUS_500, times=None))
    for _ in range(4):
        wait = await wait_after_a_look(looks)
    assert wait > timedelta(minutes=2)
    interest = interest_of(runtime)
    interest.note(ORGANIZATION)
    await interest.write([])
    assert (await looks.stored()).next_at > utc_now() + timedelta(minutes=2)


@pytest.mark.both_databases
async def test_many_requests_of_a_clinic_are_one_statement_in_half_a_minute(runtime: Runtime, cliniko: Cliniko):
    """Requests note the clinic in memory, and no organization costs a statement where none is kept live."""
    await run_sync(runtime)
    await looks_of(runtime).row()
    await looks_of(runtime).note_unwatched()
    interest = interest_of(runtime)
    with recorded(runtime.database) as executed:
        for _ in range(20):
            interest.note(ORGANIZATION)
            await interest.write([ORGANIZATION])
        still = Interest(runtime.database, runtime.settings)
        still.note(ORGANIZATION)
        await still.write([ORGANIZATION])
    ours = [one.text for one in executed if one.text.startswith("UPDATE refreshes SET next_at=CASE")]
    assert len(ours) == 1, ours


@pytest.mark.both_databases
async def test_a_reader_in_another_process_makes_looks_frequent(settings: Settings, cliniko: Cliniko):
    """A dashboard that is opened says a moment later, by itself, that looks are frequent again."""
    live = settings.model_copy(update={"refresh_seconds": 15})
    async with open_runtime(live) as worker:
        await worker.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        await run_sync(worker)
        looks = looks_of(worker)
        await looks.row()
        await looks.note_unwatched()
        async with (
            open_runtime(live, run_syncs=False) as api,
            asyncio.timeout(LIMIT_SECONDS),
            aclosing(api.syncs.watch_dashboard(LOCAL_OPERATOR, ORGANIZATION)) as dashboards,
        ):
            async for dashboard in dashboards:
                assert dashboard.freshness is not None
                if dashboard.freshness.mode is FreshnessMode.LIVE:
                    break
        watched_at = (await looks.stored()).watched_at
        assert watched_at is not None
        assert watched_at > utc_now() - timedelta(minutes=5)


async def test_what_clients_read_around_a_write_that_fails_is_written_by_the_next(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
):
    """A database that is away for a moment forgets no client, neither one before the write nor one during it."""
    interest, written = interest_of(runtime), list[set[str]]()

    async def write(_connection: object, organizations: Collection[str], *_moment: object, **_options: object) -> None:
        written.append(set(organizations))
        if len(written) == 1:
            interest.note("org_during")
            raise DatabaseAway("The database is away.")

    monkeypatch.setattr(organizations_interest, "note_watched", write)
    interest.note("org_before")
    with pytest.raises(DatabaseAway):
        await interest.write([])
    await interest.write([])
    assert written == [{"org_before"}, {"org_before", "org_during"}]
    await interest.write([])
    assert len(written) == 2, "nothing new"
