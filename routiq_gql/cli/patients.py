"""``routiq-gql patients``: the patients of a list, and why each is in it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer

from routiq_gql.api.rest import patient_objects
from routiq_gql.cli.patient_options import (
    LISTS,
    SORTS,
    AsOf,
    ListName,
    Organization,
    PractitionerId,
    Search,
    SortName,
    choice,
)
from routiq_gql.cli.plain_text import counted
from routiq_gql.cli.running import run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.cli.times import with_offset
from routiq_gql.logs import configure_logging
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import Appointment, Patient, PatientPage
from routiq_gql.patients.requests import LARGEST_SIZE, PageRequest
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import Settings, load_settings
from routiq_gql.time_zones import zone_of

NARROW_HEADINGS = ("id", "name", "phone", "why")
NARROW_BELOW = 140
"""Columns of a terminal below which the table leaves out e-mail addresses and appointments; ``why`` names the most
important appointment."""
HEADINGS = ("id", "name", "phone", "e-mail", "last appointment", "next appointment", "why")

app = typer.Typer(add_completion=False)


@app.command(
    epilog="Examples: routiq-gql patients org_123 · routiq-gql patients org_123 --list lapsed --sort last_appointment"
)
def patients(
    organization: Organization,
    list_name: ListName = PatientList.ACTIVE.key,
    search: Search = "",
    practitioner: PractitionerId = "",
    sort: SortName = "name",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many patients, at most.")] = 50,
    as_of: AsOf = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """List the patients of an organization, and say why each is in the list.

    Times are in the clinic's time zone. A narrow terminal shows fewer columns; a pipe gets all of them. Each entry of
    the JSON array has the form of a patient in REST, with times in UTC. For a whole list use `routiq-gql export`. The
    audit log records the list and the number of patients.
    """
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)
    request = PageRequest(
        list=choice("--list", list_name, LISTS),
        search=search or None,
        practitioner_id=practitioner or None,
        sort=choice("--sort", sort, SORTS),
        as_of=as_of or None,
    )
    pages = run(_read(settings, organization, request, limit))
    found = [one for page in pages for one in page.patients]
    terminal = open_terminal()
    if as_json:
        print_json(terminal, [patient_objects.Patient.of(one, request.list).model_dump() for one in found])
        return
    is_narrow = terminal.is_terminal and terminal.width < NARROW_BELOW
    headings = NARROW_HEADINGS if is_narrow else HEADINGS
    rows = [_row(one, request.list) for one in found]
    places = [HEADINGS.index(heading) for heading in headings]
    shown = [tuple(row[place] for place in places) for row in rows]
    print_table(terminal, headings, shown, "No patient is in this list.")
    if terminal.is_terminal:
        terminal.print(_summary(pages[0], len(found)), style="dim")


async def _read(settings: Settings, organization: str, request: PageRequest, limit: int) -> Sequence[PatientPage]:
    """Pages of one sync with at most ``limit`` patients; at least one page."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        pages: list[PatientPage] = []
        left = limit
        while left:
            wanted = replace(request, first=min(left, LARGEST_SIZE))
            page = await runtime.patients.page(LOCAL_OPERATOR, organization, wanted)
            pages.append(page)
            left -= len(page.patients)
            if not page.has_next or not page.patients:
                break
            request = replace(request, after=page.cursors[-1])
        return pages


def _row(one: Patient, of_list: PatientList) -> tuple[str, ...]:
    return (
        str(one.key.cliniko_id),
        one.name,
        one.phone or "",
        one.email or "",
        _appointment(one.last_appointment, one.time_zone),
        _appointment(one.next_appointment, one.time_zone),
        one.why(of_list).sentence,
    )


def _appointment(appointment: Appointment | None, time_zone: str) -> str:
    if appointment is None:
        return ""
    return " ".join(filter(None, (_time(appointment.starts_at, time_zone), appointment.type_name)))


def _summary(page: PatientPage, shown: int) -> str:
    rest = f"{shown:,} of {counted(page.total_count, 'patient')}" if shown < page.total_count else ""
    whole = counted(page.total_count, "patient")
    moment = _time(page.analyzed_at, page.time_zone)
    return f"{page.summary.title}: {rest or whole}, as of {moment} ({page.time_zone}). {page.summary.counting}"


def _time(moment: datetime, time_zone: str) -> str:
    return with_offset(moment.astimezone(zone_of(time_zone)), "%Y-%m-%d %H:%M")
