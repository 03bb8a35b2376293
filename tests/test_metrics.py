"""Metrics: names and units by Prometheus' rules, series that begin at zero, and no label that identifies a clinic."""

import inspect
from math import isnan
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from routiq_gql import metrics
from routiq_gql.cliniko.client import Outcome
from routiq_gql.sync.model import SyncState

_NOTHING = {"syncs_running": 0, "subscribers": 0}


def _value(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0


def test_names_have_a_prefix_and_a_unit():
    """Every metric has our prefix, a description, and a base unit or none."""
    families = {
        family.name: family for family in text_string_to_metric_families(metrics.exposition(**_NOTHING).decode())
    }
    assert {name: family.type for name, family in families.items()} == {
        "routiq_syncs_ended": "counter",
        "routiq_sync_duration_seconds": "histogram",
        "routiq_syncs_running": "gauge",
        "routiq_cliniko_requests": "counter",
        "routiq_cliniko_rate_limit_wait_seconds": "counter",
        "routiq_subscribers": "gauge",
        "routiq_frames_sent": "counter",
        "routiq_peers_dropped": "counter",
        "routiq_http_requests": "counter",
        "routiq_queue_depth": "gauge",
        "routiq_queue_age_seconds": "gauge",
        "routiq_workers_alive": "gauge",
        "routiq_rescues": "counter",
        "routiq_flush_lag_seconds": "histogram",
        "routiq_webhook_attempts": "counter",
        "routiq_webhooks_waiting": "gauge",
        "routiq_webhooks_age_seconds": "gauge",
    }
    assert all(family.documentation.endswith(".") for family in families.values())


def test_each_current_value_is_shown_in_its_own_series():
    """No gauge shows the value of another one; an unknown value is not a number."""
    shown = {
        "syncs_running": "routiq_syncs_running",
        "subscribers": "routiq_subscribers",
        "waiting": "routiq_queue_depth",
        "oldest_seconds": "routiq_queue_age_seconds",
        "workers": "routiq_workers_alive",
        "webhooks_waiting": "routiq_webhooks_waiting",
        "webhooks_seconds": "routiq_webhooks_age_seconds",
    }
    assert shown.keys() == inspect.signature(metrics.exposition).parameters.keys()
    metrics.exposition(**{name: number for number, name in enumerate(shown, 3)})  # type: ignore[arg-type]
    assert [_value(series) for series in shown.values()] == list(range(3, 3 + len(shown)))
    metrics.exposition(**_NOTHING)
    unknown = [series for series in shown.values() if isnan(metrics.REGISTRY.get_sample_value(series) or 0)]
    assert unknown == [series for name, series in shown.items() if name not in _NOTHING]


def test_labels_have_few_values_and_no_names():
    """No organization, sync or address becomes a series."""
    families = text_string_to_metric_families(metrics.exposition(**_NOTHING).decode())
    labels = {name for family in families for sample in family.samples for name in sample.labels}
    assert labels <= {"status", "outcome", "transport", "route", "method", "le"}


def test_the_outcomes_are_those_of_the_connector_and_of_a_sync():
    """Every possible ending of a request or a sync has its series from the start."""
    assert get_args(Outcome) == metrics.CLINIKO_OUTCOMES
    assert {state.value for state in SyncState if state.is_terminal} == set(metrics.STATUSES)
    text = metrics.exposition(**_NOTHING).decode()
    assert all(f'routiq_cliniko_requests_total{{outcome="{outcome}"}}' in text for outcome in metrics.CLINIKO_OUTCOMES)
    assert all(f'routiq_syncs_ended_total{{status="{status}"}}' in text for status in metrics.STATUSES)
    assert "_created" not in text


def test_every_event_is_counted():
    """Each function increases its series."""
    before = {
        name: _value(name, **labels)
        for name, labels in {
            "routiq_syncs_ended_total": {"status": "failed"},
            "routiq_sync_duration_seconds_sum": {"status": "failed"},
            "routiq_cliniko_requests_total": {"outcome": "rate_limited"},
            "routiq_cliniko_rate_limit_wait_seconds_total": {},
        }.items()
    }
    metrics.sync_ended("failed", 7.5)
    metrics.cliniko_request("rate_limited")
    metrics.rate_limit_wait(2.25)
    metrics.rate_limit_wait(-1)
    assert _value("routiq_syncs_ended_total", status="failed") - before["routiq_syncs_ended_total"] == 1
    assert _value("routiq_sync_duration_seconds_sum", status="failed") - before[
        "routiq_sync_duration_seconds_sum"
    ] == pytest.approx(7.5)
    assert (
        _value("routiq_cliniko_requests_total", outcome="rate_limited") - before["routiq_cliniko_requests_total"] == 1
    )
    assert _value("routiq_cliniko_rate_limit_wait_seconds_total") - before[
        "routiq_cliniko_rate_limit_wait_seconds_total"
    ] == pytest.approx(2.25)


def test_gauges_show_current_values():
    """Gauges show current values."""
    text = metrics.exposition(syncs_running=2, subscribers=30).decode()
    assert "\nroutiq_syncs_running 2.0\n" in text
    assert "\nroutiq_subscribers 30.0\n" in text


def test_methods_and_routes_that_clients_invent_are_no_series():
    """Each method has a series of its own if it is known; all others share one, as do addresses without a route."""
    for method in (*metrics.METHODS, "PROPFIND", "get", "X" * 100, ""):
        shown = method if method in metrics.METHODS else "other"
        for status in (101, 204, 302, 404, 499, 500, 599):
            labels = {"route": "none", "method": shown, "status": f"{status // 100}xx"}
            before = _value("routiq_http_requests_total", **labels)
            metrics.http_request(None, method, status)
            assert _value("routiq_http_requests_total", **labels) == before + 1
    counted = {labels[1] for labels in metrics.HTTP_REQUESTS._metrics}
    assert counted <= metrics.METHODS | {"other"}
