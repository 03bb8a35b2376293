"""``create_app``: the ASGI application, its routes as a list and its parts wired by hand.

Commands and tests call it. Its lifespan opens the runtime, unless the caller passes an open runtime: ``serve`` and the
demo use theirs beside the server, too.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from routiq_gql.api.access_log import AccessLog
from routiq_gql.api.admission import Admission
from routiq_gql.api.applications import Application
from routiq_gql.api.auth import Authentication
from routiq_gql.api.demo import NO_DEMO, Demo
from routiq_gql.api.error_middleware import FaultBarrier
from routiq_gql.api.graphql import GraphQLEndpoint, graphiql_routes
from routiq_gql.api.guard import Guard
from routiq_gql.api.health import health_routes
from routiq_gql.api.origins import compile_origins
from routiq_gql.api.page import page_route
from routiq_gql.api.remembered import OncePerTurn, RememberedAnswers
from routiq_gql.api.rest.routes import rest_routes
from routiq_gql.api.services import Services, attach
from routiq_gql.api.tracing import TraceRequests
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.settings import Settings


def create_app(
    settings: Settings,
    *,
    runtime: Runtime | None = None,
    demo: Demo = NO_DEMO,
) -> Starlette:
    """The application with every route.

    Args:
        runtime: An open runtime, which the caller closes. ``None``: the lifespan opens and closes a runtime.
        demo: Additions for a demo.

    Raises:
        SettingsError: An entry of ROUTIQ_ALLOWED_ORIGINS is not an origin, or a setting that ROUTIQ_AUTH requires
            is missing.
    """

    authentication = Authentication(settings)
    admission = Admission(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(authentication.close)
            opened = runtime if runtime is not None else await stack.enter_async_context(open_runtime(settings))
            remembered = RememberedAnswers(OncePerTurn(opened.database.change_token))
            attach(app, Services(opened, settings, authentication, admission, remembered))
            for task in authentication.supervised:
                opened.supervisor.add(task)
            stack.push_async_callback(admission.close)
            yield

    graphql = GraphQLEndpoint(settings, admission, demo)
    app = Application(
        routes=[
            *demo.extra_routes,
            *rest_routes(),
            Route("/graphql", graphql),
            WebSocketRoute("/graphql", graphql),
            *(graphiql_routes() if settings.has_graphiql else ()),
            *health_routes(),
            page_route((settings.recent_days, settings.upcoming_days), demo),
        ],
        middleware=[
            Middleware(AccessLog),
            *([Middleware(TraceRequests)] if settings.traces else []),
            Middleware(
                Guard,
                settings=settings,
                origins=compile_origins(settings.allowed_origins),
                allow_null_origin=demo.allow_null_origin,
            ),
            Middleware(FaultBarrier),
        ],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirect would repeat the client's Host header
    return app
