"""Watchers of changes that come, leave and resume anywhere get each change once and in order, from memory or not."""

import random
from dataclasses import dataclass
from typing import Any

import pytest

from routiq_gql.patients import change_feed
from routiq_gql.patients.change_cursors import Place
from routiq_gql.patients.change_feed import Behind, ChangeFeed


@dataclass(frozen=True)
class Change:
    """All that the feed reads of a change."""

    place: Place


class Stored:
    """The changes of published syncs, as the database returns them: those of a single sync at once."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.changes: list[Any] = []
        self.newest = Place.behind(1)
        self.reads = 0

    def publish(self) -> None:
        """A sync with some changes, or none."""
        sync = self.newest.sync + self._chance.randint(1, 3)
        patients = sorted(self._chance.sample(range(1, 20), self._chance.choice([0, 1, 3, 8])))
        self.changes += [Change(Place(sync, one)) for one in patients]
        self.newest = Place.behind(sync)

    async def read(self, place: Place) -> Behind:
        """Some changes behind a place, and the place behind them."""
        self.reads += 1
        left = [one for one in self.changes if one.place > place]
        if not left:
            return [], max(place, self.newest)
        of_sync = [one for one in left if one.place.sync == left[0].place.sync]
        part = of_sync[: self._chance.randint(1, 4)]
        return part, part[-1].place if len(part) < len(of_sync) else Place.behind(part[-1].place.sync)


@dataclass
class Watcher:
    """A watcher that has come at ``start``, and the changes that it has got."""

    start: Place
    place: Place
    found: list[Any]


@pytest.mark.parametrize("seed", range(40))
async def test_each_watcher_gets_each_change_once(monkeypatch: pytest.MonkeyPatch, seed: int):
    """Wherever watchers resume, also right behind a change, and however many changes memory keeps."""
    monkeypatch.setattr(change_feed, "KEPT_CHANGES", 6)
    chance = random.Random(seed)
    stored = Stored(chance)
    feed, watchers = ChangeFeed(stored.newest, stored.read), list[Watcher]()
    for _ in range(60):
        if chance.random() < 0.3:
            stored.publish()
        if chance.random() < 0.3:
            places = [Place.behind(1), stored.newest, *(one.place for one in stored.changes)]
            start = chance.choice(places)
            watchers.append(Watcher(start, start, []))
        for one in chance.sample(watchers, min(len(watchers), 2)):
            if one.place < stored.newest:
                changes, behind = await feed.behind(one.place, stored.newest)
                assert behind >= one.place
                one.found += changes
                one.place = behind
    for one in watchers:
        while one.place < stored.newest:
            changes, one.place = await feed.behind(one.place, stored.newest)
            one.found += changes
        assert one.found == [change for change in stored.changes if change.place > one.start]
    assert sum(len(part.changes) for part in feed._parts) <= 6 + 4
