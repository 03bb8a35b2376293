"""Reads the lists of a sync page by page. Each page and its checkpoint are stored in the same transaction.

An interruption therefore repeats the page in flight only. The pipeline calls ``read`` until no list is left. Problems
found in a list are logged when the list is read.
"""

import time
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

import structlog

from routiq_gql.cliniko import ATTENDEES, GROUP_APPOINTMENTS
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import count_rows, count_unassigned
from routiq_gql.sync.checkpoint import Analyzing, Checkpoint, Reading
from routiq_gql.sync.findings import Findings
from routiq_gql.sync.lists import LISTS, SyncedList
from routiq_gql.sync.model import LogLevel, Progress
from routiq_gql.sync.run import SyncRun
from routiq_gql.sync.source import CLASSES_PER_REQUEST, Source, SourcePage

log = structlog.get_logger(__name__)

ROWS_PER_PAGE = 100
"""The most that a page of Cliniko holds; for estimates only."""
NO_PATIENT = "have no patient: they are stored, but make no patient active"


class Reader:
    """Reads lists within a claim of a sync."""

    def __init__(self, run: SyncRun, source: Source, database: Database) -> None:
        self._run = run
        self._source = source
        self._database = database
        self._began = time.monotonic()
        self._requests = 0

    async def read(self, reading: Reading) -> Checkpoint:
        """Read a list to its end, and return the checkpoint that follows it: the next list, or the analysis.

        Raises:
            ClinikoError: The list can't be read to its end, or too many of its rows are unreadable.
        """
        synced = LISTS[reading.list_name]
        async with aclosing(self._source.pages(synced, reading.place)) as pages:
            async for page in pages:
                reading = replace(reading, place=page.place)
                self._requests += 1
                async with self._run.committing(reading, self._shown(synced, reading, page)) as connection:
                    await page.store(connection, self._run.key)
                if synced.resource is not ATTENDEES:  # their total is known only when all batches are read
                    await self._check(synced, reading, page.place.read + page.remaining)
        return await self._finish(synced, reading)

    async def _finish(self, synced: SyncedList, reading: Reading) -> Checkpoint:
        async with self._database.reading() as connection:
            rows = await count_rows(connection, synced.target, self._run.key)
            unassigned = await count_unassigned(connection, synced.target, self._run.key)
        findings = reading.place.findings
        await self._check(synced, reading, rows + findings.unreadable)
        lines = _warnings(synced, findings, rows + findings.unreadable)
        if lines:
            log.warning("cliniko_rows_skipped", list=synced.name, unreadable=findings.unreadable, stored=rows)
        if unassigned:
            lines.append((LogLevel.WARNING, f"{unassigned} of {rows} {synced.resource.label} {NO_PATIENT}"))
        totals = {**reading.totals, synced.name: rows}
        progress, message = synced.result(totals)
        if message is not None:
            lines.append((LogLevel.SUCCESS, message))
        later = _lists_after(synced)
        following = Reading(later[0].name, totals) if later else Analyzing()
        await self._run.commit(following, progress, lines)
        return following

    async def _check(self, synced: SyncedList, reading: Reading, total: int) -> None:
        findings = reading.place.findings
        if findings.is_too_much(total):
            await self._run.commit(reading, lines=_warnings(synced, findings, total))
            raise findings.failure(synced.resource.where, total)

    def _shown(self, synced: SyncedList, reading: Reading, page: SourcePage) -> Progress:
        progress = synced.shown(page.place, page.remaining, reading.totals)
        if page.is_repeat:  # the figures of the first pass stay until the last has confirmed them
            read = page.place.read
            text = f"Reading {synced.resource.label} again to compare… {read} of {read + page.remaining}"
            progress = Progress(text=text)
        return replace(progress, estimated_completion=self._estimate(synced, reading, page.remaining))

    def _estimate(self, synced: SyncedList, reading: Reading, remaining: int) -> datetime:
        """The likely end of reading, from the time that the pages so far have taken."""
        left = ceil(remaining / ROWS_PER_PAGE)
        for later in _lists_after(synced):
            if later.resource is ATTENDEES:
                left += ceil(reading.totals.get(GROUP_APPOINTMENTS.name, 0) / CLASSES_PER_REQUEST)
            else:
                left += ceil(reading.totals.get(later.name, 0) / ROWS_PER_PAGE)
        seconds = (time.monotonic() - self._began) / self._requests * left
        return utc_now() + timedelta(milliseconds=round(seconds * 1000))


def _lists_after(synced: SyncedList) -> list[SyncedList]:
    lists = list(LISTS.values())
    return lists[lists.index(synced) + 1 :]


def _warnings(synced: SyncedList, findings: Findings, total: int) -> list[tuple[LogLevel, str]]:
    return [(LogLevel.WARNING, line) for line in findings.lines(synced.resource.where, total)]
