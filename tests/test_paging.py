"""Cursors that name a row and the parts of a request: each is accepted by its own connection, with its own number."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routiq_gql.errors import BadInput
from routiq_gql.paging import PageArguments, Scope

REFUSAL = "“{name}” is no cursor of this list."
WORDS = st.text("ab0:", max_size=3)
SCOPES = st.builds(Scope, st.sampled_from(["sync", "line"]), st.lists(WORDS, min_size=1, max_size=3), st.just(REFUSAL))
NUMBERS = st.integers(1, 2**63 - 1) | st.sampled_from([1, 2**31, 2**63 - 1])


@given(SCOPES, SCOPES, NUMBERS)
def test_a_cursor_belongs_to_one_connection(made_for: Scope, used_for: Scope, number: int):
    """Ids and filters that only read the same when they are written one after the other are different."""
    page = PageArguments(first=1, after=made_for.cursor_of(number))
    if (made_for.kind, made_for.parts) == (used_for.kind, used_for.parts):
        assert used_for.read_cursors(page) == (number, None)
    else:
        with pytest.raises(BadInput, match="“after” is no cursor"):
            used_for.read_cursors(page)


def test_parts_are_never_mixed_up():
    """Each pair of lists of parts, such as those of org_1 with 2x and of org_12 with x."""
    texts = ["", "1", "12", "2", "2x", "x"]
    cursors = {Scope("sync", [*parts], REFUSAL).cursor_of(7) for parts in product(texts, repeat=2)}
    assert len(cursors) == len(texts) ** 2


@pytest.mark.parametrize("largest", [1, 2**31 - 1, 2**63 - 1])
def test_a_number_that_no_row_has_is_refused(largest: int):
    """It would be an error of the database otherwise."""
    scope = Scope("line", ["org_1"], REFUSAL, largest)
    assert scope.read_cursors(PageArguments(last=1, before=scope.cursor_of(largest))) == (None, largest)
    for number in (largest + 1, 10**19 - 1, 10**19, 0):
        with pytest.raises(BadInput, match="“before” is no cursor"):
            scope.read_cursors(PageArguments(last=1, before=scope.cursor_of(number)))
