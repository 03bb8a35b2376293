"""Reads Cliniko's lists page by page into this sync's generation, with a checkpoint after each page.

Used by the fetching steps. A page's rows and the place to go on behind them are one transaction, so after a break
only the page in flight is read again. The cursor names the ``part`` that is being read: one list of one step, and
holds what was found wrong with that list, which is logged when it is read.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import fields
from datetime import datetime, timedelta
from math import ceil
from operator import attrgetter
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.cliniko import (
    ATTENDEES,
    GROUP_APPOINTMENTS,
    RESOURCES,
    ClinikoClient,
    Resource,
    booking_in,
    read_list,
)
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.mirror import (
    BY_RESOURCE,
    MirrorList,
    count_rows,
    count_unassigned,
    drop_attendees,
    drop_list,
    group_ids_after,
    save_rows,
)
from routiq_gql.sync.findings import Findings
from routiq_gql.sync.model import LogLevel
from routiq_gql.sync.run import SyncRun

log = structlog.get_logger(__name__)

ROWS_PER_PAGE = 100
"""What a page of Cliniko holds at most; for estimates only."""
CLASSES_PER_REQUEST = 50
"""Group appointments whose attendees are asked for at once; their ids make an address of some 1,100 characters."""

NO_PATIENT = "have no patient: they are stored, but make no patient active"

TARGETS = {resource.name: BY_RESOURCE[resource.name] for resource in RESOURCES}
"""Every list that a sync reads, in the order of reading."""

Show = Callable[[int, int], dict[str, Any]]
"""From rows read and rows remaining to what ``checkpoint`` shows."""


class Reader:
    """Reads the lists of one taking-up of a sync.

    ``totals`` in the cursor holds how many rows each list has: first what Cliniko said when the key was checked, then
    what was stored.
    """

    def __init__(self, run: SyncRun, client: ClinikoClient, database: Database) -> None:
        self._run = run
        self._client = client
        self._database = database
        self._began = time.monotonic()
        self._requests = 0

    @property
    def totals(self) -> dict[str, int]:
        return dict(self._run.cursor.get("totals", {}))

    async def read_whole(self, resource: Resource[Any], filters: Sequence[str], show: Show) -> int:
        """Read one list to its end and return how many rows are stored of it."""
        target = TARGETS[resource.name]
        place = self._place_in(resource.name)
        if not self._is_done(resource.name) and not place["ended"]:

            async def drop(connection: AsyncConnection) -> None:
                await drop_list(connection, target, self._run.key)

            await self._read(resource, filters, place, drop, show)
        async with self._database.reading() as connection:
            return await count_rows(connection, target, self._run.key)

    async def read_attendees(self, show: Show) -> int:
        """Read who comes to the group appointments that are stored already, a batch of these at a time.

        ``show`` is given group appointments: how many are done and how many remain. Returns the rows stored.
        """
        place = self._place_in(ATTENDEES.name)
        classes = self.totals.get(GROUP_APPOINTMENTS.name, 0)
        while True:
            async with self._database.reading() as connection:
                ids = await group_ids_after(connection, self._run.key, place["batch_after"], CLASSES_PER_REQUEST)
                if not ids:
                    return await count_rows(connection, MirrorList.ATTENDEES, self._run.key)
            done: int = place["classes"]

            async def drop(connection: AsyncConnection, ids: list[str] = ids) -> None:
                await drop_attendees(connection, self._run.key, ids)

            def show_classes(_read: int, _remaining: int, done: int = done) -> dict[str, Any]:
                return show(done, max(classes - done, 0))

            if not place["ended"]:
                await self._read(ATTENDEES, [booking_in(ids)], place, drop, show_classes)
            place = {**place, "batch_after": ids[-1], "last": None, "ended": False, "classes": done + len(ids)}
            place["findings_before"] = place["findings"]

    async def finish(self, resource: Resource[Any], rows: int, cursor: Mapping[str, Any], **shown: Any) -> None:
        """Store that a list is read, with the number of its rows, and where to go on: ``cursor``. Done once a list.

        What was found wrong with the list is logged.

        Raises:
            UnexpectedAnswer: Too many of its rows can't be read.
        """
        if self._is_done(resource.name):
            return
        findings = Findings.of_stored(self._place_in(resource.name)["findings"])
        await self._check(resource, findings, rows + findings.unreadable)
        notes = [(LogLevel.WARNING, line) for line in findings.lines(resource.where, rows + findings.unreadable)]
        if notes:
            log.warning("cliniko_rows_skipped", list=resource.name, unreadable=findings.unreadable, stored=rows)
        async with self._database.reading() as connection:
            unassigned = await count_unassigned(connection, TARGETS[resource.name], self._run.key)
        if unassigned:
            notes.append((LogLevel.WARNING, f"{unassigned} of {rows} {resource.label} {NO_PATIENT}"))
        totals = {**self.totals, resource.name: rows}
        await self._run.checkpoint({"totals": totals, **cursor}, notes=notes, **shown)

    async def _check(self, resource: Resource[Any], findings: Findings, total: int) -> None:
        if not findings.is_too_much(total):
            return
        notes = [(LogLevel.WARNING, line) for line in findings.lines(resource.where, total)]
        await self._run.checkpoint(self._run.cursor, notes=notes)
        raise findings.failure(resource.where, total)

    def _is_done(self, name: str) -> bool:
        names = list(TARGETS)
        part = self._run.cursor.get("part")
        return part in TARGETS and names.index(part) > names.index(name)

    def _place_in(self, name: str) -> dict[str, Any]:
        start: dict[str, Any] = {"part": name, "last": None, "ended": False, "read": 0, "batch_after": "", "classes": 0}
        start |= {"findings": {}, "findings_before": {}}
        cursor = self._run.cursor
        return (
            {**start, **{key: cursor[key] for key in start if key in cursor}} if cursor.get("part") == name else start
        )

    async def _read(
        self,
        resource: Resource[Any],
        filters: Sequence[str],
        place: dict[str, Any],
        drop: Callable[[AsyncConnection], Awaitable[None]],
        show: Show,
    ) -> None:
        target = TARGETS[resource.name]
        read_before: int = place["read"]
        findings = findings_before = Findings.of_stored(place["findings"])
        async with aclosing(read_list(self._client, resource, filters=filters, after=place["last"])) as pages:
            async for page in pages:
                rows = _rows_of(page.records)

                async def save(
                    connection: AsyncConnection, rows: list[dict[str, Any]] = rows, restarted: bool = page.restarted
                ) -> None:
                    if restarted:
                        await drop(connection)
                    await save_rows(connection, target, self._run.key, rows)

                if page.restarted:
                    read_before = 0
                    findings = findings_before = Findings.of_stored(place["findings_before"])
                findings = findings.with_page(page, findings_before)
                place["findings"] = findings.stored()
                place["read"] = read_before + page.read  # pages may overlap, so their rows don't add up
                place["last"] = page.last_id
                place["ended"] = page.last_id is not None and not page.remaining
                self._requests += 1
                shown = show(place["read"], page.remaining)
                if page.pass_number > 1:  # the figures of the first pass stay until the last has confirmed them
                    total = place["read"] + page.remaining
                    shown = {"text": f"Reading {resource.label} again to compare… {place['read']} of {total}"}
                await self._run.checkpoint(
                    {"step": self._run.step.value, "totals": self.totals, **place},
                    save,
                    estimated_completion=self._estimate(resource.name, page.remaining),
                    **shown,
                )
                if resource is not ATTENDEES:  # of which only a part is known before all are read
                    await self._check(resource, findings, place["read"] + page.remaining)

    def _estimate(self, part: str, remaining: int) -> datetime:
        """When reading will likely be over, from the time that the pages so far have taken."""
        names = list(TARGETS)
        left = ceil(remaining / ROWS_PER_PAGE)
        for name in names[names.index(part) + 1 :]:
            if name == ATTENDEES.name:
                left += ceil(self.totals.get(GROUP_APPOINTMENTS.name, 0) / CLASSES_PER_REQUEST)
            else:
                left += ceil(self.totals.get(name, 0) / ROWS_PER_PAGE)
        seconds = (time.monotonic() - self._began) / self._requests * left
        return utc_now() + timedelta(milliseconds=round(seconds * 1000))


def _rows_of(records: Sequence[Any]) -> list[dict[str, Any]]:
    """Records, all of one kind, with their values by column."""
    if not records:
        return []
    names = [field.name for field in fields(records[0])]
    values_of = attrgetter(*names)
    return [dict(zip(names, values_of(record), strict=True)) for record in records]
