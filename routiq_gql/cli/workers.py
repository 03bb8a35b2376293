"""``routiq-gql workers``: the processes that run syncs, and the waiting syncs."""

from typing import Annotated

import typer

from routiq_gql.cli.plain_text import clean_text, counted
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.cli.worker import check_postgres
from routiq_gql.clock import format_time
from routiq_gql.engines.postgres.workers import WaitingSync, WorkerInfo, read_waiting, read_workers
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import open_runtime
from routiq_gql.settings import Settings, load_settings

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: routiq-gql workers · routiq-gql workers --json")
def workers(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object.")] = False) -> None:
    """Show the processes that run syncs, and the syncs that wait. Needs PostgreSQL."""
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_postgres(settings, "one process runs all syncs.")
    found, waiting = run(_read(settings))
    terminal = open_terminal()
    if as_json:
        print_json(terminal, _json(found, waiting))
        return
    for line in _lines(found, waiting):
        terminal.print(clean_text(line))


async def _read(settings: Settings) -> tuple[list[WorkerInfo], list[WaitingSync]]:
    async with open_runtime(settings, run_syncs=False) as runtime, runtime.database.reading() as connection:
        return await read_workers(connection), await read_waiting(connection)


def _json(found: list[WorkerInfo], waiting: list[WaitingSync]) -> dict[str, object]:
    return {
        "workers": [
            {
                "name": one.name,
                "alive": one.is_alive,
                "silent_seconds": round(one.silent_seconds, 1),
                "started_at": format_time(one.started_at) if one.started_at else None,
                "max_syncs": one.max_syncs,
                "syncs": one.sync_ids,
            }
            for one in found
        ],
        "waiting": [
            {"sync_id": one.sync_id, "by_schedule": one.by_schedule, "seconds": round(one.seconds, 1)}
            for one in waiting
        ],
    }


def _lines(found: list[WorkerInfo], waiting: list[WaitingSync]) -> list[str]:
    lines = []
    for one in found:
        state = "alive" if one.is_alive else f"silent for {one.silent_seconds:.0f} s"
        limit = f" of {one.max_syncs}" if one.max_syncs else ""
        lines.append(f"{one.name or 'a new worker'}: {state}, runs {len(one.sync_ids)}{limit}")
        lines += [f"  {sync_id}" for sync_id in one.sync_ids]
    if not any(one.is_alive for one in found):
        lines.append("No worker is alive, so no sync runs. Start one: routiq-gql worker")
    lines.append(f"{counted(len(waiting), 'sync')} waiting")
    lines += [f"  {one.sync_id} for {one.seconds:.0f} s" for one in waiting]
    return lines
