"""``routiq-gql check``: tests a server through its proxy, as a browser would, and reports what to change."""

from typing import Annotated

import typer

from routiq_gql.cli.exit_codes import EXIT_FAILED
from routiq_gql.cli.running import run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.doctor import Finding, Result, Site, examine
from routiq_gql.errors import BadInput
from routiq_gql.security.viewer import check_organization_id

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: routiq-gql check --url https://routiq.example.com --token TOKEN --organization org_123")
def check(
    url: Annotated[str, typer.Option(metavar="URL", help="The address of the page, with its path if it has one.")],
    token: Annotated[
        str,
        typer.Option(
            metavar="TOKEN",
            envvar="ROUTIQ_TOKEN",
            help="A token, if the server asks for one. The variable keeps it out of the shell's history.",
        ),
    ] = "",
    organization: Annotated[
        str, typer.Option(metavar="ORG", help="An organization that the token may read. Nothing in it is changed.")
    ] = "",
    origin: Annotated[
        str,
        typer.Option(
            metavar="ORIGIN",
            help="The origin of another site's page that uses the server, such as https://app.example.com.",
        ),
    ] = "",
    timeout: Annotated[float, typer.Option(min=0.1, max=120, help="Seconds to wait for each response.")] = 10,
    idle: Annotated[
        float,
        typer.Option(min=0, max=3600, help="Also keep an idle websocket open for this many seconds. 60 is enough."),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """Test a server from outside, through its proxy, and report what to change.

    The command itself changes nothing. The exit code is 0 without a problem, otherwise 1.
    """
    if organization:
        check_organization_id(organization)
    if not (origin.isascii() and origin.isprintable()) or (origin and "://" not in origin):
        raise BadInput("An origin must look like https://app.example.com.")
    site = Site(url, token=token.strip(), timeout=timeout)
    found = run(_examined(site, organization, origin.rstrip("/"), idle))
    terminal = open_terminal()
    if as_json:
        print_json(
            terminal,
            [
                {"check": one.check, "result": one.result.value, "found": one.found, "what_to_do": one.what_to_do}
                for one in found
            ],
        )
    else:
        rows = [(one.check, one.result.value, one.found, one.what_to_do) for one in found]
        print_table(terminal, ("check", "result", "found", "what to do"), rows, "")
    if any(one.result is Result.PROBLEM for one in found):
        raise typer.Exit(EXIT_FAILED)


async def _examined(site: Site, organization: str, origin: str, idle: float) -> list[Finding]:
    async with site:
        return await examine(site, organization=organization, origin=origin, idle=idle)
