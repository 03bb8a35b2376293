"""``routiq-gql workers``: the processes that run syncs, and the waiting syncs."""

import importlib
from typing import Annotated, Any

import typer

from routiq_gql.cli.plain_text import clean_text, counted
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.cli.worker import check_postgres
from routiq_gql.clock import format_time
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
    found = run(_read(settings))
    terminal = open_terminal()
    if as_json:
        print_json(terminal, found)
        return
    for line in _lines(found):
        terminal.print(clean_text(line))


async def _read(settings: Settings) -> dict[str, Any]:
    queue = importlib.import_module("routiq_gql.engines.postgres.workers")
    async with open_runtime(settings, run_syncs=False) as runtime, runtime.database.reading() as connection:
        found, waiting = await queue.read_workers(connection), await queue.read_waiting(connection)
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
            {"sync_id": sync_id, "by_schedule": by_schedule, "seconds": round(seconds, 1)}
            for sync_id, by_schedule, seconds in waiting
        ],
    }


def _lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for one in found["workers"]:
        state = "alive" if one["alive"] else f"silent for {one['silent_seconds']:.0f} s"
        limit = f" of {one['max_syncs']}" if one["max_syncs"] else ""
        lines.append(f"{one['name'] or 'a new worker'}: {state}, runs {len(one['syncs'])}{limit}")
        lines += [f"  {sync_id}" for sync_id in one["syncs"]]
    if not any(one["alive"] for one in found["workers"]):
        lines.append("No worker is alive, so no sync runs. Start one: routiq-gql worker")
    lines.append(f"{counted(len(found['waiting']), 'sync')} waiting")
    lines += [f"  {one['sync_id']} for {one['seconds']:.0f} s" for one in found["waiting"]]
    return lines
