"""The child's end of the connection over which the benchmark commands a server.

A command is a line of words, its answer a line of JSON. The server ends with the connection, so that none is left
behind even by a killed benchmark.
"""

import asyncio
import gc
import json
import os
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any

Answer = dict[str, Any]
Command = Callable[..., Answer | Coroutine[Any, Any, Answer]]

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes() -> int:
    """Resident memory of this process. Source: proc(5), ``/proc/[pid]/statm``."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * _PAGE_BYTES


def usage() -> Answer:
    """Processor seconds and memory so far, and the time of the machine's monotonic clock."""
    return {"cpu": time.process_time(), "at": time.monotonic_ns(), "rss": resident_bytes()}


def collect() -> Answer:
    """The same after a garbage collection, so that memory shows live objects only."""
    gc.collect()
    return usage()


class Control(asyncio.Protocol):
    """Executes commands one after the other, each in the turn of the loop in which it arrives."""

    def __init__(self, commands: dict[str, Command]) -> None:
        self._commands: dict[str, Command] = {"usage": usage, "collect": collect, **commands}
        self._transport: asyncio.WriteTransport | None = None
        self._unread = b""
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def connection_lost(self, _error: Exception | None) -> None:
        signal.raise_signal(signal.SIGTERM)

    def data_received(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            name, *words = line.decode().split()
            answer = self._commands[name](*words)
            if isinstance(answer, dict):
                self.tell(answer)
            else:
                task = asyncio.create_task(self._tell_later(answer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def tell(self, answer: Answer) -> None:
        assert self._transport is not None
        self._transport.write(json.dumps(answer).encode() + b"\n")

    async def _tell_later(self, answer: Coroutine[Any, Any, Answer]) -> None:
        self.tell(await answer)


async def obey(benchmark: int, commands: dict[str, Command], /, **hello: Any) -> Control:
    """Connect to the benchmark at this port, and tell it that the server is ready."""
    loop = asyncio.get_running_loop()
    _, control = await loop.create_connection(lambda: Control(commands), "127.0.0.1", benchmark)
    control.tell(hello)
    return control
