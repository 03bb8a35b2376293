"""Sending a webhook to a real receiver, and the ways in which that can fail."""

import asyncio
import json
import os
import ssl
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from routiq_gql.clock import utc_now
from routiq_gql.database.webhook_secrets import new_secret
from routiq_gql.webhooks import sending
from routiq_gql.webhooks.addresses import Allowed
from routiq_gql.webhooks.connecting import Lookups, Resolver, UnknownName
from routiq_gql.webhooks.sending import Message, Reply, Sender
from tests.certificates import write_certificate
from tests.ports import free_port
from tests.waiting import LIMIT_SECONDS
from tests.webhooks.receiver import Received, Receiver, answer, hang

BODY = json.dumps({"type": "sync.completed", "data": {"organizationId": "org_1", "note": "Zoë"}}, ensure_ascii=False)


async def _send(
    url: str,
    *,
    private: Sequence[str] = ("127.0.0.0/8",),
    secrets: Sequence[str] = (),
    resolve: Resolver | None = None,
    tls: ssl.SSLContext | None = None,
    times: int = 1,
) -> Reply:
    sender = Sender(Allowed(private), 4, resolve=resolve, tls=(lambda: tls) if tls is not None else None)
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            for _ in range(times):
                reply = await sender.send(Message(url, "evt_1", BODY, secrets or [new_secret()]), utc_now())
    finally:
        await sender.close()
    return reply


def _always(*addresses: str) -> Resolver:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


async def test_both_secrets_verify_a_message_during_a_rotation():
    """A clinic's system that knows the old or the new secret accepts the event; another secret refuses it."""
    old, new = new_secret(), new_secret()
    async with Receiver() as receiver:
        reply = await _send(receiver.url, secrets=[new, old], times=3)
    assert reply == Reply("delivered", 204)
    assert receiver.connections == 1
    request = receiver.received[0]
    assert (request.target, request.headers["host"]) == ("/hook", f"127.0.0.1:{receiver.port}")
    assert (request.event_id, request.headers["content-type"]) == ("evt_1", "application/json")
    for secret in (old, new):
        assert Webhook(secret).verify(request.body, request.headers) == json.loads(BODY)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(new_secret()).verify(request.body, request.headers)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (answer(200, b"x" * 100), Reply("delivered", 200)),
        (answer(302, Location="http://127.0.0.1/other"), (302, "302 Found. Redirects are not followed")),
        (answer(410), Reply("gone", 410, "The receiver answered 410 Gone: it wants no more events.")),
        (answer(500, b"<b>Mary Smith</b>"), (500, "answered 500 Internal Server Error; a delivery needs")),
        (answer(799), (799, "answered 799; a delivery needs")),
        (b"SSH-2.0-OpenSSH\r\n\r\n", (None, "closed the connection, or its answer was not HTTP")),
        (None, (None, "closed the connection, or its answer was not HTTP")),
    ],
)
async def test_every_answer_ends_as_a_sentence(content: bytes | None, expected: Reply | tuple[int | None, str]):
    """The list of deliveries names the status of the answer, and repeats nothing of its text."""

    async def behave(_request: Received) -> bytes | None:
        return content

    async with Receiver(behave) as receiver:
        reply = await _send(receiver.url)
    assert len(receiver.received) == 1
    if isinstance(expected, Reply):
        assert reply == expected
    else:
        assert (reply.outcome, reply.status) == ("failed", expected[0])
        assert expected[1] in reply.problem
        assert "Mary" not in reply.problem


@pytest.mark.parametrize("form", ["seconds", "date", "nonsense"])
async def test_a_busy_receiver_can_ask_for_a_wait(form: str):
    """A receiver in maintenance says when to come back, in either form of the header."""
    at = datetime.now(UTC) + timedelta(seconds=300)
    text = {"seconds": "300", "date": format_datetime(at, usegmt=True), "nonsense": "soon"}[form]

    async def behave(_request: Received) -> bytes:
        return answer(503, Retry_After=text)

    async with Receiver(behave) as receiver:
        reply = await _send(receiver.url)
    if form == "nonsense":
        assert reply.wait is None
    else:
        assert reply.wait is not None
        assert timedelta(seconds=300 - LIMIT_SECONDS) < reply.wait <= timedelta(seconds=300)


async def test_a_receiver_that_does_not_answer_costs_a_limited_time(monkeypatch: pytest.MonkeyPatch):
    """An attempt ends although the receiver keeps the connection open."""
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.2)
    async with Receiver(hang) as receiver:
        reply = await _send(receiver.url)
    assert reply == Reply("failed", problem="127.0.0.1 did not answer within 0 seconds.")


async def test_an_endless_answer_is_a_delivery_that_is_not_read(monkeypatch: pytest.MonkeyPatch):
    """A receiver that accepts and then sends without an end delays nothing, and costs no memory."""
    monkeypatch.setattr(sending, "READ_SECONDS", 0.2)
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"

    async def short(_request: Received) -> bytes:
        return endless

    async def long(_request: Received) -> bytes:
        return endless + b"x" * 1_000_000

    for behave in (short, long):
        async with Receiver(behave) as receiver:
            assert await _send(receiver.url) == Reply("delivered", 200)


async def test_a_closed_port_and_an_unknown_name_are_told_apart():
    """A clinic sees whether its receiver is down or its URL is misspelt."""
    down = await _send(f"http://127.0.0.1:{free_port()}/hook")
    assert down.problem == "127.0.0.1 refused the connection, or can't be reached."
    unknown = await _send("https://no-such-host.invalid/hook")
    assert unknown.problem == "The name no-such-host.invalid was not found. Check the URL of the webhook."


@pytest.mark.parametrize("host", ["xn--ls8h.example", "XN--A", "xn--", "a..b", "%31.0.0.1", "a" * 64])
async def test_an_odd_name_is_looked_up_like_any_other(host: str):
    """A receiver may have a name that some rules refuse, such as an emoji. Its failure is a sentence, never a crash."""
    unknown = await _send(f"https://{host}/hook")
    assert unknown.problem == f"The name {host.lower()} was not found. Check the URL of the webhook."
    asked: list[str] = []

    async def resolve(name: str, _port: int) -> Sequence[str]:
        asked.append(name)
        return ["127.0.0.1"]

    async with Receiver() as receiver:
        reply = await _send(f"http://{host}:{receiver.port}/hook", resolve=resolve)
    assert (reply.outcome, asked) == ("delivered", [host.lower()])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433", "0x7f000001"]
)
async def test_no_spelling_of_this_machine_is_called(host: str):
    """A member of a clinic can't have the server call itself, however the address is written."""
    async with Receiver() as receiver:
        reply = await _send(f"http://{host}:{receiver.port}/hook", private=())
    assert reply == Reply("failed", problem=sending.PRIVATE_SENTENCE)
    assert receiver.connections == 0


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1"]])
async def test_a_name_with_a_private_address_is_not_called(addresses: list[str]):
    """One private address among public ones is enough: nothing is sent to any of them."""
    async with Receiver() as receiver:
        reply = await _send(f"http://hooks.example.com:{receiver.port}/hook", private=(), resolve=_always(*addresses))
    assert reply == Reply("failed", problem=sending.PRIVATE_SENTENCE)
    assert receiver.connections == 0


async def test_a_name_that_changes_after_the_check_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    """The name of a receiver is resolved once: a second answer that points elsewhere is never asked for."""
    asked = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    def never(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a second lookup")

    async with Receiver() as receiver:
        monkeypatch.setattr("socket.getaddrinfo", never)
        reply = await _send(f"http://hooks.example.com:{receiver.port}/hook", resolve=resolve, times=2)
    assert reply == Reply("delivered", 204)
    assert asked == ["hooks.example.com"]
    assert receiver.received[0].headers["host"] == f"hooks.example.com:{receiver.port}"


async def test_each_new_connection_is_checked_again():
    """A name that was public and later points into the network is refused then."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return next(answers)

    async def close(_request: Received) -> bytes:
        return answer(200, Connection="close")

    async with Receiver(close) as receiver:
        url = f"http://hooks.example.com:{receiver.port}/hook"
        reply = await _send(url, private=["127.0.0.1"], resolve=resolve, times=2)
    assert reply.problem == sending.PRIVATE_SENTENCE
    assert len(receiver.received) == 1


async def test_an_address_that_is_down_leaves_time_for_the_next():
    """A receiver with two addresses gets its events while one of them is down."""
    async with Receiver() as receiver:
        url = f"http://hooks.example.com:{receiver.port}/hook"
        assert await _send(url, resolve=_always("127.0.0.9", "127.0.0.1")) == Reply("delivered", 204)


async def test_a_name_server_that_hangs_costs_a_limited_time(monkeypatch: pytest.MonkeyPatch):
    """A lookup without an end does not hold up the deliveries to others."""
    monkeypatch.setattr(sending, "CONNECT_SECONDS", 0.2)

    async def resolve(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    reply = await _send("https://hooks.example.com/hook", resolve=resolve)
    assert reply.problem == "hooks.example.com accepted no connection within 0 seconds."


async def test_certificates_are_checked_for_the_name_of_the_url(tmp_path: Path):
    """A checked address is called by its name, so only the owner of the name can receive events."""
    file = write_certificate(tmp_path, "hooks", "hooks.example.com")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file, file.with_suffix(".key"))
    names: list[str] = []
    server.sni_callback = lambda _socket, name, _context: names.append(name)
    client = ssl.create_default_context(cafile=str(file))
    async with Receiver(tls=server) as receiver:
        right, wrong = (f"https://{name}.example.com:{receiver.port}/hook" for name in ("hooks", "other"))
        assert await _send(right, resolve=_always("127.0.0.1"), tls=client) == Reply("delivered", 204)
        reply = await _send(wrong, resolve=_always("127.0.0.1"), tls=client)
        assert reply.problem.startswith("The certificate of other.example.com is not valid for it")
        plain = await _send(f"http://127.0.0.1:{receiver.port}/hook")
        assert plain.outcome == "failed"
        unknown = await _send(right, resolve=_always("127.0.0.1"))
        assert "its authority is unknown" in unknown.problem
    assert names[:2] == ["hooks.example.com", "other.example.com"]


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    """A proxy would look the name up by itself, and could be led into the network."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, f"http://127.0.0.1:{free_port()}")
    async with Receiver() as receiver:
        url = f"http://hooks.example.com:{receiver.port}/hook"
        assert await _send(url, resolve=_always("127.0.0.1")) == Reply("delivered", 204)


async def test_slow_lookups_delay_no_other_work(monkeypatch: pytest.MonkeyPatch):
    """While the names of many receivers are looked up slowly, lookups for Cliniko have threads."""
    end = threading.Event()

    def slow(*_arguments: object, **_options: object) -> list[object]:
        end.wait(LIMIT_SECONDS)
        raise OSError

    monkeypatch.setattr("socket.getaddrinfo", slow)
    lookups = Lookups()
    tasks = [asyncio.create_task(lookups.resolve(f"{number}.example.com", 443)) for number in range(100)]
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            assert await asyncio.to_thread(lambda: "done") == "done"
        assert not any(task.done() for task in tasks)
    finally:
        end.set()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        lookups.close()
    assert {type(one) for one in ended} == {UnknownName}
