"""Request bodies: the limit on their size, and the JSON object of a REST request.

A longer body is refused while it arrives, and not stored. GraphQL and the REST routes of webhooks read bodies; all
other routes read the address only.
"""

from starlette.requests import Request
from starlette.types import Message, Receive

from routiq_gql.api.json_text import UnreadableJson, read_json
from routiq_gql.errors import BadRequest, RoutiqError

MAX_BODY_BYTES = 256 * 1024
"""The same limit holds for a websocket's messages."""


class BodyTooLarge(RoutiqError):
    """Raised while the body is read."""

    code = "BODY_TOO_LARGE"

    def __init__(self) -> None:
        super().__init__(f"A request body may have at most {MAX_BODY_BYTES // 1024} KiB. Send a smaller one.")


def limited(request: Request, receive: Receive) -> Receive:
    """``receive``, which raises ``BodyTooLarge`` as soon as the body exceeds the limit, or says that it will."""
    announced = request.headers.get("content-length", "")
    is_too_large = announced.isdecimal() and int(announced[:12]) > MAX_BODY_BYTES
    read = 0

    async def receive_limited() -> Message:
        nonlocal read
        if is_too_large:
            raise BodyTooLarge
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY_BYTES:
            raise BodyTooLarge
        return message

    return receive_limited


async def json_object(request: Request) -> dict[str, object]:
    """The JSON object that is the body of a request.

    Raises:
        BadRequest: The body is no JSON object.
        BodyTooLarge: It exceeds the limit.
        ClientDisconnect: The client has left.
    """
    text = await Request(request.scope, limited(request, request.receive)).body()
    try:
        value = read_json(text)
    except UnreadableJson as error:
        raise BadRequest(f"The request body {error.reason}.") from None
    if not isinstance(value, dict):
        raise BadRequest("The request body must be a JSON object.")
    return value
