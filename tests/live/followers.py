"""Followers for tests, and the number of statements that a database executes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from sqlalchemy import event

from routiq_gql.database.engine import Database
from routiq_gql.errors import RoutiqError

T = TypeVar("T")


class Recorder(Generic[T]):
    """A follower that keeps all calls.

    Attributes:
        values: All values, in order.
        ends: The arguments of all calls of ``on_end``; one at most is right.
        on_call: Called after each value was noted.
    """

    def __init__(self, on_call: Callable[[T], None] = lambda _value: None) -> None:
        self.values: list[T] = []
        self.ends: list[RoutiqError | None] = []
        self.on_call = on_call

    def on_value(self, value: T) -> None:
        assert not self.ends, "a call after the end"
        self.values.append(value)
        self.on_call(value)

    def on_end(self, error: RoutiqError | None) -> None:
        self.ends.append(error)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """All statements that are executed while the block runs, without those that begin or end a transaction."""
    executed: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)

    engine = database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield executed
    finally:
        event.remove(engine, "before_cursor_execute", note)
