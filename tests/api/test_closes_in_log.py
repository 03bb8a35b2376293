"""The close code in the access log, whichever side closes a socket first."""

import pytest
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from routiq_gql.api.access_log import AccessLog


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([("send", "accept", None), ("send", "close", 4400), ("receive", "disconnect", 1006)], (101, 4400)),
        ([("send", "accept", None), ("receive", "disconnect", 4499), ("send", "close", 1000)], (101, 4499)),
        ([("send", "accept", None), ("receive", "disconnect", None)], (101, None)),
        ([("send", "close", 1008), ("receive", "disconnect", 1006)], (403, None)),
        ([("receive", "disconnect", 1006)], (None, None)),
    ],
)
async def test_the_side_that_closes_first_gives_the_reason(
    messages: list[tuple[str, str, int | None]], expected: tuple[int | None, int | None]
):
    """The other side only confirms the close, and some servers then report a code of their own."""
    left = list(messages)

    async def receive() -> Message:
        return {"type": "websocket.disconnect", "code": left[0][2]}

    async def send(_message: Message) -> None:
        pass

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        while left:
            side, kind, code = left[0]
            await (receive() if side == "receive" else send({"type": f"websocket.{kind}", "code": code}))
            left.pop(0)

    with capture_logs() as logs:
        await AccessLog(app)({"type": "websocket", "path": "/graphql", "headers": []}, receive, send)
    (line,) = logs
    assert (line["status"], line.get("close_code")) == expected
