"""``routiq-gql schema``: the GraphQL schema as text, for code generators and for review."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from routiq_gql.api.graphql import schema_text
from routiq_gql.cli.exit_codes import EXIT_FAILED
from routiq_gql.cli.terminal import open_terminal
from routiq_gql.errors import BadInput

DEFAULT_FILE = Path("schema.graphql")

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: routiq-gql schema --output schema.graphql")
def schema(
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the schema to this file instead of standard output.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing. The exit code is 1 if FILE (default: schema.graphql) differs."),
    ] = False,
) -> None:
    """Print the GraphQL schema.

    The types are sorted and have their descriptions.
    """
    text = schema_text()
    if check:
        _compare(output or DEFAULT_FILE, text)
    elif output is None:
        typer.echo(text, nl=False)
    else:
        try:
            output.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise BadInput(f"{output} can't be written ({error.strerror}). Use another `--output FILE`.") from None


def _compare(file: Path, text: str) -> None:
    try:
        current = file.read_text(encoding="utf-8")
        problem = "is not up to date"
    except (OSError, UnicodeDecodeError) as error:
        current = ""
        problem = f"can't be read ({error.strerror})" if isinstance(error, OSError) else "is no text"
    if current != text:
        open_terminal(sys.stderr).print(f"{file} {problem}. Type: routiq-gql schema --output {file}")
        raise typer.Exit(EXIT_FAILED)
