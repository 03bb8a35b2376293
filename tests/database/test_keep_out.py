"""Random orders of erasures, merges and undone erasures: the keep-out list equals groups of persons in plain Python."""

import random

import pytest

from routiq_gql.database.drafts import ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.keep_out import KeepOut
from routiq_gql.database.keys import KeyStore
from routiq_gql.database.persons import same_persons
from routiq_gql.database.publishing import ensure_mirror
from tests.conftest import ENCRYPTION_KEYS
from tests.database.clinics import PATIENTS, Clinic, patient

NUMBERS = range(1, 8)
STEPS = 20


class Persons:
    """The erased persons of an organization, each with the numbers that they have in Cliniko."""

    def __init__(self) -> None:
        self.groups: list[set[int]] = []

    def has(self, number: int) -> bool:
        return any(number in group for group in self.groups)

    def erase(self, numbers: set[int]) -> None:
        """Erase a person with these numbers."""
        own = [group for group in self.groups if group & numbers]
        self.groups = [group for group in self.groups if group not in own] + [numbers.union(*own)]

    def merge(self, links: list[tuple[int, int]]) -> None:
        """Cliniko shows that two numbers are of one person, who may have been erased under either."""
        while new := [
            set(link) for link in links if any(group & {*link} and not {*link} <= group for group in self.groups)
        ]:
            self.erase(new[0])

    def let_in(self, number: int) -> bool:
        """Undo the erasure of the person with this number."""
        kept = [group for group in self.groups if number not in group]
        is_known, self.groups = len(kept) < len(self.groups), kept
        return is_known


async def test_an_erased_person_stays_out_until_the_erasure_is_undone(database: Database):
    """A person is out with all numbers, under whichever they were erased, and is let in with all of them."""
    for seed in range(5):
        try:
            await _history(database, seed)
        except BaseException as error:
            error.add_note(f"The history has the seed {seed}.")
            raise


async def _history(database: Database, seed: int) -> None:
    chance, persons = random.Random(seed), {name: Persons() for name in (f"org_{seed}_a", f"org_{seed}_b")}
    keep_out = KeepOut(KeyStore(ENCRYPTION_KEYS, None))
    for _ in range(STEPS):
        name = chance.choice([*persons])
        some = chance.sample(NUMBERS, chance.randint(1, 3))
        async with database.writing() as connection:
            mirror = (await ensure_mirror(connection, name)).number
            match chance.choice(("erase", "merge", "merge", "let in")):
                case "erase":
                    was_known = persons[name].has(some[0])
                    persons[name].erase({*some})
                    assert await keep_out.add(connection, mirror, some[0], some) is not was_known
                case "merge":
                    links = [(one, chance.choice(NUMBERS)) for one in some]
                    persons[name].merge([link for link in links if link[0] != link[1]])
                    rows = [patient(one, merged_with_id=other) for one, other in links]
                    unreadable = chance.sample(sorted({*NUMBERS} - {*some}), 2)
                    page = await keep_out.filter(connection, mirror, PATIENTS, ReadPage(rows, unreadable=unreadable))
                    out = {one for one in (*some, *unreadable) if persons[name].has(one)}
                    assert {row["id"] for row in page.suppressed} == out
                    assert {row["id"] for row in page.rows} == {*some} - out
                    assert {*page.unreadable} == {*unreadable} - out
                case "let in":
                    assert await keep_out.remove(connection, mirror, some[0]) is persons[name].let_in(some[0])
            erased = await keep_out.read(connection, mirror)
        found = {one for one in NUMBERS if erased is not None and erased.has(one)}
        assert found == {one for one in NUMBERS if persons[name].has(one)}


@pytest.mark.parametrize("seed", range(8))
async def test_all_numbers_of_a_person_are_found_from_each_of_them(database: Database, seed: int):
    """Merges in any direction, in chains and circles, also in earlier versions: erasing one number erases them all."""
    chance, clinic = random.Random(seed), Clinic(database, "org_a")
    links: set[tuple[int, int]] = set()
    for _ in range(2):  # what the second sync no longer shows still counts
        draft = await clinic.begin()
        rows = [patient(one, merged_with_id=chance.choice([None, None, *NUMBERS])) for one in NUMBERS]
        links |= {(row["id"], row["merged_with_id"]) for row in rows if row["merged_with_id"] is not None}
        await clinic.merge(draft, PATIENTS, ReadPage(rows))
        await clinic.publish(draft)
    persons = Persons()
    for one in NUMBERS:
        persons.erase({one})
    for link in links:
        persons.erase({*link})
    async with database.reading() as connection:
        for one in NUMBERS:
            (expected,) = [group for group in persons.groups if one in group]
            assert await same_persons(connection, draft.mirror, one) == expected
