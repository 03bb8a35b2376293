"""Webhooks and deliveries by their ids, which are global ids of GraphQL. ``registry.Webhooks`` inherits it."""

from collections.abc import Collection

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.webhook_lookups import deliveries_by_ids, webhooks_by_ids
from routiq_gql.database.webhooks import delivery_of, pending_counts, webhooks_of
from routiq_gql.errors import Kind, WebhookNotFound
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import Right, Viewer
from routiq_gql.webhooks.ids import check_delivery_id
from routiq_gql.webhooks.model import Delivery, Webhook, delivery_in, webhook_in


class WebhookLookups:
    """Finds webhooks and deliveries of any organization that the viewer reaches."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def webhooks_by_ids(self, viewer: Viewer, ids: Collection[str]) -> dict[str, Webhook]:
        """The webhooks with these ids, by id; without those that the viewer's organization does not have.

        Raises:
            Forbidden: The viewer may not read webhooks.
        """
        self._require_right(viewer)
        async with self._database.reading() as connection:
            rows = await webhooks_by_ids(connection, ids, viewer.organization_id)
            counts = await pending_counts(connection, [row.id for row in rows])
        return {row.id: webhook_in(row, counts.get(row.id, 0), utc_now()) for row in rows}

    async def deliveries_by_ids(self, viewer: Viewer, ids: Collection[str]) -> dict[str, Delivery]:
        """The deliveries with these ids, by id, likewise.

        Raises:
            Forbidden: The viewer may not read webhooks.
        """
        self._require_right(viewer)
        async with self._database.reading() as connection:
            found = await deliveries_by_ids(connection, ids, viewer.organization_id)
        return {row.id: delivery_in(row, event) for row, event in found}

    async def failing(self, viewer: Viewer, organization_id: str) -> list[Webhook]:
        """The organization's webhooks that fail or are disabled; none for viewers without the right to webhooks.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's.
        """
        self._audit.require(viewer, organization_id, Action.READ)
        if not viewer.may(organization_id, Right.WEBHOOKS):
            return []
        async with self._database.reading() as connection:
            rows = await webhooks_of(connection, organization_id)
            found = [row for row in rows if row.disabled_at is not None or row.failing_since is not None]
            counts = await pending_counts(connection, [row.id for row in found])
        return [webhook_in(row, counts.get(row.id, 0), utc_now()) for row in found]

    async def delivery(self, viewer: Viewer, organization_id: str, delivery_id: str) -> Delivery:
        """A delivery of the organization.

        Raises:
            BadInput: The organization id has a wrong form.
            Forbidden: The organization is not the viewer's, or the viewer may not read webhooks.
            WebhookNotFound: There is none with this id, or it was deleted after its retention.
        """
        self._audit.require(viewer, organization_id, Action.WEBHOOKS)
        check_delivery_id(delivery_id)
        async with self._database.reading() as connection:
            found = await delivery_of(connection, organization_id, delivery_id)
        if found is None:
            raise WebhookNotFound(Kind.DELIVERY)
        return delivery_in(*found)

    def _require_right(self, viewer: Viewer) -> None:
        if viewer.organization_id is not None:  # without authentication every right is given
            self._audit.require(viewer, viewer.organization_id, Action.WEBHOOKS)
