"""``routiq-gql log``: the log lines of a sync, and new lines while it runs."""

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from routiq_gql.cli.plain_text import sentence_text
from routiq_gql.cli.progress import LEVEL_STYLES
from routiq_gql.cli.running import run
from routiq_gql.cli.sync import EXIT_CODES
from routiq_gql.cli.targets import Target, check_target, find_sync
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.cli.times import local_time
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync.log_requests import MAX_PAGE
from routiq_gql.sync.model import LogLevel, LogLine, SyncSnapshot
from routiq_gql.sync.service import SyncService

LEVELS = list(LogLevel)
"""From the lowest to the highest."""

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Examples: routiq-gql log org_123 · routiq-gql log org_123 --follow · routiq-gql log org_123 --level warning"
)
def log(
    target: Target,
    follow: Annotated[bool, typer.Option("--follow", help="Print new lines until the sync ends.")] = False,
    level: Annotated[LogLevel, typer.Option(help="Leave out lines below this level.")] = LogLevel.INFO,
) -> None:
    """Print the log of a sync.

    For an organization, it is the log of its newest sync. With --follow the exit code is 0 if the sync completed, 1 if
    it failed, and 3 if it was cancelled. Ctrl-C stops the command and leaves the sync alone.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_target(target)
    last = run(_print(settings, target, set(LEVELS[LEVELS.index(level) :]), follow=follow))
    if follow:
        raise typer.Exit(EXIT_CODES[last.status])


async def _print(settings: Settings, target: str, levels: set[LogLevel], *, follow: bool) -> SyncSnapshot:
    terminal = open_terminal()
    async with open_runtime(settings, run_syncs=False) as runtime:
        last = await find_sync(runtime, target)
        is_empty = True
        items: AsyncGenerator[LogLine | SyncSnapshot, None] | AsyncGenerator[LogLine, None]
        items = runtime.syncs.follow(LOCAL_OPERATOR, last.sync_id) if follow else _stored(runtime.syncs, last)
        async with aclosing(items):
            async for item in items:
                if not isinstance(item, LogLine):
                    last = item
                    continue
                is_empty = False
                if item.level in levels:
                    _show(terminal, item)
    if is_empty and last.last_log_seq:
        open_terminal(sys.stderr).print(
            f"The log of {last.sync_id} was removed, as ROUTIQ_KEEP_LOG_DAYS={settings.keep_log_days}.", soft_wrap=True
        )
    return last


async def _stored(syncs: SyncService, sync: SyncSnapshot) -> AsyncGenerator[LogLine, None]:
    """All lines stored so far."""
    seq = 0
    while lines := await syncs.log(LOCAL_OPERATOR, sync.sync_id, after=seq, limit=MAX_PAGE):
        for line in lines:
            yield line
        seq = lines[-1].seq


def _show(terminal: Console, line: LogLine) -> None:
    text = Text(f"{local_time(line.time, seconds=True)}  ", style="dim")
    text.append(f"{line.level.value:7}  ", style=LEVEL_STYLES[line.level] or "not dim")
    text.append(sentence_text(line.message), style=LEVEL_STYLES[line.level] or "not dim")
    terminal.print(text, soft_wrap=True)
