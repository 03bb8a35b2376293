"""Patients over REST: pages of a list, with strict parameters, for viewers who may read patients."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from routiq_gql.clock import utc_now
from routiq_gql.emulator import Issuer
from routiq_gql.patients.read_sync import NO_LISTS
from routiq_gql.security.viewer import LOCAL_OPERATOR, Right
from routiq_gql.settings import Settings
from tests.issuing import OURS, THEIRS, bearer, jwt_settings
from tests.organization import ORGANIZATION
from tests.patients.clinics import NOW
from tests.patients.small_clinic import PEOPLE, listed
from tests.server import Server
from tests.waiting import until

PATH = "/api/v1/patients/"


async def get(server: Server, path: str = ORGANIZATION, **parameters: Any) -> dict[str, Any]:
    answer = await server.http.get(PATH + path, params=parameters)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def names(page: dict[str, Any]) -> list[str]:
    return [one["name"] for one in page["patients"]]


@pytest.mark.both_databases
async def test_a_page_has_the_patients_of_the_list_with_the_reason(bare_server: Server):
    """A program gets the active patients with their appointments and the sentence why, as of the published sync."""
    clinic = await listed(bare_server)
    page = await get(bare_server)
    zoe = page["patients"].pop(1)
    assert names(page) == ["Ben Aalto", "Dora Cruz"]
    assert (page["organization_id"], page["list"], page["as_of"]) == (ORGANIZATION, "active", clinic.sync_ids[0])
    assert (page["total_count"], page["time_zone"], page["title"]) == (3, "Australia/Sydney", "Active patients")
    assert (page["next_cursor"], page["previous_cursor"]) == (None, None)
    assert (zoe["id"], zoe["cliniko_id"], zoe["phone"]) == (f"patient:{ORGANIZATION}:11", "11", "+61 491 570 156")
    assert zoe["last_appointment"] == {
        "starts_at": "2026-06-28T09:30:15.123Z",
        "ends_at": "2026-06-28T10:15:15.123Z",
        "type": "Pilates class",
        "practitioner": {"id": "501", "name": "Dr Sana Malik"},
        "is_class": True,
    }
    assert zoe["next_appointment"]["practitioner"] == {"id": "502", "name": "Tom Ode"}
    assert (zoe["visits"], zoe["missed_appointments"], zoe["booked_appointments"]) == (2, 1, 1)
    assert zoe["why"]["is_member"] is True
    assert zoe["why"]["sentence"]
    assert {"all", "active", "recent", "upcoming"} <= set(zoe["lists"])


async def test_a_misspelled_or_repeated_parameter_is_refused(bare_server: Server):
    """A program that writes “serach” gets an error with the known names, not every patient, nor its own text."""
    await listed(bare_server)
    for path, query, expected in (
        (ORGANIZATION, "serach=zoe", "A parameter is unknown here. Known ones are: list, search,"),
        (ORGANIZATION, "practitionerId=501&asOf=x", "2 parameters are unknown here."),
        (ORGANIZATION, "list=active&list=all", "“list” occurs several times. Send it once."),
        (f"{ORGANIZATION}/export", "first=1", "Known ones are: format, list, search, practitioner_id, sort, as_of."),
    ):
        answer = await bare_server.http.get(f"{PATH}{path}?{query}")
        assert answer.status_code == 400, answer.text
        assert answer.json()["code"] == "BAD_REQUEST"
        assert expected in answer.json()["detail"]
        assert "zoe" not in answer.text


@pytest.mark.both_databases
async def test_lists_are_searched_filtered_sorted_and_paged(bare_server: Server):
    """Search, practitioner, sort and cursors of the address select the page; empty parameters are like none."""
    await listed(bare_server)
    assert names(await get(bare_server, list="all", sort="name_desc")) == [
        *("Dora Cruz", "Cleo Berg", "Zoë Ångström", "Ben Aalto"),
    ]
    assert names(await get(bare_server, list="all", search="ANGSTROM zoe")) == ["Zoë Ångström"]
    assert names(await get(bare_server, list="all", search="0491 570")) == ["Zoë Ångström"]
    assert names(await get(bare_server, list="all", practitioner_id="502")) == ["Ben Aalto", "Zoë Ångström"]
    everyone = names(await get(bare_server, list="all"))
    empty = dict.fromkeys(("search", "practitioner_id", "sort", "first", "after", "last", "before", "as_of"), "")
    assert names(await get(bare_server, list="all", **empty)) == everyone
    found: list[str] = []
    after = ""
    while after is not None:
        page = await get(bare_server, list="all", first=1, after=after)
        found += names(page)
        after = page["next_cursor"]
    assert found == everyone
    back = await get(bare_server, list="all", last=2, before=page["previous_cursor"])
    assert names(back) == everyone[1:3]


@pytest.mark.both_databases
async def test_a_page_as_of_an_earlier_sync(bare_server: Server):
    """A kept sync can be asked for; a sync that is unknown or another organization's is refused."""
    clinic = await listed(bare_server)
    await clinic.sync(PEOPLE[:1], NOW + timedelta(minutes=30), completed_at=utc_now())
    assert names(await get(bare_server)) == ["Zoë Ångström"]
    earlier = await get(bare_server, as_of=clinic.sync_ids[0])
    assert names(earlier) == ["Ben Aalto", "Zoë Ångström", "Dora Cruz"]
    assert earlier["patients"][0]["id"] == f"asof:{clinic.sync_ids[0]}:patient:{ORGANIZATION}:12"
    other = await listed(bare_server, "org_other")
    for as_of in (other.sync_ids[0], "sync_unknown", "x" * 500):
        answer = await bare_server.http.get(PATH + ORGANIZATION, params={"as_of": as_of})
        assert (answer.status_code, answer.json()["code"]) == (422, "BAD_USER_INPUT")


@pytest.mark.parametrize("route", ["", "/export"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("list", value) for value in ("ACTIVE", "inactive-", "0", " active-")),
        *(("sort", value) for value in ("NAME", "by-age", "-name")),
        *(("practitioner_id", value) for value in ("0", "-1", "1.5", "x", "9" * 20, "٣")),
        *(("as_of", value) for value in ("sync_x", "\0", "1")),
        ("search", "x" * 101),
    ],
)
async def test_a_wrong_parameter_is_refused_with_a_sentence(bare_server: Server, route: str, name: str, value: str):
    """The sentence names the parameter, and repeats nothing that was sent."""
    await listed(bare_server)
    answer = await bare_server.http.get(PATH + ORGANIZATION + route, params={name: value})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    problem = answer.json()
    assert (problem["code"], name in problem["detail"]) == ("BAD_USER_INPUT", True)
    assert value not in problem["detail"] or len(value) <= 1


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"first": "0"}, "first"),
        ({"first": "201"}, "first"),
        ({"first": "+5"}, "first"),
        ({"last": "1e2"}, "last"),
        ({"first": "5", "last": "5"}, "first"),
        ({"after": "x"}, "after"),
        ({"before": "x" * 500, "last": "1"}, "before"),
    ],
)
async def test_a_wrong_page_is_refused(bare_server: Server, parameters: dict[str, str], named: str):
    """Sizes are 1 to 200, and cursors are those of earlier pages."""
    await listed(bare_server)
    answer = await bare_server.http.get(PATH + ORGANIZATION, params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_USER_INPUT")
    assert f"“{named}”" in answer.json()["detail"]


@pytest.mark.both_databases
async def test_any_search_is_answered(bare_server: Server):
    """Wildcards and control characters of a search stand for themselves, on every database."""
    await listed(bare_server)
    for wrong in ({"search": "a\0"}, {"as_of": "sync_\0"}):
        assert (await bare_server.http.get(PATH + ORGANIZATION, params=wrong)).status_code == 422
    for search in ("%", "_", "\\", "'", '"', "\0", "\n", "%00", "\ud800"):
        query = httpx.QueryParams({"search": search.encode("utf-8", "surrogatepass").decode("utf-8", "replace")})
        answer = await bare_server.http.get(PATH + ORGANIZATION, params=query)
        assert answer.status_code in {200, 422}, answer.text
        if search in "%_\\'\"":
            assert answer.json()["patients"] == []


async def test_an_organization_without_lists_says_what_to_do(bare_server: Server):
    """An unknown organization has no lists, and the answer says what to do."""
    for route in ("", "/export"):
        answer = await bare_server.http.get(PATH + "org_new" + route)
        assert (answer.status_code, answer.json()["code"]) == (422, "BAD_USER_INPUT")
        assert "There is no such organization" in answer.json()["detail"]
        assert (await bare_server.http.get(PATH + "a.b" + route)).status_code == 422


async def test_an_organization_that_is_not_connected_is_first_to_be_connected(server: Server):
    """Where a sync can only fail, the advice is to connect the organization, and not to start a sync."""
    await server.until_ended(await server.start_sync("org_nope"))
    answer = await server.http.get(PATH + "org_nope")
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_USER_INPUT")
    assert answer.json()["detail"] == (
        "There are no patient lists yet. This organization is not connected to Cliniko. Connect it with a Cliniko API "
        "key: routiq-gql connect org_nope"
    )
    connected = await server.http.get(PATH + ORGANIZATION)
    assert connected.json()["detail"] == NO_LISTS
    await server.runtime.connections.disconnect(LOCAL_OPERATOR, ORGANIZATION)
    assert "is switched off. Connect it again" in (await server.http.get(PATH + ORGANIZATION)).json()["detail"]


@pytest.mark.parametrize("route", ["", "/export"])
async def test_patients_are_for_members_who_may_read_them(settings: Settings, issuer: Issuer, route: str):
    """A stranger, another organization's member, a member without the right and a stream token get nothing."""
    async with Server(jwt_settings(settings, issuer, patient_roles=("admin",))) as server:
        clinic = await listed(server, OURS)
        allowed = issuer.token(OURS, role="admin", subject="user_ann")
        for name, headers, status in [
            (OURS, {}, 401),
            (OURS, bearer("garbage"), 401),
            (OURS, bearer(issuer.token(OURS, role="admin", lifetime_seconds=-60)), 401),
            (OURS, bearer(issuer.token(THEIRS, role="admin")), 403),
            (THEIRS, bearer(allowed), 403),
            (OURS, bearer(issuer.token(OURS, role="member")), 403),
            (OURS, bearer(allowed), 200),
        ]:
            answer = await server.http.get(PATH + name + route, headers=headers)
            assert answer.status_code == status, (name, answer.text)
            if status != 200:
                assert "Zoë" not in answer.text
                assert "total_count" not in answer.text
        made = await server.http.post(
            "/graphql",
            json={"query": f'mutation {{ createStreamToken(syncId: "{clinic.sync_ids[0]}") {{ token }} }}'},
            headers=bearer(allowed),
        )
        token = made.json().get("data", {}).get("createStreamToken", {}) or {}
        for headers in ({}, bearer(token.get("token", "none"))):
            answer = await server.http.get(
                PATH + OURS + route, params={"token": token.get("token", "none")}, headers=headers
            )
            assert answer.status_code == 401
        await server.runtime.audit.close()
        entries = await server.runtime.audit.entries(100)
        action = "export" if route else "patients"
        assert [(one.action, one.outcome, one.subject, one.list, one.count) for one in entries if one.list] == [
            (action, "DONE", "user_ann", "active", 3)
        ]
        refused = [one for one in entries if (one.action, one.outcome) == (action, "FORBIDDEN")]
        assert {one.organization_id for one in refused} == {None, OURS}, "another organization is not named"


async def test_every_answer_is_read_and_recorded(bare_server: Server):
    """Equal requests are answered anew, so that the audit log counts each; no cache may store an answer."""
    await listed(bare_server)
    for _ in range(3):
        answer = await bare_server.http.get(PATH + ORGANIZATION)
        assert answer.headers["cache-control"] == "no-store"
    await bare_server.runtime.audit.close()
    (entry,) = await bare_server.runtime.audit.entries(10)
    assert (entry.times, entry.count, entry.list) == (3, 9, "active")


async def test_the_search_and_the_names_are_in_no_log(bare_server: Server):
    """Neither the address with its search nor a patient's name reaches a log line or the audit log."""
    await listed(bare_server)
    with capture_logs() as lines:
        for route in ("", "/export"):
            await bare_server.http.get(PATH + ORGANIZATION + route, params={"search": "Ångström", "list": "all"})
            await bare_server.http.get(PATH + ORGANIZATION + route, params={"search": "Ångström", "list": "wrong"})
        await until(lambda: len([line for line in lines if line["event"] == "request_ended"]) == 4)
    await bare_server.runtime.audit.close()
    entries = await bare_server.runtime.audit.entries(10)
    metrics = (await bare_server.http.get("/metrics")).text
    assert len(entries) == 2
    for private in ("ngstr", "Zo", "zoe@"):
        assert private not in f"{lines} {entries} {metrics}"


def test_the_right_has_a_setting():
    """The right exists under the name that tokens and settings use."""
    assert Right.PATIENTS.value == "patients"
