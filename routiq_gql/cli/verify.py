"""``routiq-gql verify``: compares every stored row with Cliniko and names each difference. Writes nothing."""

import sys
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import aclosing
from typing import Annotated

import typer
from rich.console import Console

from routiq_gql.cli.exit_codes import EXIT_CHANGED_SINCE, EXIT_FAILED
from routiq_gql.cli.plain_text import counted
from routiq_gql.cli.running import run
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.cliniko import ClinikoError, Horizon
from routiq_gql.connections.service import problem_of
from routiq_gql.database.publishing import mirror_of
from routiq_gql.database.rows import MirrorRow
from routiq_gql.errors import BadInput
from routiq_gql.logs import configure_logging
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import check_organization_id
from routiq_gql.settings import Settings, load_settings
from routiq_gql.sync.verifying import Difference, ListProgress, Verifier

app = typer.Typer(add_completion=False)


@app.command(epilog="Examples: routiq-gql verify org_123 · routiq-gql verify org_123 --json > differences.json")
def verify(
    organization: Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the differences as a JSON array. Progress goes to standard error.")
    ] = False,
) -> None:
    """Compare every stored row with Cliniko, and name each difference.

    It reads everything that a full sync reads, at the same pace, and writes nothing. The stored rows are those of the
    last completed sync, so rows that changed in Cliniko since then are named too, and marked. A difference names the
    list, the row's id and the fields, but no value. The last line also says which lists the key may not read, and how
    many rows of Cliniko can't be read. These are not compared.

    The exit code is 0 if all compared rows are equal, 4 if only rows differ that changed in Cliniko since the last
    sync, and 1 if another row differs or Cliniko can't be read. A row that Cliniko no longer has counts as another.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    terminal = open_terminal()
    differences = run(_verify(settings, organization, terminal, open_terminal(sys.stderr), as_json=as_json))
    if as_json:
        print_json(terminal, [_json(one) for one in differences])
    if differences:
        raise typer.Exit(EXIT_CHANGED_SINCE if all(one.is_recent for one in differences) else EXIT_FAILED)


async def _verify(
    settings: Settings, organization: str, terminal: Console, messages: Console, *, as_json: bool
) -> list[Difference]:
    async with open_runtime(settings, run_syncs=False) as runtime:
        mirror, horizon = await _published(runtime, organization)
        async with runtime.database.reading() as connection:
            erased = await runtime.keep_out.read(connection, mirror.number)
        opened = await runtime.clients.open(organization)
        found: list[Difference] = []
        progress: dict[str, ListProgress] = {}
        try:
            async with opened.client as client:
                events = Verifier(client, runtime.database, mirror, horizon, erased).events()
                with messages.status("Reading…") as status:
                    async with aclosing(events):
                        async for event in events:
                            if isinstance(event, Difference):
                                found.append(event)
                                if not as_json:
                                    terminal.print(_line(event), soft_wrap=True)
                                continue
                            progress[event.list] = event
                            status.update(f"{event.read:,} of {event.total:,} {event.label}")
                            if event.read >= event.total and not messages.is_terminal:
                                messages.print(_read_line(event))
        except ClinikoError as error:
            raise problem_of(error) from None
        requests = client.requests.total()
    (messages if as_json else terminal).print(_outcome(found, requests, progress.values()), soft_wrap=True)
    return found


async def _published(runtime: Runtime, organization: str) -> tuple[MirrorRow, Horizon]:
    async with runtime.database.reading() as connection:
        mirror = await mirror_of(connection, organization)
    if mirror is None or not mirror.sync or mirror.horizon_from is None:
        if not await runtime.connections.has_enabled(organization):
            raise BadInput(f"{organization} is not connected to Cliniko. Type: routiq-gql connect {organization}")
        raise BadInput(
            f"No sync of {organization} has been completed that can be compared. Type: routiq-gql sync {organization}"
        )
    return mirror, Horizon(mirror.horizon_from, mirror.horizon_to)


def _line(one: Difference) -> str:
    fields = f": {', '.join(one.fields)}" if one.fields else ""
    recent = " (changed since the last sync)" if one.is_recent else ""
    return f"{one.list} {one.id} {one.kind.value}{fields}{recent}"


def _read_line(one: ListProgress) -> str:
    return f"The key may not read {one.label}" if one.is_denied else f"Compared {one.read:,} {one.label}"


def _outcome(found: Sequence[Difference], requests: int, lists: Collection[ListProgress]) -> str:
    spent, gaps = counted(requests, "request"), _gaps(lists)
    if not found:
        rows = "compared" if gaps else "stored"
        return " ".join([f"Every {rows} row is equal to Cliniko's; {spent}.", *gaps])
    counts = Counter(one.list for one in found)
    recent = sum(one.is_recent for one in found)
    parts = ", ".join(f"{count:,} in {name}" for name, count in counts.items())
    if recent == len(found):
        changed = f"{counted(recent, 'row')} changed in Cliniko since the last sync: {parts}; {spent}."
        return " ".join([changed, "All other compared rows are equal. Sync, then verify again.", *gaps])
    since = f"; {recent:,} of them changed in Cliniko since the last sync" if recent else ""
    advice = ["Sync, then verify again."] if recent else []
    return " ".join([f"{counted(len(found), 'difference')}: {parts}{since}; {spent}.", *advice, *gaps])


def _gaps(lists: Collection[ListProgress]) -> list[str]:
    """A sentence for the lists, and one for the rows, that could not be compared."""
    sentences: list[str] = []
    if denied := [one.label for one in lists if one.is_denied]:
        sentences.append(f"The key may not read {' and '.join(denied)}, so they were not compared.")
    if unreadable := sum(one.unreadable for one in lists):
        were = "was" if unreadable == 1 else "were"
        sentences.append(f"{counted(unreadable, 'row')} of Cliniko can't be read and {were} not compared.")
    return sentences


def _json(one: Difference) -> dict[str, object]:
    return {
        "list": one.list,
        "id": str(one.id),
        "difference": one.kind.name.lower(),
        "fields": list(one.fields),
        "is_recent": one.is_recent,
    }
