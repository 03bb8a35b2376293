"""The feed of published patients: which snapshots of syncs change what readers see."""

from itertools import permutations
from types import SimpleNamespace
from typing import Any

from routiq_gql.live.bus import InProcessBus
from routiq_gql.live.patient_feeds import PatientFeeds, PublishedPatients
from routiq_gql.sync.model import SyncState
from tests.live.followers import Recorder

ORGANIZATION = "org_a"
READ = 5
"""The published sync that the database named."""


async def test_only_a_completed_newer_sync_is_published():
    """Snapshots come in any order and of any sync: followers get the numbers of completed syncs, each higher."""
    unread: Any = SimpleNamespace(change_token=lambda: 1)
    states = [one for one in SyncState if one is not SyncState.COMPLETED]
    snapshots = [(READ + 1 + number, state) for number, state in enumerate(states)]
    snapshots += [(READ - 1, SyncState.COMPLETED), (READ, SyncState.COMPLETED), (8, SyncState.COMPLETED)]
    snapshots += [(20, SyncState.COMPLETED)]
    for first in permutations(snapshots, 2):
        bus = InProcessBus()
        feed = PatientFeeds(unread, bus).feed_of(ORGANIZATION)
        feed.on_snapshot(_snapshot(9, SyncState.COMPLETED))  # before the first read, which finds it
        feed.take(READ)
        feed._token = 1
        following = await feed.follow(recorder := Recorder[PublishedPatients]())
        newest = READ
        for key, status in (*first, *snapshots, *first):
            bus.deliver(_snapshot(key, status))
            if status is SyncState.COMPLETED:
                newest = max(newest, key)
            assert following.value == PublishedPatients(ORGANIZATION, newest)
        numbers = [one.sync for one in recorder.values]
        assert numbers == sorted(set(numbers))
        following.close()


def _snapshot(key: int, status: SyncState) -> Any:
    ended = {SyncState.COMPLETED, SyncState.FAILED, SyncState.CANCELLED}
    return SimpleNamespace(
        key=key, status=status, is_terminal=status in ended, sync_id=f"sync_{key}", organization_id=ORGANIZATION
    )
