"""Resolves the names of receivers, and connects to checked addresses only.

A name is resolved once. Each address is checked, and the connection goes to one of them: a name that resolves
differently a moment later changes nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpcore

from routiq_gql.webhooks.addresses import Allowed

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a name and a port to addresses."""

RESOLVING_AT_ONCE = 8
"""Lookups of a process. They have their own threads, so that a slow name server delays no other lookup."""
MOST_ADDRESSES = 4
"""Addresses of a name that are tried, each for its part of the time limit. All addresses are checked."""


class PrivateAddress(Exception):
    """The receiver's address is not public, and no setting allows it."""


class UnknownName(Exception):
    """The receiver's name can't be resolved."""


class Lookups:
    """Resolves names by the system's resolver, in threads of its own. Close it."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVING_AT_ONCE, "webhook names")

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """All addresses of ``host``, best first.

        Raises:
            UnknownName: It has none.
        """
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _look_up, host, port)
        except (OSError, UnicodeError):
            raise UnknownName from None
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def close(self) -> None:
        """Drop waiting lookups. One that hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str | int, ...]]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)  # type: ignore[return-value]


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for httpcore: resolves once, checks every address, and connects to a checked one.

    TLS stays httpcore's: it names the host of the URL and verifies the certificate for it.
    """

    def __init__(self, allowed: Allowed, resolve: Resolver) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to an address of ``host``, the first that accepts one.

        Raises:
            PrivateAddress: One of the addresses is not allowed. None is called then.
            UnknownName: The name can't be resolved.
        """
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
                if not all(self._allowed.includes(host, address) for address in addresses):
                    raise PrivateAddress
                return await self._connect(addresses[:MOST_ADDRESSES], port, timeout, local_address, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None

    async def _connect(
        self,
        addresses: Sequence[str],
        port: int,
        seconds: float | None,
        local_address: str | None,
        options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        each = None if seconds is None or not addresses else seconds / len(addresses)
        problem: Exception = UnknownName()
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, each, local_address, options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Not possible: no URL of a webhook names a socket file."""
        raise PrivateAddress

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
