"""``routiq-gql demo``: an emulated clinic, the server and a FULL sync, in one process and one folder.

Each start makes the clinic anew, with visits around today, so its first sync reads everything. Syncs that are started
on the page are incremental. After the first sync the clinic lives, and the server looks for changes. The emulated
Cliniko gets another port at each start, so the stored connections are updated before the engine looks for a sync to
resume. An interrupted sync is resumed; otherwise a new sync starts.
"""

import asyncio
from typing import Annotated, cast

import structlog
import typer
from rich.console import Console
from starlette.routing import Route

from routiq_gql.api.demo import Demo
from routiq_gql.app import create_app
from routiq_gql.cli.demo_folder import DATABASE_URL, claim_demo_folder
from routiq_gql.cli.demo_issuer import ISSUER_PATH, TOKEN_PATH, how_to_get_a_token, with_issuer
from routiq_gql.cli.demo_living import keep_living
from routiq_gql.cli.demo_trouble import TROUBLE_PATH, trouble_routes
from routiq_gql.cli.exit_codes import Stopped
from routiq_gql.cli.progress import follow_sync, outcome_lines, progress_view
from routiq_gql.cli.running import run
from routiq_gql.cli.serve import address_lines
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Emulator, EmulatorServer, demo_clinic
from routiq_gql.engines.embedded import EmbeddedEngine
from routiq_gql.errors import RoutiqError, StorageError
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.serving.open_files import raise_limit
from routiq_gql.serving.server import Listener, listen_on_loopback
from routiq_gql.serving.server import serve as serve_app
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync.model import SyncMode

DEMO_ORGANIZATION = "org_2xwHiNrj68eaRUlX10anlXGvzX7"

REQUESTS_OF_A_SYNC = 51
"""Requests of the first sync of the demo clinic, all in sequence; their latency determines its duration."""
SECONDS_BESIDES_REQUESTS = 2
"""Duration of such a sync if responses have no latency."""
LOOK_SECONDS = 5
"""Between two looks at the living clinic. Its requests are not paced, so looks may follow each other soon."""

THIS_MACHINE = ("localhost", "127.0.0.0/8", "::1")
"""Webhooks of the demo may be sent here, without TLS, so that a receiver can be tried."""

log = structlog.get_logger(__name__)

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: routiq-gql demo --port 9123 · routiq-gql demo --fresh · routiq-gql demo --auth")
def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 selects a free port.")] = 8000,
    fresh: Annotated[bool, typer.Option("--fresh", help="Remove the data of earlier runs.")] = False,
    seconds: Annotated[
        float,
        typer.Option(
            min=0, max=3600, help="Approximate duration of a sync. The emulated Cliniko delays its responses."
        ),
    ] = 20,
    auth: Annotated[
        bool,
        typer.Option("--auth", help="Require tokens. An emulated sign-in service issues them."),
    ] = False,
    still: Annotated[
        bool,
        typer.Option("--still", help="Only you change the clinic, and a sync runs only when you start it."),
    ] = False,
) -> None:
    """Run an emulated clinic, the server with its page, and one sync with a progress bar.

    After the sync the clinic lives: every ten seconds or so someone books, moves, cancels, joins or is merged, and
    the page shows it seconds later.

    The database is in ./.routiq-demo. Stop the demo with Ctrl-C.
    """
    listener = listen_on_loopback("127.0.0.1", port)
    try:
        with claim_demo_folder(fresh=fresh):
            settings = _demo_settings(still=still)
            configure_logging(settings, quiet=True)
            raise_limit()
            latency_seconds = max(0, seconds - SECONDS_BESIDES_REQUESTS) / REQUESTS_OF_A_SYNC
            run(_demo(settings, listener, latency_seconds, asks_for_tokens=auth, still=still))
    except StorageError as error:
        raise type(error)(f"{error.message} To start with an empty database: routiq-gql demo --fresh") from None
    except Stopped:
        pass  # Ctrl-C is how a demo ends, also before it has begun
    finally:
        listener.close()


def _demo_settings(*, still: bool) -> Settings:
    settings = load_settings(
        database_url=DATABASE_URL,
        refresh_seconds=0 if still else LOOK_SECONDS,
        cliniko_requests_per_minute=0,  # the emulated Cliniko has its latency instead
        shutdown_grace_seconds=1,  # after Ctrl-C a user waits at the terminal
    )
    return settings.model_copy(update={"webhook_private": (*settings.webhook_private, *THIS_MACHINE)})


async def _demo(
    settings: Settings, listener: Listener, latency_seconds: float, *, asks_for_tokens: bool, still: bool
) -> None:
    terminal = open_terminal()
    addresses = address_lines(listener.url)
    issuer_routes: list[Route] = []
    if asks_for_tokens:
        settings, issuer = with_issuer(settings, listener.url)
        issuer_routes = issuer.routes(ISSUER_PATH)
        addresses[-1:-1] = how_to_get_a_token(listener.url, DEMO_ORGANIZATION)  # the last line says how to stop
    emulator = Emulator(demo_clinic(utc_now()), api_keys=EMULATED_API_KEY)
    async with EmulatorServer(emulator) as cliniko:
        # API keys entered on the page are for the emulated Cliniko, too.
        settings = settings.model_copy(update={"cliniko_base_url": cliniko.base_url})
        async with open_runtime(settings, run_syncs=False) as idle:
            await idle.connections.move_local(cliniko.base_url)  # connections made on the page during an earlier run
            await idle.connections.connect(LOCAL_OPERATOR, DEMO_ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        emulator.latency_seconds = latency_seconds
        async with open_runtime(settings) as runtime:
            app = create_app(
                settings,
                runtime=runtime,
                demo=Demo(
                    extra_routes=[
                        *trouble_routes(emulator, cast(EmbeddedEngine, runtime.engine), runtime.connections),
                        *issuer_routes,
                    ],
                    allow_null_origin=True,
                    default_organization=DEMO_ORGANIZATION,
                    trouble_path=TROUBLE_PATH,
                    token_path=TOKEN_PATH if asks_for_tokens else None,
                ),
            )

            async def show() -> None:
                for line in ("Harbour Street Physio, an emulated clinic", *addresses, ""):
                    terminal.print(line, soft_wrap=True)  # so that addresses can be copied
                tasks = {asyncio.create_task(_sync_once(runtime, terminal, still=still), name="first sync")}
                if not still:
                    living = keep_living(emulator.clinic, runtime, DEMO_ORGANIZATION)
                    tasks.add(asyncio.create_task(living, name="living clinic"))
                try:
                    await runtime.file_watch.until_lost()  # which ends the server
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.wait(tasks)

            await serve_app(
                app,
                listener,
                grace_seconds=settings.shutdown_grace_seconds,
                alongside=show,
                request_timeout=settings.request_timeout,
                max_connections=settings.max_connections,
            )
            dashboard = await runtime.syncs.dashboard(LOCAL_OPERATOR, DEMO_ORGANIZATION)
    if dashboard.current_sync is not None:
        reached = dashboard.current_sync.progress_percentage
        terminal.print(f"Stopped. The next demo resumes the sync at {reached} %.")


async def _sync_once(runtime: Runtime, terminal: Console, *, still: bool) -> None:
    """Start or resume a sync and show it to its end. The server keeps running, however the sync ends."""
    try:
        begun = await runtime.syncs.start(LOCAL_OPERATOR, DEMO_ORGANIZATION, SyncMode.FULL)
        if not begun.created:
            terminal.print(f"Resuming the interrupted sync at {begun.sync.progress_percentage} %.")
        with progress_view(terminal) as view:
            last = await follow_sync(runtime.syncs, begun.sync.sync_id, view)
        for line in outcome_lines(last):
            terminal.print(line)
    except RoutiqError as error:
        terminal.print(error.message)
    except Exception:
        log.exception("the sync can't be shown")
    if not still:
        terminal.print("From now on people change the clinic every few seconds, and the page shows it.")
    terminal.print("The server is still running. Start more syncs on its page or with its API. Ctrl-C ends it.")
