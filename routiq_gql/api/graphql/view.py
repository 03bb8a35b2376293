"""The ASGI application at ``/graphql``: Strawberry's view with our context, responses and transports.

The guard checks hosts and origins. Over HTTP a response is JSON, an event stream or multipart, as the client prefers;
errors of the request are JSON, too.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from datetime import timedelta
from typing import Any

from cross_web import AsyncHTTPRequestAdapter, HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.http.base import BaseRequestProtocol
from strawberry.http.types import QueryParams
from strawberry.subscriptions import (
    GRAPHQL_SSE_PROTOCOL,
    GRAPHQL_TRANSPORT_WS_PROTOCOL,
    MULTIPART_SUBSCRIPTION_PROTOCOL,
)
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError

from routiq_gql.api.admission import Admission, BodyFirst, while_connected
from routiq_gql.api.body import limited
from routiq_gql.api.demo import Demo
from routiq_gql.api.dependencies import session_of
from routiq_gql.api.graphql.answers import Answer
from routiq_gql.api.graphql.context import Context
from routiq_gql.api.graphql.ide import graphiql_page, how_to_install
from routiq_gql.api.graphql.limits import MAX_QUERY_CHARACTERS, MAX_TOKENS, TOO_LONG_A_DOCUMENT
from routiq_gql.api.graphql.negotiation import (
    prefers_event_stream,
    prefers_graphql_json,
    prefers_html,
    prefers_multipart,
)
from routiq_gql.api.graphql.refusals import error_response, refusal, status_and_reason
from routiq_gql.api.graphql.remembering import keep, place_of
from routiq_gql.api.graphql.schema import make_schema
from routiq_gql.api.graphql.shared.operations import SharedOperations
from routiq_gql.api.graphql.shared.stream import StreamSubscription
from routiq_gql.api.graphql.socket_limit import OpenSockets
from routiq_gql.api.graphql.sockets import SocketAdapter, SocketHandler
from routiq_gql.api.graphql.transports import EventStreamTransport, MultipartTransport, RequestAdapter
from routiq_gql.api.graphql.trusted.documents import TrustedDocuments
from routiq_gql.api.graphql.trusted.requests import RefusedRequest
from routiq_gql.api.guard import NAMING_PARAMETERS
from routiq_gql.api.json_text import EncodedJson, UnreadableJson, read_json
from routiq_gql.api.remembered import Place
from routiq_gql.api.services import services_of
from routiq_gql.api.streams import Heartbeat, StreamResponse, keep_connection
from routiq_gql.api.suggestions import only_organization
from routiq_gql.errors import RoutiqError
from routiq_gql.settings import Settings

CONNECTION_INIT_SECONDS = 5
"""How long a new socket may take to send ``connection_init``."""
JSON_PARAMETERS = ("variables", "extensions")
"""The parameters of a GET request that hold JSON. Source: GraphQL over HTTP, "Request Parameters"."""


class GraphQLEndpoint(GraphQL[Context, None]):
    """``/graphql`` for every transport."""

    request_adapter_class = RequestAdapter
    websocket_adapter_class = SocketAdapter
    graphql_transport_ws_handler_class = SocketHandler
    stream_transport_classes_by_protocol = {  # noqa: RUF012 - as declared by the base class
        GRAPHQL_SSE_PROTOCOL: EventStreamTransport,
        MULTIPART_SUBSCRIPTION_PROTOCOL: MultipartTransport,
    }

    def __init__(self, settings: Settings, admission: Admission, demo: Demo) -> None:
        self.settings = settings
        schema = make_schema(
            introspection=settings.has_introspection, max_cost=settings.max_operation_cost, traces=settings.traces
        )
        super().__init__(
            schema,
            graphql_ide="graphiql" if settings.has_graphiql else None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, *self.stream_transport_classes_by_protocol),
            connection_init_wait_timeout=timedelta(seconds=CONNECTION_INIT_SECONDS),
        )
        self._admission = admission
        self._demo = demo
        self.open_sockets = OpenSockets(settings.most_sockets)
        self.shared = SharedOperations(schema, self.encode_json)
        self.documents = TrustedDocuments(settings.documents, is_only=settings.documents_only)
        self.documents.warn_of_invalid(schema._schema, MAX_TOKENS, introspection=settings.has_introspection)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.run(WebSocket(scope, receive=receive, send=send))
            return
        parts = BodyFirst(receive, has_body=scope["method"] == "POST")
        request = Request(scope, receive=limited(Request(scope), parts.body))
        response: Response
        place: Place | None = None
        try:
            place = await place_of(request)
            known = services_of(request).answer_at(place) if place is not None else None
            if known is not None:
                remembered = EncodedJson(known.body, known.media_type)
                if request.method == "GET":
                    keep_private(remembered)
                await remembered(scope, receive, send)
                return
            response = await while_connected(parts.next_message, self.run(request))
        except HTTPException as error:
            response = refusal(*status_and_reason(error))
        except RoutiqError as error:
            response = error_response(error)
        if isinstance(response, Answer) and prefers_graphql_json(request.headers.get("accept", "")):
            response.become_graphql_json()
        if isinstance(response, Answer) and place is not None and hasattr(request.state, "asked"):
            keep(request, place, request.state.asked, request.state.session.viewer, response)
        if request.method == "GET":
            keep_private(response)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        runtime = services_of(request).runtime
        session = None
        # A websocket authenticates in its first message. A browser that opens GraphiQL can't send a token. The page
        # holds no data of organizations, and its requests carry the token that the reader types into it.
        if isinstance(request, Request) and not self.should_render_graphql_ide(self.request_adapter_class(request)):
            if not hasattr(request.state, "session"):
                request.state.session = await session_of(request)
            session = request.state.session
            accept = request.headers.get("accept", "")
            if prefers_event_stream(accept) or prefers_multipart(accept):
                keep_connection(request.scope, session.viewer.organization_id)
        context = Context(
            runtime.syncs,
            runtime.connections,
            runtime.stream_tokens,
            runtime.patients,
            runtime.patient_changes,
            runtime.webhooks,
            session,
            connection_params={},
            admission=self._admission,
            tracing=runtime.tracing,
        )
        request.state.personal = context.personal
        return context

    def is_websocket_origin_allowed(self, request: WebSocket, origin: str) -> bool:
        return True  # the guard has checked it

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        return (
            self.graphql_ide is not None
            and request.method == "GET"
            and not NAMING_PARAMETERS.intersection(request.query_params)
            and prefers_html(_accept(request.headers))
        )

    async def render_graphql_ide(self, request: Request) -> Response:
        organization = self._demo.default_organization or await only_organization(request)
        page = graphiql_page(organization, auth=self.settings.auth, token_path=self._demo.token_path)
        if page is None and self.settings.auth != "off":
            return how_to_install()
        return page or await super().render_graphql_ide(request)

    def parse_json(self, data: str | bytes) -> dict[str, object] | list[object]:
        body = _read("The request body", data)
        if not isinstance(body, dict | list):
            raise HTTPException(400, "The request body must be a JSON object.")
        return body

    def parse_query_params(self, params: QueryParams) -> dict[str, object]:
        given: dict[str, object] = dict(params)
        for name in JSON_PARAMETERS:
            if name in params:  # an empty text counts as missing
                text = params[name]
                given[name] = _read(f"The parameter “{name}”", text) if text else None
        return given

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData | list[GraphQLRequestData]:
        data = await super().parse_http_body(request)
        if isinstance(data, GraphQLRequestData):
            if not isinstance(data.operation_name, str | None):
                raise HTTPException(400, "The GraphQL operation's `operationName` must be a string or null.")
            if data.query is not None and len(data.query) > MAX_QUERY_CHARACTERS:
                raise HTTPException(413, TOO_LONG_A_DOCUMENT)
            named: object = None
            if not data.query:
                is_get = request.method == "GET"
                given = request.query_params if is_get else self.parse_json(await request.get_body())
                named = given.get("documentId") if isinstance(given, Mapping) else None
            document = self.documents.document_of(
                {"query": data.query, "documentId": named, "extensions": data.extensions}
            )
            if isinstance(document, GraphQLError):
                return RefusedRequest(**vars(data), error=document)
            data.query = document
        return data

    async def execute_operation(self, *args: Any, **kwargs: Any) -> Any:
        asked: GraphQLRequestData | list[GraphQLRequestData] = kwargs["request_data"]
        if isinstance(asked, RefusedRequest):
            refused = PreExecutionError(data=None, errors=[asked.error])
            return _alone(refused) if self._get_stream_transport(asked.protocol) else refused
        if isinstance(asked, GraphQLRequestData) and (transport := self._get_stream_transport(asked.protocol)):
            shared = StreamSubscription(transport, self.encode_json_string)
            begun = await shared.begin(self.shared, kwargs["context"], asked)
            if isinstance(begun, list):
                return _alone(PreExecutionError(data=None, errors=begun))
            if begun:
                return shared
        kwargs["request"].state.asked = asked
        return await super().execute_operation(*args, **kwargs)

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        answer = await super().process_result(request, result)
        if isinstance(result, PreExecutionError):
            del answer["data"]  # absent, as nothing was executed. Source: GraphQL spec, "Response"
        return answer

    def create_response(
        self, response_data: GraphQLHTTPResponse | list[GraphQLHTTPResponse], sub_response: Response
    ) -> Response:
        return Answer(response_data)

    async def create_streaming_response(
        self,
        request: Request | WebSocket,
        stream: Callable[[], AsyncIterator[str]],
        sub_response: Response,
        headers: Mapping[str, str],
    ) -> Response:
        others = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        # Strawberry's transports send heartbeats.
        return StreamResponse(
            _encoded(stream),
            heartbeat=None,
            send_timeout_seconds=self.settings.send_timeout,
            session=request.state.session,
            headers=others,
            media_type=headers["Content-Type"],
        )

    async def _create_streaming_response(
        self, request: Request, result: Any, protocol: Any, sub_response: Response
    ) -> Response:
        transport = self._get_stream_transport(protocol)
        if not isinstance(result, StreamSubscription) or transport is None:
            return await super()._create_streaming_response(request, result, protocol, sub_response)
        return StreamResponse(
            result,
            heartbeat=Heartbeat(
                transport.heartbeat_message(self.encode_json_string).encode(), transport.heartbeat_interval
            ),
            send_timeout_seconds=self.settings.send_timeout,
            session=request.state.session,
            headers={name: value for name, value in transport.headers.items() if name.lower() != "content-type"},
            media_type=transport.headers["Content-Type"],
        )


def keep_private(response: Response) -> None:
    """Tell caches that the response to a GET is for one caller. Of a POST, none keeps the response."""
    response.headers["Cache-Control"] = "private, no-store"
    response.headers.add_vary_header("Authorization")


async def _alone(result: ExecutionResult) -> AsyncGenerator[ExecutionResult, None]:
    yield result


async def _encoded(stream: Callable[[], AsyncIterator[str]]) -> AsyncGenerator[bytes, None]:
    pieces = stream()
    try:
        async for piece in pieces:
            yield piece.encode()
    finally:
        await pieces.aclose()  # type: ignore[attr-defined]


def _read(what: str, data: str | bytes) -> object:
    try:
        return read_json(data)
    except UnreadableJson as error:
        raise HTTPException(400, f"{what} {error.reason}.") from None


def _accept(headers: Mapping[str, str]) -> str:
    return next((value for name, value in headers.items() if name.lower() == "accept"), "")
