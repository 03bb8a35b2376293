"""Merges pages of Cliniko's lists into a draft, so that only differences from the published sync are written.

Called within the transaction that stores a page and its checkpoint; the fence comes first. Each row is compared with
the version that is visible at the base. So a page that is read again changes nothing, and a row that is again as it was
loses the draft's version.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.columns import among, unindexed
from routiq_gql.database.drafts import Closing, Covered, Draft, PageChanges, ReadPage
from routiq_gql.database.mirror import MirrorList, belongs, written_by
from routiq_gql.database.stored_versions import (
    Content,
    insert_versions,
    select_among,
    select_range,
    stored_rows,
    touch_versions,
)
from routiq_gql.database.tables import CURRENT


@dataclass(frozen=True, slots=True)
class _Version:
    """A stored version. ``is_open`` is whether it is visible in the draft."""

    is_open: bool
    is_stub: bool
    is_suppressed: bool
    updated_at: object
    content: Content

    def shows(self, content: Content, *, is_suppressed: bool) -> bool:
        is_alike = self.is_suppressed if is_suppressed else not self.is_stub
        return is_alike and self.content == content


@dataclass(slots=True)
class _State:
    """The versions of a row: of the base, if visible there, and of the draft."""

    base: _Version | None = None
    own: _Version | None = None

    @property
    def is_visible(self) -> bool:
        return self.own is not None or (self.base is not None and self.base.is_open)


@dataclass(slots=True)
class _Writes:
    """The changes that a page needs, by id."""

    removed: list[int] = field(default_factory=list)
    """Own versions to delete."""
    closed: dict[Closing, list[int]] = field(default_factory=dict)
    """Versions of the base to close, or closed ones whose reason changes."""
    reopened: list[int] = field(default_factory=list)
    touched: dict[int, object] = field(default_factory=dict)
    inserted: dict[int, tuple[object, Content]] = field(default_factory=dict)
    stubs: list[int] = field(default_factory=list)
    suppressed: dict[int, Content] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)

    def close(self, row_id: int, closing: Closing) -> None:
        self.closed.setdefault(closing, []).append(row_id)

    def show(
        self, row_id: int, state: _State, updated_at: object, content: Content, *, is_suppressed: bool = False
    ) -> None:
        """Make the row visible with this content; with ``is_suppressed``, count it as a stub of an erased person."""
        base, own = state.base, state.own
        if base is not None and base.shows(content, is_suppressed=is_suppressed):
            if own is not None:
                self.removed.append(row_id)
            if not base.is_open:
                self.reopened.append(row_id)
                self.changed.add(row_id)
            if base.updated_at != updated_at:
                self.touched[row_id] = updated_at
            return
        if own is not None and own.shows(content, is_suppressed=is_suppressed):
            if own.updated_at != updated_at:
                self.touched[row_id] = updated_at
            return
        if own is not None:
            self.removed.append(row_id)
        elif base is not None:
            self.close(row_id, Closing.CHANGED)
        if is_suppressed:
            self.suppressed[row_id] = content
        else:
            self.inserted[row_id] = (updated_at, content)
        self.changed.add(row_id)

    def hide(self, row_id: int, state: _State, closing: Closing) -> None:
        """Make the row invisible."""
        if state.own is not None:
            self.removed.append(row_id)
        if not state.is_visible:
            return
        if state.base is not None:
            self.close(row_id, closing)
        self.changed.add(row_id)

    def keep(self, row_id: int, state: _State) -> None:
        """Keep the stored content of an unreadable row, or note that it exists."""
        if state.is_visible:
            return
        if state.base is not None:
            self.reopened.append(row_id)
        else:
            self.stubs.append(row_id)
        self.changed.add(row_id)

    async def apply(self, connection: AsyncConnection, draft: Draft, target: MirrorList) -> PageChanges:
        table, columns = target.table, target.table.c
        own_list = target.of(draft.mirror)
        if self.removed:
            own = (columns.to_sync == CURRENT) & written_by(table, draft.sync)
            await connection.execute(delete(table).where(own_list, own, among(columns.id, self.removed)))
        of_base = (unindexed(columns.from_sync) <= draft.base) & (columns.to_sync >= draft.sync)
        for closing, ids in self.closed.items():
            ending = {"to_sync": draft.sync, "closed_because": int(closing)}
            await connection.execute(update(table).where(own_list, of_base, among(columns.id, ids)).values(**ending))
        if self.reopened:
            was_closed = (unindexed(columns.from_sync) <= draft.base) & (columns.to_sync == draft.sync)
            await connection.execute(
                update(table)
                .where(own_list, was_closed, among(columns.id, self.reopened))
                .values(to_sync=CURRENT, closed_because=None)
            )
        await touch_versions(connection, draft, target, self.touched)
        await insert_versions(connection, draft, target, self.inserted, self.stubs, self.suppressed)
        return PageChanges(frozenset(self.changed))


async def merge_page(connection: AsyncConnection, draft: Draft, target: MirrorList, page: ReadPage) -> PageChanges:
    """Write the differences between a page and the mirror into the draft.

    Rows hold a value for each of the list's ``read_columns`` and the id. A row whose ``updated_at`` alone differs is
    overwritten in place and is no change. Rows of the mirror that the page covers and lacks are closed as deleted.
    """
    rows = stored_rows(target, page.rows, connection.dialect.name)
    suppressed = stored_rows(target, page.suppressed, connection.dialect.name)
    present = {*rows, *suppressed, *page.closing, *page.unreadable}
    states, missing = await _read(connection, draft, target, present, page.covered)
    writes = _Writes()
    nothing = _State()
    for row_id, (updated_at, content) in rows.items():
        writes.show(row_id, states.get(row_id, nothing), updated_at, content)
    for row_id, (_, content) in suppressed.items():
        writes.show(row_id, states.get(row_id, nothing), None, content, is_suppressed=True)
    for row_id, closing in page.closing.items():
        if row_id not in rows:
            writes.hide(row_id, states.get(row_id, nothing), closing)
    for row_id in page.unreadable:
        if row_id not in rows and row_id not in page.closing:
            writes.keep(row_id, states.get(row_id, nothing))
    for row_id in missing:
        writes.hide(row_id, states[row_id], Closing.DELETED)
    return await writes.apply(connection, draft, target)


async def close_ids(
    connection: AsyncConnection, draft: Draft, target: MirrorList, ids: Collection[int], closing: Closing
) -> PageChanges:
    """Close the versions of these rows that are visible in the draft; other ids are ignored."""
    return await merge_page(connection, draft, target, ReadPage(closing=dict.fromkeys(ids, closing)))


async def _read(
    connection: AsyncConnection, draft: Draft, target: MirrorList, present: set[int], covered: Covered | None
) -> tuple[dict[int, _State], list[int]]:
    """The states of the rows that a page holds or covers, and the ids of covered rows that it lacks."""
    if covered is None:
        return await _states(connection, draft, target, ids=present), []
    if covered.up_to is not None and _has_all(covered, present):  # a page in the order of ids: a single SELECT
        above = covered.above if covered.above is not None else -1
        states = await _states(connection, draft, target, above=above, up_to=covered.up_to)
        candidates = [row_id for row_id, state in states.items() if row_id not in present and state.is_visible]
        if candidates and covered != Covered(above=covered.above, up_to=covered.up_to):
            candidates = await _covered(connection, draft, target, replace(covered, ids=tuple(candidates)))
        return states, candidates
    states = await _states(connection, draft, target, ids=present)
    missing = [row_id for row_id in await _covered(connection, draft, target, covered) if row_id not in present]
    return states | await _states(connection, draft, target, ids=missing), missing


def _has_all(covered: Covered, present: set[int]) -> bool:
    if any(one is not None for one in (covered.ids, covered.bookings, covered.patients)):
        return False
    above, up_to = covered.above, covered.up_to
    return all((above is None or row_id > above) and (up_to is None or row_id <= up_to) for row_id in present)


async def _covered(connection: AsyncConnection, draft: Draft, target: MirrorList, covered: Covered) -> list[int]:
    query = select(target.table.c.id).where(target.in_draft(draft), belongs(target.table, covered))
    return list((await connection.execute(query)).scalars())


async def _states(
    connection: AsyncConnection,
    draft: Draft,
    target: MirrorList,
    *,
    ids: Collection[int] = (),
    above: int | None = None,
    up_to: int | None = None,
) -> dict[int, _State]:
    states: dict[int, _State] = {}
    parameters = {"mirror": draft.mirror, "base": draft.base}
    if above is not None:
        query = select_range(target, connection.dialect.name)
        rows = await connection.execute(query, {**parameters, "above": above, "up_to": up_to})
    elif ids:
        query = select_among(target, connection.dialect.name)
        rows = await connection.execute(query, {**parameters, "ids": list(ids)})
    else:
        return states
    for row_id, from_sync, to_sync, is_stub, is_suppressed, updated_at, *content in rows:
        version = _Version(to_sync == CURRENT, bool(is_stub), bool(is_suppressed), updated_at, tuple(content))
        state = states.setdefault(row_id, _State())
        if from_sync == draft.sync:
            state.own = version
        else:
            state.base = version
    return states
