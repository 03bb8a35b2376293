"""Reads the lists of a sync page by page. Each page and its checkpoint are stored in the same transaction.

An interruption therefore repeats the page in flight only. The pipeline calls ``read`` until no list is left. Problems
found in a list are logged when the list is read.
"""

from contextlib import aclosing
from dataclasses import replace

import structlog

from routiq_gql.cliniko import ATTENDEES
from routiq_gql.database.counting import count_listed, count_unassigned, count_visible
from routiq_gql.database.engine import Database
from routiq_gql.sync.checkpoint import Comparing, Reading
from routiq_gql.sync.content import says_nothing
from routiq_gql.sync.drafting import Drafting
from routiq_gql.sync.findings import Findings
from routiq_gql.sync.lists import LISTS, READING_SHARE, SyncedList, lists_after
from routiq_gql.sync.model import LogLevel, Progress
from routiq_gql.sync.place import Place
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.source import Source, SourcePage

log = structlog.get_logger(__name__)

NO_PATIENT = "have no patient: they are stored, but make no patient active"
COMPARING_TEXT = "Comparing with Cliniko…"
DENIED = "The API key may not read practitioners, so their names are unknown; nothing else depends on them"


class Reader:
    """Reads lists within a claim of a sync."""

    def __init__(self, run: SyncRun, source: Source, drafting: Drafting, database: Database) -> None:
        self._run = run
        self._source = source
        self._drafting = drafting
        self._database = database
        self._is_full = drafting.plan.is_full

    async def read(self, reading: Reading) -> Reading | Comparing:
        """Read a list to its end, and return the checkpoint that follows it: the next list, or the comparison.

        Raises:
            ClinikoError: The list can't be read to its end, or too many of its rows are unreadable.
        """
        synced = LISTS[reading.list_name]
        async with aclosing(self._source.pages(synced.resource, reading.place)) as pages:
            async for page in pages:
                reading = replace(reading, place=page.place)
                if page.page is not None and not self._is_full:
                    pending = await self._drafting.pending_after(synced.resource, page.page, reading.pending)
                    reading = replace(reading, pending=pending)
                if says_nothing(page.content):  # as of a list without changes; its end is stored below
                    continue
                shown = self._shown(synced, reading, page)
                self._expect(reading, page.remaining)
                await self._drafting.store(synced.resource, page.content, reading, shown)
                if synced.resource is not ATTENDEES:  # their total is known only when all batches are read
                    await self._check(synced, reading, page.place.read + page.remaining)
        return await self._finish(synced, reading)

    async def _finish(self, synced: SyncedList, reading: Reading) -> Reading | Comparing:
        draft = self._drafting.draft
        async with self._database.reading() as connection:
            listed = await count_listed(connection, draft, synced.target)
            unassigned = await count_unassigned(connection, draft, synced.target)
            rows = await count_visible(connection, draft, synced.target) if unassigned else 0
        place = reading.place
        await self._check(synced, reading, place.read)
        lines = _warnings(synced, place.findings, place.read)
        if lines:
            log.warning("cliniko_rows_skipped", list=synced.name, unreadable=place.findings.unreadable, read=place.read)
        if unassigned:
            lines.append((LogLevel.WARNING, f"{unassigned} of {rows} {synced.resource.label} {NO_PATIENT}"))
        if self._source.is_denied:
            lines.append((LogLevel.INFO, DENIED))
        if place.read and not self._is_full and synced.resource.has_changes:
            lines.append((LogLevel.INFO, f"Read {_rows(place.read)} of {synced.resource.label} that have changed"))
        totals = {**reading.totals, synced.name: listed}
        progress, message = synced.result(totals)
        if message is not None:
            lines.append((LogLevel.SUCCESS, message))
        if not self._is_full:  # the next step begins at once
            progress = replace(progress, text=None)
        efforts, whole = self._drafting.efforts(), reading.whole
        if not synced.resource.has_changes and not self._source.is_denied:
            whole = {**whole, synced.name: place.read}
        following: Reading | Comparing
        later = [one for one in lists_after(synced.name) if reading.plan.reads(one.name)]
        if later:
            following = replace(
                reading, list_name=later[0].name, totals=totals, place=Place(), efforts=efforts, whole=whole
            )
        else:
            following = Comparing(reading.plan, totals, reading.pending, efforts, whole)
            progress = replace(progress, fraction=READING_SHARE, text=COMPARING_TEXT)
        self._expect(following)
        await self._run.commit(following, progress, lines)
        return following

    async def _check(self, synced: SyncedList, reading: Reading, total: int) -> None:
        findings = reading.place.findings
        if findings.is_too_much(total) and not self._is_full and synced.resource.has_changes:
            async with self._database.reading() as connection:  # a few changed rows say little about the list
                total = max(total, await count_visible(connection, self._drafting.draft, synced.target))
        if findings.is_too_much(total):
            await self._run.commit(reading, lines=_warnings(synced, findings, total))
            raise findings.failure(synced.resource.where, total)

    def _shown(self, synced: SyncedList, reading: Reading, page: SourcePage) -> Progress:
        if page.is_repeat:  # the figures of the first pass stay until the last has confirmed them
            read = page.place.read
            text = f"Reading {synced.resource.label} again to compare… {read} of {read + page.remaining}"
            progress = Progress(text=text)
        elif self._is_full or not synced.resource.has_changes:
            progress = synced.shown(page.place, page.remaining, reading.totals)
        else:
            progress = synced.shown_of_changes(page.place, page.remaining)
        return progress

    def _expect(self, following: Reading | Comparing, remaining: int | None = None) -> None:
        changed = [name for name, count in self._drafting.changed.items() if count]
        self._run.forecast.expect(following, remaining, changed)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _warnings(synced: SyncedList, findings: Findings, total: int) -> list[tuple[LogLevel, str]]:
    return [(LogLevel.WARNING, line) for line in findings.lines(synced.resource.where, total)]
