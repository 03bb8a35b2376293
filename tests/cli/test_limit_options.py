"""``--limit``: each command that has it prints so many entries of a longer list, whatever its pages."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import insert
from typer.core import TyperCommand, TyperGroup

from routiq_gql.cli.commands import COMMANDS, load
from routiq_gql.clock import utc_now
from routiq_gql.database.engine import Database
from routiq_gql.database.schema import upgrade
from routiq_gql.database.tables import AUDIT, SYNC
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.mapping import first_values
from routiq_gql.sync.model import SyncMode
from routiq_gql.webhooks.model import EventType
from tests.cli.conftest import Command
from tests.patients.clinics import NOW, ListedClinic, Person, Visit
from tests.webhooks.delivery import write

DATABASE = "sqlite+aiosqlite:///./routiq.db"
ORG = "org_1"
ENTRIES = 230
"""More than two pages of any list."""


def commands_with_a_limit() -> Iterator[tuple[str, ...]]:
    """The words of each command that has ``--limit``."""
    for listed in COMMANDS:
        command = load(listed.name)
        if isinstance(command, TyperGroup):
            found: Sequence[tuple[tuple[str, ...], object]] = [
                ((listed.name, name), one) for name, one in command.commands.items()
            ]
        else:
            found = [((listed.name,), command)]
        for words, one in found:
            if isinstance(one, TyperCommand) and any("--limit" in option.opts for option in one.params):
                yield words


@pytest.fixture
def webhook_id(folder: Path) -> str:
    """A webhook of an organization that has ``ENTRIES`` of everything."""

    async def fill() -> str:
        database = Database(DATABASE)
        await upgrade(database)
        people = [Person(one, "A", f"B{one % 9}", visits=(Visit(one, NOW),)) for one in range(1, ENTRIES + 1)]
        await ListedClinic(database, ORG).sync(people, completed_at=utc_now())
        async with open_runtime(Settings(database_url=DATABASE), run_syncs=False) as runtime:
            made, _ = await runtime.webhooks.register(
                LOCAL_OPERATOR, ORG, url="https://example.com/", events=[EventType.SYNC_COMPLETED]
            )
        await write(database, *(f"sync_{one}" for one in range(ENTRIES)), organization_id=ORG)
        now = utc_now()
        ended = {"version": 1, "epoch": 0, "completed_at": now, "status": "failed", "organization_id": ORG}
        async with database.writing() as connection:
            syncs = [
                {**first_values(SyncMode.FULL, now), **ended, "key": 1_000 + 2 * one, "sync_id": f"sync_{ORG}_{one}"}
                for one in range(ENTRIES)
            ]
            await connection.execute(insert(SYNC), syncs)
            looks = {**first_values(SyncMode.INCREMENTAL, now), **ended, "status": "completed", "refresh": True}
            await connection.execute(
                insert(SYNC),
                [{**looks, "key": one["key"] + 1, "sync_id": f"look_{one['key']}"} for one in syncs],
            )
            entry = {"action": "start", "outcome": "done", "organization_id": ORG, "times": 1}
            times = [{**entry, "time": now - timedelta(seconds=one)} for one in range(ENTRIES)]
            await connection.execute(insert(AUDIT), times)
        await database.close()
        return made.id

    return asyncio.run(fill())


@pytest.mark.parametrize("words", [*commands_with_a_limit()], ids=" ".join)
def test_a_limit_is_the_number_of_entries(
    command: Command, monkeypatch: pytest.MonkeyPatch, webhook_id: str, words: tuple[str, ...]
):
    """A person who asks for 150 entries gets the first 150, in a table as in JSON, and all with a high limit.

    The rows that a table has between them do not depend on the size of pages either.
    """
    arguments = [*words, ORG]
    arguments += [webhook_id] if words == ("webhooks", "deliveries") else []
    arguments += ["--list", "all"] if words == ("patients",) else []

    def entries(limit: int) -> list[str]:
        shown = command(*arguments, "--json", "--limit", str(limit))
        assert shown.code == 0, shown.err
        return [json.dumps(one) for one in json.loads(shown.out)]

    everything = entries(ENTRIES + 20)
    assert len(everything) >= ENTRIES
    for limit in (1, 99, 100, 101, 150, 201, ENTRIES):
        assert entries(limit) == everything[:limit]
    table = command(*arguments, "--limit", "150").out.splitlines()
    between = [line for line in table if "live update" in line]
    assert len(table) - len(between) == 151, "with headings"
    assert len(between) == (150 if words == ("history",) else 0)
    for name in ("MAX_PAGE", "LARGEST_SIZE"):
        monkeypatch.setattr(import_module(f"routiq_gql.cli.{words[0]}"), name, 40, raising=False)
    assert command(*arguments, "--limit", "150").out.splitlines() == table
