"""Persisted queries: requests that name a document by its hash or id, without its text.

No documents are stored. The response is the error on which Apollo Client and urql send the text and stop sending
hashes. A request with a text is executed: its hash is not compared, as nothing is stored under it.
Source: Apollo Server, "Automatic persisted queries"; GraphQL over HTTP, appendix A, "Persisted Documents".
"""

from collections.abc import Mapping

from graphql import GraphQLError
from strawberry.http import GraphQLRequestData

CODE = "PERSISTED_QUERY_NOT_SUPPORTED"
"""Apollo Client reads the code or the message, urql the message only."""
_MESSAGE = "PersistedQueryNotSupported"


class NamedDocument(GraphQLRequestData):
    """An HTTP request that names its document."""


def names_its_document(request: Mapping[str, object]) -> bool:
    """Whether a request has no text to execute, but names a document.

    An empty text counts as missing: graphql-ws requires a text, and its documentation sends an empty one.
    """
    if request.get("query") not in (None, ""):
        return False
    extensions, document_id = request.get("extensions"), request.get("documentId")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, Mapping) else None
    return persisted is not None or (isinstance(document_id, str) and document_id != "")


def not_supported() -> GraphQLError:
    """The error in the response to such a request."""
    return GraphQLError(_MESSAGE, extensions={"code": CODE})
