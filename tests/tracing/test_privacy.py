"""No span holds anything of a patient, a key, a document, or an address with ids."""

from routiq_gql.clock import utc_now
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind, generated_clinic
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.server import Server, open_socket
from tests.tracing.collector import Collector, as_json


async def test_spans_hold_nothing_private(traced: Server, collector: Collector, cliniko: Cliniko):
    """Whatever is synced, searched, exported or refused, no span has a name, an address, an id or a text of it."""
    clinic = cliniko.emulator.clinic = generated_clinic(120, utc_now())
    cliniko.emulator.faults.add(Fault(FaultKind.WRONG_SHAPE_ROW, "patients", times=1, only_above_per_page=1))
    await traced.until_ended(await traced.start_sync())
    listed = (await traced.http.get(f"/api/v1/patients/{ORGANIZATION}", params={"list": "all"})).json()
    person = listed["patients"][0]
    name, patient_id = person["name"], person["id"].rpartition(":")[2]
    search = "query ($id: ID!, $who: String) { patients(organizationId: $id, search: $who) { totalCount } }"
    await traced.ask(search, id=ORGANIZATION, who=name)
    await traced.http.get(f"/api/v1/patients/{ORGANIZATION}", params={"search": name})
    await traced.http.get(f"/api/v1/patients/{ORGANIZATION}/export", params={"search": name})
    await traced.http.get(f"/no/such/{patient_id}/{name}")
    literal = 'mutation { connectCliniko(organizationId: "%s", apiKey: "%s") { message } }'
    await traced.http.post("/graphql", json={"query": literal % (ORGANIZATION, EMULATED_API_KEY)})
    async with open_socket(traced) as socket:
        await socket.subscribe(f'{{ syncStatus(syncId: "{name}") {{ id }} }}')
        await socket.receive()
    collector.spans, found = [], collector.spans
    await traced.http.get("/openapi.json")
    await collector.first("GET /openapi.json")
    text = as_json(found + collector.spans)
    secrets = clinic.secrets().all() | {EMULATED_API_KEY, EMULATED_API_KEY.rpartition("-")[0], name, patient_id}
    assert {secret for secret in secrets if secret in text} == set()
    assert "connectCliniko" not in text
    assert "q[]" not in text
    assert "updated_at" not in text
