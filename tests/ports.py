"""Ports for servers that a test stops and starts again on the same port.

A socket that asks for any port gets a port of the kernel's ephemeral range, so another test could take such a port
while the server is down. The ports here lie below that range.
"""

import random
import socket

FIRST, LAST = 10_000, 32_000


def free_port() -> int:
    """A free port of loopback, outside the kernel's ephemeral range."""
    while True:
        port = random.SystemRandom().randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
