"""The bodies and parameters of the webhook routes. An unknown member is refused: a misspelled one would be lost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from routiq_gql.errors import BadInput
from routiq_gql.paging import LARGEST_SIZE
from routiq_gql.webhooks.model import REGISTRABLE, DeliveryState, EventType, WebhookChanges

Kind = TypeVar("Kind", bool, str)

EVENTS = {event.value: event for event in REGISTRABLE}
"""The events that a webhook can be registered for, by their names in requests."""
OF_REGISTRATION = ("url", "events", "includes_names", "description")
OF_CHANGE = (*OF_REGISTRATION, "is_enabled")
STATES = {state.name.lower(): state for state in DeliveryState}


@dataclass(frozen=True, slots=True)
class Registration:
    """A webhook to register."""

    url: str
    events: Sequence[EventType]
    includes_names: bool
    description: str | None


def registration(body: Mapping[str, object]) -> Registration:
    """The webhook that a body describes.

    Raises:
        BadInput: A member is missing, unknown, or of another form.
    """
    wanted = _read(body, OF_REGISTRATION)
    if wanted.url is None or wanted.events is None:
        raise BadInput(f"“{'url' if wanted.url is None else 'events'}” is missing.")
    return Registration(wanted.url, wanted.events, wanted.includes_names or False, wanted.description or None)


def changes(body: Mapping[str, object]) -> WebhookChanges:
    """The changes that a body asks for; a member that it lacks changes nothing.

    Raises:
        BadInput: A member is unknown or of another form.
    """
    return _read(body, OF_CHANGE)


def delivery_state(text: str | None) -> DeliveryState | None:
    """The parameter ``state``.

    Raises:
        BadInput: It is no state.
    """
    if not text:
        return None
    if text not in STATES:
        raise BadInput(f"“state” must be {', '.join([*STATES][:-1])} or {[*STATES][-1]}.")
    return STATES[text]


def page_size(text: str | None) -> int | None:
    """The parameter ``limit``.

    Raises:
        BadInput: It is not such a number.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= LARGEST_SIZE):
        raise BadInput(f"“limit” must be a whole number from 1 to {LARGEST_SIZE}.")
    return int(text)


def _read(body: Mapping[str, object], known: Sequence[str]) -> WebhookChanges:
    if unknown := len(body.keys() - set(known)):
        some = "A member of the body is" if unknown == 1 else f"{unknown} members of the body are"
        raise BadInput(f"{some} unknown here. Known ones are: {', '.join(known)}.")
    description = _of(body, "description", str, "a text or null")
    if "description" in body and description is None:
        description = ""
    return WebhookChanges(
        url=_of(body, "url", str, "a text"),
        events=_events(body.get("events")),
        includes_names=_of(body, "includes_names", bool, "true or false"),
        description=description,
        is_enabled=_of(body, "is_enabled", bool, "true or false"),
    )


def _of(body: Mapping[str, object], name: str, kind: type[Kind], form: str) -> Kind | None:
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise BadInput(f"“{name}” must be {form}.")
    return value


def _events(value: object) -> list[EventType] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) and one in EVENTS for one in value):
        raise BadInput(f"“events” must be a list of: {', '.join(EVENTS)}.")
    return [EVENTS[one] for one in value]
