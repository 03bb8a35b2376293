"""A comparison row by row names each row that differs once, however Cliniko lets its lists be read."""

import random
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update

from routiq_gql.cliniko import Horizon
from routiq_gql.database.drafts import ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.tables import MIRROR
from routiq_gql.sync.verifying import Difference, Kind, ListProgress, Verifier
from tests.cliniko.plain_list import PlainClient, PlainList, PlainRow
from tests.database.clinics import APPOINTMENTS, ATTENDEES, CLASSES, NOW, PATIENTS, Clinic, row_of

SEEDS = range(6)
PATHS = ("patients", "individual_appointments", "group_appointments", "attendees", "appointment_types")
PRACTITIONERS = ("practitioners", "practitioners/inactive")
Expected = tuple[str, int, Kind, bool]
"""The list, the id and the kind of a difference, and whether it is recent."""
BOTH = (None, None, None, Kind.DIFFERENT, Kind.ONLY_IN_CLINIKO, Kind.ONLY_IN_MIRROR)


def values_of(target: MirrorList, number: int, class_id: int) -> Mapping[str, Any]:
    """The columns of a row that this number decides."""
    if target is PATIENTS:
        return {"first_name": f"Name {number}"}
    if target is ATTENDEES:
        return {"booking_id": class_id, "arrived": number % 2 == 0}
    return {"starts_at": NOW + timedelta(minutes=number)}


def sent_of(row_id: int, values: Mapping[str, Any], changed_at: datetime) -> dict[str, Any]:
    """The row as Cliniko sends it."""
    sent: dict[str, Any] = {"id": str(row_id), "updated_at": changed_at.isoformat()}
    for name, value in values.items():
        if name == "booking_id":
            sent["booking"] = {"links": {"self": f"https://api.au1.cliniko.com/v1/group_appointments/{value}"}}
        else:
            sent[name] = value.isoformat() if isinstance(value, datetime) else value
    return sent


async def make_clinic(
    database: Database, chance: random.Random, name: str
) -> tuple[Clinic, dict[str, PlainList], Counter[Expected]]:
    """An organization, its lists in Cliniko, and how they differ."""
    clinic, expected = Clinic(database, name), Counter[Expected]()
    draft = await clinic.begin()
    lists, classes = dict[str, PlainList](), list[int]()
    for target in (PATIENTS, APPOINTMENTS, CLASSES, ATTENDEES):
        here, there = [], []
        for number in range(chance.randint(0, 45)):
            row_id, kind, class_id = 100 + 3 * number, chance.choice(BOTH), chance.choice(classes or [0])
            if target is ATTENDEES and not classes:
                continue
            values, others = values_of(target, number, class_id), values_of(target, number + 1, class_id)
            if kind is not Kind.ONLY_IN_CLINIKO:
                here.append(row_of(target, row_id, **values))
            changed_at = NOW + chance.choice((-1, 0, 1)) * timedelta(seconds=1)
            is_hidden = kind is Kind.ONLY_IN_MIRROR and target is not PATIENTS and chance.random() < 0.5
            if kind is not Kind.ONLY_IN_MIRROR or is_hidden:
                sent = sent_of(row_id, others if kind is Kind.DIFFERENT else values, changed_at)
                there.append(PlainRow(row_id, sent, class_id, is_hidden))
            if kind is not None:
                is_recent = changed_at >= NOW and (kind is not Kind.ONLY_IN_MIRROR or is_hidden)
                expected[target.resource, row_id, kind, is_recent] += 1
            if target is CLASSES:
                classes.append(row_id)
        await clinic.merge(draft, target, ReadPage(here))
        refused = chance.choice([frozenset(), frozenset({"sort"}), frozenset({"id:>"})])
        chance.shuffle(there)
        most_rows, most_ids = chance.choice([10, 100]), chance.choice([1, 4, 200])
        lists[target.resource] = PlainList(
            target.resource, there, refused=refused, most_rows=most_rows, most_ids=most_ids
        )
    await clinic.publish(draft)
    async with database.writing() as connection:
        await connection.execute(update(MIRROR).where(MIRROR.c.number == draft.mirror).values(mark=NOW))
    lists["appointment_types"] = PlainList("appointment_types", [])
    lists |= {path: PlainList("practitioners", []) for path in PRACTITIONERS}
    return clinic, lists, expected


async def test_each_difference_is_named_once(database: Database):
    """Rows of one side only, and rows that differ, are found by ids and in passes, in short pages and in long ones.

    Those that Cliniko has changed or hidden since the mark of the last sync are recent.
    """
    for seed in SEEDS:
        clinic, lists, expected = await make_clinic(database, random.Random(seed), f"org_{seed}")
        horizon = Horizon(NOW - timedelta(days=1))
        verifier = Verifier(PlainClient(lists), database, await clinic.mirror(), horizon, None)
        found, ends = Counter[Expected](), dict[str, ListProgress]()
        async with aclosing(verifier.events()) as events:
            async for event in events:
                if isinstance(event, Difference):
                    found[event.list, event.id, event.kind, event.is_recent] += 1
                    assert bool(event.fields) is (event.kind is Kind.DIFFERENT)
                else:
                    ends[event.list] = event
        assert found == expected, f"seed {seed}"
        assert all(end.read == end.total for end in ends.values())
