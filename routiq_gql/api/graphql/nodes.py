"""``interface Node``: every object with a final ``id``, which ``node(id)`` and ``nodes(ids)`` return.

Source: GraphQL Global Object Identification Specification. The form of an id says what it names:

    sync_…                                  a sync
    sync_…:12                               a line of its log
    connection:{organization}               an organization's access to Cliniko
    patient:{organization}:{id}             a patient today
    asof:{sync}:patient:{organization}:{id} a patient as of a sync
    change:{sync}:{id}                      a change of a patient, or with since:{sync}: before the id between two syncs
    hook_… and dlv_…                        a webhook, and a delivery to one
    anything else                           an organization: its dashboard
"""

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples


@strawberry.interface(description="An object with an id that is final and names nothing else.")
class Node:
    id: ID = strawberry.field(description=f"Its id, for `node(id)` and for caches, {examples.PATIENT}.")
