"""Reads which organizations there are, a page at a time, ordered by the clinic's name.

An organization has a connection, or only syncs: those were started before it was connected, and failed. They have all
ended in step 2 at the latest, where a sync looks for the connection, or still run; so an index finds them without
reading the other syncs. A connection's row is deleted only together with the syncs.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from sqlalchemy import (
    ColumnElement,
    Executable,
    Text,
    bindparam,
    exists,
    false,
    func,
    null,
    or_,
    select,
    text,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from routiq_gql.database.tables import CONNECTION, SYNC
from routiq_gql.database.tables.syncs import EARLY

LABEL_CHARACTERS = 100
"""The part of a name that decides the order, so that a cursor stays short."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order: the label, then the id of an organization."""

    label: str
    organization_id: str


async def page_of_organizations(
    connection: AsyncConnection, limit: int, after: Place | None, texts: Sequence[str], only: str | None
) -> list[Place]:
    """At most ``limit`` organizations behind ``after``, by label and id.

    The label is the name that Cliniko has for the clinic, or else the id, in lower case. SQLite lowers ASCII only.

    Args:
        texts: Only organizations whose name or id contains one of these, whatever the case; all of them when empty.
        only: The only organization to list, which is listed without any row too.
    """
    query = _page(after is not None, len(texts), only is not None)
    given: dict[str, object] = {"limit": limit, "only": only}
    given |= {f"text_{number}": _pattern(searched) for number, searched in enumerate(texts)}
    if after is not None:
        given |= {"label": after.label, "id": after.organization_id}
    return [Place(*row) for row in await connection.execute(query, given)]


async def organizations_among(connection: AsyncConnection, organization_ids: Collection[str]) -> set[str]:
    """Those of these organizations that have a connection or a sync."""
    wanted = sorted(organization_ids)
    connected = select(CONNECTION.c.organization_id).where(CONNECTION.c.organization_id.in_(wanted))
    synced = select(SYNC.c.organization_id).where(SYNC.c.organization_id.in_(wanted))
    return set((await connection.execute(connected.union(synced))).scalars())


def _pattern(searched: str) -> str:
    for character in "/%_":
        searched = searched.replace(character, "/" + character)
    return f"%{searched}%"


@cache
def _page(has_place: bool, texts: int, is_only: bool) -> Executable:
    connected = select(CONNECTION.c.organization_id.label("id"), CONNECTION.c.account_name.label("name"))
    if is_only:
        only = type_coerce(bindparam("only"), Text)
        connected = connected.where(CONNECTION.c.organization_id == only)
        others = select(only.label("id"))
    else:
        others = select(SYNC.c.organization_id.label("id")).where(text(EARLY)).distinct()
    candidate = others.subquery()
    is_connected = exists().where(CONNECTION.c.organization_id == candidate.c.id)
    unconnected = select(candidate.c.id, type_coerce(null(), Text).label("name")).where(~is_connected)
    all_of_them = union_all(connected, unconnected).subquery()
    name, organization = all_of_them.c.name, all_of_them.c.id
    label: ColumnElement[str] = func.lower(func.substr(func.coalesce(name, organization), 1, LABEL_CHARACTERS))
    query = select(label.label("label"), organization)
    if has_place:
        query = query.where(tuple_(label, organization) > tuple_(bindparam("label"), bindparam("id")))
    if texts:
        found: list[ColumnElement[bool]] = [false()]
        for number in range(texts):
            pattern = func.lower(bindparam(f"text_{number}", type_=Text))
            found += [func.lower(one).like(pattern, escape="/") for one in (name, organization)]
        query = query.where(or_(*found))
    return query.order_by(label, organization).limit(bindparam("limit"))
