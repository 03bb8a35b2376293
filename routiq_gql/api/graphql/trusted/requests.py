"""Requests that name a document by its id or hash, without its text, and the errors about them.

An unknown id gets the error on which Apollo Client and urql send the text and stop sending hashes.
Source: Apollo Server, "Automatic persisted queries"; GraphQL over HTTP, appendix A, "Persisted Documents".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql import GraphQLError
from strawberry.http import GraphQLRequestData

UNKNOWN_ID = "PERSISTED_QUERY_NOT_SUPPORTED"
"""Apollo Client reads the code or the message, urql the message only."""
_UNKNOWN_ID_MESSAGE = "PersistedQueryNotSupported"

NOT_TRUSTED = "DOCUMENT_NOT_TRUSTED"
_NOT_TRUSTED_MESSAGE = (
    "This server executes trusted documents only, and does not know this one. To allow it, add it to a file of "
    "ROUTIQ_DOCUMENTS on the server, exactly as the client sends it, and restart the server."
)


@dataclass
class RefusedRequest(GraphQLRequestData):
    """An HTTP request whose document is not executed.

    Attributes:
        error: Its only result.
    """

    error: GraphQLError = field(kw_only=True)


def has_no_text(request: Mapping[str, object]) -> bool:
    """Whether a request has no text. An empty text counts as missing.

    graphql-ws requires a text, and its documentation sends an empty one.
    """
    return request.get("query") in (None, "")


def names_its_document(request: Mapping[str, object]) -> bool:
    """Whether a request has no text to execute, but names a document."""
    if not has_no_text(request):
        return False
    document_id = request.get("documentId")
    return _persisted_query(request) is not None or (isinstance(document_id, str) and document_id != "")


def named_ids(request: Mapping[str, object]) -> list[str]:
    """The ids by which a request names its document: ``documentId``, then Apollo's hash."""
    persisted = _persisted_query(request)
    digest = persisted.get("sha256Hash") if isinstance(persisted, Mapping) else None
    return [one for one in (request.get("documentId"), digest) if isinstance(one, str) and one]


def _persisted_query(request: Mapping[str, object]) -> object:
    extensions = request.get("extensions")
    return extensions.get("persistedQuery") if isinstance(extensions, Mapping) else None


def unknown_id() -> GraphQLError:
    """The error in the response to a request whose document is not known."""
    return GraphQLError(_UNKNOWN_ID_MESSAGE, extensions={"code": UNKNOWN_ID})


def not_trusted() -> GraphQLError:
    """The error in the response to a text that is not trusted, where only trusted ones are executed."""
    return GraphQLError(_NOT_TRUSTED_MESSAGE, extensions={"code": NOT_TRUSTED})
