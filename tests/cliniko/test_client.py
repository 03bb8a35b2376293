"""Single requests: their headers, the meaning of each status, retries, and secrets in errors."""

import asyncio
import gzip
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

import pytest

from routiq_gql.cliniko import Backoff, ClinikoClient, ClinikoError, Pacer, Wait, transport
from tests.cliniko.conftest import MakeClient, NotedWaits
from tests.cliniko.raw_server import RawServer, http
from tests.waiting import LIMIT_SECONDS

KEY = "MS0xLXNlY3JldA-au1"
GOOD = {"fine": True}


async def get(client: ClinikoClient) -> dict[str, Any]:
    return await client.repeat(lambda: client.ask("patients", [("q[]", "id:>5")], where="the list of patients"))


async def test_a_request_identifies_its_sender(make_client: MakeClient) -> None:
    """A request identifies Routiq with a contact, asks for JSON, and sends the key as the user name of Basic auth."""
    async with (
        RawServer(lambda _n, _head: http(200, GOOD)) as server,
        make_client(server.base_url, api_key=f"  {KEY}\n") as client,
    ):
        assert await get(client) == GOOD
    head = server.heads[0].lower()
    assert "user-agent: routiq (ops@example.com)" in head
    assert "accept: application/json" in head
    assert "get /v1/patients?q%5b%5d=id%3a%3e5 http/1.1" in head
    assert "authorization: basic TVMweExYTmxZM0psZEEtYXUxOg==".lower() in head


@pytest.mark.parametrize(
    ("status", "code", "requests"),
    [
        (401, "KEY_REFUSED", 1),
        (402, "CLINIKO_UNEXPECTED_ANSWER", 1),
        (301, "ACCOUNT_MOVED", 1),
        (302, "ACCOUNT_MOVED", 1),
        (307, "ACCOUNT_MOVED", 1),
        (308, "ACCOUNT_MOVED", 1),
        (400, "CLINIKO_UNEXPECTED_ANSWER", 1),
        (404, "CLINIKO_UNEXPECTED_ANSWER", 1),
        (414, "CLINIKO_UNEXPECTED_ANSWER", 1),
        (422, "CLINIKO_UNEXPECTED_ANSWER", 1),
        (500, "CLINIKO_UNREACHABLE", 3),
        (502, "CLINIKO_UNREACHABLE", 3),
        (503, "CLINIKO_UNREACHABLE", 3),
        (504, "CLINIKO_UNREACHABLE", 3),
        (429, "CLINIKO_UNREACHABLE", 4),
    ],
)
async def test_each_status_ends_as_the_design_says(
    make_client: MakeClient, status: int, code: str, requests: int
) -> None:
    """Permanent errors end at once, others after three attempts, a rate limit after a few more."""
    async with (
        RawServer(lambda _n, _head: http(status, b"Zofia", Location="http://127.0.0.1:1/v1")) as server,
        make_client(server.base_url, api_key=KEY) as client,
    ):
        with pytest.raises(ClinikoError) as caught:
            await get(client)
    assert caught.value.code == code
    assert len(server.heads) == requests
    assert caught.value.detail == f"status {status}"
    assert "Zofia" not in "".join(traceback.format_exception(caught.value))
    if status not in {401, 301, 302, 307, 308}:
        assert "the list of patients" in caught.value.message


async def test_requests_are_counted_by_list(make_client: MakeClient) -> None:
    """A receipt says how many requests each list took; repeated ones count, and so does the time waited for them."""
    async with (
        RawServer(lambda n, _head: http(503 if n == 1 else 200, GOOD)) as server,
        make_client(server.base_url, backoff=Backoff(base_seconds=0.05)) as client,
    ):
        await get(client)
        await client.ask("practitioners/inactive", where="")
    assert dict(client.requests) == {"patients": 2, "practitioners/inactive": 1}
    assert 0.03 < client.waited_seconds < 5


async def test_the_time_of_the_first_answer_is_remembered(make_client: MakeClient) -> None:
    """A server whose clock is wrong must not miss changes, so Cliniko's own time is known before anything is read."""
    dates = ["", "garbage", "Sun, 22 Dec 2024 14:30:00 GMT", "Sun, 22 Dec 2024 14:31:00 GMT"]
    async with (
        RawServer(lambda n, _head: http(200, GOOD, **({"Date": dates[n - 1]} if dates[n - 1] else {}))) as server,
        make_client(server.base_url) as client,
    ):
        seen = []
        for _ in dates:
            await get(client)
            seen.append(client.server_date)
    first = datetime(2024, 12, 22, 14, 30, tzinfo=UTC)
    assert seen == [None, None, first, first]


async def test_403_is_asked_again_and_then_explained(make_client: MakeClient) -> None:
    """Two 403 are retried; after more, another request shows whether Cliniko denies this list or everything."""
    for times, allowed, code in (
        (2, "", ""),
        (99, "settings/public", "KEY_LACKS_PERMISSION"),
        (99, "", "CLINIKO_UNREACHABLE"),
    ):

        def reply(number: int, head: str, times: int = times, allowed: str = allowed) -> bytes:
            fine = number > times or (allowed and allowed in head)
            return http(200, GOOD) if fine else http(403, b"<html>Zofia</html>")

        async with RawServer(reply) as server, make_client(server.base_url, max_attempts=1, api_key=KEY) as client:
            if not code:
                assert await get(client) == GOOD
                assert len(server.heads) == 3
                continue
            with pytest.raises(ClinikoError) as caught:
                await get(client)
        assert caught.value.code == code
        assert ["settings/public" in head for head in server.heads] == [False, False, False, True]
        assert caught.value.__context__ is None
        assert "Zofia" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (402, ["payment", "subscription"]),
        (401, ["refused", "another region", "“Allow yourself to create and use API keys”", "My Info"]),
    ],
)
async def test_a_refusal_comes_with_advice(make_client: MakeClient, status: int, says: list[str]) -> None:
    """The failure says where in Cliniko to look."""
    async with RawServer(lambda _n, _head: http(status)) as server, make_client(server.base_url) as client:
        with pytest.raises(ClinikoError) as caught:
            await get(client)
    assert [text for text in says if text not in f"{caught.value.message} {caught.value.what_to_do}"] == []


@pytest.mark.parametrize(
    "page",
    [
        http(200, b"<html>Sign in</html>"),
        http(200, b"\n <!DOCTYPE html><title>Blocked</title>"),
        http(200, b"Please sign in", Content_Type="text/html; charset=utf-8"),
        http(203, b"", Content_Type="Text/HTML"),
    ],
    ids=range(4),
)
async def test_a_web_page_means_that_something_is_in_between(make_client: MakeClient, page: bytes) -> None:
    """A hotel's sign-in page or a company's proxy is named as the cause, after retries."""
    async with (
        RawServer(lambda n, _head: page if n < 3 else http(200, GOOD)) as server,
        make_client(server.base_url) as client,
    ):
        assert await get(client) == GOOD
    async with RawServer(lambda _n, _head: page) as server, make_client(server.base_url) as client:
        with pytest.raises(ClinikoError, match="A web page arrived instead of Cliniko's answer") as caught:
            await get(client)
    assert caught.value.code == "CLINIKO_UNEXPECTED_ANSWER"
    assert "proxy" in caught.value.what_to_do


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"garbage\r\n\r\n",
        http(200, b'{"fine": true}')[:-4],
        http(200, b'{"fine": tr'),
        http(200, b"<html>Sorry</html>"),
        http(200, [1, 2]),
        http(200, b"null"),
        http(200, b""),
        http(204),
        http(200, b"[" * 100_000),
        http(200, b'{"a":' + b"1" * 10_000 + b"}"),
        http(200, b"\xff\xfe\xfd"),
        http(200, b"not gzip", Content_Encoding="gzip"),
        http(500, b"oops"),
        http(429, b"", X_RateLimit_Reset="1", Date=formatdate(usegmt=True)),
    ],
    ids=range(16),
)
async def test_a_broken_answer_is_asked_for_again(make_client: MakeClient, broken: bytes) -> None:
    """Dropped, cut or garbled responses are retried; if they stay, the sync ends with a sentence."""
    async with (
        RawServer(lambda n, _head: broken if n < 3 else http(200, GOOD)) as server,
        make_client(server.base_url) as client,
    ):
        assert await get(client) == GOOD
        assert len(server.heads) == 3
    async with RawServer(lambda _n, _head: broken) as server, make_client(server.base_url) as client:
        with pytest.raises(ClinikoError) as caught:
            await get(client)
    assert caught.value.code in {"CLINIKO_UNREACHABLE", "CLINIKO_UNEXPECTED_ANSWER"}
    assert caught.value.what_to_do


async def test_a_host_that_is_down_is_unreachable(make_client: MakeClient) -> None:
    """A host that is down is reported as unreachable."""
    async with RawServer(lambda _n, _head: b"") as server:
        pass
    outcomes: list[str] = []
    async with make_client(server.base_url, on_request=outcomes.append) as client:
        with pytest.raises(ClinikoError) as caught:
            await get(client)
    assert caught.value.code == "CLINIKO_UNREACHABLE"
    assert outcomes == ["no_answer"] * 3


@pytest.mark.parametrize("dripping", [False, True])
async def test_an_answer_that_never_comes_ends_by_itself(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, dripping: bool
) -> None:
    """Neither silence nor a slow trickle of bytes can keep a sync waiting forever."""
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.1)

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while dripping:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outcomes: list[str] = []
    async with make_client(f"http://127.0.0.1:{port}/v1", read_timeout=0.1, on_request=outcomes.append) as client:
        with pytest.raises(ClinikoError) as caught:
            await get(client)
    server.close()
    await server.wait_closed()
    assert caught.value.code == "CLINIKO_UNREACHABLE"
    assert outcomes == ["timed_out"] * 3


async def test_an_answer_without_end_cannot_fill_the_memory(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body larger than any page is not read to its end, even if it grows only by decompression."""
    monkeypatch.setattr(transport, "MAX_BODY_BYTES", 100_000)
    bomb = http(200, gzip.compress(b'{"a":"' + b"x" * 10_000_000 + b'"}'), Content_Encoding="gzip")
    async with RawServer(lambda _n, _head: bomb) as server, make_client(server.base_url) as client:
        with pytest.raises(ClinikoError) as caught:
            await get(client)
    assert caught.value.code == "CLINIKO_UNEXPECTED_ANSWER"


async def test_a_redirect_is_not_followed(make_client: MakeClient) -> None:
    """The key is never sent to an address from a response."""
    async with RawServer(lambda _n, _head: http(200, GOOD)) as other:
        async with (
            RawServer(lambda _n, _head: http(302, Location=other.base_url)) as server,
            make_client(server.base_url) as client,
        ):
            with pytest.raises(ClinikoError, match="another address"):
                await get(client)
        assert other.heads == []


async def test_the_key_is_in_no_error_log_or_repr(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    """The clinic's key appears in no error, log or repr, neither plain nor encoded."""
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    for reply in (http(200, b"<html>"), http(401), http(503), http(302, Location="http://x"), b""):
        async with (
            RawServer(lambda _n, _head, reply=reply: reply) as server,
            make_client(server.base_url, api_key=KEY) as client,
        ):
            with pytest.raises(ClinikoError) as caught:
                await get(client)
            error = caught.value
            texts += traceback.TracebackException.from_exception(error, capture_locals=True).format()
            texts += [repr(client), repr(error), str(error), error.message, error.what_to_do, error.detail]
            assert error.__context__ is None
    texts += [record.getMessage() for record in caplog.records]
    for secret in ("secret", KEY, "MS0xLX", "TVMweExYT"):
        assert secret not in "".join(texts).replace("test_the_key_is_in_no_error", "")


async def test_each_long_wait_is_announced_and_a_cancel_ends_it_without_another_request(
    make_client: MakeClient,
) -> None:
    """A long wait is announced; a cancellation takes effect at once, without another request to Cliniko."""
    told = NotedWaits()
    slow = Backoff(base_seconds=30)
    for status, message in [(503, "Cliniko answered with an error, trying again in"), (429, "Waiting for Cliniko's")]:
        answer = http(status, X_RateLimit_Reset="1734877823", Date="Sun, 22 Dec 2024 14:30:00 GMT")
        async with (
            RawServer(lambda _n, _head, answer=answer: answer) as server,
            make_client(server.base_url, backoff=slow, on_wait=told) as client,
        ):
            task = asyncio.create_task(get(client))
            async with asyncio.timeout(LIMIT_SECONDS):
                wait = await told.begun.get()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert wait.message.startswith(message)
            assert wait.seconds > 20
        assert len(server.heads) == 1
        if status == 503:
            assert wait.message.endswith("(attempt 2 of 3)")
        else:
            assert wait.message == "Waiting for Cliniko's rate limit, resuming in 23 s"


@pytest.mark.parametrize(("asked", "least"), [("0.01", 0.75 * (0.1 + 0.2)), ("0.3", 0.3 + 0.3)])
async def test_a_wait_that_an_answer_asks_for_is_the_least(make_client: MakeClient, asked: str, least: float) -> None:
    """A busy Cliniko that asks for a short wait again and again gets longer and longer ones."""
    answer = http(503, Retry_After=asked)
    async with (
        RawServer(lambda _n, _head: answer) as server,
        make_client(server.base_url, backoff=Backoff(base_seconds=0.1), max_attempts=3) as client,
    ):
        with pytest.raises(ClinikoError):
            await get(client)
        assert client.waited_seconds >= least
    assert len(server.heads) == 3


async def test_a_cancel_ends_a_request_in_flight(make_client: MakeClient) -> None:
    """A hanging response does not delay a cancellation."""
    asked = asyncio.Event()

    async def hang() -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    async with RawServer(lambda _n, _head: hang()) as server, make_client(server.base_url) as client:
        task = asyncio.create_task(get(client))
        async with asyncio.timeout(LIMIT_SECONDS):
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert len(server.heads) == 1


async def test_an_error_in_the_announcement_ends_the_request(make_client: MakeClient) -> None:
    """If a wait can't be announced, because another process runs the sync now, it is skipped and the request ends."""

    @asynccontextmanager
    async def refuse(_wait: Wait) -> AsyncIterator[None]:
        raise KeyError("not ours")
        yield

    async with (
        RawServer(lambda _n, _head: http(503)) as server,
        make_client(server.base_url, backoff=Backoff(base_seconds=30), on_wait=refuse) as client,
    ):
        with pytest.raises(KeyError):
            await get(client)
    assert len(server.heads) == 1


def test_a_client_refuses_unsafe_settings(make_client: MakeClient) -> None:
    """The client refuses unencrypted keys, malformed contacts and unpaced requests to the real Cliniko."""
    with pytest.raises(ValueError, match="base URL"):
        make_client("http://api.au1.cliniko.com/v1", pacer=Pacer(180))
    with pytest.raises(ValueError, match="pacing"):
        make_client("https://api.au1.cliniko.com/v1")
    with pytest.raises(ValueError, match="e-mail"):
        make_client("http://127.0.0.1:1/v1", contact_email="a@b\r\nX: y")
    make_client("https://api.au1.cliniko.com/v1", pacer=Pacer(180))
