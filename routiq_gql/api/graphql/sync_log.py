"""The object types of a sync's log: a line, and a page of lines, which is a connection."""

from datetime import datetime
from typing import Self

import strawberry
from strawberry import ID

from routiq_gql.api.graphql import examples
from routiq_gql.api.graphql.connection_pages import PageInfo
from routiq_gql.api.graphql.enums import LogLevel, SyncStep
from routiq_gql.api.graphql.nodes import Node
from routiq_gql.sync import log_pages, model


@strawberry.type(description="One line of a sync's log.")
class SyncLogEntry(Node):
    id: ID = strawberry.field(description=f"`syncId:seq`, unique among all log lines, {examples.LOG_LINE}.")
    seq: int = strawberry.field(description="The line's number within its sync: 1, 2, 3… without gaps.")
    time: datetime = strawberry.field(description="When it was written.")
    level: LogLevel = strawberry.field(description="Its severity.")
    step: SyncStep = strawberry.field(description="The step that wrote it.")
    message: str = strawberry.field(description="What happened, in one sentence.")

    @classmethod
    def of(cls, line: model.LogLine) -> Self:
        return cls(
            id=ID(f"{line.sync_id}:{line.seq}"),
            seq=line.seq,
            time=line.time,
            level=LogLevel[line.level.name],
            step=SyncStep[line.step.name],
            message=line.message,
        )


@strawberry.type(description="A line in a log.")
class SyncLogEdge:
    node: SyncLogEntry = strawberry.field(description="The line.")
    cursor: str = strawberry.field(
        description=f"Pass as `after` or `before` for another page of the same log, {examples.LINE_CURSOR}."
    )


@strawberry.type(description="A page of a sync's log, in ascending order.")
class SyncLogConnection:
    edges: list[SyncLogEdge] = strawberry.field(description="The lines of the page with their cursors.")
    nodes: list[SyncLogEntry] = strawberry.field(description="The same lines without cursors.")
    page_info: PageInfo = strawberry.field(
        description="What lies before and after the page. New lines of a running sync come after the last cursor."
    )
    total_count: int = strawberry.field(description="How many lines the log has now.")

    @classmethod
    def of(cls, page: log_pages.LogPage) -> Self:
        nodes = [SyncLogEntry.of(line) for line in page.lines]
        return cls(
            edges=[SyncLogEdge(node=node, cursor=cursor) for node, cursor in zip(nodes, page.cursors, strict=True)],
            nodes=nodes,
            page_info=PageInfo.of(page.cursors, has_next=page.has_next, has_previous=page.has_previous),
            total_count=page.total_count,
        )
