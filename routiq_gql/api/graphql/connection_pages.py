"""The parts that all connections share: the arguments of a page, and what lies before and after it.

Source: GraphQL Cursor Connections Specification.
"""

from collections.abc import Sequence
from typing import Annotated, Self

import strawberry
from strawberry import UNSET
from strawberry.types.nodes import FragmentSpread, InlineFragment, Selection

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.context import Info
from routiq_gql.paging import DEFAULT_SIZE, PageArguments

First = Annotated[
    int | None,
    strawberry.argument(description=f"How many after `after`, 1 to 100; {DEFAULT_SIZE} without `first` and `last`."),
]
Last = Annotated[
    int | None, strawberry.argument(description="How many before `before`, 1 to 100, in place of `first`.")
]


@strawberry.type(description="What lies before and after a page.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there is something after `endCursor`.")
    has_previous_page: bool = strawberry.field(description="Whether there is something before `startCursor`.")
    start_cursor: str | None = strawberry.field(
        description=f"The first cursor of the page, {examples.LINE_CURSOR}; null if it is empty."
    )
    end_cursor: str | None = strawberry.field(
        description=f"The last cursor of the page, {examples.LINE_CURSOR}; null if it is empty."
    )

    @classmethod
    def of(cls, cursors: Sequence[str], *, has_next: bool, has_previous: bool) -> Self:
        return cls(
            has_next_page=has_next,
            has_previous_page=has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


def page_arguments(
    first: int | None, after: str | None, last: int | None, before: str | None, default: int = DEFAULT_SIZE
) -> PageArguments:
    """The arguments of a page without Strawberry's marker for an omitted argument."""
    return PageArguments(
        first=None if first is UNSET else first,
        after=None if after is UNSET else after,
        last=None if last is UNSET else last,
        before=None if before is UNSET else before,
        default=default,
    )


def may_select(info: Info, *path: str) -> bool:
    """Whether the field that is being resolved selects ``path`` in its object, if no directive excludes it."""
    return any(_names(selection.selections, path) for selection in info.selected_fields)


def _names(selections: Sequence[Selection], path: Sequence[str]) -> bool:
    for one in selections:
        if isinstance(one, FragmentSpread | InlineFragment):
            if _names(one.selections, path):
                return True
        elif one.name == path[0] and (len(path) == 1 or _names(one.selections, path[1:])):
            return True
    return False
