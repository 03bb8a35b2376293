"""Reads a list like a sync: stores pages by id, and drops them when a reading starts over."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from routiq_gql.cliniko import ClinikoClient, Page, Resource, read_list
from routiq_gql.emulator import Clinic


async def store_list(
    client: ClinikoClient, resource: Resource[Any], stored: dict[str, Any] | None = None, **options: Any
) -> tuple[dict[str, Any], list[Page[Any]]]:
    """The stored rows at the end, and the pages. ``stored`` holds the rows of an interrupted reading."""
    stored = {} if stored is None else stored
    pages = []
    async with aclosing(read_list(client, resource, **options)) as reading:
        async for page in reading:
            if page.restarted:
                stored.clear()
            stored |= {record.id: record for record in page.records}
            pages.append(page)
    return stored, pages


def listed_ids(clinic: Clinic, resource: str) -> set[str]:
    """The ids that the list shows by default."""
    table = clinic.tables[resource]
    hiding = table.resource.hiding
    return {str(row["id"]) for row in table.rows() if all(row.get(column) is None for column in hiding)}


def sent_conditions(requests: Sequence[Any], resource: str) -> list[list[str]]:
    """The ``q[]`` values of each request for a list, in order."""
    return [request.values("q[]") for request in requests if request.resource == resource]
