"""A re-read brings every feed up to date, however far each was behind, and also after a re-read that has failed."""

from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import chain, combinations, product
from typing import Any

import pytest
from sqlalchemy import update

from routiq_gql.database.tables import CONNECTION, MIRROR, SYNC
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.errors import DatabaseAway
from routiq_gql.live import patient_feeds, sync_feeds
from routiq_gql.live.feeds import Following
from routiq_gql.organizations import dashboard_feeds
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.live.followers import Recorder
from tests.organization import ORGANIZATION
from tests.syncs import start
from tests.waiting import until

KINDS = ("sync", "dashboard", "patients")
READS: tuple[tuple[Any, str], ...] = (
    (sync_feeds, "versions_of"),
    (sync_feeds, "syncs_where"),
    (dashboard_feeds, "fingerprints_of"),
    (patient_feeds, "published_syncs"),
)
"""The reads of a re-read."""


@pytest.fixture
async def calm(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A runtime that runs no syncs and re-reads only when the test says so."""
    monkeypatch.setattr("routiq_gql.organizations.feeds.REREAD_SECONDS_ELSEWHERE", 60)
    slow = settings.model_copy(update={"reread_seconds": 60})
    async with open_runtime(slow, run_syncs=False) as runtime:
        url = "http://127.0.0.1:1/v1"
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, url, check=False)
        yield runtime


async def _commit(runtime: Runtime, key: int, number: int) -> None:
    """Change what each feed shows, like another process, without a notification."""
    async with runtime.database.writing() as connection:
        await connection.execute(update(SYNC).where(SYNC.c.key == key).values(version=number, patients_found=number))
        await connection.execute(update(CONNECTION).values(role=f"role {number}"))
        await connection.execute(update(MIRROR).values(sync=number))


def _shown(followings: dict[str, Following[Any]]) -> dict[str, int]:
    """The number of the newest change that each feed shows."""
    dashboard = followings["dashboard"].value
    assert dashboard.current_sync is not None
    return {
        "sync": followings["sync"].value.version,
        "sync of the dashboard": dashboard.current_sync.version,
        "dashboard": int(dashboard.connection.role.removeprefix("role ")),
        "patients": followings["patients"].value.sync,
    }


async def test_every_feed_is_up_to_date_after_a_reread(calm: Runtime):
    """Some feeds have read a change by themselves, and a first re-read may fail: the next one finds all the rest."""
    sync_id = await start(calm)
    feeds = calm.syncs.feeds
    followings: dict[str, Following[Any]] = {
        "sync": await calm.syncs.follow_progress(LOCAL_OPERATOR, sync_id, Recorder()),
        "dashboard": await calm.syncs.follow_dashboard(LOCAL_OPERATOR, ORGANIZATION, Recorder()),
        "patients": await feeds.patients.feed_of(ORGANIZATION).follow(Recorder()),
    }
    key = followings["sync"].value.key
    async with calm.database.writing() as connection:
        await connection.execute(MIRROR.insert().values(organization_id=ORGANIZATION, sync=0, **_MIRROR))
    subsets = chain.from_iterable(combinations(KINDS, count) for count in range(len(KINDS) + 1))
    for number, (ahead, failing) in enumerate(product(subsets, (None, *READS)), 100):
        await _commit(calm, key, number)
        for kind in ahead:
            await followings[kind].fresh()
        if failing is not None:
            with pytest.MonkeyPatch.context() as patch, suppress(DatabaseAway):
                patch.setattr(*failing, _away)
                await feeds.reread()
        await feeds.reread()
        await until(lambda: not feeds.dashboards._reading)
        assert set(_shown(followings).values()) == {number}, (ahead, failing)
    for following in followings.values():
        following.close()


_MIRROR = {"keeps_window": False, "oldest_kept": 0, "patients_in_cliniko": 0, "format": 0}


async def _away(*_arguments: Any) -> Any:
    raise DatabaseAway("The database can't be reached at the moment.")
