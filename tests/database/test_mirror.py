"""Every list that a sync reads has a place in the mirror."""

from dataclasses import fields
from typing import get_type_hints

import pytest

from routiq_gql.cliniko import RESOURCES
from routiq_gql.database.mirror import BY_RESOURCE, VERSION_COLUMNS, MirrorList
from routiq_gql.database.tables import MIRRORED
from routiq_gql.database.version_pruning import COMPLETED
from routiq_gql.sync.model import SyncState

NEVER_STORED = {"archived_at", "deleted_at", "merged_at"}
"""A row that has such a time is not mirrored, or the column of another field says so."""


def test_every_list_that_a_sync_reads_has_a_place():
    """Each list of Cliniko that a sync reads is mirrored, and nothing else is."""
    assert {resource.name for resource in RESOURCES} == set(BY_RESOURCE) == {one.resource for one in MirrorList}
    assert {one.table for one in MirrorList} == set(MIRRORED)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_every_field_of_a_record_has_a_column(resource):
    """The fields of a record are the columns of its table, no more and no less."""
    target = BY_RESOURCE[resource.name]
    record = {field.name for field in fields(get_type_hints(resource.parse)["return"])} - {"id"}
    assert record - NEVER_STORED == set(target.read_columns) - NEVER_STORED
    assert set(target.read_columns) | target.absent | VERSION_COLUMNS >= set(target.table.columns.keys())


def test_a_published_sync_is_known_by_its_status():
    """The status that keeps the versions of a sync is that of a completed one."""
    assert SyncState.COMPLETED.value == COMPLETED
