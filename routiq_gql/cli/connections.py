"""``routiq-gql connections``: every organization's connection to Cliniko."""

from typing import Annotated

import typer

from routiq_gql.cli.running import run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.cli.times import json_time, local_time
from routiq_gql.logs import configure_logging
from routiq_gql.organizations.listing import OrganizationState
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings, load_settings

NO_ORGANIZATION = "No organization is connected. Connect one: routiq-gql connect ORG"

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: routiq-gql connections · routiq-gql connections --json")
def connections(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False) -> None:
    """List the connections to Cliniko, without their keys."""
    settings = load_settings()
    configure_logging(settings, quiet=True)
    found = run(read_organizations(settings))
    terminal = open_terminal()
    if as_json:
        print_json(terminal, [_json(one) for one in found])
        return
    rows = [
        (
            one.organization_id,
            one.connection.state.value,
            one.connection.account_name or "",
            one.connection.shard,
            one.connection.role or "",
            local_time(one.last_success_at),
        )
        for one in found
    ]
    print_table(terminal, ("organization", "state", "account", "shard", "role", "last success"), rows, NO_ORGANIZATION)


async def read_organizations(settings: Settings) -> list[OrganizationState]:
    """All organizations with a connection, by id."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        return await runtime.connections.organizations(LOCAL_OPERATOR)


def _json(one: OrganizationState) -> dict[str, object]:
    connection = one.connection
    return {
        "organization_id": one.organization_id,
        "state": connection.state.value,
        "account": connection.account_name,
        "shard": connection.shard,
        "role": connection.role,
        "last_validated_at": json_time(connection.last_validated_at),
        "last_success_at": json_time(one.last_success_at),
        "problem": connection.problem.message if connection.problem else None,
    }
