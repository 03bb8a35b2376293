"""The sockets of a server: every address of its name has the same port, and none stays open after a refusal."""

import errno
import socket
from collections.abc import Callable
from typing import Any

import pytest

from routiq_gql.errors import SettingsError
from routiq_gql.serving.server import listen

LookUp = Callable[..., list[Any]]
NAME = "routiq.test"


@pytest.fixture
def name_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A name with these addresses."""
    look_up: LookUp = socket.getaddrinfo

    def give(*addresses: str) -> str:
        def found(host: str, *rest: Any, **named: Any) -> list[Any]:
            names = addresses if host == NAME else (host,)
            return [one for address in names for one in look_up(address, *rest, **named)]

        monkeypatch.setattr(socket, "getaddrinfo", found)
        return NAME

    return give


def test_every_address_of_a_name_has_the_same_port(name_of: Callable[..., str]):
    """Also if the system chooses it: a browser takes any of the addresses."""
    listener = listen(name_of("127.0.0.3", "127.0.0.1", "127.0.0.2"), 0, only_loopback=True)
    try:
        found = [one.getsockname() for one in listener.sockets]
        assert [address for address, _ in found] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        assert {port for _, port in found} == {listener.port}
        assert listener.url == f"http://routiq.test:{listener.port}"
        for place in found:
            socket.create_connection(place).close()
    finally:
        listener.close()


def test_a_name_that_others_reach_is_refused(name_of: Callable[..., str]):
    """Without authentication a single address that is not of this machine is enough, and nothing is opened."""
    for addresses in (("192.0.2.1",), ("127.0.0.1", "192.0.2.1"), ("0.0.0.0",)):
        with pytest.raises(SettingsError, match="can be reached from other machines"):
            listen(name_of(*addresses), 0, only_loopback=True)


def test_a_refusal_leaves_no_socket_open(name_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch):
    """If the port is in use at one address, the others are free again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.2", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"Port {port} on routiq.test is in use"):
            listen(name_of("127.0.0.1", "127.0.0.2"), port, only_loopback=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))
    real = socket.socket.bind

    def bind(self: socket.socket, address: Any) -> None:
        if address[0] == "127.0.0.2":
            raise OSError(errno.EADDRNOTAVAIL, "no such address")
        real(self, address)

    monkeypatch.setattr(socket.socket, "bind", bind)
    listener = listen(name_of("127.0.0.1", "127.0.0.2"), 0, only_loopback=True)
    assert [one.getsockname()[0] for one in listener.sockets] == ["127.0.0.1"], "an address that the machine lacks"
    listener.close()
