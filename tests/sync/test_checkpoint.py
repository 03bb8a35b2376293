"""Checkpoints of every format: a sync that was running during an upgrade continues, or fails with a reason."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from routiq_gql.clock import utc_now
from routiq_gql.database.syncs import SYNC
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, Fault, FaultKind, generated_clinic
from routiq_gql.engines.embedded import EmbeddedEngine
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import run
from routiq_gql.sync.checkpoint import (
    FORMAT,
    Analyzing,
    Checkpoint,
    CheckpointError,
    Reading,
    Starting,
    Storing,
    read_checkpoint,
    to_json,
)
from routiq_gql.sync.findings import Findings
from routiq_gql.sync.lists import LISTS
from routiq_gql.sync.model import FailureCode, SyncState
from routiq_gql.sync.place import Place
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import follow, run_sync, shown_rows, start

TOTALS = {"patients": 230, "individual_appointments": 174, "group_appointments": 4, "appointment_types": 8}
FOUND = Findings(1, (("600100000012977588", "starts_at"),))

LISTS_OF_FORMAT = {
    2: ("patients", "individual_appointments", "group_appointments", "attendees", "appointment_types"),
}
"""The lists that a sync read when this format was the newest. A checkpoint after the place of a new list lacks its
rows, so its format needs an upgrade that sends the sync back."""

FORMAT_1: dict[str, tuple[str, Checkpoint]] = {
    "before the key is checked": ("{}", Starting()),
    "once the key is checked": (
        (
            '{"step": 4, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}}'
        ),
        Reading("patients", TOTALS),
    ),
    "within a list": (
        (
            '{"step": 4, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "part": "patients", "last": "600100000009983144", "ended": false, "read": 100, '
            '"batch_after": "", "classes": 0, "findings": {"unreadable": 0, "named": [], "rows": 0, "claimed": 0}, '
            '"findings_before": {}}'
        ),
        Reading("patients", TOTALS, Place("600100000009983144", read=100)),
    ),
    "within a list that is read in passes": (
        (
            '{"step": 4, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "part": "patients", "last": null, "ended": false, "read": 200, "batch_after": '
            '"", "classes": 0, "findings": {"unreadable": 0, "named": [], "rows": 0, "claimed": 0}, '
            '"findings_before": {}}'
        ),
        Reading("patients", TOTALS, Place(read=200)),
    ),
    "behind a list": (
        (
            '{"totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "step": 5, "part": "individual_appointments"}'
        ),
        Reading("individual_appointments", TOTALS),
    ),
    "within a list with an unreadable row": (
        (
            '{"step": 5, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8}, "part": "individual_appointments", "last": "600100000021601112", "ended": true, '
            '"read": 174, "batch_after": "", "classes": 0, "findings": {"unreadable": 1, "named": '
            '[["600100000012977588", "starts_at"]], "rows": 0, "claimed": 0}, "findings_before": {}}'
        ),
        Reading("individual_appointments", TOTALS, Place("600100000021601112", True, 174, findings=FOUND)),
    ),
    "between two batches of attendees": (
        (
            '{"step": 5, "totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 74, '
            '"appointment_types": 8}, "part": "attendees", "last": null, "ended": false, "read": 90, "batch_after": '
            '"600100000000506944", "classes": 50, "findings": {"unreadable": 1, "named": [[null, "id"]], "rows": 0, '
            '"claimed": 0}, "findings_before": {"unreadable": 1, "named": [[null, "id"]], "rows": 0, "claimed": 0}}'
        ),
        Reading(
            "attendees",
            {**TOTALS, "group_appointments": 74},
            Place(
                read=90,
                batch_after="600100000000506944",
                classes=50,
                findings=Findings(1, ((None, "id"),)),
                findings_before=Findings(1, ((None, "id"),)),
            ),
        ),
    ),
    "behind the attendees": (
        (
            '{"totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8, "attendees": 3}, "step": 6, "part": "appointment_types"}'
        ),
        Reading("appointment_types", {**TOTALS, "attendees": 3}),
    ),
    "before the analysis": (
        (
            '{"totals": {"patients": 230, "individual_appointments": 174, "group_appointments": 4, '
            '"appointment_types": 8, "attendees": 3}, "step": 7}'
        ),
        Analyzing(),
    ),
    "within the analysis": (
        '{"step": 7, "after": "600100000009983144", "analyzed": 5000}',
        Analyzing("600100000009983144", 5000),
    ),
    "before the result is stored": ('{"step": 8}', Storing()),
    "an earlier version 0.1": (
        (
            '{"step": 4, "totals": {"patients": 230}, "part": "patients", "last": "99", "read": 100, "batch_after": '
            '"", "classes": 0}'
        ),
        Reading("patients", {"patients": 230}, Place("99", read=100)),
    ),
}
"""Stored by syncs of version 0.1: most by a clinic of 230 patients, two by other clinics."""

FORMAT_2: dict[str, tuple[str, Checkpoint]] = {
    "before the key is checked": ('{"format": 2, "step": 0}', Starting()),
    "within a list with an unreadable row": (
        (
            '{"format": 2, "step": 5, "totals": {"patients": 230, "individual_appointments": 174, '
            '"group_appointments": 4, "appointment_types": 8}, "part": "individual_appointments", '
            '"last": "600100000021601112", "ended": true, "read": 174, "batch_after": "", "classes": 0, "findings": '
            '{"unreadable": 1, "named": [["600100000012977588", "starts_at"]], "rows": 0, "claimed": 0}, '
            '"findings_before": {"unreadable": 0, '
            '"named": [], "rows": 0, "claimed": 0}}'
        ),
        Reading("individual_appointments", TOTALS, Place("600100000021601112", True, 174, findings=FOUND)),
    ),
    "at the beginning of a list": (
        (
            '{"format": 2, "step": 6, "totals": {}, "part": "appointment_types", "last": null, "ended": false, '
            '"read": 0, "batch_after": "", "classes": 0, "findings": {"unreadable": 0, "named": [], '
            '"rows": 0, "claimed": 0}, "findings_before": {"unreadable": 0, "named": [], "rows": 0, "claimed": 0}}'
        ),
        Reading("appointment_types"),
    ),
    "within the analysis": (
        '{"format": 2, "step": 7, "after": "600100000009983144", "analyzed": 5000}',
        Analyzing("600100000009983144", 5000),
    ),
    "before the result is stored": ('{"format": 2, "step": 8}', Storing()),
}

EXAMPLES = {1: FORMAT_1, 2: FORMAT_2}
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
    """A sync continues where it was, whatever version stored its checkpoint."""
    assert read_checkpoint(json.loads(stored)) == checkpoint


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


def test_the_version_before_finds_every_value_that_it_knows():
    """During an upgrade a worker of the version before may get the sync, and must not begin at 0 either."""
    for stored, checkpoint in FORMAT_1.values():
        known = {name: value for name, value in json.loads(stored).items() if value != {}}
        if checkpoint == Analyzing():
            del known["totals"]  # of no use any more
        assert known.items() <= json.loads(json.dumps(to_json(checkpoint))).items()


@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        ('{"format": 3, "step": 4}', "has format 3, which another version of Routiq wrote"),
        ('{"format": 0, "step": 4}', "has format 0"),
        ('{"format": "2"}', "“format” is missing or has a wrong form"),
        ("[]", "“format” is missing or has a wrong form"),
        (
            FORMAT_1["behind a list"][0].replace('"individual_appointments"}', '"bookings"}'),
            "names a list .*“bookings”",
        ),
        ('{"step": 5, "totals": {}}', "“part” is missing"),
        ('{"step": 9, "totals": {}, "part": "patients"}', "“step” is missing"),
        ('{"format": 2, "step": true}', "“step” is missing"),
        ('{"format": 2, "step": 7, "after": null, "analyzed": 0}', "“after” is missing"),
        (FORMAT_2["at the beginning of a list"][0].replace('"named": []', '"named": [7]'), "“named” is missing"),
        (FORMAT_2["at the beginning of a list"][0].replace('"last": null, ', ""), "“last” is missing"),
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


def as_version_0_1_stored(checkpoint: Checkpoint) -> dict[str, Any]:
    """The form in which version 0.1 stored a checkpoint, written by hand from its code."""
    match checkpoint:
        case Starting():
            return {}
        case Reading("patients", totals, place) if place == Place():
            return {"step": 4, "totals": dict(totals)}
        case Reading(name, totals, place) if place == Place():
            return {"totals": dict(totals), "step": checkpoint.step.value, "part": name}
        case Reading(name, totals, place):
            return {
                "step": checkpoint.step.value,
                "totals": dict(totals),
                "part": name,
                "last": place.last_id,
                "ended": place.has_ended,
                "read": place.read,
                "batch_after": place.batch_after,
                "classes": place.classes,
                "findings": findings_of_version_0_1(place.findings),
                "findings_before": findings_of_version_0_1(place.findings_before) if place.batch_after else {},
            }
        case Analyzing(after, analyzed):
            return {"step": 7, "after": after, "analyzed": analyzed}
        case Storing():
            return {"step": 8}


def findings_of_version_0_1(findings: Findings) -> dict[str, Any]:
    named = [list(pair) for pair in findings.named]
    counts = {"rows": findings.rows, "claimed": findings.claimed}
    return {"unreadable": findings.unreadable, "named": named, **counts}


REWRITTEN = [name for name in FORMAT_1 if name not in {"before the analysis", "an earlier version 0.1"}]


@pytest.mark.parametrize("name", REWRITTEN)
def test_the_stored_form_of_version_0_1_is_its_real_one(name: str):
    """The next test stores checkpoints as version 0.1 did; this test compares them with real checkpoints."""
    stored, checkpoint = FORMAT_1[name]
    assert as_version_0_1_stored(checkpoint) == json.loads(stored)


@pytest.mark.sqlite_only  # only the embedded engine can be paused
@pytest.mark.parametrize("trouble", [None, FaultKind.REFUSE_SORT, FaultKind.ROW_WITHOUT_START], ids=str)
async def test_a_sync_of_version_0_1_continues_after_an_upgrade_at_any_moment(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, trouble: FaultKind | None
):
    """Interrupted before each of its commits, a sync reads no finished list again and has the same result."""
    emulator = Emulator(generated_clinic(230, utc_now()))
    if trouble is not None:
        emulator.faults.add(Fault(trouble, "individual_appointments", times=None, rows=2, only_above_per_page=1))
    interrupted: list[Checkpoint] = []
    async with EmulatorServer(emulator) as server, open_runtime(settings) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, server.base_url, check=False)
        await run_sync(runtime)
        undisturbed = await shown_rows(runtime.database)
        emulator.requests.clear()

        def store_as_before(checkpoint: Checkpoint) -> dict[str, Any]:
            if checkpoint not in interrupted:
                interrupted.append(checkpoint)
                assert isinstance(runtime.engine, EmbeddedEngine)
                runtime.engine.pause(timedelta(seconds=0.01))
            return as_version_0_1_stored(checkpoint)

        with monkeypatch.context() as patched:
            patched.setattr(run, "to_json", store_as_before)
            sync_id = await start(runtime)
            last = (await follow(runtime, sync_id))[-1]
        assert last.status is SyncState.COMPLETED, last.failure
        assert await shown_rows(runtime.database) == undisturbed
        lines = [line.message for line in await runtime.syncs.log(LOCAL_OPERATOR, sync_id)]
    parts = {(one.step.value, one.list_name if isinstance(one, Reading) else "") for one in interrupted}
    assert parts == {
        *((4, "patients"), (5, "individual_appointments"), (5, "group_appointments"), (5, "attendees")),
        *((6, "appointment_types"), (7, ""), (8, "")),
    }
    assert lines.count("Continuing after an interruption") == len(interrupted) - 1, (
        "before the first, nothing is stored"
    )
    pages = [one.resource for one in emulator.requests if one.values("per_page") != ["1"] and one.resource in LISTS]
    assert pages == sorted(pages, key=list(LISTS).index)
    if trouble is FaultKind.ROW_WITHOUT_START:
        skipped = [line for line in lines if line.startswith("Skipped row ")]
        assert len(skipped) == len(set(skipped)) == 4, "two on each page, each named once"
