"""The kind of application that the server and a worker are, and the application of a worker."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from routiq_gql.api.error_middleware import FaultBarrier
from routiq_gql.api.guard import Guard
from routiq_gql.api.health import health_routes
from routiq_gql.api.origins import compile_origins
from routiq_gql.api.services import ProcessParts, attach
from routiq_gql.runtime import Runtime
from routiq_gql.settings import Settings


class Application(Starlette):
    """Starlette without its two error handlers: ``FaultBarrier``, the innermost middleware, handles every error."""

    def build_middleware_stack(self) -> ASGIApp:
        app: ASGIApp = self.router
        for middleware, arguments, options in reversed(self.user_middleware):
            app = middleware(app, *arguments, **options)
        return app


def create_worker_app(settings: Settings, runtime: Runtime) -> Starlette:
    """The application of a worker: health and metrics for operators, and no data of organizations."""
    app = Application(
        routes=health_routes(),
        middleware=[
            Middleware(Guard, settings=settings, origins=compile_origins(())),
            Middleware(FaultBarrier),
        ],
    )
    attach(app, ProcessParts(runtime))
    return app
