"""The options that choose a list of patients, for ``patients`` and ``export``."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import typer

from routiq_gql.cli.plain_text import clean_text
from routiq_gql.errors import BadInput
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import PatientSort

LISTS = {one.key: one for one in PatientList}
SORTS = {one.value: one for one in PatientSort}

Choice = TypeVar("Choice")

Organization = Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")]
ListName = Annotated[str, typer.Option("--list", metavar="LIST", help=f"One of {', '.join(LISTS)}.")]
Search = Annotated[
    str,
    typer.Option(
        metavar="TEXT", help="Only patients whose name, e-mail address or phone number contains each word of it."
    ),
]
PractitionerId = Annotated[
    str,
    typer.Option(metavar="ID", help="Only patients whose last or next appointment is with this practitioner."),
]
SortName = Annotated[str, typer.Option("--sort", metavar="ORDER", help=f"One of {', '.join(SORTS)}.")]
AsOf = Annotated[
    str, typer.Option(metavar="SYNC_ID", help="The patients as of an earlier sync that is kept, from `history`.")
]


def choice(option: str, text: str, choices: Mapping[str, Choice]) -> Choice:
    """The value of this name.

    Raises:
        BadInput: There is none.
    """
    if text not in choices:
        raise BadInput(f"{option} can't be “{clean_text(text)}”. Use one of: {', '.join(choices)}.")
    return choices[text]
