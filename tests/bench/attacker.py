"""A child that attacks a server on this machine: ``python -m tests.bench.attacker PORT HOST ORG TOKEN HALF_OPEN``.

It holds half-sent request headers, replacing each that the server closes, and runs the costliest allowed GraphQL
operations of an organization without pause. It stops when its standard input ends.
"""

import asyncio
import json
import resource
import sys
from contextlib import suppress

from tests.bench.children import read_commands, tell

CONNECTIONS = 40
"""More than an organization's limit of simultaneous operations."""
OPERATION = (
    "query($org: ID!) { history(organizationId: $org, limit: 10) { averageSyncDurationSeconds totalSyncs "
    "recentSyncs { syncId log(limit: 100) { seq time level step message } } } }"
)
PAUSE_SECONDS = 1.0
"""Between attempts of a half-open connection, some hundreds a second in all: the attacker shares the machine."""


async def read_answer(reader: asyncio.StreamReader) -> int:
    """The status of a response with a Content-Length, read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    length = next((int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")), 0)
    await reader.readexactly(length)
    return int(lines[0].split(b" ")[1])


class Attack:
    """The state of the attack, in numbers."""

    def __init__(self, port: int, host: str, organization: str, token: str) -> None:
        self._port = port
        body = json.dumps({"query": OPERATION, "variables": {"org": organization}})
        self._half = f"GET /graphql HTTP/1.1\r\nHost: {host}\r\nX-Half: ".encode()
        self._operation = (
            f"POST /graphql HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        self.opened = self.held = self.answered = self.refused = 0

    async def hold(self) -> None:
        """Keep a half-open connection, forever."""
        while True:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.write(self._half)
                self.opened += 1
                self.held += 1
                try:
                    await reader.read()
                finally:
                    self.held -= 1
                    writer.close()
            await asyncio.sleep(PAUSE_SECONDS)

    async def ask(self) -> None:
        """Run the operation repeatedly on a connection, forever."""
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    while True:
                        writer.write(self._operation)
                        status = await read_answer(reader)
                        self.answered += status == 200
                        self.refused += status != 200
                finally:
                    writer.close()
            await asyncio.sleep(PAUSE_SECONDS)


async def run(port: int, host: str, organization: str, token: str, half_open: int) -> None:
    attack = Attack(port, host, organization, token)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(attack.hold()) for _ in range(half_open)]
        tasks += [group.create_task(attack.ask()) for _ in range(CONNECTIONS)]
        while attack.opened < half_open:
            await asyncio.sleep(0.1)
        tell(began=True)
        async for _ in read_commands():
            tell(opened=attack.opened, held=attack.held, answered=attack.answered, refused=attack.refused)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(run(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])))
