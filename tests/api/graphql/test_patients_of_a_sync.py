"""Patients of a real sync over GraphQL: the lists of the analysis, explained by the reader."""

import pytest

from tests.server import Server

pytestmark = pytest.mark.both_databases

LISTS = '{ patientLists(organizationId: "%s") { list totalCount } }'
PAGE = """query ($id: ID!, $list: PatientList!) { patients(organizationId: $id, list: $list, first: 200) {
  totalCount timeZone nodes { id lists why(list: $list) { isMember sentence } } } }"""


async def test_every_list_of_a_sync_is_explained(server: Server):
    """After a sync each list has as many patients as its number says, and each has a reason."""
    sync_id = await server.start_sync()
    await server.until_ended(sync_id)
    organization = (await server.status(sync_id))["organization_id"]
    counts = (await server.ask(LISTS % organization))["data"]["patientLists"]
    assert len(counts) == 9
    assert counts[0]["totalCount"] > 0
    for one in counts:
        page = (await server.ask(PAGE, id=organization, list=one["list"]))["data"]["patients"]
        assert page["totalCount"] == one["totalCount"]
        assert page["timeZone"] == "Australia/Perth"
        assert all(one["list"] in node["lists"] and node["why"]["isMember"] for node in page["nodes"])
