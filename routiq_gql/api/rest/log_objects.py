"""The JSON objects of a sync's log: a line, the event of a line, and the whole log."""

from pydantic import Field

from routiq_gql.api.json_objects import Count, JsonObject, Time, one_of
from routiq_gql.api.rest.values import Sentence, StepName, SyncId
from routiq_gql.sync.model import LogLevel


class _OfSync(JsonObject):
    sync_id: SyncId


class LogEntry(JsonObject):
    """One line of a sync's log."""

    seq: int = Field(ge=1, description="Counts from 1 without gaps.")
    time: Time = Field(description="When it was written.")
    level: str = Field(description="Its severity.", json_schema_extra=one_of(level.value for level in LogLevel))
    step: StepName = Field(description="The step by name.")
    message: Sentence


class LogLine(LogEntry, _OfSync):  # pydantic orders the fields from the last base class on
    """One line of a sync's log, with its sync."""


class SyncLog(JsonObject):
    """The log of a sync, as far as it is written."""

    sync_id: SyncId
    last_seq: Count = Field(description="The number of the newest line, 0 before the first.")
    lines: list[LogEntry] = Field(
        description="The lines in ascending order. Lines whose retention period has ended are left out."
    )


LOG_OBJECTS = (LogLine, SyncLog, LogEntry)
