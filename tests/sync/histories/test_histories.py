"""Random histories of clinics: after every sync, the mirror, the analysis, the figures and the receipt are right."""

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, seed
from hypothesis import settings as trials

from routiq_gql.settings import Settings
from routiq_gql.sync.model import FailureCode, SyncMode, SyncState
from tests.sync.histories.checks import check_completed, check_older, check_unpublished
from tests.sync.histories.edits import carry_out
from tests.sync.histories.steps import (
    DAY,
    MINUTE,
    RECENT_DAYS,
    STARTS,
    Edit,
    History,
    Kind,
    Round,
    Size,
    Trouble,
    Tuning,
    every_edit,
    histories,
)
from tests.sync.histories.world import Player, World

COUNTS: Counter[str] = Counter()


async def play(world: World, history: History) -> None:
    """Play a history, and check every sync."""
    world.tune(history.tuning)
    organizations = await world.organizations(history)
    for one in history.rounds:
        organization = organizations[one.organization]
        for edit in one.edits:
            carry_out(edit, organization.clinic)
        world.time.moment += one.passes
        if one.tidies:
            await world.tidy()
        row = await world.sync(organization, one)
        COUNTS[f"{row.mode} {row.status}"] += 1
        if row.status == SyncState.COMPLETED.value:
            await check_completed(world, organization, row, is_honest=not one.faults)
        else:
            may_be_cancelled = any(moment.trouble is Trouble.CANCEL for moment in one.during)
            assert may_be_cancelled if row.status == SyncState.CANCELLED.value else one.faults, row.failure_message
            assert row.failure_code != FailureCode.INTERNAL.value
            await check_unpublished(world, organization)
    for organization in organizations:
        await check_older(world, organization)


def search(
    settings: Settings, examples: int, number: int, *, rounds: int = 6, during: bool = True, trouble: bool = False
) -> None:
    print(f"To repeat these histories: --hypothesis-seed={number}")
    with Player(settings) as run:

        @seed(number)
        @trials(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
        @given(histories(rounds, during=during, trouble=trouble))
        def check(history: History) -> None:
            run(lambda world: play(world, history))

        try:
            check()
        finally:
            print(dict(COUNTS))


@pytest.fixture
def number(pytestconfig: pytest.Config) -> int:
    """The seed of this run: of ``--hypothesis-seed``, else the same in every run."""
    given_seed = pytestconfig.getoption("--hypothesis-seed")
    return 1 if given_seed is None else int(given_seed)


KINDS = {"between syncs": (False, False), "during syncs": (True, False), "interrupted syncs": (True, True)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_every_sync_of_random_histories_is_right(settings: Settings, number: int, kind: str):
    """Whatever happens to a clinic between and during its syncs, each sync finds what it must find."""
    during, trouble = KINDS[kind]
    search(settings, 4, number, during=during, trouble=trouble)


@pytest.mark.timeout(600)
def test_every_kind_of_edit_is_found(settings: Settings):
    """Each kind of edit occurs, with and without a trace, and the next sync of changes finds what it must find."""
    with Player(settings) as run:
        run(lambda world: play(world, every_edit()))


def test_the_analysis_is_right_after_the_clock_was_set_back(settings: Settings):
    """A sync that is analyzed at an earlier time than the one before shows who is active at that earlier time."""
    tuning = Tuning(per_page=100, leaf_rows=100, rows_per_step=500, ids_per_request=200, class_requests=3)
    rounds = tuple(Round((), passes, SyncMode.INCREMENTAL, (), 0) for passes in (2 * MINUTE, -4 * MINUTE))
    with Player(settings) as run:
        run(lambda world: play(world, History((Size(20, 40, 6, 20, 1), Size(0, 0, 0, 0, 0)), tuning, rounds)))


def played(settings: Settings, size: Size, *rounds: tuple[Edit, ...]) -> None:
    """Play a history of a single clinic, with an incremental sync after each tuple of edits."""
    tuning = Tuning(per_page=100, leaf_rows=100, rows_per_step=500, ids_per_request=200, class_requests=3)
    made = tuple(Round(edits, MINUTE, SyncMode.INCREMENTAL, (), 0) for edits in rounds)
    with Player(settings) as run:
        run(lambda world: play(world, History((size, Size(0, 0, 0, 0, 0)), tuning, made)))


def test_attendees_follow_the_classes_of_the_mirror(settings: Settings):
    """A class is gone and an older one is back, so that the counts agree: changes of its attendees are shown."""
    six_days_ago = STARTS.index(-(RECENT_DAYS + 1) * DAY)
    opened = Edit(Kind.OPEN_CLASS, "group_appointments", 0, 0, six_days_ago, touch=True)
    came = Edit(Kind.MARK, "attendees", 0, 1, 0, touch=True)
    removed = Edit(Kind.REMOVE, "group_appointments", 0, 0, 0, touch=True)
    back = Edit(Kind.INSERT_OLD, "group_appointments", 44, 0, six_days_ago, touch=True)
    played(settings, Size(2, 0, 0, 0, 1), (opened,), (came, removed, back))


def test_a_row_that_nothing_shows_may_belong_to_a_vanished_patient(settings: Settings):
    """A patient is gone, and an appointment of the patient that the mirror never had shows in no count and no time."""
    deleted = Edit(Kind.DELETE, "patients", 0, 0, 0, touch=False)
    unseen = Edit(Kind.INSERT_OLD, "individual_appointments", 59, 0, STARTS.index(20 * DAY), touch=True)
    played(settings, Size(2, 4, 0, 0, 1), (), (deleted, unseen))


@pytest.mark.postgres_only
@pytest.mark.timeout(600)
def test_the_same_on_postgresql(settings: Settings, number: int):
    """A database with several connections and row locks keeps the same content through all interruptions."""
    search(settings, 2, number, during=True, trouble=True)


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_with_many_histories(settings: Settings, pytestconfig: pytest.Config, kind: str):
    """Hundreds of syncs, with another seed each time."""
    given_seed = pytestconfig.getoption("--hypothesis-seed")
    during, trouble = KINDS[kind]
    number = random.randrange(10**6) if given_seed is None else int(given_seed)
    search(settings, 80, number, during=during, trouble=trouble)
