"""The parameters of the patient routes. An empty parameter is like none; any other wrong form is refused.

So are unknown and repeated parameters: a misspelled `search` would return every patient. The routes of syncs, which
have clients of earlier servers, ignore them.
"""

import re
from collections.abc import Sequence
from enum import Enum
from typing import TypeVar

from starlette.datastructures import QueryParams

from routiq_gql.errors import BadInput, BadRequest
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import PatientSort
from routiq_gql.patients.requests import LARGEST_SIZE, PageRequest

Choice = TypeVar("Choice", bound=Enum)

LISTS = {one.key: one for one in PatientList}
SORTS = {one.value: one for one in PatientSort}
DEFAULT_LIST = PatientList.ACTIVE
DEFAULT_SORT = PatientSort.NAME

_PRACTITIONER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,3}", re.ASCII)


OF_A_LIST = ("list", "search", "practitioner_id", "sort", "as_of")
OF_A_PAGE = (*OF_A_LIST, "first", "after", "last", "before")
OF_AN_EXPORT = ("format", *OF_A_LIST)


def check_names(given: QueryParams, known: Sequence[str]) -> None:
    """Raise unless each parameter is a known one, once.

    Raises:
        BadRequest: One is not. The message has the known ones, and not what was sent: it may be a name.
    """
    names = [name for name, _ in given.multi_items()]
    if unknown := sum(name not in known for name in names):
        some = "A parameter is" if unknown == 1 else f"{unknown} parameters are"
        raise BadRequest(f"{some} unknown here. Known ones are: {', '.join(known)}.")
    if twice := next((name for name in known if names.count(name) > 1), None):
        raise BadRequest(f"“{twice}” occurs several times. Send it once.")


def list_request(given: QueryParams) -> PageRequest:
    """The list, filters, sort and sync of a request.

    Raises:
        BadInput: A parameter has another form than the documented one.
    """
    practitioner = given.get("practitioner_id") or None
    if practitioner is not None and not _PRACTITIONER.fullmatch(practitioner):
        raise BadInput("“practitioner_id” is the id of a practitioner in Cliniko: digits.")
    return PageRequest(
        list=_choice(given, "list", LISTS, DEFAULT_LIST),
        search=given.get("search") or None,
        practitioner_id=practitioner,
        sort=_choice(given, "sort", SORTS, DEFAULT_SORT),
        as_of=given.get("as_of") or None,
    )


def page_request(given: QueryParams) -> PageRequest:
    """The same with the page.

    Raises:
        BadInput: A parameter has another form than the documented one.
    """
    wanted = list_request(given)
    return PageRequest(
        list=wanted.list,
        search=wanted.search,
        practitioner_id=wanted.practitioner_id,
        sort=wanted.sort,
        as_of=wanted.as_of,
        first=_size(given, "first"),
        after=given.get("after") or None,
        last=_size(given, "last"),
        before=given.get("before") or None,
    )


def _size(given: QueryParams, name: str) -> int | None:
    text = given.get(name)
    if not text:
        return None
    if not _SIZE.fullmatch(text):
        raise BadInput(f"“{name}” must be a whole number from 1 to {LARGEST_SIZE}.")
    return int(text)  # the service checks the range


def _choice(given: QueryParams, name: str, choices: dict[str, Choice], default: Choice) -> Choice:
    text = given.get(name)
    if not text:
        return default
    if text not in choices:
        raise BadInput(f"“{name}” must be one of: {', '.join(choices)}.")
    return choices[text]
