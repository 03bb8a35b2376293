"""The search for differences by counts, in simulated lists: it finds every difference, with few requests."""

import random
from bisect import bisect_right, insort
from collections.abc import Callable

import pytest

from routiq_gql.sync.reconcile.bisecting import MirroredIds, repair_differences


class SimulatedList:
    """A list of ids in Cliniko, and its mirror."""

    def __init__(self, in_cliniko: list[int], mirrored: list[int]) -> None:
        self.in_cliniko = in_cliniko
        self.mirrored = MirroredIds(mirrored)
        self.held = list(mirrored)
        self.requests = 0
        self.before_request: Callable[[], None] = lambda: None

    async def count(self, above: int | None, up_to: int | None) -> int:
        self._request()
        begin, end = places(self.in_cliniko, above, up_to)
        return end - begin

    async def repair(self, above: int | None, up_to: int | None) -> bool:
        self._request()
        begin, end = places(self.in_cliniko, above, up_to)
        rows = self.in_cliniko[begin:end]
        self.requests += max(0, -(-len(rows) // 100) - 1)
        begin, end = places(self.held, above, up_to)
        changed = set(self.held[begin:end]) ^ set(rows)
        self.held[begin:end] = rows
        self.mirrored.update(changed, set(rows))
        return bool(changed)

    def _request(self) -> None:
        self.before_request()
        self.requests += 1

    async def compare(self) -> bool:
        """Search from a fresh total, and count again at the end, as a sync does."""
        up_to = self.held[-1] if self.held else None
        is_consistent = await repair_differences(self, up_to, await self.count(None, up_to))
        return is_consistent and await self.count(None, up_to) == self.mirrored.count(None, up_to)


def places(ids: list[int], above: int | None, up_to: int | None) -> tuple[int, int]:
    """Where a range begins and ends in ascending ids."""
    begin = 0 if above is None else bisect_right(ids, above)
    return begin, len(ids) if up_to is None else bisect_right(ids, up_to)


def scattered(chance: random.Random, ids: list[int], differences: int) -> list[int]:
    return chance.sample(ids[:-1], differences)


def clustered(chance: random.Random, ids: list[int], differences: int) -> list[int]:
    begin = chance.randrange(len(ids) - differences - 1)
    return ids[begin : begin + differences]


@pytest.mark.parametrize("rows", [50_000, 200_000])
@pytest.mark.parametrize(
    ("choose", "differences", "most"),
    [
        (scattered, 1, (12, 14)),
        (scattered, 5, (43, 54)),
        (scattered, 20, (118, 155)),
        (scattered, 50, (217, 314)),
        (clustered, 1, (12, 14)),
        (clustered, 20, (16, 18)),
        (clustered, 50, (16, 18)),
    ],
)
async def test_differences_are_found_with_few_requests(
    rows: int, choose: Callable[..., list[int]], differences: int, most: tuple[int, int]
) -> None:
    """One vanished row among 200,000 takes 14 requests, with the totals before and after; 20 take about 150."""
    taken = []
    for seed in range(2):
        chance = random.Random(seed)
        ids = sorted(chance.sample(range(10**15, 10**15 + 40 * rows), rows))
        chosen = set(choose(chance, ids, differences))
        others = [one for one in ids if one not in chosen]
        vanished = seed % 2 == 0
        simulated = SimulatedList(others, ids) if vanished else SimulatedList(ids, others)
        assert await simulated.compare()
        assert simulated.held == simulated.in_cliniko
        taken.append(simulated.requests)
    print(f"{rows} rows, {differences} {choose.__name__}: {min(taken)} to {max(taken)} requests")
    assert max(taken) <= most[rows > 50_000]


@pytest.mark.parametrize(("in_cliniko", "mirrored"), [(0, 0), (0, 5), (5, 0), (0, 1000), (1000, 0), (950, 1000)])
async def test_small_and_empty_lists(in_cliniko: int, mirrored: int) -> None:
    """A list that was emptied, or that the mirror does not hold at all, is repaired like any other."""
    simulated = SimulatedList(list(range(in_cliniko)), list(range(mirrored)))
    assert await simulated.compare()
    assert simulated.held == simulated.in_cliniko


async def test_rows_missing_between_two_mirrored_rows_are_all_read() -> None:
    """A gap of 5,000 rows in the mirror is read page by page."""
    ids = list(range(20_000))
    simulated = SimulatedList(ids, [*range(7_000), *range(12_000, 20_000)])
    assert await simulated.compare()
    assert simulated.held == ids
    assert simulated.requests < 51 + 15


@pytest.mark.parametrize("seed", range(20))
async def test_counts_that_contradict_each_other_start_the_search_again(seed: int) -> None:
    """Rows that vanish during the search are found as well, though the counts before them are no longer right."""
    chance = random.Random(seed)
    ids = sorted(chance.sample(range(10**6), 20_000))
    simulated = SimulatedList([one for one in ids if chance.random() > 0.0002], ids)
    left = 6

    def edit() -> None:
        nonlocal left
        if left and chance.random() < 0.2:
            left -= 1
            gone = sorted(set(ids) - set(simulated.in_cliniko))
            if not gone or chance.random() < 0.5:
                simulated.in_cliniko.pop(chance.randrange(len(simulated.in_cliniko) - 1))
            else:
                insort(simulated.in_cliniko, chance.choice(gone))

    simulated.before_request = edit
    await simulated.compare()
    simulated.before_request = lambda: None
    assert await simulated.compare()
    different = set(simulated.held) ^ set(simulated.in_cliniko)
    assert len(different) % 2 == 0, "differences that even out within a range are left"
    assert len(different) <= 4


async def test_a_total_that_is_always_wrong_ends_the_search() -> None:
    """Cliniko's totals may come from a cache. A search that repairs nothing ends after three starts."""
    simulated = SimulatedList(list(range(50_000)), list(range(50_000)))
    right = simulated.count

    async def wrong(above: int | None, up_to: int | None) -> int:
        return await right(above, up_to) - 1

    simulated.count = wrong  # type: ignore[method-assign]
    assert not await repair_differences(simulated, 49_999, 49_999)
    assert simulated.requests <= 3 * 12


def test_mirrored_ids_are_updated_in_place() -> None:
    """Rows that were repaired count at once."""
    ids = MirroredIds([2, 4, 6])
    ids.extend([8])
    ids.update({4, 5, 9, 3}, {5, 9})
    assert [ids.count(None, one) for one in range(10)] == [0, 0, 1, 1, 1, 2, 3, 3, 4, 5]
    assert (len(ids), ids.middle(None, None), ids.middle(5, None), ids.count(6, 8)) == (5, 5, 6, 1)
