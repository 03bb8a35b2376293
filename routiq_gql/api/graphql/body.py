"""The limit on the size of a request's body: a longer body is refused while it arrives, and not stored.

Only GraphQL reads bodies; REST routes read the address.
"""

from starlette.requests import Request
from starlette.types import Message, Receive

MAX_BODY_BYTES = 256 * 1024
"""The same limit holds for a websocket's messages."""


class BodyTooLarge(Exception):
    """Raised while the body is read."""

    sentence = f"A request body may have at most {MAX_BODY_BYTES // 1024} KiB. Send a smaller one."


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
