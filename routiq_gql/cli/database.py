"""``routiq-gql db``: care for the database."""

import typer

from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade as upgrade_schema
from routiq_gql.logs import configure_logging
from routiq_gql.settings import Settings, load_settings

app = typer.Typer(help="Care for the database.", epilog="Example: routiq-gql db upgrade")


@app.command(epilog="Example: ROUTIQ_DATABASE_URL=sqlite+aiosqlite:///./clinic.db routiq-gql db upgrade")
def upgrade() -> None:
    """Make the database, or bring it to this version's form. Every other command does so by itself."""
    settings = load_settings()
    configure_logging(settings, quiet=True)
    open_terminal().print(run(_upgrade(settings)))


@app.callback()
def _group() -> None:
    """Care for the database."""


async def _upgrade(settings: Settings) -> str:
    database = Database(settings.database_url)
    try:
        revision = await upgrade_schema(database)
    finally:
        await database.close()
    return f"{database.name} is at revision {revision}."
