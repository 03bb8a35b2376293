"""The patients whose bookings are read again after merges: along chains, however long, and in circles."""

import random
from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from routiq_gql.cliniko import Page, Patient
from routiq_gql.database.drafts import ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.sync.content import merged_patients
from routiq_gql.sync.drafting import Drafting
from tests.database.clinics import NOW, PATIENTS, Clinic, patient

NOTHING: Any = None


def reached_from(begin: set[int], merges: Mapping[int, int]) -> set[int]:
    """All patients along the chains that begin with these."""
    found: set[int] = set()
    for one in begin:
        while one not in found:
            found.add(one)
            one = merges.get(one, one)
    return found


@pytest.mark.parametrize("seed", range(5))
async def test_every_patient_of_a_chain_is_found(database: Database, seed: int):
    """Merges may form chains, trees and, after a repair in Cliniko, circles. Each search ends, and leaves out none."""
    chance = random.Random(seed)
    merges = {one: chance.randint(1, 40) for one in range(1, 41) if chance.random() < 0.8}
    clinic = Clinic(database, "org_a")
    draft = await clinic.begin()
    rows = [patient(one, merged_with_id=merges.get(one)) for one in range(1, 41)]
    await clinic.merge(draft, PATIENTS, ReadPage(rows))
    run: Any = SimpleNamespace(checkpoint=None)
    client: Any = SimpleNamespace(requests=Counter())
    drafting = Drafting(run, client, database, NOTHING, draft, NOTHING)
    for size in (1, 3, 40):
        begin = set(chance.sample(range(1, 41), size))
        assert await drafting._with_survivors(sorted(begin)) == sorted(reached_from(begin, merges))


def test_any_sign_of_a_merge_counts():
    """A row shows a merge by its time or by the other patient, whichever Cliniko sends."""
    names = ("first_name", "last_name", "preferred_first_name", "email", "phone", "archived_at", "deleted_at")
    unknown: dict[str, Any] = {**dict.fromkeys(names), "created_at": None, "updated_at": NOW}
    signs = [(None, None), (NOW, None), (None, "9"), (NOW, "9")]
    records = [
        Patient(id=str(number), merged_at=moment, merged_with_id=other, **unknown)
        for number, (moment, other) in enumerate(signs, 1)
    ]
    assert merged_patients(Page(records, None, 4, 0)) == {2: None, 3: 9, 4: 9}
