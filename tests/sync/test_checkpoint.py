"""Checkpoints of every format: a sync that was running during an upgrade continues, or fails with a reason."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.clock import utc_now
from routiq_gql.database.drafts import Draft
from routiq_gql.database.stored_results import write_results
from routiq_gql.database.syncs import SYNC
from routiq_gql.database.tables import LISTING
from routiq_gql.emulator import (
    EMULATED_API_KEY,
    Emulator,
    EmulatorServer,
    Fault,
    FaultKind,
    RecordedRequest,
    generated_clinic,
)
from routiq_gql.engines.embedded import EmbeddedEngine
from routiq_gql.patients import analysis
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.requests import PageRequest
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import run
from routiq_gql.sync.checkpoint import (
    Analysis,
    Analyzing,
    Checkpoint,
    CheckpointError,
    Comparing,
    Effort,
    Pending,
    Reading,
    Starting,
    Storing,
)
from routiq_gql.sync.checkpoint_json import FORMAT, read_checkpoint, to_json
from routiq_gql.sync.findings import Findings
from routiq_gql.sync.lists import LISTS
from routiq_gql.sync.model import FailureCode, SyncMode, SyncState, SyncStep
from routiq_gql.sync.pipeline import Pipeline
from routiq_gql.sync.place import Counts, Place
from routiq_gql.sync.receipt import ListReceipt, Receipt, UnreadableRowReceipt
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.sync.plans import FULL_PLAN, PLAN
from tests.syncs import follow, run_sync, shown_rows, start

TOTALS = {"patients": 230, "individual_appointments": 174, "group_appointments": 4, "appointment_types": 8}
FOUND = Findings(1, (("600100000012977588", "starts_at"),))
CHECKED_AT = datetime(2026, 11, 26, 4, 55, 14, 810000, tzinfo=UTC)
RECEIPT = Receipt(
    checked_at=CHECKED_AT,
    requests=13,
    waited_seconds=0.5,
    lists=(ListReceipt("patients", 230, 230, True, read=3, updated=1, requests=3),),
    unreadable_rows=(UnreadableRowReceipt("individual_appointments", "600100000012977588", "starts_at"),),
)


_LISTS_SINCE_3 = (
    *("patients", "individual_appointments", "group_appointments", "attendees", "appointment_types"),
    "practitioners",
)
LISTS_OF_FORMAT = {3: _LISTS_SINCE_3, 4: _LISTS_SINCE_3}
"""The lists that a sync read when this format was the newest. A checkpoint after the place of a new list lacks its
rows, so its format needs an upgrade that sends the sync back."""

FORMAT_1: dict[str, tuple[str, Checkpoint]] = {
    "before the key is checked": (
        "{}",
        Starting(),
    ),
    "once the key is checked": (
        (
            '{"step": 4, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}}'
        ),
        Starting(lost=SyncStep.FETCHING_PATIENTS),
    ),
    "within a list": (
        (
            '{"step": 4, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "part": "patients", "last": "600100000009983144", "ended": false, "read": '
            '100, "batch_after": "", "classes": 0, "findings": {"unreadable": 0, "named": [], "rows": 0, '
            '"claimed": 0}, "findings_before": {}}'
        ),
        Starting(lost=SyncStep.FETCHING_PATIENTS),
    ),
    "within a list that is read in passes": (
        (
            '{"step": 4, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "part": "patients", "last": null, "ended": false, "read": 200, '
            '"batch_after": "", "classes": 0, "findings": {"unreadable": 0, "named": [], "rows": 0, "claimed": '
            '0}, "findings_before": {}}'
        ),
        Starting(lost=SyncStep.FETCHING_PATIENTS),
    ),
    "behind a list": (
        (
            '{"totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "step": 5, "part": "individual_appointments"}'
        ),
        Starting(lost=SyncStep.FETCHING_APPOINTMENTS),
    ),
    "within a list with an unreadable row": (
        (
            '{"step": 5, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "part": "individual_appointments", "last": "600100000021601112", "ended": '
            'true, "read": 174, "batch_after": "", "classes": 0, "findings": {"unreadable": 1, "named": '
            '[["600100000012977588", "starts_at"]], "rows": 0, "claimed": 0}, "findings_before": {}}'
        ),
        Starting(lost=SyncStep.FETCHING_APPOINTMENTS),
    ),
    "between two batches of attendees": (
        (
            '{"step": 5, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 74, '
            '"appointment_types": 8}, "part": "attendees", "last": null, "ended": false, "read": 90, '
            '"batch_after": "600100000000506944", "classes": 50, "findings": {"unreadable": 1, "named": [[null, '
            '"id"]], "rows": 0, "claimed": 0}, "findings_before": {"unreadable": 1, "named": [[null, "id"]], '
            '"rows": 0, "claimed": 0}}'
        ),
        Starting(lost=SyncStep.FETCHING_APPOINTMENTS),
    ),
    "behind the attendees": (
        (
            '{"totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8, "attendees": 3}, "step": 6, "part": "appointment_types"}'
        ),
        Starting(lost=SyncStep.LOADING_TYPES),
    ),
    "before the analysis": (
        (
            '{"totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8, "attendees": 3}, "step": 7}'
        ),
        Starting(lost=SyncStep.ANALYZING),
    ),
    "within the analysis": (
        '{"step": 7, "after": "600100000009983144", "analyzed": 5000}',
        Starting(lost=SyncStep.ANALYZING),
    ),
    "before the result is stored": (
        '{"step": 8}',
        Starting(lost=SyncStep.STORING),
    ),
    "an earlier version 0.1": (
        (
            '{"step": 4, "totals": {"patients": 230}, "part": "patients", "last": "99", "read": 100, '
            '"batch_after": "", "classes": 0}'
        ),
        Starting(lost=SyncStep.FETCHING_PATIENTS),
    ),
}
"""Stored by syncs of version 0.1: most by a clinic of 230 patients, two by other clinics."""

FORMAT_2: dict[str, tuple[str, Checkpoint]] = {
    "before the key is checked": (
        '{"format": 2, "step": 0}',
        Starting(),
    ),
    "within a list with an unreadable row": (
        (
            '{"format": 2, "step": 5, "totals": {"patients": 230, "individual_appointments": 174, '
            '"group_appointments": 4, "appointment_types": 8}, "part": "individual_appointments", "last": '
            '"600100000021601112", "ended": true, "read": 174, "batch_after": "", "classes": 0, "findings": '
            '{"unreadable": 1, "named": [["600100000012977588", "starts_at"]], "rows": 0, "claimed": 0}, '
            '"findings_before": {"unreadable": 0, "named": [], "rows": 0, "claimed": 0}}'
        ),
        Starting(lost=SyncStep.FETCHING_APPOINTMENTS),
    ),
    "at the beginning of a list": (
        (
            '{"format": 2, "step": 6, "totals": {}, "part": "appointment_types", "last": null, "ended": false, '
            '"read": 0, "batch_after": "", "classes": 0, "findings": {"unreadable": 0, "named": [], "rows": 0, '
            '"claimed": 0}, "findings_before": {"unreadable": 0, "named": [], "rows": 0, "claimed": 0}}'
        ),
        Starting(lost=SyncStep.LOADING_TYPES),
    ),
    "within the analysis": (
        '{"format": 2, "step": 7, "after": "600100000009983144", "analyzed": 5000}',
        Starting(lost=SyncStep.ANALYZING),
    ),
    "before the result is stored": (
        '{"format": 2, "step": 8}',
        Starting(lost=SyncStep.STORING),
    ),
}

FORMAT_3: dict[str, tuple[str, Checkpoint]] = {
    "before the key is checked": (
        '{"format": 3, "step": 0}',
        Starting(),
    ),
    "of an earlier version, before the key is checked": (
        '{"format": 3, "step": 0, "lost": 7}',
        Starting(lost=SyncStep.ANALYZING),
    ),
    "once the key is checked": (
        (
            '{"format": 3, "step": 4, "plan": {"mode": "full", "mark": "2026-11-26T04:45:11+00:00", "taken_at": '
            '"2026-11-26T04:55:11.894000+00:00", "since": null, "from": "2026-10-27T00:00:00+00:00", "to": '
            '"2026-12-27T00:00:00+00:00", "days": null, "baseline": true, "account": "5a2f"}, "totals": '
            '{"patients": 230, "individual_appointments": 174, "group_appointments": 4, "appointment_types": 8}, '
            '"part": "patients", "pending": {"patients": [], "classes": []}, "efforts": {}, "whole": {}, '
            '"place": {"last_id": null, "has_ended": false, "counts": {"read": 0, "listed": 0, "findings": '
            '{"unreadable": 0, "named": [], "rows": 0, "claimed": 0}}, "counts_before": {"read": 0, "listed": 0, '
            '"findings": {"unreadable": 0, "named": [], "rows": 0, "claimed": 0}}, "batch_after": 0, "batch_to": '
            '0, "classes": 0}}'
        ),
        Reading(FULL_PLAN, "patients", TOTALS),
    ),
    "within a list with an unreadable row": (
        (
            '{"format": 3, "step": 5, "plan": {"mode": "full", "mark": "2026-11-26T04:45:11+00:00", "taken_at": '
            '"2026-11-26T04:55:11.894000+00:00", "since": null, "from": "2026-10-27T00:00:00+00:00", "to": '
            '"2026-12-27T00:00:00+00:00", "days": null, "baseline": true, "account": "5a2f"}, "totals": '
            '{"patients": 230, "individual_appointments": 174, "group_appointments": 4, "appointment_types": 8}, '
            '"part": "individual_appointments", "pending": {"patients": [], "classes": []}, "efforts": '
            '{"individual_appointments": {"read": 174, "requests": 3, "unreadable": [["600100000012977588", '
            '"starts_at"]]}, "patients": {"read": 230, "requests": 4, "unreadable": []}}, "whole": {}, "place": '
            '{"last_id": "600100000021601112", "has_ended": true, "counts": {"read": 174, "listed": 170, '
            '"findings": {"unreadable": 1, "named": [["600100000012977588", "starts_at"]], "rows": 0, "claimed": '
            '0}}, "counts_before": {"read": 0, "listed": 0, "findings": {"unreadable": 0, "named": [], "rows": '
            '0, "claimed": 0}}, "batch_after": 0, "batch_to": 0, "classes": 0}}'
        ),
        Reading(
            FULL_PLAN,
            "individual_appointments",
            TOTALS,
            Place("600100000021601112", True, Counts(174, 170, FOUND)),
            efforts={
                "individual_appointments": Effort(174, 3, (("600100000012977588", "starts_at"),)),
                "patients": Effort(230, 4),
            },
        ),
    ),
    "within a batch of attendees": (
        (
            '{"format": 3, "step": 5, "plan": {"mode": "full", "mark": "2026-11-26T04:45:11+00:00", "taken_at": '
            '"2026-11-26T04:55:11.894000+00:00", "since": null, "from": "2026-10-27T00:00:00+00:00", "to": '
            '"2026-12-27T00:00:00+00:00", "days": null, "baseline": true, "account": "5a2f"}, "totals": '
            '{"patients": 230, "individual_appointments": 174, "group_appointments": 4, "appointment_types": 8}, '
            '"part": "attendees", "pending": {"patients": [], "classes": []}, "efforts": {}, "whole": {}, '
            '"place": {"last_id": "600100000000000100", "has_ended": false, "counts": {"read": 90, "listed": 80, '
            '"findings": {"unreadable": 0, "named": [], "rows": 0, "claimed": 0}}, "counts_before": {"read": 60, '
            '"listed": 50, "findings": {"unreadable": 1, "named": [[null, "id"]], "rows": 0, "claimed": 0}}, '
            '"batch_after": 600100000000506944, "batch_to": 600100000000606944, "classes": 50}}'
        ),
        Reading(
            FULL_PLAN,
            "attendees",
            TOTALS,
            Place(
                "600100000000000100",
                counts=Counts(90, 80),
                counts_before=Counts(60, 50, Findings(1, ((None, "id"),))),
                batch_after=600100000000506944,
                batch_to=600100000000606944,
                classes=50,
            ),
        ),
    ),
    "with merged patients and new classes": (
        (
            '{"format": 3, "step": 5, "plan": {"mode": "incremental", "mark": "2026-11-26T04:45:11+00:00", '
            '"taken_at": "2026-11-26T04:55:11.894000+00:00", "since": "2026-11-26T04:30:00+00:00", "from": '
            '"2024-11-26T00:00:00+00:00", "to": null, "days": 730, "baseline": false, "account": "5a2f"}, '
            '"totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "part": "attendees", "pending": {"patients": [600100000000000001, '
            '600100000000000002], "classes": [600100000000000003]}, "efforts": {}, "whole": {}, "place": '
            '{"last_id": null, "has_ended": false, "counts": {"read": 0, "listed": 0, "findings": {"unreadable": '
            '0, "named": [], "rows": 0, "claimed": 0}}, "counts_before": {"read": 0, "listed": 0, "findings": '
            '{"unreadable": 0, "named": [], "rows": 0, "claimed": 0}}, "batch_after": 0, "batch_to": 0, '
            '"classes": 0}}'
        ),
        Reading(
            PLAN, "attendees", TOTALS, pending=Pending((600100000000000001, 600100000000000002), (600100000000000003,))
        ),
    ),
    "before the comparison": (
        (
            '{"format": 3, "step": 6, "plan": {"mode": "incremental", "mark": "2026-11-26T04:45:11+00:00", '
            '"taken_at": "2026-11-26T04:55:11.894000+00:00", "since": "2026-11-26T04:30:00+00:00", "from": '
            '"2024-11-26T00:00:00+00:00", "to": null, "days": 730, "baseline": false, "account": "5a2f"}, '
            '"totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "part": "comparing", "pending": {"patients": [600100000000000001], '
            '"classes": []}, "efforts": {"patients": {"read": 3, "requests": 2, "unreadable": []}}, "whole": '
            '{"appointment_types": 8}}'
        ),
        Comparing(PLAN, TOTALS, Pending((600100000000000001,)), {"patients": Effort(3, 2)}, {"appointment_types": 8}),
    ),
    "within the analysis": (
        (
            '{"format": 3, "step": 7, "plan": {"mode": "incremental", "mark": "2026-11-26T04:45:11+00:00", '
            '"taken_at": "2026-11-26T04:55:11.894000+00:00", "since": "2026-11-26T04:30:00+00:00", "from": '
            '"2024-11-26T00:00:00+00:00", "to": null, "days": 730, "baseline": false, "account": "5a2f"}, '
            '"receipt": {"agrees": true, "checked_at": "2026-11-26T04:55:14.810000+00:00", "requests": 13, '
            '"waited_seconds": 0.5, "lists": [{"list": "patients", "in_cliniko": 230, "in_mirror": 230, '
            '"agrees": true, "read": 3, "added": 0, "updated": 1, "removed": 0, "unreadable": 0, "suppressed": '
            '0, "requests": 3, "compared": null, "of": null, "oldest_check": null}], "unreadable_rows": '
            '[{"list": "individual_appointments", "id": "600100000012977588", "reason": "starts_at"}]}, '
            '"analysis": {"analyzed_at": "2026-11-26T04:55:14.810000+00:00", "recent_days": 30, "upcoming_days": '
            '30, "everything": false, "patients": 12}, "after": 600100000009983144, "analyzed": 5000}'
        ),
        Analyzing(
            PLAN,
            RECEIPT,
            Analysis(CHECKED_AT, 30, 30, 26, everything=True, patients=12),
        ),
    ),
    "before the result is stored": (
        (
            '{"format": 3, "step": 8, "plan": {"mode": "incremental", "mark": "2026-11-26T04:45:11+00:00", '
            '"taken_at": "2026-11-26T04:55:11.894000+00:00", "since": "2026-11-26T04:30:00+00:00", "from": '
            '"2024-11-26T00:00:00+00:00", "to": null, "days": 730, "baseline": false, "account": "5a2f"}, '
            '"receipt": {"agrees": true, "checked_at": "2026-11-26T04:55:14.810000+00:00", "requests": 13, '
            '"waited_seconds": 0.5, "lists": [{"list": "patients", "in_cliniko": 230, "in_mirror": 230, '
            '"agrees": true, "read": 3, "added": 0, "updated": 1, "removed": 0, "unreadable": 0, "suppressed": '
            '0, "requests": 3, "compared": null, "of": null, "oldest_check": null}], "unreadable_rows": '
            '[{"list": "individual_appointments", "id": "600100000012977588", "reason": "starts_at"}]}}'
        ),
        Storing(PLAN, RECEIPT, has_lists=False),
    ),
}

FORMAT_4: dict[str, tuple[str, Checkpoint]] = {
    name: (stored.replace('{"format": 3,', '{"format": 4,'), checkpoint)
    for name, (stored, checkpoint) in FORMAT_3.items()
}
FORMAT_4["within the analysis"] = (
    FORMAT_4["within the analysis"][0].replace('30, "everything"', '30, "seen_within_weeks": 52, "everything"'),
    Analyzing(
        PLAN,
        RECEIPT,
        Analysis(CHECKED_AT, 30, 30, 52, everything=False, patients=12),
        after=600100000009983144,
        analyzed=5000,
    ),
)
FORMAT_4["before the result is stored"] = (FORMAT_4["before the result is stored"][0], Storing(PLAN, RECEIPT))
FORMAT_4["before the result is stored, without lists"] = (
    FORMAT_4["before the result is stored"][0].removesuffix("}") + ', "has_lists": false}',
    Storing(PLAN, RECEIPT, has_lists=False),
)
"""It differs from format 3 in the analysis and in what follows it."""

EXAMPLES = {1: FORMAT_1, 2: FORMAT_2, 3: FORMAT_3, 4: FORMAT_4}
"""By format. A new format adds examples; earlier examples stay."""


@pytest.mark.parametrize(
    ("stored", "checkpoint"),
    [
        pytest.param(*example, id=f"{number}: {name}")
        for number in EXAMPLES
        for name, example in EXAMPLES[number].items()
    ],
)
def test_a_checkpoint_of_every_format_is_read(stored: str, checkpoint: Checkpoint):
    """A sync continues where it was; if an earlier version stored its rows, it begins its lists again and knows it."""
    found = read_checkpoint(json.loads(stored))
    assert found == checkpoint
    assert getattr(found, "efforts", None) == getattr(checkpoint, "efforts", None)


def test_there_are_examples_of_every_format():
    """No format can be added without real examples of it."""
    assert list(EXAMPLES) == list(range(1, FORMAT + 1))


def test_a_new_list_needs_a_new_format():
    """A sync that runs during an upgrade with another list doesn't complete without reading that list."""
    assert LISTS_OF_FORMAT[FORMAT] == tuple(LISTS)


@pytest.mark.parametrize("name", list(EXAMPLES[FORMAT]))
def test_the_newest_format_is_written_as_in_its_examples(name: str):
    """A change of the stored form needs a new format number, or syncs of the version before could not continue."""
    stored, checkpoint = EXAMPLES[FORMAT][name]
    assert json.dumps(to_json(checkpoint)) == stored


def example(name: str, before: str, after: str) -> str:
    """An example of the newest format with a part replaced."""
    stored = FORMAT_4[name][0]
    assert before in stored
    return stored.replace(before, after)


@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        ('{"format": 5, "step": 4}', "has format 5, which another version of Routiq wrote"),
        ('{"format": 0, "step": 4}', "has format 0"),
        ('{"format": "2"}', "“format” is missing or has a wrong form"),
        ("[]", "“format” is missing or has a wrong form"),
        ('{"step": 9}', "“step” is missing"),
        ('{"format": 2, "step": true}', "“step” is missing"),
        ('{"format": 3, "step": true}', "“step” is missing"),
        ('{"format": 3, "step": 5}', "“part” is missing"),
        (example("before the comparison", '"comparing"', '"bookings"'), "names a list .*“bookings”"),
        (example("before the comparison", '"step": 6', '"step": 5'), "“step” is missing"),
        (example("before the comparison", '"mode": "incremental"', '"mode": "partial"'), "“mode” is missing"),
        (example("before the comparison", '"mark": "2026', '"mark": "'), "“mark” is missing"),
        (example("before the comparison", "[600100000000000001]", '["1"]'), "“patients” is missing"),
        (example("within the analysis", '"after": 600100000009983144', '"after": null'), "“after” is missing"),
        (example("within the analysis", '"agrees": true, ', ""), "“receipt” is missing"),
        (example("within a batch of attendees", '"named": []', '"named": [7]'), "“named” is missing"),
        (example("within a batch of attendees", '"last_id": "600100000000000100", ', ""), "“last_id” is missing"),
    ],
)
def test_a_checkpoint_without_a_path_is_refused(stored: str, sentence: str):
    """A checkpoint of a newer version, an unknown list or a damaged value never counts as the beginning."""
    with pytest.raises(CheckpointError, match=sentence) as caught:
        read_checkpoint(json.loads(stored))
    assert caught.value.what_to_do == "Start a new sync, which reads everything again."


@pytest.mark.both_databases
async def test_a_sync_whose_checkpoint_is_not_known_fails_with_a_reason(settings: Settings, cliniko: Cliniko):
    """After a return to an earlier version the clinic reads why its sync ended; the next sync completes."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        sync_id = await start(runtime)
        async with runtime.database.writing() as connection:
            await connection.execute(update(SYNC).values(checkpoint={"format": FORMAT + 1, "step": 4}))
    async with open_runtime(settings) as runtime:
        last = (await follow(runtime, sync_id))[-1]
        assert last.status is SyncState.FAILED
        assert last.failure is not None
        assert (last.failure.code, last.failure.retryable) == (FailureCode.INTERNAL, True)
        assert f"has format {FORMAT + 1}, which another version of Routiq wrote" in last.failure.message
        assert last.failure.what_to_do == "Start a new sync, which reads everything again."
        assert (await run_sync(runtime)).status is SyncState.COMPLETED


MOMENTS = {
    "reading appointments": (5, 55, FORMAT_2["within a list with an unreadable row"][0]),
    "within the analysis": (7, 80, FORMAT_2["within the analysis"][0]),
    "before its end": (8, 90, FORMAT_1["before the result is stored"][0]),
}


@pytest.mark.both_databases
@pytest.mark.parametrize("moment", list(MOMENTS))
async def test_a_sync_of_an_earlier_version_starts_its_lists_again(settings: Settings, cliniko: Cliniko, moment: str):
    """After the upgrade a running sync keeps its number and percentage, reads everything again, and says so."""
    step, percentage, stored = MOMENTS[moment]
    async with open_runtime(settings, run_syncs=False) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)
        sync_id = await start(runtime)
        async with runtime.database.writing() as connection:
            values = {"checkpoint": json.loads(stored), "step": step, "progress_percentage": percentage}
            await connection.execute(update(SYNC).values(**values))
    async with open_runtime(settings) as runtime:
        snapshots = await follow(runtime, sync_id)
        assert {snapshot.sync_id for snapshot in snapshots} == {sync_id}
        assert min(snapshot.progress_percentage for snapshot in snapshots) == percentage
        last = snapshots[-1]
        assert (last.status, last.active_patients_stored) == (SyncState.COMPLETED, 12)
        lines = [line.message for line in await runtime.syncs.log(LOCAL_OPERATOR, sync_id)]
    assert sum(line.startswith("Starting the lists again: ") for line in lines) == 1
    assert "Found 24 patients" in lines


@pytest.mark.sqlite_only  # only the embedded engine can be paused
async def test_a_sync_that_an_earlier_version_had_almost_ended_makes_lists(
    settings: Settings, cliniko: Cliniko, monkeypatch: pytest.MonkeyPatch
):
    """A sync that an upgrade interrupts before its last step has patients in lists when it ends."""
    is_upgraded = False

    async def without_lists(connection: AsyncConnection, draft: Draft, table: Table, *rest: Any) -> None:
        if is_upgraded or table is not LISTING:
            await write_results(connection, draft, table, *rest)

    async with open_runtime(settings) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url, check=False)

        def as_before(checkpoint: Checkpoint) -> dict[str, object]:
            is_last = isinstance(checkpoint, Storing) and not is_upgraded
            return to_json(checkpoint) | ({"format": 3} if is_last else {})

        store = Pipeline._store

        async def upgraded_before(pipeline: Pipeline, sync: run.SyncRun, checkpoint: Checkpoint) -> None:
            nonlocal is_upgraded
            if not is_upgraded:
                is_upgraded = True
                assert isinstance(runtime.engine, EmbeddedEngine)
                runtime.engine.pause(timedelta(seconds=0.01))
                await asyncio.Event().wait()
            await store(pipeline, sync, checkpoint)

        monkeypatch.setattr(Pipeline, "_store", upgraded_before)
        monkeypatch.setattr(analysis, "write_results", without_lists)
        monkeypatch.setattr(run, "to_json", as_before)
        sync_id = await start(runtime)
        snapshots = await follow(runtime, sync_id)
        last = snapshots[-1]
        assert is_upgraded
        assert (last.status, last.active_patients_stored) == (SyncState.COMPLETED, 12), last.failure
        percentages = [one.progress_percentage for one in snapshots]
        assert percentages == sorted(percentages)
        page = await runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, PageRequest(list=PatientList.ACTIVE, first=50))
        assert (page.total_count, page.sync_id) == (12, sync_id)


ANEW = {"plan", "efforts", "receipt", "analysis"}
"""Parts of a checkpoint that differ when the sync comes to the same point again, as they hold times or requests."""


@pytest.mark.sqlite_only  # only the embedded engine can be paused
@pytest.mark.parametrize("mode", [SyncMode.FULL, SyncMode.INCREMENTAL])
@pytest.mark.parametrize("trouble", [None, FaultKind.REFUSE_SORT, FaultKind.ROW_WITHOUT_START], ids=str)
async def test_a_sync_continues_after_an_interruption_at_any_moment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, trouble: FaultKind | None, mode: SyncMode
):
    """Interrupted before each of its commits, a sync reads no finished list again and has the same result."""
    emulator = Emulator(generated_clinic(230, utc_now()))
    if trouble is not None:
        emulator.faults.add(Fault(trouble, "individual_appointments", times=None, rows=1, only_above_per_page=1))
    interrupted: list[Checkpoint] = []
    moments: list[dict[str, object]] = []
    async with EmulatorServer(emulator) as server, open_runtime(settings) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, server.base_url, check=False)
        await run_sync(runtime)
        undisturbed = await shown_rows(runtime.database)
        emulator.requests.clear()

        def interrupting(checkpoint: Checkpoint) -> dict[str, Any]:
            stored = to_json(checkpoint)
            moment = {name: stored[name] for name in stored if name not in ANEW}
            if moment not in moments:
                moments.append(moment)
                interrupted.append(checkpoint)
                assert isinstance(runtime.engine, EmbeddedEngine)
                runtime.engine.pause(timedelta(seconds=0.01))
            return stored

        with monkeypatch.context() as patched:
            patched.setattr(run, "to_json", interrupting)
            sync_id = await start(runtime, mode=mode)
            last = (await follow(runtime, sync_id))[-1]
        assert last.status is SyncState.COMPLETED, last.failure
        assert last.mode is mode
        assert await shown_rows(runtime.database) == undisturbed
        lines = [line.message for line in await runtime.syncs.log(LOCAL_OPERATOR, sync_id)]
    kinds = {type(one) for one in interrupted}
    assert kinds == {Reading, Comparing, Analyzing, Storing}, (
        "the first of them ends the state in which nothing is stored"
    )
    assert {one.list_name for one in interrupted if isinstance(one, Reading)} == set(LISTS)
    pages = [one.resource for one in emulator.requests if one.values("per_page") != ["1"] and one.resource in LISTS]
    lists = pages[: pages.index("practitioners") + 1]
    assert lists == sorted(lists, key=list(LISTS).index)
    if trouble is FaultKind.ROW_WITHOUT_START and mode is SyncMode.FULL:
        skipped = [line for line in lines if line.startswith("Skipped row ")]
        pages_of_list = len({one.parameters for one in emulator.requests if _is_full_page(one)})
        assert len(skipped) == len(set(skipped)) == pages_of_list, "one on each page, each named once"


def _is_full_page(request: RecordedRequest) -> bool:
    filters = request.values("q[]")
    is_of_list = request.resource == "individual_appointments" and request.values("per_page") == ["100"]
    return is_of_list and not any(text.startswith("updated_at") for text in filters)
