"""The arguments of a page of a connection, and cursors that name a row and what was asked for.

Histories, logs and lists of patients use the arguments. Lists of patients have cursors of their own, whose content must
not be guessed. Source: GraphQL Cursor Connections Specification.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from routiq_gql.errors import BadInput
from routiq_gql.opaque import decode_opaque, encode_opaque

DEFAULT_SIZE = 50
"""Rows of a page without ``first`` and ``last``, of most connections."""
LARGEST_SIZE = 100
_CURSOR = re.compile(rb"([a-z]+):([1-9][0-9]{0,18}):([0-9a-f]{16})")
_LONGEST = 80
"""Characters; more than any such cursor has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageArguments:
    """The first or the last rows between two cursors; ``default`` rows without ``first`` and ``last``."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    default: int = DEFAULT_SIZE

    @property
    def size(self) -> int:
        """How many rows at most."""
        if self.last is not None:
            return self.last
        return self.default if self.first is None else self.first

    @property
    def is_backward(self) -> bool:
        """Whether the page ends at ``before``, instead of beginning at ``after``."""
        return self.last is not None

    def check_size(self, largest: int = LARGEST_SIZE) -> None:
        """Raise unless the page has a size.

        Raises:
            BadInput: ``first`` or ``last`` is out of range, or both are given.
        """
        if self.first is not None and self.last is not None:
            raise BadInput("Use “first” with “after”, or “last” with “before”, not “first” and “last” together.")
        for name, size in (("first", self.first), ("last", self.last)):
            if size is not None and not 1 <= size <= largest:
                raise BadInput(f"“{name}” must be from 1 to {largest}.")


@dataclass(frozen=True, slots=True)
class Scope:
    """A connection whose cursors are refused by all others.

    Attributes:
        kind: The kind of its rows, a word in lower case.
        parts: What was asked for: the owner of the rows, and the filter.
        refusal: The error for any other cursor, with ``{name}`` for the argument.
        largest: The highest number of a row.
    """

    kind: str
    parts: Sequence[str]
    refusal: str
    largest: int = 2**63 - 1

    def cursor_of(self, number: int) -> str:
        """The cursor of the row with this number, which is 1 or higher."""
        return encode_opaque(f"{self.kind}:{number}:{self._digest()}".encode())

    def read_cursors(self, page: PageArguments) -> tuple[int | None, int | None]:
        """The numbers in ``after`` and ``before``; ``None`` where there is none.

        Raises:
            BadInput: One is not a cursor of this connection.
        """
        return self._read("after", page.after), self._read("before", page.before)

    def _read(self, name: str, cursor: str | None) -> int | None:
        if cursor is None:
            return None
        found = _CURSOR.fullmatch(decode_opaque(cursor, _LONGEST))
        if found is not None:
            kind, number, digest = found[1].decode(), int(found[2]), found[3].decode()
            if kind == self.kind and digest == self._digest() and number <= self.largest:
                return number
        raise BadInput(self.refusal.format(name=name))

    def _digest(self) -> str:
        # Not keyed: the parts are known to everyone who may read the rows. It only finds a mixed-up cursor.
        return blake2b("\0".join(self.parts).encode(), digest_size=8).hexdigest()
