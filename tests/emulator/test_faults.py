"""Every fault does what its name says, to the matching requests only."""

import json
from dataclasses import replace
from email.utils import parsedate_to_datetime

import httpx
import pytest

from routiq_gql.emulator import Clinic, Emulator, Fault, FaultKind, RecordedRequest
from tests.emulator.conftest import NOW, Serve
from tests.waiting import LIMIT_SECONDS

_BY_KEY = [("sort", "id"), ("per_page", "5"), ("q[]", "id:>10")]


async def ask(client: httpx.AsyncClient, resource: str = "patients") -> httpx.Response:
    """The second part of a list, read by id."""
    return await client.get(f"/{resource}", params=_BY_KEY)


def ids(response: httpx.Response) -> list[str]:
    """The ids on a page of patients."""
    return [row["id"] for row in response.json()["patients"]]


_RIGHT = ["82", "101", "102", "1000", "9007199254740992"]


@pytest.mark.parametrize(
    ("kind", "status", "media_type"),
    [
        ("status_500", 500, "application/json"),
        ("status_502_html", 502, "text/html; charset=utf-8"),
        ("status_503", 503, "text/plain; charset=utf-8"),
        ("status_504", 504, "text/html; charset=utf-8"),
        ("status_401", 401, "application/json"),
        ("status_403", 403, "application/json"),
        ("refuse_sort", 400, "application/json"),
        ("refuse_id_filter", 400, "application/json"),
        ("html_200", 200, "text/html; charset=utf-8"),
        ("cut_json", 200, "application/json"),
        ("wrong_shape_json", 200, "application/json"),
        ("rate_limit", 429, "application/json"),
        ("redirect", 301, "application/json"),
    ],
)
async def test_a_wrong_answer_comes_once_and_then_the_right_one(
    clinic: Clinic, serve: Serve, kind: str, status: int, media_type: str
) -> None:
    """A temporary fault affects one response; the same request then succeeds."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind(kind), resource="patients"))
    wrong = await ask(client)
    assert (wrong.status_code, wrong.headers["content-type"]) == (status, media_type)
    assert len(wrong.headers.get_list("date")) == 1
    right = await ask(client)
    assert ids(right) == _RIGHT
    assert [request.status for request in emulator.requests] == [status, 200]


@pytest.mark.parametrize("kind", ["drop_before", "drop_inside"])
async def test_a_dropped_connection_is_no_answer(clinic: Clinic, serve: Serve, kind: str) -> None:
    """The client only notices a broken connection; a new connection works."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    await ask(client)
    emulator.faults.add(Fault(FaultKind(kind)))
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await ask(client)
    assert ids(await ask(client)) == _RIGHT


async def test_a_connection_dropped_inside_has_sent_its_head(clinic: Clinic, serve: Serve) -> None:
    """Status 200 and half of the announced body arrive before the connection breaks."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.DROP_INSIDE))
    received = b""
    async with client.stream("GET", "/patients", params=_BY_KEY) as response:
        assert response.status_code == 200
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            async for part in response.aiter_raw():
                received += part
    assert 0 < len(received) < int(response.headers["content-length"])


async def test_slow_answers_are_right_and_hanging_ones_never_come(clinic: Clinic, serve: Serve) -> None:
    """Slow responses arrive late; hanging responses last until the client gives up."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.SLOW, seconds=0.1), Fault(FaultKind.HANG, request_number=2))
    slow = await ask(client)
    assert ids(slow) == _RIGHT
    assert slow.elapsed.total_seconds() >= 0.1
    with pytest.raises(httpx.ReadTimeout):
        await client.get("/patients", params=_BY_KEY, timeout=httpx.Timeout(LIMIT_SECONDS, read=0.1))
    assert ids(await ask(client)) == _RIGHT


async def test_a_cut_answer_is_half_of_the_right_one(clinic: Clinic, serve: Serve) -> None:
    """A truncated response is complete HTTP, but its JSON ends too early."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.CUT_JSON))
    cut, right = (await ask(client)).content, (await ask(client)).content
    assert right.startswith(cut)
    assert len(cut) == len(right) // 2
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(FaultKind.REPEAT_PAGE), ["9", "10", "82", "101", "102"]),
        (Fault(FaultKind.REPEAT_ROW), ["82", "101", "102", "1000", "1000"]),
        (Fault(FaultKind.JUMP, rows=2), ["102", "1000", "9007199254740992", "9007199254740993", "514810976034364378"]),
        (Fault(FaultKind.SHORT_PAGE, rows=2), ["82", "101", "102"]),
        (Fault(FaultKind.FOREIGN_LINK), _RIGHT),
    ],
)
async def test_wrong_rows_look_like_a_right_answer(
    clinic: Clinic, serve: Serve, fault: Fault, expected: list[str]
) -> None:
    """Lists with repeated, skipped or missing rows keep the documented shape."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(fault)
    wrong = await ask(client)
    assert ids(wrong) == expected
    assert wrong.json()["total_entries"] == (24 if fault.kind is FaultKind.REPEAT_PAGE else 22)
    host = "https://api.zz9.cliniko.invalid/v1" if fault.kind is FaultKind.FOREIGN_LINK else str(client.base_url)
    assert wrong.json()["links"]["next"].startswith(f"{host.rstrip('/')}/patients?")
    assert ids(await ask(client)) == _RIGHT


@pytest.mark.parametrize("rows", [1, 3, 50])
async def test_rows_may_be_odd(clinic: Clinic, serve: Serve, rows: int) -> None:
    """The last rows of a list are odd: without id, without start, with few fields, or with odd values."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    name = "individual_appointments"
    right = (await ask(client, name)).json()[name]
    kept = max(0, len(right) - rows)
    for kind, lacks in ((FaultKind.WRONG_SHAPE_ROW, "id"), (FaultKind.ROW_WITHOUT_START, "starts_at")):
        emulator.faults.add(Fault(kind, rows=rows))
        found = (await ask(client, name)).json()[name]
        assert found == [*right[:kept], *({n: r[n] for n in r if n != lacks} for r in right[kept:])]
    emulator.faults.add(Fault(FaultKind.BARE_ROW, rows=rows), Fault(FaultKind.ODD_ROW, rows=rows))
    bare, odd = [(await ask(client, name)).json()[name] for _ in range(2)]
    assert bare == [*right[:kept], *({n: r[n] for n in ("id", "starts_at")} for r in right[kept:])]
    for before, after in zip(right[kept:], odd[kept:], strict=True):
        assert before.keys() == after.keys()
        same = {n for n in before if type(before[n]) is type(after[n])}
        assert same == {"id", "starts_at"}


async def test_a_total_may_be_wrong(clinic: Clinic, serve: Serve) -> None:
    """The total is outdated, as from a cache, but the rows are correct."""
    client = await serve(emulator := Emulator(clinic))
    right = (await ask(client)).json()
    emulator.faults.add(Fault(FaultKind.WRONG_TOTAL, rows=-2))
    assert (await ask(client)).json() == {**right, "total_entries": right["total_entries"] - 2}


async def test_the_reset_of_a_rate_limit_goes_by_the_answers_own_clock(clinic: Clinic, serve: Serve) -> None:
    """If the server's clock is wrong, `Date` and reset are wrong together."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.RATE_LIMIT, seconds=23, clock_skew_seconds=-86_400))
    refused = await ask(client)
    date = parsedate_to_datetime(refused.headers["date"]).timestamp()
    assert abs(int(refused.headers["x-ratelimit-reset"]) - date - 23) <= 1
    right = parsedate_to_datetime((await ask(client)).headers["date"]).timestamp()
    assert right - date > 80_000


async def test_a_fault_concerns_its_list_and_its_request_number(clinic: Clinic, serve: Serve) -> None:
    """The third request for patients fails, and no other request."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    await ask(client)
    emulator.faults.add(Fault(FaultKind.STATUS_500, resource="patients", request_number=3, times=2))
    asked = ["patients", "attendees", "patients", "attendees", "patients", "attendees", "patients", "patients"]
    statuses = [(await ask(client, resource)).status_code for resource in asked]
    assert statuses == [200, 200, 200, 200, 500, 200, 500, 200]


async def test_a_lasting_fault_lasts_until_it_is_cleared(clinic: Clinic, serve: Serve) -> None:
    """From the second request on every response is wrong; a range of requests ends by itself."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.STATUS_503, request_number=2, times=None))
    assert [(await ask(client)).status_code for _ in range(4)] == [200, 503, 503, 503]
    assert emulator.faults.listed() == [(Fault(FaultKind.STATUS_503, request_number=2, times=None), 3)]
    emulator.faults.clear()
    emulator.faults.add(Fault(FaultKind.STATUS_503, request_number=2, until_request_number=3, times=None))
    assert [(await ask(client)).status_code for _ in range(5)] == [200, 503, 503, 200, 200]


async def test_the_first_fault_wins_and_the_next_one_follows(clinic: Clinic, serve: Serve) -> None:
    """Two active faults affect two requests, one each."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.STATUS_500), Fault(FaultKind.STATUS_503))
    assert [(await ask(client)).status_code for _ in range(3)] == [500, 503, 200]


async def test_long_pages_can_be_too_long(clinic: Clinic, serve: Serve) -> None:
    """Requests for more than 50 rows get 504, so a smaller page succeeds."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.STATUS_504, only_above_per_page=50, times=None))
    statuses = [
        (await client.get("/patients", params={"per_page": size})).status_code for size in ("100", "51", "50", "1")
    ]
    assert statuses == [504, 504, 200, 200]
    assert (await client.get("/patients")).status_code == 200


async def test_refusals_affect_only_matching_requests(clinic: Clinic, serve: Serve) -> None:
    """A list that can't be sorted by id still works in its default order."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(
        Fault(FaultKind.REFUSE_SORT, times=None),
        Fault(FaultKind.REFUSE_ID_FILTER, times=None, resource="attendees", status=422),
    )
    queries: list[tuple[str, dict[str, str], int]] = [
        ("patients", {"sort": "id"}, 400),
        ("patients", {"sort": "created_at,id:desc"}, 400),
        ("patients", {"sort": "created_at"}, 200),
        ("patients", {"q[]": "id:>5"}, 200),
        ("attendees", {"q[]": "id:>5"}, 422),
        ("attendees", {"q[]": "booking_id:=95"}, 200),
    ]
    for resource, query, status in queries:
        assert (await client.get(f"/{resource}", params=query)).status_code == status


async def test_faults_reach_settings_and_user_too(clinic: Clinic, serve: Serve) -> None:
    """Checking a key can fail like any other request."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.REDIRECT, resource="settings", location="https://api.uk2.cliniko.invalid/v1"))
    emulator.faults.add(Fault(FaultKind.WRONG_SHAPE_JSON, resource="user"))
    moved = await client.get("/settings/public")
    assert (moved.status_code, moved.headers["location"]) == (301, "https://api.uk2.cliniko.invalid/v1")
    assert "role" not in (await client.get("/user")).json()
    assert (await client.get("/user")).json()["role"] == "administrator"


async def test_the_hook_is_called_once_per_request_whatever_happens(clinic: Clinic, serve: Serve) -> None:
    """The hook is also called for a request without a response."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    seen: list[RecordedRequest] = []
    emulator.after_request = lambda request: seen.append(replace(request))
    emulator.faults.add(Fault(FaultKind.DROP_BEFORE, request_number=2))
    await ask(client)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await ask(client)
    await ask(client)
    assert [request.status for request in seen] == [200, None, 200]


_CHANGED = [("q[]", "updated_at:>=2024-01-01T00:00:00Z"), ("q[]", "archived_at:*")]


@pytest.mark.parametrize("part", ["updated_at", "archived_at", "*", ">=", "updated_at:>=", "archived_at:*"])
async def test_a_single_filter_can_be_refused(clinic: Clinic, serve: Serve, part: str) -> None:
    """A field, an operator or both are refused in every request with them, and other requests pass."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.REFUSE_FILTER, resource="patients", times=None, filter=part, status=422))
    for _ in range(2):
        assert (await client.get("/patients", params=_CHANGED)).status_code == 422
        assert (await client.get("/attendees", params=_CHANGED)).status_code == 200
        assert (await ask(client)).status_code == 200
    assert emulator.faults.listed()[0][1] == 2


def test_a_refused_filter_must_be_named() -> None:
    """A fault that refuses a filter says which, and no other fault does."""
    with pytest.raises(ValueError, match="needs a filter"):
        Fault(FaultKind.REFUSE_FILTER)
    with pytest.raises(ValueError, match="needs a filter"):
        Fault(FaultKind.SLOW, filter="*")


async def test_long_lists_of_values_can_be_refused(clinic: Clinic, serve: Serve) -> None:
    """Requests for more bookings than the limit get 414, and requests for fewer pass."""
    emulator = Emulator(clinic)
    client = await serve(emulator)
    emulator.faults.add(Fault(FaultKind.REFUSE_MANY_VALUES, times=None, rows=3, status=414))
    for count, status in ((4, 414), (3, 200), (1, 200), (200, 414)):
        query = {"q[]": f"booking_id:={','.join(map(str, range(1, count + 1)))}"}
        assert (await client.get("/attendees", params=query)).status_code == status


async def test_the_date_of_responses_can_be_wrong_or_missing(clinic: Clinic, serve: Serve) -> None:
    """One response, or all, have a Date that is minutes off; a response may have none."""
    clinic.clock.stop_at(NOW)
    emulator = Emulator(clinic)
    client = await serve(emulator)

    async def minutes_off() -> float | None:
        response = await ask(client)
        assert ids(response) == _RIGHT
        date = response.headers.get("date")
        return None if date is None else (parsedate_to_datetime(date) - NOW).total_seconds() / 60

    assert await minutes_off() == 0
    emulator.date_skew_seconds = 900
    assert await minutes_off() == 15
    emulator.faults.add(
        Fault(FaultKind.WRONG_DATE, clock_skew_seconds=-1200), Fault(FaultKind.NO_DATE, request_number=2)
    )
    assert [await minutes_off() for _ in range(3)] == [-5, None, 15]
