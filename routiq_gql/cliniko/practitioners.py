"""Reads the practitioners, who are in two lists: active and inactive ones.

An API key may lack the right to these lists. Then their names are unknown, and nothing else.
"""

from contextlib import aclosing

from routiq_gql.cliniko.answers import UnreadableRow
from routiq_gql.cliniko.client import ClinikoClient
from routiq_gql.cliniko.errors import KeyLacksPermission
from routiq_gql.cliniko.lists import read_list
from routiq_gql.cliniko.passes import Page
from routiq_gql.cliniko.records import Practitioner
from routiq_gql.cliniko.resources import INACTIVE_PRACTITIONERS, PRACTITIONERS


async def read_practitioners(client: ClinikoClient) -> Page[Practitioner] | None:
    """Both lists as a single page, ascending by id; ``None`` if the key may not read them.

    A person who moves between the lists during the read is kept as read last.

    Raises:
        ClinikoError: A list can't be read to its end.
    """
    found: dict[str, Practitioner] = {}
    unreadable: list[UnreadableRow] = []
    for resource in (PRACTITIONERS, INACTIVE_PRACTITIONERS):
        before = len(unreadable)
        try:
            async with aclosing(read_list(client, resource)) as pages:
                async for page in pages:
                    if page.restarted:
                        del unreadable[before:]
                    unreadable += page.unreadable
                    found |= {record.id: record for record in page.records}
        except KeyLacksPermission:
            return None
    records = [found[row_id] for row_id in sorted(found, key=int)]
    return Page(
        records,
        records[-1].id if records else None,
        len(records) + len(unreadable),
        0,
        unreadable=unreadable,
        unreadable_read=len(unreadable),
    )
