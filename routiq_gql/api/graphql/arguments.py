"""The arguments that several root fields have, with one description each."""

from typing import Annotated

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples

OrganizationId = Annotated[
    ID,
    strawberry.argument(
        description=f"The organization: 1 to 64 letters, digits, dashes and underscores, {examples.ORGANIZATION}."
    ),
]
SyncId = Annotated[
    ID, strawberry.argument(description=f"The sync's id, from `startSync`, `dashboard` or `history`, {examples.SYNC}.")
]
