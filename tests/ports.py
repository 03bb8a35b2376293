"""Ports for servers that a test stops and starts again at the same place.

The kernel gives out ports of its ephemeral range to every socket that asks for any port, so one of those may be
taken by another test while its server is down. These lie below that range.
"""

import random
import socket

FIRST, LAST = 10_000, 32_000


def free_port() -> int:
    """A port of loopback that is free, and that the kernel gives to no one who asks for any port."""
    while True:
        port = random.SystemRandom().randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
