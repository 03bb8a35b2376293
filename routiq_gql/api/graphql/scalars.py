"""The custom scalar ``DateTime``, in UTC with milliseconds and ``Z``."""

from datetime import UTC, datetime

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from routiq_gql.api.graphql import examples
from routiq_gql.clock import format_time


def parse_time(value: object) -> datetime:
    """A time that a client sent, in UTC.

    Raises:
        GraphQLError: It is not RFC 3339 with an offset.
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise GraphQLError("A DateTime looks like 2024-12-22T14:30:22.123Z.")
    return moment.astimezone(UTC)


DATE_TIME: ScalarDefinition = strawberry.scalar(
    name="DateTime",
    description=f"A moment in UTC with milliseconds, {examples.TIME}.",
    specified_by_url="https://scalars.graphql.org/andimarek/date-time",
    serialize=format_time,
    parse_value=parse_time,
)
