"""The object types of an organization's connection to Cliniko. A mutation accepts an API key; no field returns it."""

from datetime import datetime
from typing import Self

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.enums import ConnectionState, SyncFailureCode
from routiq_gql.api.graphql.nodes import Node
from routiq_gql.api.graphql.problems import Problem
from routiq_gql.connections import state as connection_state


@strawberry.type(description="Why a connection can't be used, or an API key can't become one.")
class ConnectionProblem(Problem):
    code: SyncFailureCode = strawberry.field(description="The reason; programs may branch on it.")

    @classmethod
    def of(cls, problem: connection_state.ConnectionProblem) -> Self:
        return cls(
            code=SyncFailureCode[problem.failure_code.name],
            message=problem.message,
            what_to_do=problem.what_to_do,
            retryable=problem.failure_code.is_retryable,
        )


@strawberry.type(description="An organization's access to Cliniko.")
class ClinikoConnection(Node):
    id: ID = strawberry.field(description=f"`connection:` and the organization's id, {examples.CONNECTION}.")
    organization_id: ID = strawberry.field(description=f"The organization, {examples.ORGANIZATION}.")
    state: ConnectionState = strawberry.field(description="Whether it may be used.")
    account: str | None = strawberry.field(description="The clinic's name in Cliniko; null until the key was checked.")
    shard: str = strawberry.field(description=f"The part of Cliniko that holds the account, {examples.SHARD}.")
    role: str | None = strawberry.field(
        description="The role in Cliniko of the API key's owner; null until the key was checked."
    )
    last_validated_at: datetime | None = strawberry.field(
        description="When Cliniko last accepted the key for every list that a sync reads; null if it never did. A "
        "refusal "
        "since then does not change it: `state` and `problem` say whether the key is accepted now."
    )
    problem: ConnectionProblem | None = strawberry.field(
        description="Why it needs attention; null in every other state."
    )

    @classmethod
    def of(cls, connection: connection_state.ConnectionInfo) -> Self:
        return cls(
            id=ID(f"connection:{connection.organization_id}"),
            organization_id=ID(connection.organization_id),
            state=ConnectionState[connection.state.name],
            account=connection.account_name,
            shard=connection.shard,
            role=connection.role,
            last_validated_at=connection.last_validated_at,
            problem=ConnectionProblem.of(connection.problem) if connection.problem else None,
        )


@strawberry.type(description="The result of connecting, testing or disconnecting an organization.")
class ConnectionPayload:
    message: str = strawberry.field(description="What happened, in one sentence.")
    organization_id: ID = strawberry.field(description=f"The organization, {examples.ORGANIZATION}.")
    ok: bool = strawberry.field(
        description="Whether it succeeded. If not, nothing was stored and `problem` has the reason."
    )
    connection: ClinikoConnection | None = strawberry.field(
        description="The connection afterwards; null when there is none."
    )
    problem: ConnectionProblem | None = strawberry.field(description="The problem; null on success.")

    @classmethod
    def of(cls, message: str, connection: connection_state.ConnectionInfo) -> Self:
        seen = ClinikoConnection.of(connection)
        problem = seen.problem
        return cls(
            message=problem.message if problem else message,
            organization_id=seen.organization_id,
            ok=problem is None,
            connection=seen,
            problem=problem,
        )

    @classmethod
    def refused(cls, organization_id: str, problem: connection_state.ConnectionProblem) -> Self:
        return cls(
            message=problem.message,
            organization_id=ID(organization_id),
            ok=False,
            connection=None,
            problem=ConnectionProblem.of(problem),
        )
