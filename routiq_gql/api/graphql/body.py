"""The limit on the size of a request's body: what is longer is refused as it arrives, and not kept.

Only this door reads bodies; REST routes take everything from the address.
"""

from starlette.requests import Request
from starlette.types import Message, Receive

MAX_BODY_BYTES = 256 * 1024
"""The same limit holds for a websocket's messages."""


class BodyTooLarge(Exception):
    """Raised to whoever reads the body."""

    sentence = f"A request body may have at most {MAX_BODY_BYTES // 1024} KiB. Send a smaller one."


def limited(request: Request, receive: Receive) -> Receive:
    """``receive``, which raises ``BodyTooLarge`` as soon as it is known that the request's body is."""
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
