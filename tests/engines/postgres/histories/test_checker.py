"""The checker of histories finds each broken promise, and accepts a history that keeps them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.postgres.histories.checker import RULES, report, violations
from tests.engines.postgres.histories.index import Index
from tests.engines.postgres.histories.records import (
    Answer,
    Cancelled,
    Dashboard,
    Ended,
    History,
    Line,
    Lines,
    Opened,
    Operation,
    Started,
    Sync,
    SyncList,
    What,
)

ORG, OTHER = "org_1", "org_2"
FIRST, SECOND = "sync_org_1_1", "sync_org_1_2"
COUNTS = {"activePatients": 7}


class Script:
    """A history made by hand. Each operation takes a second, and begins when the one before has returned."""

    def __init__(self) -> None:
        self._now = 0.0
        self.history = History(clock=lambda: self._now)
        self._invoked: dict[int, float] = {}

    def note(
        self,
        what: What,
        answer: Answer | None,
        *,
        client: str = "page",
        server: str = "server 1",
        organization: str = ORG,
        sync_id: str = "",
        stream: int = 0,
        since: float | None = None,
        is_fresh: bool = True,
        error: str = "timeout",
    ) -> float:
        """Append an operation and return its time of return. ``since``: invoked at this time instead of now."""
        invoked_at = self._now if since is None else since
        self._now += 1
        self.history.note(
            *(client, server, what, organization, invoked_at, answer),
            sync_id=sync_id,
            stream=stream,
            is_fresh=is_fresh,
            error="" if answer is not None else error,
        )
        return self._now

    def start(self, sync_id: str = FIRST, *, created: bool = True, **more: object) -> float:
        return self.note(What.START, Started(running(sync_id, 1, 0), created), **more)  # type: ignore[arg-type]

    def status(self, sync: Sync, **more: object) -> float:
        return self.note(What.STATUS, sync, sync_id=sync.sync_id, **more)  # type: ignore[arg-type]

    def cancel(self, sync: Sync, *, accepted: bool = True, **more: object) -> float:
        return self.note(What.CANCEL, Cancelled(sync, accepted), sync_id=sync.sync_id, **more)  # type: ignore[arg-type]

    def history_of(self, *syncs: Sync, total: int | None = None, **more: object) -> float:
        """A list, newest sync first."""
        counts = [sum(one.status == status for one in syncs) for status in ("COMPLETED", "FAILED", "CANCELLED")]
        return self.note(What.HISTORY, SyncList(ORG, total or len(syncs), *counts, syncs), **more)  # type: ignore[arg-type]

    def dashboard(
        self, current: Sync | None = None, last: Sync | None = None, successful: Sync | None = None, **more: object
    ) -> float:
        status = current.status if current is not None else "IDLE"
        seen = Dashboard(ORG, status, current, last, successful, COUNTS)
        return self.note(What.DASHBOARD, seen, **more)  # type: ignore[arg-type]

    def log(self, after: int, *seqs: int, sync_id: str = FIRST, **more: object) -> float:
        lines = tuple(Line(sync_id, seq, f"line {seq}") for seq in seqs)
        return self.note(What.LOG, Lines(after, lines), sync_id=sync_id, **more)  # type: ignore[arg-type]

    def follow(
        self, *events: Answer, what: What = What.FOLLOW, opened: Opened | None = None, sync_id: str = FIRST
    ) -> None:
        """A stream with these events."""
        stream = self.history.new_stream()
        began = self._now
        for number, answer in enumerate((opened or Opened(), *events)):
            subject = "" if what is What.FOLLOW_DASHBOARD else sync_id
            since = began if number < 2 else None
            self.note(what, answer, sync_id=subject, stream=stream, since=since, is_fresh=number < 2)


def running(sync_id: str = FIRST, version: int = 2, percentage: int = 40, organization: str = ORG) -> Sync:
    return Sync(sync_id, organization, "FETCHING_PATIENTS", version, percentage)


def completed(sync_id: str = FIRST, version: int = 9, found: int = 450) -> Sync:
    return Sync(sync_id, ORG, "COMPLETED", version, 100, {"patientsFound": found})


def cancelled(sync_id: str = FIRST, version: int = 9) -> Sync:
    return Sync(sync_id, ORG, "CANCELLED", version, 40, {"failure": "CANCELLED"})


def lines(*seqs: int, sync_id: str = FIRST, text: str = "line") -> list[Line]:
    return [Line(sync_id, seq, f"{text} {seq}") for seq in seqs]


def test_a_history_that_keeps_all_promises_is_accepted():
    """Two syncs, the first cancelled, are started, followed and listed as they should be."""
    script = Script()
    began = script.start()
    script.start(created=False, client="other page")
    script.dashboard(current=running())
    with_lines = Opened(shows_lines=True)
    script.follow(*lines(1), running(FIRST, 3), *lines(2), running(FIRST, 5), opened=with_lines)
    script.log(0, 1, 2)
    script.follow(*lines(3), cancelled(), Ended(), opened=Opened(5, 2, shows_lines=True))
    script.follow(Ended(), opened=Opened(9, 3, shows_lines=True))
    script.cancel(cancelled(), since=began, client="other page")
    script.cancel(cancelled(), accepted=False)
    script.history_of(cancelled())
    script.note(What.START, None)  # it has created the second sync nevertheless
    script.follow(
        Dashboard(ORG, "FETCHING_PATIENTS", running(SECOND, 2), cancelled(), None, COUNTS),
        Dashboard(ORG, "IDLE", None, completed(SECOND), completed(SECOND), {"activePatients": 8}),
        what=What.FOLLOW_DASHBOARD,
    )
    script.status(completed(SECOND))
    script.history_of(completed(SECOND), cancelled())
    script.note(What.LOG, Lines(0, tuple(lines(1, sync_id=SECOND))), sync_id=SECOND)
    assert report(violations(script.history)) == ""


def two_run_at_once(script: Script) -> None:
    script.start()
    script.start(SECOND)
    script.status(running(SECOND))
    script.status(running(FIRST))


def one_begins_within_another(script: Script) -> None:
    script.start()
    script.start(SECOND)
    script.status(running(FIRST))


def a_list_shows_two_running(script: Script) -> None:
    script.start()
    began = script.start(SECOND)
    script.history_of(running(SECOND), running(FIRST), since=began)


def a_session_goes_back(script: Script) -> None:
    script.start()
    script.status(running(FIRST, 5))
    script.status(running(FIRST, 4), server="server 2")


def another_client_goes_back(script: Script) -> None:
    script.start()
    script.status(running(FIRST, 5))
    script.status(running(FIRST, 4), server="server 2", client="other page")


def a_stream_goes_back(script: Script) -> None:
    script.start()
    script.follow(running(FIRST, 5), running(FIRST, 4))


def a_stream_repeats_a_version(script: Script) -> None:
    script.start()
    script.follow(running(FIRST, 5), running(FIRST, 5))


def a_resumed_stream_repeats_a_version(script: Script) -> None:
    script.start()
    script.follow(running(FIRST, 5), opened=Opened(5, 2, shows_lines=True))


def the_percentage_falls(script: Script) -> None:
    script.start()
    script.status(running(FIRST, 5, 60))
    script.status(running(FIRST, 6, 50))


def a_version_has_two_contents(script: Script) -> None:
    script.start()
    script.status(Sync(FIRST, ORG, "STARTING", 3, 20, {"patientsFound": 0}))
    script.status(Sync(FIRST, ORG, "STARTING", 3, 20, {"patientsFound": 100}))


def figures_of_a_completed_sync_differ(script: Script) -> None:
    script.start()
    script.status(completed(found=450))
    script.history_of(Sync(FIRST, ORG, "COMPLETED", figures={"patientsFound": 400}))


def a_completed_sync_is_at_99(script: Script) -> None:
    script.start()
    script.status(Sync(FIRST, ORG, "COMPLETED", 9, 99))


def an_ended_sync_runs(script: Script) -> None:
    script.start()
    script.status(completed())
    script.note(What.HISTORY, SyncList(ORG, 1, 0, 0, 0, (Sync(FIRST, ORG, "STORING"),)))


def an_ended_sync_has_a_later_version(script: Script) -> None:
    script.start()
    began = script.status(completed(version=9))
    script.status(running(FIRST, 10), since=began - 1)


def a_sync_ends_twice(script: Script) -> None:
    script.start()
    script.status(completed(version=9))
    script.status(Sync(FIRST, ORG, "FAILED", 10, 99))


def a_stream_shows_an_ended_sync_as_running(script: Script) -> None:
    script.start()
    script.follow(Sync(FIRST, ORG, "FAILED"), Sync(FIRST, ORG, "STORING"))


def two_starts_create_a_sync(script: Script) -> None:
    script.start()
    script.start()


def a_sync_is_seen_before_its_start(script: Script) -> None:
    script.status(running())
    script.start()


def a_sync_has_no_start(script: Script) -> None:
    script.status(running())


def a_start_answers_with_an_ended_sync(script: Script) -> None:
    script.start()
    script.status(completed())
    script.start(created=False)


def a_cancelled_sync_completes(script: Script) -> None:
    script.start()
    script.cancel(cancelled())
    script.status(completed())


def an_accepted_cancel_shows_a_completed_sync(script: Script) -> None:
    script.start()
    script.cancel(completed())


def a_refused_cancel_shows_a_running_sync(script: Script) -> None:
    script.start()
    script.cancel(running(), accepted=False)


def a_sync_is_cancelled_twice(script: Script) -> None:
    script.start()
    script.cancel(cancelled())
    script.cancel(cancelled())


def a_sync_is_cancelled_by_no_client(script: Script) -> None:
    script.start()
    script.status(cancelled())


def a_sync_of_another_organization_is_shown(script: Script) -> None:
    script.note(What.START, Started(running("sync_org_2_1", 1, 0, OTHER), created=True), organization=OTHER)
    script.dashboard(current=running("sync_org_2_1", organization=OTHER))


def another_sync_is_shown(script: Script) -> None:
    script.start()
    script.note(What.STATUS, completed(), sync_id=FIRST)
    script.start(SECOND)
    script.note(What.STATUS, completed(), sync_id=SECOND)


def another_log_is_shown(script: Script) -> None:
    script.start()
    script.note(What.LOG, Lines(0, tuple(lines(1, sync_id=SECOND))), sync_id=FIRST)


def another_dashboard_is_shown(script: Script) -> None:
    script.note(What.DASHBOARD, Dashboard(OTHER, "IDLE", None, None, None, COUNTS))


def a_list_loses_a_sync(script: Script) -> None:
    script.start()
    script.history_of(completed())
    script.start(SECOND)
    script.history_of(completed(), server="server 2")
    script.history_of(running(SECOND), completed())


def a_started_sync_never_appears(script: Script) -> None:
    script.start()
    script.history_of()


def a_total_falls(script: Script) -> None:
    script.start()
    script.note(What.HISTORY, SyncList(ORG, 1, 1, 0, 0, (completed(),)))
    script.note(What.HISTORY, SyncList(ORG, 1, 0, 0, 0, (completed(),)))


def the_order_changes(script: Script) -> None:
    script.start()
    script.status(completed())
    script.start(SECOND)
    script.history_of(completed(SECOND), completed())
    script.history_of(completed(), completed(SECOND))


def a_list_lacks_a_row(script: Script) -> None:
    script.start()
    script.status(completed())
    script.start(SECOND)
    script.history_of(completed(SECOND), total=2)


def a_list_counts_otherwise(script: Script) -> None:
    script.start()
    script.note(What.HISTORY, SyncList(ORG, 1, 0, 0, 0, (completed(),)))


def a_dashboard_goes_back(script: Script) -> None:
    script.start()
    script.status(completed())
    script.dashboard(client="other page")
    script.history_of(completed())


def a_dashboard_lacks_the_completed_sync(script: Script) -> None:
    script.start()
    script.status(completed())
    script.dashboard(last=completed(), successful=None)
    script.history_of(completed())


def a_stream_of_dashboards_goes_back(script: Script) -> None:
    script.start()
    script.follow(
        Dashboard(ORG, "IDLE", None, completed(), completed(), COUNTS),
        Dashboard(ORG, "IDLE", None, None, None, {}),
        what=What.FOLLOW_DASHBOARD,
    )
    script.history_of(completed())


def a_dashboard_is_idle_while_a_sync_runs(script: Script) -> None:
    script.start()
    script.note(What.DASHBOARD, Dashboard(ORG, "IDLE", running(), None, None, COUNTS))


def a_dashboard_has_an_ended_current_sync(script: Script) -> None:
    script.start()
    script.dashboard(current=completed())


def a_dashboard_has_a_running_last_sync(script: Script) -> None:
    script.start()
    script.dashboard(last=running())


def a_dashboard_has_an_older_current_sync(script: Script) -> None:
    script.start()
    script.status(completed())
    began = script.start(SECOND)
    script.history_of(completed(SECOND), completed())
    script.dashboard(current=running(FIRST), last=completed(SECOND), successful=completed(SECOND), since=began - 3)


def the_counts_of_a_completed_sync_change(script: Script) -> None:
    script.start()
    script.dashboard(last=completed(), successful=completed())
    script.note(What.DASHBOARD, Dashboard(ORG, "IDLE", None, completed(), completed(), {"activePatients": 8}))


def a_log_has_a_gap(script: Script) -> None:
    script.start()
    script.log(0, 1, 3)


def a_log_is_shorter_than_before(script: Script) -> None:
    script.start()
    script.log(0, 1, 2)
    script.log(0, 1, server="server 2")


def a_stream_loses_a_line(script: Script) -> None:
    script.start()
    script.follow(*lines(1, 3), what=What.FOLLOW_LOG, opened=Opened(shows_lines=True))


def a_resumed_stream_repeats_a_line(script: Script) -> None:
    script.start()
    script.follow(*lines(1, 2), what=What.FOLLOW_LOG, opened=Opened(shows_lines=True))
    script.follow(*lines(2, 3), what=What.FOLLOW_LOG, opened=Opened(0, 2, shows_lines=True))


def a_line_has_two_texts(script: Script) -> None:
    script.start()
    script.log(0, 1)
    script.follow(*lines(1, text="other"), what=What.FOLLOW_LOG, opened=Opened(shows_lines=True))


def a_stream_ends_before_its_last_line(script: Script) -> None:
    script.start()
    script.log(0, 1, 2)
    script.follow(*lines(1), Ended(), what=What.FOLLOW_LOG, opened=Opened(shows_lines=True))


def a_stream_continues_after_its_end(script: Script) -> None:
    script.start()
    script.follow(*lines(1), completed(), *lines(2), Ended(), opened=Opened(shows_lines=True))


def a_stream_ends_before_the_sync(script: Script) -> None:
    script.start()
    script.follow(running(), Ended())


def an_open_stream_gets_an_error(script: Script) -> None:
    script.start()
    script.follow(running())
    stream = script.history.operations[-1].stream
    script.note(What.FOLLOW, None, sync_id=FIRST, stream=stream, is_fresh=False, error="DATABASE_AWAY")


PLANTED: dict[str, tuple[Callable[[Script], None], ...]] = {
    "an organization has at most one active sync": (
        *(two_run_at_once, one_begins_within_another, a_list_shows_two_running),
    ),
    "states of a sync never go back": (
        *(a_session_goes_back, another_client_goes_back, a_stream_goes_back, a_stream_repeats_a_version),
        *(a_resumed_stream_repeats_a_version, the_percentage_falls),
    ),
    "a state of a sync is the same for all clients": (
        *(a_version_has_two_contents, figures_of_a_completed_sync_differ, a_completed_sync_is_at_99),
    ),
    "a sync that has ended stays as it is": (
        *(an_ended_sync_runs, an_ended_sync_has_a_later_version, a_sync_ends_twice),
        *(a_stream_shows_an_ended_sync_as_running, a_start_answers_with_an_ended_sync),
    ),
    "a start answers with a sync that runs": (
        *(two_starts_create_a_sync, a_sync_is_seen_before_its_start, a_sync_has_no_start),
    ),
    "a cancelled sync was cancelled by a client": (
        *(a_cancelled_sync_completes, an_accepted_cancel_shows_a_completed_sync, a_sync_is_cancelled_twice),
        *(a_refused_cancel_shows_a_running_sync, a_sync_is_cancelled_by_no_client),
    ),
    "an answer is about what was asked": (
        *(a_sync_of_another_organization_is_shown, another_sync_is_shown, another_log_is_shown),
        another_dashboard_is_shown,
    ),
    "no sync disappears from lists": (
        *(a_list_loses_a_sync, a_started_sync_never_appears, a_total_falls, the_order_changes),
    ),
    "a list is of a single moment": (a_list_lacks_a_row, a_list_counts_otherwise),
    "dashboards never go back": (
        *(a_dashboard_goes_back, a_dashboard_lacks_the_completed_sync, a_stream_of_dashboards_goes_back),
    ),
    "a dashboard is of a single moment": (
        *(a_dashboard_is_idle_while_a_sync_runs, a_dashboard_has_an_ended_current_sync),
        *(a_dashboard_has_a_running_last_sync, a_dashboard_has_an_older_current_sync),
        the_counts_of_a_completed_sync_change,
    ),
    "an open stream stays while the database is away": (an_open_stream_gets_an_error,),
    "no line of a log is lost, repeated or changed": (
        *(a_log_has_a_gap, a_log_is_shorter_than_before, a_stream_loses_a_line, a_resumed_stream_repeats_a_line),
        *(a_line_has_two_texts, a_stream_ends_before_its_last_line, a_stream_ends_before_the_sync),
        a_stream_continues_after_its_end,
    ),
}
"""Histories with a violation, by the promise that they break."""


def test_every_promise_has_planted_violations():
    """No promise of the checker is untested."""
    assert PLANTED.keys() == RULES.keys()


@pytest.mark.parametrize(
    ("rule", "plant"),
    [(rule, plant) for rule, plants in PLANTED.items() for plant in plants],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_planted_violation_is_found(rule: str, plant: Callable[[Script], None]):
    """The promise that is broken is named, with the operations that show it."""
    script = Script()
    plant(script)
    found = list(RULES[rule](Index(script.history.operations)))
    assert found
    assert all(isinstance(one, Operation) for one in found[0].operations)
    assert str(found[0]).count("\n") == len(found[0].operations) > 0


def test_an_answer_may_be_older_than_a_request_at_the_same_time():
    """Two requests that overlap may be answered in any order."""
    script = Script()
    began = script.start()
    script.status(running(FIRST, 5), client="other page")
    script.status(running(FIRST, 4), since=began)
    script.dashboard(since=0.0)
    script.history_of(running(FIRST, 6))
    assert report(violations(script.history)) == ""


def test_an_event_of_a_stream_may_be_older_than_a_response():
    """A page that is slow to receive events is no violation."""
    script = Script()
    script.start()
    script.follow(running(FIRST, 2))
    stream = script.history.operations[-1].stream
    script.status(running(FIRST, 5), client="other page")
    script.note(What.FOLLOW, running(FIRST, 4), sync_id=FIRST, stream=stream, is_fresh=False)
    assert report(violations(script.history)) == ""


def test_a_start_without_an_answer_may_have_worked():
    """A sync whose start was not answered is accounted for, but no further sync."""
    script = Script()
    script.note(What.START, None)
    script.status(completed())
    assert report(violations(script.history)) == ""
    script.status(completed(SECOND))
    assert "No client has started" in report(violations(script.history))


def test_a_history_is_written_and_read(tmp_path: Path):
    """The file of a failed run gives the same verdict when it is read again."""
    script = Script()
    for plants in PLANTED.values():
        for plant in plants:
            plant(script)
    again = History.read(script.history.write(tmp_path / "history.jsonl"))
    assert list(map(str, again.operations)) == list(map(str, script.history.operations))
    assert report(violations(again), 1000) == report(violations(script.history), 1000)


def test_only_the_first_violations_are_shown():
    """A report stays readable, and says how many violations it leaves out."""
    script = Script()
    for _ in range(5):
        a_sync_has_no_start(script)
        script.status(running(FIRST, 1))
    found = violations(script.history)
    assert report(found, 2).endswith(f"… and {len(found) - 2} more")
