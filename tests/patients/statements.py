"""Records the statements of a database, and explains them with the values that they were executed with."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

from routiq_gql.database.engine import Database


@dataclass(frozen=True)
class Recorded:
    """A statement as the driver got it."""

    text: str
    parameters: Any


@contextmanager
def recorded(database: Database) -> Iterator[list[Recorded]]:
    """Every statement that is executed in the block."""
    executed: list[Recorded] = []
    engine = database._engine.sync_engine

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        executed.append(Recorded(statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def plan_of(database: Database, statement: Recorded) -> list[str]:
    """The lines of the plan."""
    async with database.reading() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
        rows = (await connection.exec_driver_sql(explain + statement.text, statement.parameters)).all()
    return [str(row[3] if is_sqlite else row[0]).strip() for row in rows]
