"""``routiq-gql check``: looks at a server through its proxy, as a browser does, and says what to change."""

from typing import Annotated

import typer

from routiq_gql.cli.running import EXIT_FAILED, run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.doctor import Finding, Result, Site, examine
from routiq_gql.errors import BadInput
from routiq_gql.viewer import check_organization_id

EXAMPLES = "Example: routiq-gql check --url https://routiq.example.com --token TOKEN --organization org_123"


def check(
    url: Annotated[str, typer.Option(metavar="URL", help="Where people open the page, with its path if it has one.")],
    token: Annotated[
        str,
        typer.Option(
            metavar="TOKEN",
            envvar="ROUTIQ_TOKEN",
            help="With tokens: one of them, to look at what needs one. The variable keeps it out of the history.",
        ),
    ] = "",
    organization: Annotated[
        str, typer.Option(metavar="ORG", help="An organization that the token reaches, which is only watched.")
    ] = "",
    origin: Annotated[
        str, typer.Option(metavar="ORIGIN", help="A page elsewhere that uses the server, as https://app.example.com.")
    ] = "",
    timeout: Annotated[float, typer.Option(min=0.1, max=120, help="Seconds that one answer may take.")] = 10,
    idle: Annotated[
        float, typer.Option(min=0, max=3600, help="Watch a silent websocket for so many seconds, too; 60 is enough.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: a JSON array.")] = False,
) -> None:
    """Look at a server from outside, through its proxy, and say what to change there. Nothing is changed.

    The exit code is 0 when no check has found a problem, and 1 otherwise.
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
