"""Patients over GraphQL: pages, single patients, global ids, figures of kept syncs, and refusals."""

from typing import Any

import pytest

from routiq_gql.clock import utc_now
from routiq_gql.connections.state import ConnectionProblem, require_usable
from routiq_gql.patients.keys import PatientKey
from routiq_gql.security.viewer import Viewer
from tests.patients.clinics import DAY, NOW, ListedClinic, Person, Visit
from tests.server import Server

pytestmark = pytest.mark.both_databases

EVERYTHING = """
  id clinikoId organizationId name firstName lastName preferredFirstName email phone createdAt isArchived
  lastAppointment { startsAt endsAt type practitioner { id name } isClass }
  nextAppointment { startsAt endsAt type practitioner { id name } isClass }
  visits missedAppointments cancelledAppointments bookedAppointments lists
  activity { isActive recentAppointments upcomingAppointments missedAppointments }
  why(list: LAPSED) { list isMember sentence appointments { startsAt practitioner { id name } } changesAt }
"""
PAGE = f"""query ($list: PatientList!, $first: Int, $after: String, $search: String, $asOf: ID) {{
  patients(organizationId: "org_1", list: $list, first: $first, after: $after, search: $search, asOf: $asOf) {{
    edges {{ cursor node {{ {EVERYTHING} }} }} nodes {{ id }} totalCount asOf analyzedAt timeZone
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
    summary {{ list title counting totalCount }} practitioners {{ id name }} }} }}"""


def _people() -> list[Person]:
    return [
        Person(
            number,
            first_name=f"Name{number:03}",
            last_name="Smith",
            visits=(
                Visit(number * 10, NOW - number * DAY, is_class=number % 2 == 0),
                Visit(number * 10 + 1, NOW + number * DAY, practitioner_id=502),
            ),
        )
        for number in range(1, 61)
    ]


@pytest.fixture
async def clinic(bare_server: Server) -> ListedClinic:
    """A clinic of sixty patients with two syncs; in the second one, nobody has a booking."""
    clinic = ListedClinic(bare_server.runtime.database)
    await clinic.sync(_people(), started_at=utc_now(), completed_at=utc_now())
    await clinic.sync(
        [Person(one.id, one.first_name, one.last_name, visits=one.visits[:1]) for one in _people()],
        NOW + DAY,
        started_at=utc_now(),
        completed_at=utc_now(),
    )
    return clinic


@pytest.mark.usefixtures("clinic")
async def test_a_page_has_everything_about_its_patients(bare_server: Server):
    """A page of 50 patients with all their fields is allowed, and the next page begins behind it."""
    variables: dict[str, Any] = {"list": "ALL", "first": 50}
    answer = await bare_server.ask(PAGE, **variables)
    page = answer["data"]["patients"]
    assert (len(page["edges"]), page["totalCount"], page["timeZone"]) == (50, 60, "Australia/Sydney")
    answer = await bare_server.ask(PAGE, **variables, after=page["pageInfo"]["endCursor"], search="smith")
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT", "the cursor is of another search"
    rest = (await bare_server.ask(PAGE, **variables, after=page["pageInfo"]["endCursor"]))["data"]["patients"]
    assert len(rest["edges"]) == 10
    assert rest["pageInfo"]["hasPreviousPage"]
    assert not rest["pageInfo"]["hasNextPage"]
    assert (await bare_server.ask(PAGE, list="ALL", first=100))["data"], "100 with everything is an allowed cost"


async def test_a_kept_sync_is_read_with_ids_of_its_own(bare_server: Server, clinic: ListedClinic):
    """As of the first sync patients have bookings and other ids; today's ids lead to today's values."""
    first, second = clinic.sync_ids
    old = (await bare_server.ask(PAGE, list="UPCOMING", first=3, asOf=first))["data"]["patients"]
    assert (old["totalCount"], old["asOf"]) == (30, first)
    now = (await bare_server.ask(PAGE, list="UPCOMING", first=3))["data"]["patients"]
    assert (now["totalCount"], now["asOf"], now["edges"]) == (0, second, [])
    assert old["nodes"][0]["id"] == f"asof:{first}:patient:org_1:1"
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Patient { bookedAppointments } } }"
    ids = [old["nodes"][0]["id"], "patient:org_1:1", "patient:org_1:999", "patient:org_1:01", "patient:org_9:1"]
    nodes = (await bare_server.ask(query, ids=ids))["data"]["nodes"]
    assert [one and one["bookedAppointments"] for one in nodes] == [1, 0, None, None, None]
    assert nodes[0]["id"] == ids[0]
    stats = 'query ($asOf: ID) { dashboard(organizationId: "org_1") { patientStats(asOf: $asOf) { activePatients } } }'
    for sync_id in (first, second):
        lists = f'{{ patientLists(organizationId: "org_1", asOf: "{sync_id}") {{ list totalCount }} }}'
        counts = {one["list"]: one["totalCount"] for one in (await bare_server.ask(lists))["data"]["patientLists"]}
        figures = (await bare_server.ask(stats, asOf=sync_id))["data"]["dashboard"]["patientStats"]
        assert figures["activePatients"] == counts["ACTIVE"]
    await clinic.prune_before(second)
    for query in (PAGE, stats):
        (problem,) = (await bare_server.ask(query, list="ALL", asOf=first))["errors"]
        assert problem["extensions"]["code"] == "BAD_USER_INPUT"
        assert second in problem["message"], "it names the oldest one"


async def test_every_id_leads_to_its_object(bare_server: Server, clinic: ListedClinic):
    """`node` returns the object of any id; unknown ids and nonsense are null."""
    sync_id = clinic.sync_ids[-1]
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    ids = [
        "patient:org_1:7",
        sync_id,
        "org_1",
        "connection:org_1",
        f"{sync_id}:1",
        "sync_org_1_20990101_000000",
        "ö",
        "",
    ]
    nodes = (await bare_server.ask(query, ids=ids))["data"]["nodes"]
    kinds = ["Patient", "SyncStatus", "Dashboard", None, None]
    assert [one and one["__typename"] for one in nodes[:5]] == kinds
    assert nodes[6:] == [None, None]
    assert all(one is None or one["id"] == id_ for one, id_ in zip(nodes, ids, strict=True))
    one = await bare_server.ask('{ node(id: "patient:org_1:7") { ... on Patient { name } } }')
    assert one["data"]["node"] == {"name": "Name007 Smith"}
    bogus = [f"{kind}bogus{number}" for kind in ("", "connection:") for number in range(40)]
    nodes = (await bare_server.ask(query, ids=[*bogus, "org_1"]))["data"]["nodes"]
    assert nodes == [None] * 80 + [{"__typename": "Dashboard", "id": "org_1"}], "an id that names nothing is null"
    assert (await bare_server.ask('{ node(id: "bogus") { id } }'))["data"] == {"node": None}
    (problem,) = (await bare_server.ask(query, ids=["x"] * 101))["errors"]
    assert problem["message"] == "“ids” may have at most 100 ids."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("first: 201", "“first” must be from 1 to 200."),
        ("last: 0", "“last” must be from 1 to 200."),
        ("first: 1, last: 1", "not “first” and “last” together"),
        ('after: "x"', "“after” is not a cursor of this list."),
        ('asOf: "sync_org_2_20260701_000001"', "must be a completed sync of this organization"),
        (f'search: "{"x" * 101}"', "“search” must be a text of at most 100 characters"),
    ],
)
@pytest.mark.usefixtures("clinic")
async def test_a_part_out_of_range_is_refused(bare_server: Server, arguments: str, sentence: str):
    """Each wrong argument is an error with a sentence."""
    query = f'{{ patients(organizationId: "org_1", {arguments}) {{ totalCount }} }}'
    (problem,) = (await bare_server.ask(query))["errors"]
    assert sentence in problem["message"]
    assert problem["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_page_of_an_earlier_sync_never_replaces_todays_patients(
    bare_server: Server, clinic: ListedClinic, is_named: bool
):
    """A list that is read further after a newer sync has earlier values, under ids of their own: caches keep both."""
    first, second = clinic.sync_ids
    variables = {"list": "ALL", "first": 10} | ({"asOf": first} if is_named else {})
    page = (await bare_server.ask(PAGE, **variables))["data"]["patients"]
    if not is_named:
        assert all(one["id"].startswith("patient:") for one in page["nodes"])
        first = second
        await clinic.sync(_people()[:30], NOW + 2 * DAY, started_at=utc_now(), completed_at=utc_now())
    after = page["pageInfo"]["endCursor"]
    rest = (await bare_server.ask(PAGE, list="ALL", first=10, after=after))["data"]["patients"]
    assert rest["asOf"] == first
    assert len(rest["nodes"]) == 10
    assert all(one["id"].startswith(f"asof:{first}:patient:org_1:") for one in rest["nodes"])
    query = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Patient {{ {EVERYTHING} }} }} }}"
    nodes = (await bare_server.ask(query, ids=[one["id"] for one in rest["nodes"]]))["data"]["nodes"]
    assert nodes == [one["node"] for one in rest["edges"]]


async def test_a_patient_of_an_organization_without_a_sync_is_not_found(bare_server: Server):
    """There are no patients yet, so any id of one leads to nothing, which is no error."""
    sync_id = "sync_org_9_20260101_000000"
    for id_ in ("patient:org_9:1", f"asof:{sync_id}:patient:org_9:1", "patient:org_9:-1", "patient:a:b:c", "x"):
        answer = await bare_server.ask("query ($id: ID!) { patient(id: $id) { id } }", id=id_)
        assert answer == {"data": {"patient": None}}


async def test_before_the_first_sync_there_are_no_lists(bare_server: Server):
    """Without lists the error says what to do; of an unknown organization it says that there is none."""
    with pytest.raises(ConnectionProblem) as raised:
        require_usable(None, "org_1")
    not_connected = raised.value
    for organization_id, message in (
        (
            "org_1",
            f"There are no patient lists yet. {not_connected.message} {not_connected.what_to_do}",
        ),
        (
            "org_2",
            "There is no such organization: it has no connection to Cliniko and no sync. Check its id, or connect it.",
        ),
    ):
        if organization_id == "org_1":
            await ListedClinic(bare_server.runtime.database, organization_id).sync([], rules=1)
        query = f'{{ patients(organizationId: "{organization_id}") {{ totalCount }} }}'
        (problem,) = (await bare_server.ask(query))["errors"]
        assert problem["message"] == message


@pytest.mark.usefixtures("clinic")
async def test_another_organizations_patient_is_not_found(bare_server: Server):
    """A viewer of another organization gets nothing, by any kind of id."""
    patients = bare_server.runtime.patients
    key = PatientKey("org_1", 7)
    assert await patients.patient(Viewer("org_2"), key) is None
    assert (await patients.patient(Viewer("org_1"), key)) is not None
