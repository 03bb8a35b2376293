"""The program ``routiq-gql``: its commands, and what becomes of their errors."""

import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer
from typer.main import get_command

from routiq_gql import __version__
from routiq_gql.cli import (
    audit,
    check,
    connect,
    database,
    demo,
    disconnect,
    emulator,
    keys,
    schedule,
    schema,
    serve,
    status,
    sync,
    tokens,
    worker,
    workers,
)
from routiq_gql.cli.running import EXIT_FAILED, EXIT_STOPPED, EXIT_USAGE, Stopped
from routiq_gql.cli.terminal import clean_text
from routiq_gql.errors import DatabaseFileLost, RoutiqError
from routiq_gql.sync.connection_state import ConnectionProblem

PROGRAM = "routiq-gql"

app = typer.Typer(name=PROGRAM, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True, epilog=f"Begin with: {PROGRAM} demo")
def _program(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Sync a clinic's patients and appointments from Cliniko, and watch every step live."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command(epilog=demo.EXAMPLES)(demo.demo)
app.command(epilog=serve.EXAMPLES)(serve.serve)
app.command(epilog=worker.EXAMPLES)(worker.worker)
app.command(epilog=workers.EXAMPLES)(workers.workers)
app.command(epilog=connect.EXAMPLES)(connect.connect)
app.command(epilog=disconnect.EXAMPLES)(disconnect.disconnect)
app.command(epilog=status.CONNECTIONS_EXAMPLES)(status.connections)
app.command(epilog=sync.EXAMPLES)(sync.sync)
app.command(epilog=schedule.EXAMPLES)(schedule.schedule)
app.command(epilog=status.STATUS_EXAMPLES)(status.status)
app.command(epilog=audit.EXAMPLES)(audit.audit)
app.command(epilog=check.EXAMPLES)(check.check)
app.command(epilog=schema.EXAMPLES)(schema.schema)
app.command(epilog=emulator.EXAMPLES)(emulator.emulator)
app.add_typer(keys.app, name="keys")
app.add_typer(tokens.app, name="tokens")
app.add_typer(database.app, name="db")


def main() -> None:
    """Run the command that the arguments name and end the process with its exit code."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "…" gets "?" instead of an error
    try:
        code = app(prog_name=PROGRAM, standalone_mode=False)
    except typer.TyperException as error:
        code = _complain(_usage_sentence(error), EXIT_USAGE)
    except ConnectionProblem as error:
        code = _complain(f"{error.message} {error.what_to_do}", EXIT_FAILED)
    except DatabaseFileLost as error:
        code = _complain(error.message, EXIT_FAILED)
    except RoutiqError as error:
        code = _complain(error.message, EXIT_USAGE)
    except (Stopped, typer.Abort, KeyboardInterrupt):
        code = EXIT_STOPPED
    except BrokenPipeError:
        # Whoever read our output has gone; nothing may be written to it any more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILED
    sys.exit(code if isinstance(code, int) else 0)


def _complain(sentence: str, code: int) -> int:
    print(clean_text(sentence), file=sys.stderr)  # noqa: T201 — this is what a command line is for
    return code


def _usage_sentence(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    words = [word for word in sys.argv[1:2] if word in get_command(app).commands]  # type: ignore[attr-defined]
    command = context.command_path if context is not None else " ".join([PROGRAM, *words])
    return f"{error.format_message().rstrip('.')}. Type `{command} --help` to see what is possible."
