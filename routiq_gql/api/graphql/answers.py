"""A complete JSON response to a GraphQL operation, with the status that its media type requires.

Not for event streams and multipart, and not for requests without a readable operation.
"""

from typing import cast

from strawberry.http import GraphQLHTTPResponse

from routiq_gql.api.admission import RETRY_AFTER_SECONDS
from routiq_gql.api.errors import OUTCOMES
from routiq_gql.api.graphql.negotiation import GRAPHQL_JSON
from routiq_gql.api.graphql.trusted.requests import UNKNOWN_ID
from routiq_gql.api.json_text import JsonResponse

Content = GraphQLHTTPResponse | list[GraphQLHTTPResponse]


class Answer(JsonResponse):
    """A complete response as ``application/json``, with status 200 whatever the outcome.

    Exception: RATE_LIMITED has its status and says when to retry.

    Attributes:
        is_complete: Whether it is the result of one operation without errors.
    """

    def __init__(self, content: Content) -> None:
        super().__init__(content, headers={"Cache-Control": "no-store"})
        self._was_executed = "data" in content
        self.is_complete = self._was_executed and "errors" not in content
        code = None if self._was_executed else _code_of_first_error(content)
        # Apollo Server sends 200 in every media type: some clients read no body with another status.
        self._asks_for_the_text = code == UNKNOWN_ID
        if code == "RATE_LIMITED":
            self.status_code = OUTCOMES["RATE_LIMITED"].http_status
            self.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)

    def become_graphql_json(self) -> None:
        """Change to the media type in which a request that was not executed has status 400.

        Source: GraphQL over HTTP, "application/graphql-response+json".
        """
        self.headers["Content-Type"] = f"{GRAPHQL_JSON}; charset=utf-8"
        if not self._was_executed and not self._asks_for_the_text and self.status_code == 200:
            self.status_code = 400


def _code_of_first_error(content: Content) -> str | None:
    errors = cast("list[dict[str, dict[str, str]]]", [] if isinstance(content, list) else content.get("errors"))
    return errors[0].get("extensions", {}).get("code") if errors else None
