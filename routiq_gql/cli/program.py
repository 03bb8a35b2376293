"""The program ``routiq-gql``: its options, and the sentence and exit code for each expected error."""

import errno
import os
import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from routiq_gql import __version__
from routiq_gql.cli.commands import COMMANDS, Program
from routiq_gql.cli.exit_codes import EXIT_FAILED, EXIT_STOPPED, EXIT_USAGE, Stopped
from routiq_gql.cli.plain_text import clean_text
from routiq_gql.errors import DatabaseFileLost, RoutiqError

PROGRAM = "routiq-gql"

FAILURES = {"CONNECTION_PROBLEM", "SYNC_NOT_FOUND", "NOT_FOUND", "WEBHOOK_NOT_FOUND", "WEBHOOK_REFUSED"}
"""Codes of errors that are not wrong use: the command was correct, but its work failed."""

DISK_FULL = {errno.ENOSPC, errno.EDQUOT}

app = typer.Typer(name=PROGRAM, cls=Program, pretty_exceptions_enable=False)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(epilog=f"Start with: {PROGRAM} demo")
def _program(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Sync a clinic's patients and appointments from Cliniko, and watch every step live."""


def main() -> None:
    """Run the command that the arguments name and end the process with its exit code."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "…" gets "?" instead of an error
    try:
        code = app(prog_name=PROGRAM, standalone_mode=False)
    except typer.TyperException as error:
        code = _print_error(_usage_sentence(error), EXIT_USAGE)
    except RoutiqError as error:
        is_failure = isinstance(error, DatabaseFileLost) or error.code in FAILURES
        code = _print_error(f"{error.message} {error.what_to_do}".strip(), EXIT_FAILED if is_failure else EXIT_USAGE)
    except (Stopped, typer.Abort, KeyboardInterrupt):
        code = EXIT_STOPPED
    except BrokenPipeError:
        _discard_output()  # the reader of the pipe has ended
        code = EXIT_FAILED
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        _discard_output()
        code = _print_error(f"{error.strerror}. Free some space and run the command again.", EXIT_FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _discard_output() -> None:
    """Discard further standard output, buffered text included, which would fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_error(sentence: str, code: int) -> int:
    print(clean_text(sentence), file=sys.stderr)  # noqa: T201 — printing is intended here
    return code


def _usage_sentence(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    words = [word for word in sys.argv[1:2] if word in {one.name for one in COMMANDS}]
    command = context.command_path if context is not None else " ".join([PROGRAM, *words])
    message = " ".join(error.format_message().split()).rstrip(".")  # lists of choices have lines of their own
    message = message.replace(": Value error, ", ": ")  # Typer's word for a value that is no choice
    return f"{message}{'' if message.endswith('?') else '.'} Type `{command} --help` for its usage."
