"""Asks a list for its newest changes, by a single request for few rows."""

from datetime import datetime
from functools import partial

from routiq_gql.cliniko.answers import ListAnswer, ListAsker
from routiq_gql.cliniko.client import ClinikoClient
from routiq_gql.cliniko.filters import changed_since
from routiq_gql.cliniko.passes import Page
from routiq_gql.cliniko.resources import R, Resource
from routiq_gql.cliniko.retries import unusable

NEWEST_ROWS = 50
"""More than change within a mark's overlap of ten minutes, apart from imports; each of them costs some microseconds."""


async def newest_changes(client: ClinikoClient, resource: Resource[R], since: datetime) -> Page[R]:
    """The rows of a list that changed last, at ``since`` or later, hidden ones included; ``NEWEST_ROWS`` at most.

    Without ``remaining`` rows the page is the same as that of ``read_list``, ascending by id. Otherwise rows with other
    ids may be between these.

    Raises:
        ClinikoError: Cliniko can't be read. ``QueryRefused`` and ``QueryTooSlow`` say that it does not sort the list.
    """
    asker = ListAsker(client, resource, changed_since(resource, since), NEWEST_ROWS)
    params = [("sort", "updated_at:desc"), ("page", "1"), *asker.filters]
    answer = await asker.ask(params, partial(_check, asker))
    records = sorted(answer.records, key=lambda record: int(record.id))
    return Page(
        records,
        records[-1].id if records else None,
        answer.rows,
        answer.total - answer.rows,
        unreadable=answer.unreadable,
        unreadable_read=len(answer.unreadable),
    )


def _check(asker: ListAsker[R], answer: ListAnswer[R], size: int) -> None:
    asker.check_row_count(answer, size)
    ids = [row_id for row_id in answer.ids if row_id is not None]
    if len(set(ids)) != len(ids):
        raise unusable(asker.resource.where, "a row twice on one page")
