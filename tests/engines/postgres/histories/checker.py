"""Checks a history: the promises of the product that clients of several servers can observe.

All servers read one database, so answers are ordered in real time: an answer to a request that was sent after another
answer had arrived is at least as new as that answer, whichever server and whichever client. Only a later event of a
stream may lag; events of a stream are ordered among themselves. An operation without an answer may have had its effect
or not.
"""

from collections.abc import Callable, Iterable, Iterator

from tests.engines.postgres.histories import lists, logs, syncs
from tests.engines.postgres.histories.index import Index, Violation
from tests.engines.postgres.histories.records import History

RULES: dict[str, Callable[[Index], Iterator[Violation]]] = {
    "an organization has at most one active sync": syncs.one_active,
    "states of a sync never go back": syncs.versions_go_forward,
    "a state of a sync is the same for all clients": syncs.one_content,
    "a sync that has ended stays as it is": syncs.ended_stays,
    "a start answers with a sync that runs": syncs.starts,
    "a cancelled sync was cancelled by a client": syncs.cancels,
    "an answer is about what was asked": syncs.nothing_of_others,
    "no sync disappears from lists": lists.lists_go_forward,
    "a list is of a single moment": lists.lists_agree,
    "dashboards never go back": lists.dashboards_go_forward,
    "a dashboard is of a single moment": lists.dashboards_agree,
    "an open stream stays while the database is away": logs.open_streams_stay,
    "no line of a log is lost, repeated or changed": logs.lines,
}
"""Each promise, and the function that yields the violations in a history."""


def violations(history: History) -> list[Violation]:
    """All violations, in the order of the promises."""
    index = Index(history.operations)
    return [found for rule in RULES.values() for found in rule(index)]


def report(found: Iterable[Violation], most: int = 10) -> str:
    """The first violations as text, and the number of the others."""
    shown = list(found)
    left = f"\n… and {len(shown) - most} more" if len(shown) > most else ""
    return "\n".join(map(str, shown[:most])) + left
