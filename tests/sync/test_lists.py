"""The lists that a sync reads are the lists that its key is checked for, and the lists that are stored."""

import pytest

from routiq_gql.cliniko import ATTENDEES, GROUP_APPOINTMENTS, INDIVIDUAL_APPOINTMENTS, RESOURCES
from routiq_gql.database.mirror import MirrorList
from routiq_gql.sync.lists import LISTS
from routiq_gql.sync.place import Counts, Place


def test_a_sync_reads_every_list_that_it_checks_and_stores():
    """No list is checked but never read, or stored but never filled, and all are read in the same order."""
    assert [synced.resource for synced in LISTS.values()] == list(RESOURCES)
    assert [synced.target for synced in LISTS.values()] == list(MirrorList)


@pytest.mark.parametrize("classes", [0, 1, 100, 2_000])
def test_the_percentage_neither_jumps_nor_stands_still_between_lists(classes: int):
    """Each list of the appointments begins with the percentage with which the list before has ended."""
    totals = {INDIVIDUAL_APPOINTMENTS.name: 300, GROUP_APPOINTMENTS.name: classes}
    ends = {
        INDIVIDUAL_APPOINTMENTS: Place(counts=Counts(300, 300)),
        GROUP_APPOINTMENTS: Place(counts=Counts(classes, classes)),
        ATTENDEES: Place(classes=classes),
    }
    remaining = {INDIVIDUAL_APPOINTMENTS: 300, GROUP_APPOINTMENTS: classes, ATTENDEES: 0}
    reached: float | None = 0.0
    for resource, end in ends.items():
        synced = LISTS[resource.name]
        assert synced.shown(Place(), remaining[resource], totals).fraction == pytest.approx(reached)
        reached = synced.shown(end, 0, totals).fraction
    assert reached == 1
