"""GraphQL queries over HTTP from memory: equal requests get the same bytes, until the database changes.

Requests are compared byte by byte, so that an answer from memory needs neither the JSON nor the document. An answer is
kept if it is a complete response to a query without errors; see ``remembered``.
"""

from collections.abc import Mapping

from graphql import OperationType, get_operation_ast
from starlette.requests import Request
from strawberry.http import GraphQLRequestData

from routiq_gql.api.admission import bucket_of
from routiq_gql.api.dependencies import session_of
from routiq_gql.api.graphql.admitting import named_in
from routiq_gql.api.graphql.answers import Answer
from routiq_gql.api.graphql.documents import DOCUMENTS
from routiq_gql.api.graphql.limits import MAX_TOKENS
from routiq_gql.api.graphql.negotiation import JSON
from routiq_gql.api.raw_headers import values_of
from routiq_gql.api.remembered import EncodedAnswer, Place
from routiq_gql.api.services import services_of
from routiq_gql.security.viewer import Viewer

DECIDING_HEADERS = frozenset({b"accept", b"content-type"})
"""The headers that decide what is answered to a viewer, and in which form."""

NAMING = (b"query=", b"documentId=")
"""How the query string of a GET request begins that has or names its document."""


async def place_of(request: Request) -> Place | None:
    """The place of the answer to a request; ``None`` if its answer is not remembered in any case.

    Authenticates the request and reads its body, for the view too.

    Raises:
        BodyTooLarge: The body exceeds the limit.
        ClientDisconnect: The client has left.
        RoutiqError: As ``session_of`` does.
    """
    headers = values_of(request.scope, DECIDING_HEADERS)
    query = request.scope["query_string"]
    is_post = request.method == "POST" and headers.get(b"content-type", [""])[0].startswith(JSON)
    if not is_post and not (request.method == "GET" and query.startswith(NAMING)):  # or it shows the IDE
        return None
    session = request.state.session = await session_of(request)
    body = await request.body()
    deciding = "\n".join(f"{name!r} {value}" for name, values in headers.items() for value in values)
    return services_of(request).remembered.place(session.viewer, request.method, query, deciding, body)


def keep(request: Request, place: Place, asked: GraphQLRequestData, viewer: Viewer, answer: Answer) -> None:
    """Remember the answer to ``asked`` if it is a query's and complete, and has no patients in it."""
    if not answer.is_complete or asked.query is None or request.state.personal.is_read:
        return
    document = DOCUMENTS.parse(asked.query, max_tokens=MAX_TOKENS)
    operation = get_operation_ast(document, asked.operation_name or None)
    if operation is None or operation.operation is not OperationType.QUERY:
        return
    variables = asked.variables if isinstance(asked.variables, Mapping) else {}
    bucket = bucket_of(viewer, "" if viewer.organization_id else named_in(document, operation, variables))
    encoded = EncodedAnswer(bytes(answer.body), bucket, answer.headers["content-type"])
    services_of(request).remembered.keep(place, encoded)
