"""Every kind of misbehaviour of Cliniko, in every list, through whole syncs: correct, or failed without changes.

Rows that can't be read, and a total that is not the number of rows, are reported in the log of a right sync.
``OUTCOMES`` is the promise, and ``docs/cliniko.md`` shows the same table. Each test makes one kind of fault happen to
every list, once and for good, and compares all rows with those of an undisturbed sync. Where the sync is right all the
same, one sync meets the fault in all lists; ``make soak`` also runs a sync for each list and place.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from routiq_gql.cliniko import RESOURCES, Backoff, read_list
from routiq_gql.clock import utc_now
from routiq_gql.connections import clients
from routiq_gql.emulator import (
    EMULATED_API_KEY,
    Clinic,
    Emulator,
    EmulatorServer,
    Fault,
    FaultKind,
    RecordedRequest,
    generated_clinic,
)
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync import source
from routiq_gql.sync.lists import LISTS as SYNCED
from routiq_gql.sync.model import LogLevel, LogLine, SyncSnapshot, SyncState, SyncStep
from tests.organization import ORGANIZATION
from tests.sync.pages import pages_of_lists
from tests.syncs import ACTIVITY_COLUMNS, Rows, run_sync, shown_rows, stored_rows

RIGHT = "right"
REPORTED = "right but for what the log reports"
EMPTY = "right, these fields empty"
UNREACHABLE, UNEXPECTED = "CLINIKO_UNREACHABLE", "CLINIKO_UNEXPECTED_ANSWER"

OUTCOMES = {
    FaultKind.SLOW: (RIGHT, RIGHT),
    FaultKind.HANG: (RIGHT, UNREACHABLE),
    FaultKind.DROP_BEFORE: (RIGHT, UNREACHABLE),
    FaultKind.DROP_INSIDE: (RIGHT, UNREACHABLE),
    FaultKind.RATE_LIMIT: (RIGHT, UNREACHABLE),
    FaultKind.STATUS_500: (RIGHT, UNREACHABLE),
    FaultKind.STATUS_502_HTML: (RIGHT, UNREACHABLE),
    FaultKind.STATUS_503: (RIGHT, UNREACHABLE),
    FaultKind.STATUS_504: (RIGHT, UNREACHABLE),
    FaultKind.CUT_JSON: (RIGHT, UNEXPECTED),
    FaultKind.HTML_200: (RIGHT, UNEXPECTED),
    FaultKind.WRONG_SHAPE_JSON: (RIGHT, UNEXPECTED),
    FaultKind.WRONG_SHAPE_ROW: (RIGHT, REPORTED),
    FaultKind.ROW_WITHOUT_START: (RIGHT, REPORTED),
    FaultKind.BARE_ROW: (EMPTY, EMPTY),
    FaultKind.ODD_ROW: (EMPTY, EMPTY),
    FaultKind.REPEAT_PAGE: (RIGHT, UNEXPECTED),
    FaultKind.REPEAT_ROW: (RIGHT, UNEXPECTED),
    FaultKind.JUMP: (RIGHT, REPORTED),
    FaultKind.SHORT_PAGE: (RIGHT, REPORTED),
    FaultKind.WRONG_TOTAL: (RIGHT, REPORTED),
    FaultKind.REFUSE_SORT: (RIGHT, RIGHT),
    FaultKind.REFUSE_ID_FILTER: (RIGHT, RIGHT),
    FaultKind.SORT_TIMES_OUT: (RIGHT, RIGHT),
    FaultKind.FOREIGN_LINK: (RIGHT, RIGHT),
    FaultKind.WRONG_DATE: (RIGHT, RIGHT),
    FaultKind.NO_DATE: (RIGHT, RIGHT),
    FaultKind.STATUS_401: ("KEY_REFUSED", "KEY_REFUSED"),
    FaultKind.STATUS_402: (UNEXPECTED, UNEXPECTED),
    FaultKind.STATUS_403: (RIGHT, "KEY_LACKS_PERMISSION"),
    FaultKind.REDIRECT: ("ACCOUNT_MOVED", "ACCOUNT_MOVED"),
}
"""By kind: the outcome of a sync with a single fault, and with permanent faults from some request on."""

OF_SOME_FILTERS = {FaultKind.REFUSE_FILTER, FaultKind.REFUSE_MANY_VALUES}
"""The kinds that concern a certain filter, which not every list is read with; they have tests of their own."""
KINDS = [kind for kind in FaultKind if kind not in OF_SOME_FILTERS]

STEPS = {
    "patients": SyncStep.FETCHING_PATIENTS,
    "individual_appointments": SyncStep.FETCHING_APPOINTMENTS,
    "group_appointments": SyncStep.FETCHING_APPOINTMENTS,
    "attendees": SyncStep.FETCHING_APPOINTMENTS,
    "appointment_types": SyncStep.LOADING_TYPES,
}
"""Every list that a sync reads, and the step that reads it."""

LISTS = {synced.target.name for synced in SYNCED.values()}
WHERE = {resource.name: resource.where for resource in RESOURCES}

ROWS_PER_PAGE = 10
"""A tenth of what Cliniko gives: a list has as many pages, and fewer rows to store and to compare."""
ROWS = 2 * ROWS_PER_PAGE + 1
"""Of each list, and attendees twice as many: at least three pages of each."""


def clinic_with_pages(now: datetime, rows: int = ROWS) -> Clinic:
    """A clinic with at least three pages in every list."""
    clinic = generated_clinic(rows, now)
    patients = [str(patient) for patient in clinic.patients.ids()][:rows]
    for number in range(rows):
        clinic.insert_type(f"Type {number}")
        clinic.insert_appointment(patients[number], now + timedelta(days=number % 20 + 2))
        class_id = clinic.insert_class(now - timedelta(days=number % 20 + 2))
        for attendee in range(2):
            clinic.insert_attendee(class_id, patients[(number + attendee * 7) % rows])
    return clinic


def is_later_page(request: RecordedRequest) -> bool:
    return any(condition.startswith("id:>") for condition in request.values("q[]"))


@dataclass
class Stage:
    """A runtime and a clinic, an earlier sync of a smaller clinic, and the expected rows of an undisturbed sync."""

    runtime: Runtime
    emulator: Emulator
    expected: dict[str, Rows]
    figures: tuple[int, int, int]
    pages: dict[str, int]
    later_pages: dict[str, list[int]]
    """Of each list, the numbers of the requests that asked for more than a first page."""

    async def meet(self, *faults: Fault) -> SyncSnapshot:
        """The end of a sync with these faults, which all did occur."""
        last = await self.sync(*faults)
        for fault, count in self.emulator.faults.listed():
            assert count > 0, f"{fault} did not happen"
        return last

    async def sync(self, *faults: Fault) -> SyncSnapshot:
        """The end of a sync with these faults, if it sends that many requests."""
        self.emulator.faults.clear()
        self.emulator.faults.add(*faults)
        return await run_sync(self.runtime)

    async def check_right(self, last: SyncSnapshot) -> None:
        assert last.status is SyncState.COMPLETED, last.failure
        assert (last.patients_found, last.appointments_found, last.active_patients_stored) == self.figures
        assert await active_and_mirrored(self.runtime) == self.expected

    async def check_reported(self, last: SyncSnapshot, resource: str) -> None:
        """The log lists the missing rows of the affected list, and all other lists are complete."""
        assert last.status is SyncState.COMPLETED, last.failure
        assert last.errors == []
        target = SYNCED[resource].target.name
        lines = [line for line in await log_lines(self.runtime, last.sync_id) if line.level is LogLevel.WARNING]
        lines = [line for line in lines if WHERE[resource] in line.message]
        stored = await active_and_mirrored(self.runtime)
        missing = set(self.expected[target]) - set(stored[target])
        assert len(missing) < 10
        assert set(stored[target]) <= set(self.expected[target])
        is_affected = any(
            "can't be read" in line.message or "Cliniko reports a total" in line.message for line in lines
        )
        assert is_affected or not missing
        others = set(LISTS) - {target, *(("ATTENDEES",) if resource == "group_appointments" else ())}
        assert {name: stored[name] for name in others} == {name: self.expected[name] for name in others}

    async def check_emptied(self, last: SyncSnapshot, resource: str) -> None:
        """All rows are there; in a few rows of the affected list, fields are empty, unless they were read again."""
        assert last.status is SyncState.COMPLETED, last.failure
        assert last.errors == []
        target = SYNCED[resource].target.name
        stored = await active_and_mirrored(self.runtime)
        for before, after in zip(self.expected[target], stored[target], strict=True):
            assert all(new in {None, old} for old, new in zip(before, after, strict=True))
        changed = [new for old, new in zip(self.expected[target], stored[target], strict=True) if old != new]
        assert len(changed) < 10
        others = set(LISTS) - {target}
        assert {name: stored[name] for name in others} == {name: self.expected[name] for name in others}


async def log_lines(runtime: Runtime, sync_id: str) -> list[LogLine]:
    return [line async for line in runtime.syncs.watch_log(LOCAL_OPERATOR, sync_id)]


async def active_and_mirrored(runtime: Runtime) -> dict[str, Rows]:
    rows = dict(await shown_rows(runtime.database))
    place = ACTIVITY_COLUMNS.index("is_active")
    rows["active_patients"] = [row for row in rows["active_patients"] if row[place]]
    return rows


@asynccontextmanager
async def staged(settings: Settings, rows: int = ROWS) -> AsyncIterator[Stage]:
    quick = settings.model_copy(update={"cliniko_max_attempts": 3, "cliniko_read_timeout_seconds": 1.0})
    now = utc_now()
    emulator = Emulator(clinic_with_pages(now, rows))
    async with EmulatorServer(emulator) as server, open_runtime(quick) as runtime:
        await runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, server.base_url)
        already = len(emulator.requests)
        last = await run_sync(runtime)
        requests_of_lists = pages_of_lists(emulator.requests[already:])
        asked = {name: [one for one in requests_of_lists if one.resource == name] for name in STEPS}
        pages = {name: len(requests) for name, requests in asked.items()}
        assert all(count >= 3 for count in pages.values()), pages
        later_pages = {
            name: [number for number, request in enumerate(requests, 1) if is_later_page(request)]
            for name, requests in asked.items()
        }
        figures = (last.patients_found, last.appointments_found, last.active_patients_stored)
        yield Stage(runtime, emulator, await active_and_mirrored(runtime), figures, pages, later_pages)


@pytest.fixture(autouse=True)
def _short_rate_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    shorter = partial(Backoff, rate_limit_floor_seconds=0.01, rate_limit_attempts=4)
    monkeypatch.setattr(clients, "Backoff", shorter)


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "read_list", partial(read_list, per_page=ROWS_PER_PAGE))
    monkeypatch.setattr(source, "CLASSES_PER_REQUEST", ROWS_PER_PAGE)


def fault_at(kind: FaultKind, resource: str, number: int, times: int | None) -> Fault:
    """The fault at this request for a page of this list, and from there on."""
    seconds = {FaultKind.SLOW: 0.05, FaultKind.RATE_LIMIT: 0}.get(kind, 1)
    # The first page is requested without an id, so refusing ids begins with the second.
    later = kind is FaultKind.REFUSE_ID_FILTER and number > 1
    return Fault(
        kind,
        resource,
        request_number=min(number, 1) if later else number,
        times=times,
        only_above_per_page=1,
        seconds=seconds,
        clock_skew_seconds=900 if kind is FaultKind.WRONG_DATE else 0,
    )


def places(pages: int) -> dict[str, int]:
    return {"first": 1, "middle": (pages + 1) // 2, "last": pages}


def fault_in(stage: Stage, kind: FaultKind, resource: str, place: str, times: int | None) -> Fault:
    """The fault in this place of a list, and from there on."""
    number = places(stage.pages[resource])[place]
    if kind is FaultKind.REPEAT_PAGE:  # a repeated first page is no fault; each batch of attendees has a first page
        later = stage.later_pages[resource]
        number = max((one for one in later if one <= number), default=later[0])
    return fault_at(kind, resource, number, times)


async def check_cell(stage: Stage, kind: FaultKind, resource: str, place: str, times: int | None) -> None:
    """A kind of fault in one place of a list has the specified outcome."""
    expected = OUTCOMES[kind][0 if times else 1]
    before = await stored_rows(stage.runtime.database)
    stats = (await stage.runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).patient_stats
    last = await stage.meet(fault_in(stage, kind, resource, place, times))
    where = f"{kind} in {resource}, {place}, {'once' if times else 'for good'}"
    if expected == REPORTED:
        await stage.check_reported(last, resource)
        return
    if expected == EMPTY:
        await stage.check_emptied(last, resource)
        return
    if expected is RIGHT:
        await stage.check_right(last)
        return
    assert last.failure is not None, where
    assert (last.status, last.failure.code) == (SyncState.FAILED, expected), where
    assert last.failure.step is STEPS[resource], where
    assert last.failure.message.endswith(".")
    assert last.failure.what_to_do.endswith(".")
    assert await stored_rows(stage.runtime.database) == before, where
    assert (await stage.runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).patient_stats == stats


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_in_every_list(settings: Settings, kind: FaultKind):
    """A sync is correct, or fails and changes nothing. The fault is in another place of each list."""
    async with staged(settings) as stage:
        for times, order in ((1, ("first", "middle", "last")), (None, ("middle", "last", "first"))):
            place = {resource: order[number % 3] for number, resource in enumerate(STEPS, KINDS.index(kind))}
            if OUTCOMES[kind][0 if times else 1] is RIGHT:
                faults = [fault_in(stage, kind, resource, place[resource], times) for resource in STEPS]
                await stage.check_right(await stage.meet(*faults))
                continue
            for resource in STEPS:
                await check_cell(stage, kind, resource, place[resource], times)


@pytest.mark.soak
@pytest.mark.parametrize("times", [1, 2, None])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_in_every_place(settings: Settings, kind: FaultKind, times: int | None):
    """The same in every place of every list."""
    async with staged(settings) as stage:
        for resource in STEPS:
            for place in ("first", "middle", "last"):
                await check_cell(stage, kind, resource, place, times)


async def test_long_pages_that_time_out_are_asked_for_in_shorter_ones(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """A list that Cliniko can't deliver in pages of a hundred rows is read in smaller pages."""
    monkeypatch.setattr(source, "read_list", read_list)
    async with staged(settings, rows=205) as stage:
        faults = [Fault(FaultKind.STATUS_504, resource, times=None, only_above_per_page=30) for resource in STEPS]
        await stage.check_right(await stage.meet(*faults))


async def test_every_kind_at_once(settings: Settings):
    """Temporary faults follow each other in every list, and the sync is correct."""
    passing = [kind for kind, (once, _) in OUTCOMES.items() if once is RIGHT and kind is not FaultKind.HANG]
    async with staged(settings) as stage:
        faults = [
            fault_at(kind, resource, 1 + 2 * number, 1)
            for resource in STEPS
            for number, kind in enumerate(passing)
            if kind not in {FaultKind.REFUSE_SORT, FaultKind.REFUSE_ID_FILTER}
        ]
        await stage.check_right(await stage.sync(*faults))
        assert {fault.resource for fault, count in stage.emulator.faults.listed() if count} == set(STEPS)


@pytest.mark.parametrize("refusal", [FaultKind.REFUSE_SORT, FaultKind.REFUSE_ID_FILTER])
async def test_a_link_to_another_host_is_never_followed(settings: Settings, refusal: FaultKind):
    """A list read along links that name a proxy is correct, and the key is only sent to Cliniko's host."""
    elsewhere = Emulator(clinic_with_pages(utc_now()))
    async with staged(settings) as stage, EmulatorServer(elsewhere) as trap:
        links = {resource: f"{trap.base_url}/{resource}?page=2&per_page=100" for resource in STEPS}
        refused = [Fault(refusal, resource, times=None, only_above_per_page=1) for resource in STEPS]
        for times in (1, None):
            linked = [
                Fault(
                    FaultKind.FOREIGN_LINK,
                    resource,
                    request_number=2,
                    times=times,
                    only_above_per_page=1,
                    location=link,
                )
                for resource, link in links.items()
            ]
            await stage.check_right(await stage.meet(*refused, *linked))
        for resource, link in links.items():
            moved = Fault(FaultKind.REDIRECT, resource, only_above_per_page=1, location=link)
            assert (await stage.meet(moved)).failure.code == "ACCOUNT_MOVED"
    assert elsewhere.requests == []


@pytest.mark.parametrize("resource", ["settings", "user"])
async def test_optional_responses_may_be_missing(settings: Settings, resource: str):
    """Without the account's name or the user's role a sync is still correct."""
    async with staged(settings) as stage:
        for kind in (FaultKind.STATUS_403, FaultKind.HTML_200, FaultKind.STATUS_503):
            last = await stage.meet(Fault(kind, resource, times=1 if kind is FaultKind.STATUS_503 else None))
            await stage.check_right(last)


def test_the_docs_have_the_same_table():
    """The page about Cliniko promises the outcomes that these tests prove, and no others."""
    page = (Path(__file__).parents[2] / "docs" / "cliniko.md").read_text()
    section = page.partition("\n## When Cliniko misbehaves\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| .* \(`(\w+)`\) \| (.*?) \| (.*?) \|$", section, re.MULTILINE)
    told = {FaultKind(kind): (once.strip("`"), for_good.strip("`")) for kind, once, for_good in rows}
    assert told == OUTCOMES
