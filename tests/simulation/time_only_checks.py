"""Checks a sync that time alone has made: the rows stay as they are, and the lists are those of its moment."""

from datetime import timedelta

from routiq_gql.database.rows import SyncRow
from routiq_gql.engines.housekeeping import KEEP_LEFT_APPOINTMENTS
from routiq_gql.patients.rules import Terms
from routiq_gql.sync.model import SyncMode
from tests.simulation.reader import Reader
from tests.sync.histories.checks import untimed
from tests.sync.histories.oracle import activity_of, lists_of
from tests.sync.histories.steps import HISTORY_DAYS, RECENT_DAYS, UPCOMING_DAYS
from tests.sync.histories.world import Organization

TIME_ONLY = SyncMode.TIME_ONLY.value
CLOCK_JUMPS = timedelta(hours=8)
"""The wall clock may have jumped so far ahead."""


async def check_time_only(reader: Reader, organization: Organization, row: SyncRow) -> None:
    """Check the results of a time-only sync against the rows of the sync before."""
    mirror = await reader.mirror(organization)
    assert mirror is not None
    assert (mirror.sync, mirror.writing) == (row.key, None)
    before = max(organization.shown)
    content, activity_before = organization.shown[before]
    found, activity = await reader.content_at(organization, row.key)
    assert untimed(found) == untimed(content), "a time-only sync changes rows"
    assert row.analyzed_at is not None
    terms = Terms.at(row.analyzed_at, RECENT_DAYS, UPCOMING_DAYS, row.seen_within_weeks or 0, row.horizon_from)
    due = {one for one, was in activity_before.items() if was["changes_at"] and was["changes_at"] <= row.analyzed_at}
    assert due, "a time-only sync without a patient who is due"
    expected, expected_lists = activity_of(content, terms, activity_before, row.key), lists_of(content, terms)
    if _may_have_lost_rows(row):
        expected = {**activity_before, **{one: expected.pop(one, {}) for one in due}}
        expected = {one: values for one, values in expected.items() if values}
        was = organization.lists[before]
        expected_lists = {name: (was[name] - due) | (ids & due) for name, ids in expected_lists.items()}
    differing = sorted(one for one in activity.keys() | expected.keys() if activity.get(one) != expected.get(one))
    what = [(one, activity.get(one), expected.get(one), activity_before.get(one)) for one in differing[:2]]
    assert not differing, f"the analysis of a time-only sync at {row.analyzed_at}: {what}"
    lists = await reader.lists_at(organization, row.key)
    assert lists == expected_lists, "the lists of a time-only sync"
    active = sum(one["is_active"] for one in activity.values())
    assert (row.active_patients_identified, row.active_patients_stored) == (active, active)
    earlier = reader.sync(before)
    assert (row.patients_found, row.appointments_found) == (earlier.patients_found, earlier.appointments_found)
    organization.shown[row.key] = (content, activity)
    organization.lists[row.key] = lists


def _may_have_lost_rows(row: SyncRow) -> bool:
    """Whether housekeeping has deleted appointments, so that patients who are not due keep results that count them."""
    assert row.analyzed_at is not None
    left_before = row.analyzed_at + CLOCK_JUMPS - timedelta(days=HISTORY_DAYS) - KEEP_LEFT_APPOINTMENTS
    return row.horizon_from is None or left_before > row.horizon_from
