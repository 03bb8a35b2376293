"""``node`` and ``nodes``: the objects behind global ids. ``nodes.py`` lists the forms of ids.

All ids of a call are loaded together, with a statement for all of a kind. An id of another organization is null, like
an unknown one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.connections import ClinikoConnection
from routiq_gql.api.graphql.context import Context, Info
from routiq_gql.api.graphql.nodes import Node
from routiq_gql.api.graphql.overview import Dashboard
from routiq_gql.api.graphql.patient_changes import PatientChange
from routiq_gql.api.graphql.patients import Patient
from routiq_gql.api.graphql.sync_log import SyncLogEntry
from routiq_gql.api.graphql.types import SyncStatus
from routiq_gql.api.graphql.webhooks import Webhook, WebhookDelivery
from routiq_gql.errors import BadInput
from routiq_gql.patients.change_keys import ChangeKey
from routiq_gql.patients.keys import PatientKey
from routiq_gql.security.viewer import ORGANIZATION_ID, SYNC_ID
from routiq_gql.sync.log_requests import LogRequest
from routiq_gql.webhooks.ids import DELIVERY_ID, WEBHOOK_ID

MOST_NODES = 100
MOST_ORGANIZATIONS = 10
"""Each dashboard needs statements of its own."""
_LOG_LINE = re.compile(r"(sync_[A-Za-z0-9_-]{1,96}):([1-9][0-9]{0,8})", re.ASCII)
_CONNECTION = "connection:"

NodeId = Annotated[ID, strawberry.argument(description=f"The `id` of any object that has one, {examples.PATIENT}.")]
NodeIds = Annotated[
    list[ID],
    strawberry.argument(
        description="At most 100, with at most 10 organizations, and patients and changes of at most 10 syncs each, "
        f"{examples.PATIENT}."
    ),
]


@strawberry.type
class NodeQueries:
    @strawberry.field(description="The object with this `id`; null if there is none, or another organization has it.")
    async def node(self, info: Info, id: NodeId) -> Node | None:  # noqa: A002 - the name of the argument
        return (await _nodes(info.context, [id]))[0]

    @strawberry.field(description="The objects with these ids, in their order, with null as `node` has it.")
    async def nodes(self, info: Info, ids: NodeIds) -> list[Node | None]:
        if len(ids) > MOST_NODES:
            raise BadInput(f"“ids” may have at most {MOST_NODES} ids.")
        return await _nodes(info.context, ids)


async def _nodes(context: Context, ids: Sequence[str]) -> list[Node | None]:
    found: dict[str, Node] = {}
    for load in (_patients, _changes, _log_lines, _syncs, _webhooks, _deliveries, _organizations):
        found |= await load(context, [one for one in dict.fromkeys(ids) if one not in found])
    return [found.get(one) for one in ids]


async def _patients(context: Context, ids: Sequence[str]) -> Mapping[str, Node]:
    keys = {key.text: key for one in ids if (key := PatientKey.parse(one)) is not None}
    if not keys:
        return {}
    patients = await context.patients.patients_by_keys(context.viewer, list(keys.values()))
    return {text: Patient.of(one) for text, one in zip(keys, patients, strict=True) if one is not None}


async def _changes(context: Context, ids: Sequence[str]) -> Mapping[str, Node]:
    keys = [key for one in ids if (key := ChangeKey.parse(one)) is not None]
    if not keys:
        return {}
    changes = await context.patient_changes.changes_by_keys(context.viewer, keys)
    return {key.text: PatientChange.of(one) for key, one in changes.items()}


async def _log_lines(context: Context, ids: Sequence[str]) -> Mapping[str, Node]:
    named = {one: match for one in ids if (match := _LOG_LINE.fullmatch(one)) is not None}
    requests = {one: LogRequest(match[1], int(match[2]) - 1, 1) for one, match in named.items()}
    if not requests:
        return {}
    lines = await context.syncs.logs(context.viewer, list(requests.values()))
    read = [lines[request] for request in requests.values()]
    entries = [SyncLogEntry.of(line) for some in read if isinstance(some, list) for line in some]
    return {entry.id: entry for entry in entries if entry.id in requests}


async def _syncs(context: Context, ids: Sequence[str]) -> Mapping[str, Node]:
    named = [one for one in ids if SYNC_ID.fullmatch(one)]
    if not named:
        return {}
    return {one: SyncStatus.of(sync) for one, sync in (await context.syncs.statuses(context.viewer, named)).items()}


async def _webhooks(context: Context, ids: Sequence[str]) -> Mapping[str, Node]:
    named = [one for one in ids if WEBHOOK_ID.fullmatch(one)]
    if not named:
        return {}
    found = await context.webhooks.webhooks_by_ids(context.viewer, named)
    return {one: Webhook.of(webhook) for one, webhook in found.items()}


async def _deliveries(context: Context, ids: Sequence[str]) -> Mapping[str, Node]:
    named = [one for one in ids if DELIVERY_ID.fullmatch(one)]
    if not named:
        return {}
    found = await context.webhooks.deliveries_by_ids(context.viewer, named)
    return {one: WebhookDelivery.of(delivery) for one, delivery in found.items()}


async def _organizations(context: Context, ids: Sequence[str]) -> Mapping[str, Node]:
    """Dashboards and connections. An organization's id may have the form of a sync's, which was looked for before."""
    viewer = context.viewer
    named = {
        one: one.removeprefix(_CONNECTION) for one in ids if ORGANIZATION_ID.fullmatch(one.removeprefix(_CONNECTION))
    }
    reachable = [one for one in dict.fromkeys(named.values()) if viewer.organization_id in {None, one}]
    if viewer.sync_id is not None or not reachable:
        return {}
    if len(reachable) > MOST_ORGANIZATIONS:
        reachable = await context.syncs.known_organizations(viewer, reachable)
    if len(reachable) > MOST_ORGANIZATIONS:
        raise BadInput(f"“ids” may name at most {MOST_ORGANIZATIONS} organizations, connections included.")
    found: dict[str, Node] = {}
    for organization_id in reachable:
        found_dashboard = await context.syncs.dashboard(viewer, organization_id)
        if not found_dashboard.is_known:
            continue
        dashboard = Dashboard.of(found_dashboard)
        for one in (organization_id, _CONNECTION + organization_id):
            node: Dashboard | ClinikoConnection | None = (
                dashboard.connection if one.startswith(_CONNECTION) else dashboard
            )
            if one in named and node is not None:
                found[one] = node
    return found
