"""``routiq-gql serve``: the API and the page on this machine, until Ctrl-C."""

from typing import Annotated

import typer

from routiq_gql.app import create_app
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.connections.network import check_routes
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.serving.open_files import raise_limit
from routiq_gql.serving.server import Listener, listen
from routiq_gql.serving.server import serve as serve_app
from routiq_gql.settings import Settings, load_settings

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: routiq-gql serve --port 8080")
def serve(
    host: Annotated[str, typer.Option(help="The name or address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 selects a free port.")] = 8000,
    with_worker: Annotated[
        bool,
        typer.Option(
            "--with-worker", help="With PostgreSQL, run syncs in this process too. With SQLite it always does."
        ),
    ] = False,
) -> None:
    """Serve GraphQL, REST and the page. With SQLite this process also runs the syncs.

    With PostgreSQL, `routiq-gql worker` runs the syncs. Stop the server with Ctrl-C.
    """
    settings = load_settings()
    configure_logging(settings)
    raise_limit()
    listener = listen(host, port, only_loopback=settings.auth == "off")
    try:
        run(_serve(settings, listener, run_syncs=with_worker or not settings.uses_postgres))
    finally:
        listener.close()


async def _serve(settings: Settings, listener: Listener, *, run_syncs: bool) -> None:
    async def announce() -> None:
        terminal = open_terminal()
        for line in address_lines(listener.url):
            terminal.print(line)
        await runtime.file_watch.until_lost()  # which ends the server

    async with open_runtime(settings, run_syncs=run_syncs) as runtime:
        if not run_syncs:  # or it has been done
            await check_routes(runtime.database, settings)  # this process checks keys
        await serve_app(
            create_app(settings, runtime=runtime),
            listener,
            grace_seconds=settings.shutdown_grace_seconds,
            trusted_proxies=settings.trusted_proxies,
            alongside=announce,
            request_timeout=settings.request_timeout,
            max_connections=settings.max_connections,
        )


def address_lines(url: str) -> list[str]:
    """The addresses below ``url``, and how to stop."""
    return [f"Page     {url}/", f"GraphQL  {url}/graphql", f"REST     {url}/api/v1/sync", "Stop with Ctrl-C."]
