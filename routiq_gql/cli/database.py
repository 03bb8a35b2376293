"""``routiq-gql db``: creates and upgrades the database."""

import typer

from routiq_gql.cli.commands import CommandGroup
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade as upgrade_schema
from routiq_gql.logs import configure_logging
from routiq_gql.settings import Settings, load_settings

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    help="Create or upgrade the database.",
    epilog="Example: routiq-gql db upgrade",
)


@app.command(epilog="Example: ROUTIQ_DATABASE_URL=sqlite+aiosqlite:///./clinic.db routiq-gql db upgrade")
def upgrade() -> None:
    """Create the database, or upgrade it to this version.

    All other commands do this on their own.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    open_terminal().print(run(_upgrade(settings)))


@app.callback()
def _group() -> None:
    """Create or upgrade the database."""


async def _upgrade(settings: Settings) -> str:
    database = Database(settings.database_url)
    try:
        revision = await upgrade_schema(database)
    finally:
        await database.close()
    return f"{database.name} is at revision {revision}."
