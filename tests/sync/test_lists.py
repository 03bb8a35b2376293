"""The lists that a sync reads are the lists that its key is checked for, and the lists that are stored."""

from routiq_gql.cliniko import RESOURCES
from routiq_gql.database.mirror import MirrorList
from routiq_gql.sync.lists import LISTS


def test_a_sync_reads_every_list_that_it_checks_and_stores():
    """No list is checked but never read, or stored but never filled, and all are read in the same order."""
    assert [synced.resource for synced in LISTS.values()] == list(RESOURCES)
    assert [synced.target for synced in LISTS.values()] == list(MirrorList)
