"""Rows have the fields of their tables, so that no value lands in the wrong one."""

from dataclasses import fields
from inspect import get_annotations, getmembers, getsource, isclass
from typing import get_args, get_type_hints, is_typeddict

import pytest

from routiq_gql.database import audit_rows, operation_rows, rows, sync_changes, webhook_rows
from routiq_gql.database.publishing import PublishedValues
from routiq_gql.database.tables import (
    AUDIT,
    CONNECTION,
    LOG,
    MIRROR,
    REFRESH,
    RETENTION,
    SCHEDULE,
    SYNC,
    WEBHOOK,
    WEBHOOK_DELIVERY,
    WEBHOOK_EVENT,
)
from routiq_gql.database.tables.mirror import MirrorColumns
from routiq_gql.database.tables.operation import AuditColumns, RetentionColumns
from routiq_gql.database.tables.refreshes import RefreshColumns
from routiq_gql.database.tables.syncs import ConnectionColumns, LogColumns, ScheduleColumns, SyncColumns
from routiq_gql.database.tables.webhooks import WebhookColumns, WebhookDeliveryColumns, WebhookEventColumns

TABLES = {
    "Audit": (AUDIT, AuditColumns),
    "Connection": (CONNECTION, ConnectionColumns),
    "Log": (LOG, LogColumns),
    "Mirror": (MIRROR, MirrorColumns),
    "Refresh": (REFRESH, RefreshColumns),
    "Retention": (RETENTION, RetentionColumns),
    "Schedule": (SCHEDULE, ScheduleColumns),
    "Sync": (SYNC, SyncColumns),
    "Webhook": (WEBHOOK, WebhookColumns),
    "WebhookDelivery": (WEBHOOK_DELIVERY, WebhookDeliveryColumns),
    "WebhookEvent": (WEBHOOK_EVENT, WebhookEventColumns),
}
MEMBERS = [
    member for module in (rows, audit_rows, operation_rows, webhook_rows) for member in getmembers(module, isclass)
]
ROWS = [member for name, member in MEMBERS if name.endswith("Row")]
VALUES = [member for name, member in MEMBERS if is_typeddict(member)]
CHANGES = [member for name, member in getmembers(sync_changes, isclass) if is_typeddict(member)]


def _columns(kind: type) -> dict[str, type]:
    """The types of the columns of the table that this type belongs to, in their order."""
    table, columns = TABLES[kind.__name__.removesuffix("Row").removesuffix("Values")]
    hints = get_annotations(columns)
    return {column.name: get_args(hints[column.name])[0] for column in table.columns}


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_has_the_fields_of_its_table(kind: type):
    """A row's fields have the names, the types and the order of its table's columns."""
    hints = get_type_hints(kind)
    assert list({field.name: hints[field.name] for field in fields(kind)}.items()) == list(_columns(kind).items())


@pytest.mark.parametrize("kind", ROWS)
def test_each_field_of_a_row_has_a_comment(kind: type):
    """Each field says in a comment what it is."""
    assert getsource(kind).count("    #: ") == len(fields(kind))


@pytest.mark.parametrize("kind", VALUES)
def test_values_to_write_are_columns_of_their_table(kind: type):
    """What can be written is a part of the table's columns, with the same types."""
    assert get_type_hints(kind).items() <= _columns(kind).items()


@pytest.mark.parametrize("kind", CHANGES)
def test_changes_of_a_sync_are_columns_of_its_table(kind: type):
    """A run, or the end of a sync, writes only columns that exist."""
    assert get_type_hints(kind).keys() <= set(SYNC.c.keys())


def test_a_publication_changes_columns_of_its_table():
    """The publication of a sync writes only columns that exist, and never the numbers that publishing itself sets."""
    columns = set(MIRROR.c.keys())
    assert set(get_type_hints(PublishedValues)) == columns - {
        "number",
        "organization_id",
        "sync",
        "oldest_kept",
        "writing",
        "erased_at",
    }
