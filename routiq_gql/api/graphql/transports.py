"""Strawberry's HTTP transports, with the rules of ``negotiation`` for headers, and line ends that urql reads."""

from cross_web import StarletteRequestAdapter
from strawberry.http import GraphQLHTTPResponse
from strawberry.http.streaming import JSONEncoder, MultipartSubscriptionTransport, SSETransport

from routiq_gql.api.graphql.negotiation import media_type_of, prefers_event_stream, prefers_multipart

LINE_END = "\n"
"""CRLF is allowed too, but urql's parser does not read it."""


class EventStreamTransport(SSETransport):
    """GraphQL over server-sent events, for clients that prefer it, with line ends that urql reads."""

    def accepts(self, accept: str) -> bool:
        return prefers_event_stream(accept)

    def encode_next(self, response: GraphQLHTTPResponse, encode_json: JSONEncoder) -> str:
        # The result of a refused operation is the only event. Otherwise urql reads it again at the end of the stream
        # and passes the error that requests the text to the page.
        return super().encode_next(response if "data" in response else {**response, "hasNext": False}, encode_json)

    def encode_event(self, event: str, data: str | None = None) -> str:
        return super().encode_event(event, data).replace("\r\n", LINE_END)

    def encode_comment(self, comment: str) -> str:
        return super().encode_comment(comment).replace("\r\n", LINE_END)


class MultipartTransport(MultipartSubscriptionTransport):
    """Multipart subscriptions, for clients that ask for them."""

    def accepts(self, accept: str) -> bool:
        return prefers_multipart(accept)


class RequestAdapter(StarletteRequestAdapter):
    """Strawberry's adapter, whose content type is the media type without parameters."""

    @property
    def content_type(self) -> str:
        return media_type_of(self.headers.get("content-type", ""))
