"""A compiled selection renders the same bytes as the GraphQL executor, or leaves the value to it."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from itertools import count
from random import Random
from typing import Any

import pytest

from routiq_gql.api.graphql.change_counts import SyncChangeCounts
from routiq_gql.api.graphql.connections import ClinikoConnection, ConnectionProblem
from routiq_gql.api.graphql.enums import SyncMode, SyncState
from routiq_gql.api.graphql.overview import Dashboard, Freshness, NextSync, PatientStats
from routiq_gql.api.graphql.projection import NotProjected
from routiq_gql.api.graphql.receipts import CompletionRange, ListReceipt, SyncReceipt
from routiq_gql.api.graphql.schema import make_schema
from routiq_gql.api.graphql.steps import StepTiming, SyncActor
from routiq_gql.api.graphql.types import SyncFailure, SyncStatus
from routiq_gql.organizations import dashboard as dashboards
from routiq_gql.sync import model
from tests.api.graphql.projection.drawn_documents import ROOTS, VARIABLES, drawn_subscription, whole_subscription
from tests.api.graphql.projection.drawn_values import drawn
from tests.api.graphql.projection.rendering import Operation, encoded

SCHEMA = make_schema()._schema
TRIALS = 150
TYPES = {
    *(Dashboard, PatientStats, Freshness, NextSync, ClinikoConnection, ConnectionProblem, StepTiming, SyncActor),
    *(SyncStatus, SyncFailure, CompletionRange, SyncReceipt, ListReceipt, SyncChangeCounts),
}
"""All object types below the two subscriptions without arguments."""
ODD: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 2**31, -(2**31) - 1, 2**64, 1.0, 0.5, float("nan"), float("inf"), -0.0, 1e300),
    *(
        "",
        "FULL",
        "COMPLETED",
        b"bytes",
        object(),
        [],
        [None],
        ("a",),
        {},
        {"id": "1"},
        ValueError("no"),
        int,
        iter("a"),
    ),
    *(SyncMode.FULL, SyncState.COMPLETED, model.SyncMode.FULL, model.SyncStep.STORING, model.SyncState.FAILED),
    *(datetime(2026, 1, 1), datetime.min.replace(tzinfo=timezone(timedelta(hours=10))), float),  # noqa: DTZ001
)
"""Values of the wrong type or beyond a limit, for any field."""


def _value(random: Random, root: str) -> SyncStatus | Dashboard:
    if root == "syncProgress":
        return SyncStatus.of(drawn(random, model.SyncSnapshot))
    return Dashboard.of(drawn(random, dashboards.Dashboard))


@pytest.mark.parametrize("root", ROOTS)
def test_every_plain_selection_is_rendered_as_the_executor_renders_it(root: str):
    """Whatever a clinic's page asks of a sync or a dashboard, the quick way sends the same text as the ordinary way."""
    for seed in range(TRIALS):
        random = Random(seed)
        document = drawn_subscription(random, SCHEMA, root)
        operation = Operation(SCHEMA, document, VARIABLES)
        assert operation.projection is not None, (seed, document)
        for _ in range(3):
            value = _value(random, root)
            result = operation.executed(value)
            assert result.errors is None
            assert operation.projection(value) == encoded(result), (seed, document)


def test_an_odd_value_is_left_to_the_executor():
    """A value that can't be shown becomes the error that the ordinary way reports, never a wrong text."""
    operation = Operation(SCHEMA, whole_subscription(SCHEMA, "dashboardUpdated"), {"id": "1"})
    assert operation.projection is not None
    dashboard = _whole_dashboard()
    refused: set[str] = set()
    owners = {type(owner): owner for owner in _objects(dashboard)}
    for owner in owners.values():
        for name in [field.name for field in fields(owner)]:
            proper = getattr(owner, name)
            for odd in ODD:
                setattr(owner, name, odd)
                try:
                    rendered = operation.projection(dashboard)
                except NotProjected:
                    refused.add(f"{type(owner).__name__}.{name}")
                    continue
                result = operation.executed(dashboard)
                assert result.errors is None, (owner, name, odd)
                assert rendered == encoded(result), (owner, name, odd)
            setattr(owner, name, proper)
    shown = {f"{class_.__name__}.{field.name}" for class_ in owners for field in fields(class_)}
    resolved = {"Dashboard.patient_stats", "SyncReceipt.rows", "SyncReceipt.unreadable_rows"}
    resolved |= {"SyncStatus.log", "SyncStatus.log_connection"}
    assert shown - refused == resolved, "no plain fields"


def _whole_dashboard() -> Dashboard:
    """A dashboard that has objects of all types below it."""
    for seed in count():
        dashboard = Dashboard.of(drawn(Random(seed), dashboards.Dashboard))
        if {type(one) for one in _objects(dashboard)} == TYPES:
            return dashboard
    raise AssertionError


def _objects(value: Any) -> Iterator[Any]:
    """The value, and all objects below it that the schema shows."""
    if isinstance(value, list):
        for one in value:
            yield from _objects(one)
    elif is_dataclass(value) and hasattr(value, "__strawberry_definition__") and not isinstance(value, Enum):
        yield value
        for field in fields(value):
            yield from _objects(getattr(value, field.name))
