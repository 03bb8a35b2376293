"""Computes the correct response to a request: status and JSON, from the current state of the clinic.

Pure: no waiting, no sockets. The server calls ``answer_list`` and its siblings after the access check, and
``misbehaviour`` may spoil the result.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from routiq_gql.emulator.access import Access
from routiq_gql.emulator.clinic import Clinic
from routiq_gql.emulator.filters import BadQuery, read_query
from routiq_gql.emulator.resources import PATHS
from routiq_gql.emulator.rows import row_json


@dataclass(frozen=True, slots=True)
class Answer:
    """The response: ``body`` as JSON, or ``raw`` if it is set."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    media_type: str = "application/json"

    def content(self) -> bytes:
        """The bytes of the body."""
        if self.raw is not None:
            return self.raw
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


def refusal(status: int, message: str) -> Answer:
    """An error in Cliniko's form."""
    return Answer(status, {"message": message})


def answer_settings(clinic: Clinic, base_url: str) -> Answer:
    """``GET /settings/public``: the account's name, for any key."""
    account = {"name": clinic.name, "subdomain": clinic.subdomain, "country": clinic.country}
    calendar = {"timeslot_size_in_minutes": 15}
    links = {"self": f"{base_url}/settings/public"}
    terminology = {"patient": "patient"}
    return Answer(200, {"terminology": terminology, "account": account, "calendar": calendar, "links": links})


def answer_user(clinic: Clinic, access: Access, base_url: str) -> Answer:
    """``GET /user``: the owner of the key, with a time zone."""
    user = {
        "id": access.user_id,
        "title": None,
        "first_name": access.first_name,
        "last_name": access.last_name,
        "email": access.email,
        "role": access.role,
        "time_zone": clinic.time_zone,
        "time_zone_identifier": f"Australia/{clinic.time_zone}",
        "active": True,
        "created_at": "2019-03-04T01:02:03Z",
        "updated_at": "2024-05-06T04:05:06Z",
    }
    return Answer(200, {**user, "links": {"self": f"{base_url}/users/{access.user_id}"}})


def answer_list(
    clinic: Clinic,
    path: str,
    parameters: Sequence[tuple[str, str]],
    base_url: str,
    *,
    skip: int = 0,
) -> Answer:
    """A page of the list at ``path``, a key of ``PATHS``. ``skip`` leaves out so many rows before it, for faults."""
    try:
        query = read_query(PATHS[path], parameters, also_hiding=("deleted_at",) if clinic.hides_deleted else ())
    except BadQuery as error:
        return refusal(400, str(error))
    resource = PATHS[path].resource.name
    ids, total = clinic.tables[resource].page(query, skip=skip)

    def link(page: int) -> str:
        others = [(name, value) for name, value in parameters if name != "page"]
        return f"{base_url}/{path}?{urlencode([*others, ('page', str(page))])}"

    links = {"self": link(query.page)}
    if query.page * query.per_page < total:
        links["next"] = link(query.page + 1)
    if query.page > 1:
        links["previous"] = link(query.page - 1)
    rows = [row_json(clinic, resource, row_id, base_url) for row_id in ids]
    return Answer(200, {resource: rows, "total_entries": total, "links": links})


def first_page_again(parameters: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The same request without its page number and its key."""
    return [
        (name, value)
        for name, value in parameters
        if name != "page" and not (name == "q[]" and value.startswith("id:>"))
    ]


def with_rows(answer: Answer, resource: str, rows: list[Any]) -> Answer:
    """``answer`` with other rows in its list."""
    return replace(answer, body={**answer.body, resource: rows})
