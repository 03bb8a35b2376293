"""``routiq-gql worker``: runs syncs on PostgreSQL, alongside any number of other workers, until it is stopped."""

import asyncio
from typing import Annotated

import typer

from routiq_gql.api.applications import create_worker_app
from routiq_gql.cli.exit_codes import Stopped
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.errors import SettingsError
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.serving.open_files import raise_limit
from routiq_gql.serving.server import Listener, listen_on_loopback, tune_gc
from routiq_gql.serving.server import serve as serve_app
from routiq_gql.settings import Settings, load_settings

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: routiq-gql worker --port 9101")
def worker(
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Serve /healthz, /readyz and /metrics on 127.0.0.1 and this port. 0 selects one."
        ),
    ] = None,
) -> None:
    """Run syncs that any process has started. Needs PostgreSQL.

    SIGTERM or Ctrl-C stops the worker with exit code 0. Other workers then continue its syncs.
    """
    settings = load_settings()
    configure_logging(settings)
    raise_limit()
    check_postgres(settings, "routiq-gql serve runs syncs by itself.")
    listener = listen_on_loopback("127.0.0.1", port) if port is not None else None
    try:
        run(_work(settings, listener))
    except Stopped:
        pass  # the usual end of a worker
    finally:
        if listener is not None:
            listener.close()


def check_postgres(settings: Settings, otherwise: str) -> None:
    """Raise unless the database is PostgreSQL.

    Raises:
        SettingsError: The database is SQLite. The message ends with ``otherwise``.
    """
    if not settings.uses_postgres:
        raise SettingsError(f"This command needs PostgreSQL in ROUTIQ_DATABASE_URL. With SQLite {otherwise}")


async def _work(settings: Settings, listener: Listener | None) -> None:
    terminal = open_terminal()
    async with open_runtime(settings) as runtime:
        terminal.print(f"Runs up to {settings.worker_max_syncs} syncs at once. Stop with Ctrl-C.")
        if listener is None:
            tune_gc()
            await asyncio.Event().wait()
            return
        terminal.print(f"Health   {listener.url}/readyz")
        await serve_app(
            create_worker_app(settings, runtime),
            listener,
            grace_seconds=settings.shutdown_grace_seconds,
            request_timeout=settings.request_timeout,
            max_connections=settings.max_connections,
        )
