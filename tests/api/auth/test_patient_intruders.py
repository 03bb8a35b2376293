"""No stranger reads patients, on any field, route or subscription; no log, error or metric names one."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
import structlog
from graphql import GraphQLNonNull, GraphQLObjectType, GraphQLSchema, get_named_type

from routiq_gql.api.auth import issued_tokens, session
from routiq_gql.clock import utc_now
from routiq_gql.emulator import Issuer
from routiq_gql.logs import configure_logging
from routiq_gql.patients import export as exporting
from routiq_gql.patients import service as reading
from routiq_gql.settings import Settings
from tests.built_schema import built_schema
from tests.issuing import OURS, THEIRS, bearer, jwt_settings
from tests.patients.clinics import NOW, ListedClinic
from tests.patients.small_clinic import PEOPLE, ZOE
from tests.server import Server, open_socket
from tests.waiting import LIMIT_SECONDS, until

PRIVATE = ("Zoë", "ngstr", "zoe@", "491 570", "Aalto", "Pilates", "Malik")
"""Parts of what only a reader of patients may see."""

PATIENT = "id name firstName lastName email phone why { sentence } lastAppointment { type practitioner { name } }"
DOCUMENTS = {
    "patients": f'{{ patients(organizationId: $org, search: "zoe") {{ totalCount nodes {{ {PATIENT} }} }} }}',
    "patient": f"{{ patient(id: $patient) {{ {PATIENT} }} }}",
    "node": f"{{ node(id: $patient) {{ id ... on Patient {{ {PATIENT} }} }} }}",
    "nodes": f"{{ nodes(ids: [$patient]) {{ id ... on Patient {{ {PATIENT} }} }} }}",
    "syncChanges": f"{{ syncChanges(syncId: $sync, since: $first) {{ nodes {{ name patient {{ {PATIENT} }} }} }} }}",
}
"""Queries of patients, by their root field."""
FIGURES = {
    "patientLists": "{ patientLists(organizationId: $org) { list totalCount } }",
    "dashboard": "{ dashboard(organizationId: $org) { patientStats(asOf: $sync) { activePatients } } }",
}
"""Queries of figures, which need no right."""
WITHOUT_PATIENTS = {"syncStatus", "history", "historyConnection", "organizations"} | {
    *("syncProgress", "syncLog", "dashboardUpdated"),
    *(
        "webhooks",
        "webhook",
        "failingWebhooks",
        "registerWebhook",
        "changeWebhook",
        "rotateWebhookSecret",
        "removeWebhook",
    ),
    *("testWebhook", "repeatWebhookDelivery"),
    *("startSync", "cancelSync", "createStreamToken", "connectCliniko", "testConnection", "disconnectCliniko"),
}
"""All other root fields: no object in their answers has a patient's name."""
WATCH = f"subscription ($org: ID!) {{ patientsChanged(organizationId: $org) {{ name patient {{ {PATIENT} }} }} }}"


def _query(body: str) -> str:
    names = {"org": "ID!", "patient": "ID!", "sync": "ID!", "first": "ID!"}
    used = [f"${name}: {kind}" for name, kind in names.items() if f"${name}" in body]
    return f"query ({', '.join(used)}) {body}"


@pytest.fixture
async def server(settings: Settings, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """A server of two clinics, where only some roles may read patients; it has no tolerance for clocks."""
    for module in (session, issued_tokens):
        monkeypatch.setattr(module, "LEEWAY", timedelta(0))
    values = {"patient_roles": ("receptionist",), "auth_grace_seconds": 60}
    async with Server(jwt_settings(settings, issuer, **values)) as served:
        yield served
        await served.without_watchers()


@pytest.fixture
async def clinic(server: Server) -> ListedClinic:
    """Ours, with two syncs; theirs has none."""
    made = ListedClinic(server.runtime.database, OURS)
    await made.sync([], completed_at=utc_now())
    await made.sync(PEOPLE, NOW + timedelta(minutes=1), completed_at=utc_now())
    return made


def _variables(clinic: ListedClinic) -> dict[str, str]:
    first, second = clinic.sync_ids
    return {"org": OURS, "patient": f"patient:{OURS}:{ZOE.id}", "sync": second, "first": first}


async def _ask(server: Server, document: str, token: str | None, **variables: str) -> tuple[int, str]:
    headers = bearer(token) if token is not None else {}
    answer = await server.http.post("/graphql", json={"query": document, "variables": variables}, headers=headers)
    return answer.status_code, answer.text


def _private_in(text: str) -> set[str]:
    return {one for one in PRIVATE if one in text or json.dumps(one)[1:-1] in text}


def test_every_root_field_is_tried_here():
    """A new field of the API has to be classified: with patients, with figures, or with neither."""
    built = built_schema()
    fields: set[str] = set()
    for root in (built.query_type, built.mutation_type, built.subscription_type):
        assert root is not None
        fields |= set(root.fields)
    assert fields == {*DOCUMENTS, *FIGURES, *WITHOUT_PATIENTS, "patientsChanged"}
    personal = {name for name in WITHOUT_PATIENTS if _reaches_patients(built, name)}
    assert personal == set()


def _reaches_patients(built: GraphQLSchema, field: str) -> bool:
    """Whether an answer of a root field can have an object of the type ``Patient``."""
    roots = [built.query_type, built.mutation_type, built.subscription_type]
    waiting = [get_named_type(root.fields[field].type) for root in roots if root is not None and field in root.fields]
    known = set()
    while waiting:
        one = waiting.pop()
        if one in known:
            continue
        known.add(one)
        if isinstance(one, GraphQLObjectType):
            waiting += [get_named_type(inner.type) for inner in one.fields.values()]
    return any(one.name in {"Patient", "PatientChange"} for one in known if not isinstance(one, GraphQLNonNull))


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_patients_are_shown_to_readers_only(server: Server, issuer: Issuer, clinic: ListedClinic, name: str):
    """A reader of the clinic sees them; other clinics, members without the right and strangers see no part of them."""
    document, variables = _query(DOCUMENTS[name]), _variables(clinic)
    variables = {one: value for one, value in variables.items() if f"${one}" in document}
    reader = issuer.token(OURS, role="receptionist", subject="user_reader")
    status, text = await _ask(server, document, reader, **variables)
    assert (status, "Zoë" in text or "Zo\\u00eb" in text) == (200, True), text
    stream_token = json.loads(
        (await _ask(server, f'mutation {{ createStreamToken(syncId: "{clinic.sync_ids[1]}") {{ token }} }}', reader))[1]
    )
    derived = (stream_token.get("data") or {}).get("createStreamToken") or {}
    for token in (
        None,
        "garbage",
        issuer.token(OURS, role="receptionist", lifetime_seconds=-60),
        issuer.token(THEIRS, role="receptionist"),
        issuer.token(OURS, role="member"),
        derived.get("token", "none"),
    ):
        status, text = await _ask(server, document, token, **variables)
        assert status in {200, 401}, text
        assert _private_in(text) == set(), text
    # The same bytes again: no answer of a reader is remembered for others.
    status, text = await _ask(server, document, issuer.token(OURS, role="member"), **variables)
    assert '"FORBIDDEN"' in text
    await server.runtime.audit.close()
    entries = await server.runtime.audit.entries(100, OURS)
    reads = [one for one in entries if (one.subject, one.action, one.outcome) == ("user_reader", "patients", "DONE")]
    assert reads
    assert all(one.count for one in reads)


SMALL = {
    "patients": "{ patients(organizationId: $org) { nodes { email } } }",
    "edges": "{ patients(organizationId: $org) { edges { node { why { appointments { startsAt } } } } } }",
    "patient": "{ patient(id: $patient) { phone } }",
    "node": "{ node(id: $patient) { ... on Patient { firstName } } }",
    "syncChanges": "{ syncChanges(syncId: $sync, since: $first) { nodes { name } } }",
    "edges of changes": "{ syncChanges(syncId: $sync, since: $first) { edges { node { sentence } } } }",
    "patient of changes": "{ syncChanges(syncId: $sync, since: $first) { nodes { patient { name } } } }",
}
"""Queries that select a single value of patients, each on another way to it."""


@pytest.mark.parametrize(
    "body", [*DOCUMENTS.values(), *SMALL.values()], ids=[*DOCUMENTS, *(f"only {one}" for one in SMALL)]
)
async def test_each_read_of_patients_is_recorded(server: Server, issuer: Issuer, clinic: ListedClinic, body: str):
    """The same question is answered three times in a row, and the audit log has three reads: none is from memory."""
    document = _query(body)
    variables = {one: value for one, value in _variables(clinic).items() if f"${one}" in document}
    reader = issuer.token(OURS, role="receptionist", subject="user_reader")
    recorded: list[tuple[int, int]] = []
    for times in (1, 3):
        for _ in range(times):
            answer = json.loads((await _ask(server, document, reader, **variables))[1])
            assert "errors" not in answer, answer
        await server.runtime.audit.close()
        reads = [one for one in await server.runtime.audit.entries(100, OURS) if one.action == "patients"]
        assert {one.subject for one in reads} == {"user_reader"}
        recorded.append((sum(one.times for one in reads), sum(one.count or 0 for one in reads)))
    (times, patients), after = recorded
    assert min(times, patients) > 0
    assert after == (4 * times, 4 * patients)


@pytest.mark.parametrize("name", FIGURES)
async def test_figures_need_no_right(server: Server, issuer: Issuer, clinic: ListedClinic, name: str):
    """Every member sees how many patients there are, and another clinic does not."""
    document = _query(FIGURES[name])
    variables = {one: value for one, value in _variables(clinic).items() if f"${one}" in document}
    status, text = await _ask(server, document, issuer.token(OURS), **variables)
    assert (status, "errors" in json.loads(text)) == (200, False), text
    status, text = await _ask(server, document, issuer.token(THEIRS), **variables)
    assert '"FORBIDDEN"' in text


async def test_aliases_are_checked_one_by_one(server: Server, issuer: Issuer, clinic: ListedClinic):
    """A document that asks for both clinics gets its own at most, and each read of it is recorded."""
    body = " ".join(
        f'{alias}: patients(organizationId: "{name}", list: ALL) {{ nodes {{ {PATIENT} }} }}'
        for alias, name in (("a", OURS), ("b", OURS))
    )
    reader = issuer.token(OURS, role="receptionist", subject="user_reader")
    status, text = await _ask(server, f"{{ {body} }}", reader)
    assert len(json.loads(text)["data"]["b"]["nodes"]) == len(PEOPLE)
    foreign = issuer.token(THEIRS, role="receptionist", subject="user_foreign")
    ids = ", ".join(f'"patient:{OURS}:{one.id}"' for one in PEOPLE)
    mixed = f"{{ {body} c: nodes(ids: [{ids}]) {{ id ... on Patient {{ {PATIENT} }} }} }}"
    status, text = await _ask(server, mixed, foreign)
    assert (status, _private_in(text)) == (200, set())
    status, text = await _ask(server, f"{{ c: nodes(ids: [{ids}]) {{ id }} }}", foreign)
    assert json.loads(text)["data"]["c"] == [None] * len(PEOPLE)
    await server.runtime.audit.close()
    entries = await server.runtime.audit.entries(100)
    assert [(one.times, one.count) for one in entries if one.list == "all"] == [(2, 2 * len(PEOPLE))]
    foreign_entries = [one for one in entries if one.subject == "user_foreign"]
    assert {(one.outcome, one.organization_id) for one in foreign_entries} == {("FORBIDDEN", None)}


@pytest.mark.parametrize("role", ["receptionist", "member"])
async def test_a_list_says_whether_the_caller_may_open_it(
    server: Server, issuer: Issuer, clinic: ListedClinic, role: str
):
    """A page learns with the numbers whether to offer the lists, without an attempt that the audit log would note."""
    document = "query ($org: ID!) { patientLists(organizationId: $org) { isReadable } }"
    _, text = await _ask(server, document, issuer.token(OURS, role=role), org=OURS)
    told = {one["isReadable"] for one in json.loads(text)["data"]["patientLists"]}
    assert told == {role == "receptionist"}
    await server.runtime.audit.close()
    assert await server.runtime.audit.entries(100) == []


async def test_a_lapsed_session_reads_no_patients(server: Server, issuer: Issuer, clinic: ListedClinic):
    """In the grace period a socket still reads figures; patients need a fresh token, and come with it."""
    document, variables = _query(DOCUMENTS["patients"]), {"org": OURS}
    async with open_socket(server, init=False) as socket:
        await socket.init(payload=bearer(issuer.token(OURS, role="receptionist", lifetime_seconds=3)))
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                await socket.subscribe(document, **variables)
                (payload,) = await socket.results()
                if "errors" in payload:
                    break
        assert payload["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert _private_in(json.dumps(payload)) == set()
        await socket.subscribe(_query(FIGURES["patientLists"]), **variables)
        (payload,) = await socket.results()
        assert "errors" not in payload
        fresh = bearer(issuer.token(OURS, role="receptionist", lifetime_seconds=600))
        await socket.send({"type": "ping", "payload": fresh})
        while (await socket.receive())["type"] != "pong":
            pass
        await socket.subscribe(document, **variables)
        (payload,) = await socket.results()
        assert payload["data"]["patients"]["totalCount"] == 1


async def test_changes_are_sent_to_readers_only(server: Server, issuer: Issuer, clinic: ListedClinic):
    """A subscription to changes is refused before its first event, to all who may not read patients."""
    for token in (issuer.token(THEIRS, role="receptionist"), issuer.token(OURS, role="member")):
        async with open_socket(server, init=False) as socket:
            await socket.init(payload=bearer(token))
            await socket.subscribe(WATCH, org=OURS)
            frame = await socket.receive()
            assert (frame["type"], frame["payload"][0]["extensions"]["code"]) == ("error", "FORBIDDEN")


@pytest.fixture
def everything_is_logged(settings: Settings) -> Iterator[None]:
    """All log lines, down to DEBUG, go to standard error, as on a server."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(settings.model_copy(update={"log_level": "DEBUG", "log_format": "json"}))
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("everything_is_logged")
async def test_reading_patients_leaves_no_trace_of_them(
    server: Server,
    issuer: Issuer,
    clinic: ListedClinic,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """Neither names nor searches get into logs, metrics, the audit log, headers or errors, not even by a fault."""
    reader = issuer.token(OURS, role="receptionist")
    variables, told = _variables(clinic), ""
    routes = (f"/api/v1/patients/{OURS}", f"/api/v1/patients/{OURS}/export")

    async def read_everything(expected: int) -> str:
        """All that is said besides the patients themselves."""
        said = ""
        for route in routes:
            for search in ("Ångström", "zoe@patients.example", "Ångström" * 20):
                answer = await server.http.get(route, params={"search": search}, headers=bearer(reader))
                assert answer.status_code in {expected, 422}
                said += str(answer.headers) + (answer.text if answer.status_code != 200 else "")
        for document in DOCUMENTS.values():
            query = _query(document)
            used = {one: value for one, value in variables.items() if f"${one}" in query}
            _, text = await _ask(server, query, reader, **used)
            said += json.dumps(json.loads(text).get("errors"), ensure_ascii=False)
            address = {"query": query, "variables": json.dumps(used)}
            await server.http.get("/graphql", params=address, headers=bearer(reader))
        return said

    told += await read_everything(200)
    everything = " ".join(PRIVATE)

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(everything)

    monkeypatch.setattr(reading, "read_page", broken)
    monkeypatch.setattr(reading, "read_patients", broken)
    monkeypatch.setattr(exporting, "count_list", broken)
    told += await read_everything(500)
    await server.runtime.audit.close()
    told += str(await server.runtime.audit.entries(1000)) + (await server.http.get("/metrics")).text
    logged = ""

    def is_logged() -> bool:
        nonlocal logged
        logged += capsys.readouterr().err
        return "request_failed" in logged and logged.count("request_ended") >= 30

    await until(is_logged)
    assert _private_in(told) == set()
    assert _private_in(logged) == set()
