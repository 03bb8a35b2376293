"""The connections of syncs and of log lines: pages in both directions, cursors, and what lies around a page."""

from collections.abc import Awaitable, Callable, Mapping
from itertools import product
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete

from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.syncs import NewLine, append_lines, end_sync, insert_sync
from routiq_gql.database.tables import LOG, SYNC
from routiq_gql.emulator import Issuer
from routiq_gql.opaque import encode_opaque
from routiq_gql.organizations.history_pages import HistoryPage
from routiq_gql.paging import PageArguments
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.log_pages import LogPage, LogPageRequest
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import LogLevel, SyncMode, SyncState, SyncStep
from tests.issuing import OURS, jwt_settings, use_token
from tests.patients.statements import Recorded, plan_of, recorded
from tests.server import Server, open_socket

pytestmark = pytest.mark.both_databases

PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"
ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
PARAMETERS = "$id: ID!, $first: Int, $after: String, $last: Int, $before: String"
SYNCS = f"""query ({PARAMETERS}, $status: SyncState) {{
  page: historyConnection(organizationId: $id, status: $status, {ARGUMENTS}) {{
    edges {{ cursor node {{ id }} }} nodes {{ id }} {PAGE_INFO} }} }}"""
LINES = f"""query ({PARAMETERS}) {{
  syncStatus(syncId: $id) {{ page: logConnection({ARGUMENTS}) {{
    edges {{ cursor node {{ id }} }} nodes {{ id }} {PAGE_INFO} }} }} }}"""
STATES = (SyncState.COMPLETED, SyncState.FAILED, SyncState.CANCELLED)

Page = dict[str, Any]


async def fill(
    database: Database, organization: str, states: list[SyncState], lines: int = 0, mode: SyncMode = SyncMode.FULL
) -> list[str]:
    """Syncs that ended in these states, each with a log, and their ids, newest first."""
    made = []
    async with database.writing() as connection:
        for state in states:
            row = await insert_sync(connection, organization, first_values(mode, utc_now()))
            assert row is not None
            log = [NewLine(LogLevel.INFO.value, SyncStep.STORING.value, f"line {number}") for number in range(lines)]
            await end_sync(connection, row.key, {"status": state.value}, log)
            made.append(row.sync_id)
    return made[::-1]


async def write(connection: Any, key: int, last_seq: int, lines: int) -> None:
    """More lines for the log of a sync, after the line with the number ``last_seq``."""
    log = [NewLine(LogLevel.INFO.value, SyncStep.STORING.value, "more") for _ in range(lines)]
    await append_lines(connection, key, last_seq, log, utc_now())


async def read(server: Server, query: str, id: str, **given: Any) -> Page:  # noqa: A002 - the variable's name
    answer = await server.ask(query, id=id, **given)
    assert "errors" not in answer, answer
    data = answer["data"]
    page: Page = (data.get("syncStatus") or data)["page"]
    assert [edge["node"] for edge in page["edges"]] == page["nodes"]
    cursors = [edge["cursor"] for edge in page["edges"]] or [None]
    assert [page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]] == [cursors[0], cursors[-1]]
    return page


def is_of_a_page(statement: Recorded) -> bool:
    """Whether a statement reads a history or a log, and is none of the server's periodic work."""
    text = statement.text
    return text.startswith(("SELECT", "WITH")) and any(part in text for part in ("syncs.mode !=", "sync_log.message"))


def ids(page: Page) -> list[str]:
    return [node["id"] for node in page["nodes"]]


def around(page: Page) -> tuple[bool, bool]:
    """Whether there is something before and after the page."""
    return page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]


async def test_the_history_is_paged_in_both_directions(bare_server: Server):
    """From either end each page continues the other, and says truly what lies before and after it."""
    database = bare_server.runtime.database
    syncs = await fill(database, "org_1", [SyncState.COMPLETED] * 5)
    await fill(database, "org_1", [SyncState.COMPLETED], mode=SyncMode.TIME_ONLY)  # in no history
    await fill(database, "org_2", [SyncState.COMPLETED] * 2)
    first = await read(bare_server, SYNCS, "org_1", first=2)
    assert (ids(first), around(first), first["totalCount"]) == (syncs[:2], (False, True), 5)
    second = await read(bare_server, SYNCS, "org_1", first=2, after=first["pageInfo"]["endCursor"])
    assert (ids(second), around(second)) == (syncs[2:4], (True, True))
    last = await read(bare_server, SYNCS, "org_1", first=2, after=second["pageInfo"]["endCursor"])
    assert (ids(last), around(last)) == (syncs[4:], (True, False))
    back = await read(bare_server, SYNCS, "org_1", last=3, before=last["pageInfo"]["startCursor"])
    assert (ids(back), around(back)) == (syncs[1:4], (True, True))
    oldest = await read(bare_server, SYNCS, "org_1", last=2)
    assert (ids(oldest), around(oldest)) == (syncs[3:], (True, False))
    between = {"after": first["edges"][0]["cursor"], "before": last["edges"][0]["cursor"]}
    assert ids(await read(bare_server, SYNCS, "org_1", last=2, **between)) == syncs[2:4]
    assert ids(await read(bare_server, SYNCS, "org_1", first=2, **between)) == syncs[1:3]
    whole = await read(bare_server, SYNCS, "org_1", first=5)
    assert (ids(whole), around(whole)) == (syncs, (False, False)), "exactly one page"
    nothing = await read(bare_server, SYNCS, "org_1", first=5, after=whole["pageInfo"]["endCursor"])
    assert (ids(nothing), around(nothing), nothing["totalCount"]) == ([], (True, False), 5)
    empty = await read(bare_server, SYNCS, "org_9")
    assert (ids(empty), around(empty), empty["totalCount"]) == ([], (False, False), 0)


async def test_a_history_of_one_outcome_counts_its_own_syncs(bare_server: Server):
    """With a status, the pages, the total and what lies around a page are of the syncs with this status."""
    syncs = await fill(bare_server.runtime.database, "org_1", [*STATES, *STATES])
    first = await read(bare_server, SYNCS, "org_1", status="FAILED", first=1)
    assert (ids(first), around(first), first["totalCount"]) == ([syncs[1]], (False, True), 2)
    second = await read(bare_server, SYNCS, "org_1", status="FAILED", first=1, after=first["pageInfo"]["endCursor"])
    assert (ids(second), around(second)) == ([syncs[4]], (True, False))
    (error,) = (await bare_server.ask(SYNCS, id="org_1", after=first["pageInfo"]["endCursor"]))["errors"]
    assert "is not a cursor of these syncs" in error["message"], "of another status"
    (error,) = (await bare_server.ask(SYNCS, id="org_1", status="ANALYZING"))["errors"]
    assert error["message"] == "“status” must be completed, failed or cancelled."


async def test_pages_stay_true_while_syncs_come_and_go(bare_server: Server):
    """A new sync is before the first page; the cursor of a deleted sync still leads to those behind it."""
    database = bare_server.runtime.database
    syncs = await fill(database, "org_1", [SyncState.COMPLETED] * 4)
    first = await read(bare_server, SYNCS, "org_1", first=2)
    (new,) = await fill(database, "org_1", [SyncState.FAILED])
    async with database.writing() as connection:
        await connection.execute(delete(SYNC).where(SYNC.c.sync_id.in_(syncs[1:3])))
    second = await read(bare_server, SYNCS, "org_1", first=2, after=first["pageInfo"]["endCursor"])
    assert (ids(second), around(second), second["totalCount"]) == (syncs[3:], (True, False), 3)
    newer = await read(bare_server, SYNCS, "org_1", last=2, before=first["pageInfo"]["startCursor"])
    assert (ids(newer), around(newer)) == ([new], (False, True))
    async with database.writing() as connection:
        await connection.execute(delete(SYNC).where(SYNC.c.sync_id.in_([new, *syncs])))
    empty = await read(bare_server, SYNCS, "org_1", first=2, after=first["pageInfo"]["endCursor"])
    assert (around(empty), empty["totalCount"]) == ((False, False), 0)


async def test_a_log_is_paged_in_both_directions_and_grows_at_its_end(bare_server: Server):
    """Lines are in order; after the last cursor are exactly the lines that were written since."""
    database = bare_server.runtime.database
    (sync_id,) = await fill(database, "org_1", [SyncState.COMPLETED], lines=5)
    lines = [f"{sync_id}:{number}" for number in range(1, 8)]
    newest = await read(bare_server, LINES, sync_id, last=2)
    assert (ids(newest), around(newest), newest["totalCount"]) == (lines[3:5], (True, False), 5)
    older = await read(bare_server, LINES, sync_id, last=9, before=newest["pageInfo"]["startCursor"])
    assert (ids(older), around(older)) == (lines[:3], (False, True))
    nothing = await read(bare_server, LINES, sync_id, first=9, after=newest["pageInfo"]["endCursor"])
    assert (ids(nothing), around(nothing)) == ([], (True, False))
    async with database.writing() as connection:
        key = (await connection.execute(SYNC.select().where(SYNC.c.sync_id == sync_id))).one().key
        await write(connection, key, 5, 2)
    new = await read(bare_server, LINES, sync_id, first=9, after=newest["pageInfo"]["endCursor"])
    assert (ids(new), around(new), new["totalCount"]) == (lines[5:], (True, False), 7)
    between = {"after": older["edges"][0]["cursor"], "before": newest["edges"][1]["cursor"]}
    part = await read(bare_server, LINES, sync_id, first=2, **between)
    assert (ids(part), around(part)) == (lines[1:3], (True, True))
    assert ids(await read(bare_server, LINES, sync_id, last=2, **between)) == lines[2:4]
    async with database.writing() as connection:
        await connection.execute(delete(LOG).where(LOG.c.sync_key == key, LOG.c.seq < 4))
    kept = await read(bare_server, LINES, sync_id, first=2)
    assert (ids(kept), around(kept), kept["totalCount"]) == (lines[3:5], (False, True), 4), "the first were deleted"
    async with database.writing() as connection:
        await connection.execute(delete(LOG).where(LOG.c.sync_key == key))
    empty = await read(bare_server, LINES, sync_id, first=2, after=kept["pageInfo"]["endCursor"])
    assert (ids(empty), around(empty), empty["totalCount"]) == ([], (False, False), 0)


@pytest.mark.parametrize("query", [SYNCS, LINES])
async def test_a_page_that_can_not_be_is_refused_with_a_sentence(bare_server: Server, query: str):
    """Sizes out of range, both sizes, nonsense and cursors of other lists are explained."""
    syncs = await fill(bare_server.runtime.database, "org_1", [SyncState.COMPLETED] * 2, lines=2)
    (other,) = await fill(bare_server.runtime.database, "org_2", [SyncState.COMPLETED], lines=2)
    is_log = query is LINES
    own, foreign = (syncs[0], other) if is_log else ("org_1", "org_2")
    cursors = [(await read(bare_server, query, foreign))["pageInfo"]["endCursor"]]
    of_other_kind = await read(bare_server, *((SYNCS, "org_1") if is_log else (LINES, syncs[0])))
    cursors.append(of_other_kind["edges"][0]["cursor"])
    if is_log:
        cursors.append((await read(bare_server, query, syncs[1]))["pageInfo"]["endCursor"])
    good = (await read(bare_server, query, own))["pageInfo"]["endCursor"]
    cursors += [
        "",
        "x",
        good + "=",
        good[:-1],
        good + good,
        encode_opaque(b"sync:0:0000000000000000"),
        "ü",
        "A" * 9_999,
    ]
    wrong: list[tuple[Mapping[str, Any], str]] = [
        ({"first": 0}, "“first” must be from 1 to 100."),
        ({"first": -1}, "“first” must be from 1 to 100."),
        ({"last": 101}, "“last” must be from 1 to 100."),
        ({"first": 1, "last": 1}, "not “first” and “last” together"),
        *(({"after": cursor}, "“after” is not a cursor of") for cursor in cursors),
        ({"before": cursors[0]}, "“before” is not a cursor of"),
    ]
    for given_, sentence in wrong:
        (error,) = (await bare_server.ask(query, id=own, **given_))["errors"]
        assert error["extensions"]["code"] == "BAD_USER_INPUT", given_
        assert sentence in error["message"], given_


async def test_every_row_is_read_once_in_either_direction(bare_server: Server):
    """Whatever the sizes of the pages, the pages from either end together are the whole list in order."""
    syncs = await fill(bare_server.runtime.database, "org_1", [*STATES] * 3, lines=9)
    service = bare_server.runtime.syncs

    async def history(page: PageArguments) -> tuple[list[str], HistoryPage]:
        found = await service.history_page(LOCAL_OPERATOR, "org_1", page)
        return [one.sync_id for one in found.syncs], found

    async def log(page: PageArguments) -> tuple[list[str], LogPage]:
        request = LogPageRequest.of(syncs[0], page)
        found = (await service.log_pages(LOCAL_OPERATOR, [request]))[request]
        assert isinstance(found, LogPage)
        return [str(line.seq) for line in found.lines], found

    lists: list[tuple[Callable[[PageArguments], Awaitable[tuple[list[str], HistoryPage | LogPage]]], list[str]]]
    lists = [(history, syncs), (log, [str(number) for number in range(1, 10)])]
    random = Random(1)
    for (read_page, whole), is_backward, _ in product(lists, (False, True), range(10)):
        seen: list[str] = []
        cursor = None
        for _ in whole:
            size = random.randint(1, 4)
            page = PageArguments(last=size, before=cursor) if is_backward else PageArguments(first=size, after=cursor)
            rows, found = await read_page(page)
            seen = [*rows, *seen] if is_backward else [*seen, *rows]
            more, back = (found.has_previous, found.has_next) if is_backward else (found.has_next, found.has_previous)
            assert (more, back) == (len(seen) < len(whole), cursor is not None)
            cursor = found.cursors[0 if is_backward else -1]
            if not more:
                break
        assert seen == whole


async def test_the_logs_of_a_page_are_read_in_one_statement(bare_server: Server):
    """A page of syncs with a page of each log takes three statements; without the total, no sync is counted."""
    database = bare_server.runtime.database
    syncs = await fill(database, "org_1", [SyncState.COMPLETED] * 4, lines=3)
    query = """{ historyConnection(organizationId: "org_1", first: 3) { %s edges { node {
      id logConnection(last: 2) { totalCount nodes { seq } } top: logConnection(first: 1) { nodes { seq } } } } } }"""
    for total, is_counted in (("...f totalCount @skip(if: true)", True), ("", False)):
        fragment = "fragment f on SyncConnection { totalCount }" if total else ""
        with recorded(database) as executed:
            answer = await bare_server.ask(query % total + fragment)
        nodes = [edge["node"] for edge in answer["data"]["historyConnection"]["edges"]]
        assert [node["id"] for node in nodes] == syncs[:3]
        assert all(node["logConnection"] == {"totalCount": 3, "nodes": [{"seq": 2}, {"seq": 3}]} for node in nodes)
        assert all(node["top"] == {"nodes": [{"seq": 1}]} for node in nodes)
        selects = [one for one in executed if is_of_a_page(one)]
        assert len(selects) == 3
        assert any("count(*)" in one.text for one in selects) is is_counted


async def test_pages_are_read_along_indexes(bare_server: Server):
    """A page far behind the start costs what the first page costs: nothing is sorted and no table is read whole."""
    database = bare_server.runtime.database
    syncs = await fill(database, "org_1", [*STATES] * 20, lines=40)
    async with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            await connection.exec_driver_sql("ANALYZE")
    page = await read(bare_server, SYNCS, "org_1", first=30)
    line = (await read(bare_server, LINES, syncs[0], first=20))["pageInfo"]["endCursor"]
    with recorded(database) as executed:
        for status in (None, "FAILED"):
            service = bare_server.runtime.syncs
            outcomes = [SyncState.FAILED] if status else []
            places = {} if status else {"after": page["pageInfo"]["endCursor"]}
            for arguments in (PageArguments(first=2, **places), PageArguments(last=2)):
                await service.history_page(LOCAL_OPERATOR, "org_1", arguments, outcomes, counts=False)
        for arguments in (PageArguments(first=2, after=line), PageArguments(last=2, before=line)):
            await service.log_pages(LOCAL_OPERATOR, [LogPageRequest.of(syncs[0], arguments)])
    plans = ["\n".join(await plan_of(database, one)) for one in executed if is_of_a_page(one)]
    assert len(plans) == 10
    for plan in plans:
        if (await _kind(database)) == "sqlite":
            assert not any(slow in plan for slow in ("SCAN sync", "SCAN line", "TEMP B-TREE")), plan
        else:
            assert "Seq Scan on sync_log" not in plan, plan


async def test_a_watched_log_is_read_once_for_all_watchers(bare_server: Server):
    """In a subscription each watcher gets the newest lines, and another watcher costs no statement."""
    database = bare_server.runtime.database
    (sync_id,) = await fill(database, "org_1", [SyncState.COMPLETED], lines=3)
    watch = """subscription { dashboardUpdated(organizationId: "org_1") {
      lastSync { id logConnection(last: 1) { edges { cursor node { seq } } pageInfo { hasPreviousPage } } } } }"""
    with recorded(database) as executed:
        async with open_socket(bare_server) as first, open_socket(bare_server) as second:
            seen = []
            for socket in (first, second):
                await socket.subscribe(watch)
                seen.append((await socket.receive())["payload"]["data"]["dashboardUpdated"]["lastSync"])
    assert seen[0] == seen[1]
    assert (seen[0]["id"], seen[0]["logConnection"]["edges"][0]["node"]) == (sync_id, {"seq": 3})
    assert len([one for one in executed if "sync_log.message" in one.text]) == 1


async def test_syncs_of_another_organization_have_no_pages(settings: Settings, issuer: Issuer):
    """A token reads the pages of its own organization only; a sync of another one is unknown."""
    async with Server(jwt_settings(settings, issuer)) as server:
        use_token(server, issuer.token(OURS, role="admin", lifetime_seconds=600))
        (own,) = await fill(server.runtime.database, OURS, [SyncState.COMPLETED], lines=2)
        (other,) = await fill(server.runtime.database, "org_2", [SyncState.COMPLETED], lines=2)
        assert ids(await read(server, SYNCS, OURS)) == [own]
        assert ids(await read(server, LINES, own)) == [f"{own}:1", f"{own}:2"]
        (error,) = (await server.ask(SYNCS, id="org_2"))["errors"]
        assert error["extensions"]["code"] == "FORBIDDEN"
        (error,) = (await server.ask(LINES, id=other))["errors"]
        assert error["extensions"]["code"] == "SYNC_NOT_FOUND"
        node = "query ($id: ID!) { node(id: $id) { ... on SyncStatus { logConnection { totalCount } } } }"
        assert (await server.ask(node, id=own))["data"]["node"] == {"logConnection": {"totalCount": 2}}
        assert (await server.ask(node, id=other))["data"]["node"] is None


async def _kind(database: Database) -> str:
    async with database.reading() as connection:
        return connection.dialect.name
