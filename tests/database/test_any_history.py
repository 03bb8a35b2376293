"""Random histories of two organizations: after each step the mirror equals a few dictionaries.

Steps are pages of all forms, pages that are lost with their transaction or written twice, publications, failures whose
rows are removed late and in small batches, and pruning. Rows of two organizations and of two lists in a table share
their ids.
"""

import asyncio
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from routiq_gql.database.counting import count_visible, greatest_id, list_figures, stub_ids
from routiq_gql.database.drafts import Closing, Covered, Draft, ListChanges, ReadPage
from routiq_gql.database.engine import Database
from routiq_gql.database.merging import close_ids, merge_page
from routiq_gql.database.mirror import MirrorList
from routiq_gql.database.rollback import rollback_any, rollback_batch
from routiq_gql.database.schema import upgrade
from routiq_gql.database.tables import CURRENT, MIRROR
from routiq_gql.database.version_pruning import prune_versions
from tests.database.clinics import APPOINTMENTS, CLASSES, NOW, PATIENTS, Clinic, row_of

pytestmark = pytest.mark.both_databases

STEPS = 40
QUICK_SEEDS = range(8)
LONG_SEEDS = 150

TARGETS = (PATIENTS, APPOINTMENTS, CLASSES)
STUB = "stub"
HORIZON = NOW - timedelta(days=30)
INSIDE, OUTSIDE = HORIZON + timedelta(days=1), HORIZON - timedelta(days=1)

Value = tuple[int, bool]
"""The content of a row: a number, and whether it is within the horizon."""
State = dict[int, Value | str]


@dataclass(frozen=True)
class Page:
    """A page of a list, of which the range from ``above`` on is covered according to ``form``."""

    target: int
    form: str
    above: int
    width: int
    rows: dict[int, Value]
    closing: set[int]
    unreadable: set[int]
    minute: int
    fate: str


@dataclass(frozen=True)
class Pass:
    """The end of a pass over a whole list that has seen these rows."""

    target: int
    seen: set[int]
    size: int


@dataclass(frozen=True)
class End:
    """The end of a sync; ``size`` is that of the batches that remove the rows of a failed one."""

    fate: str
    size: int


@dataclass(frozen=True)
class Prune:
    """Keep so many of the newest syncs."""

    kept: int


Step = Page | Pass | End | Prune


def random_history(seed: int) -> list[tuple[int, Step]]:
    """The steps of two organizations. Ids and values are few, so that rows change and change back within a sync."""
    chance = random.Random(seed)
    return [(chance.randint(0, 1), _random_step(chance)) for _ in range(STEPS)]


def _random_step(chance: random.Random) -> Step:
    kind = chance.choices(("page", "pass", "end", "prune"), (12, 1, 3, 1))[0]
    if kind == "pass":
        return Pass(chance.randint(0, 2), _random_ids(chance, 8), chance.randint(1, 4))
    if kind == "end":
        return End(chance.choice(("published", "published", "failed", "left")), chance.randint(1, 3))
    if kind == "prune":
        return Prune(chance.randint(1, 3))
    above, width = chance.randint(0, 5), chance.randint(1, 8)
    # Most pages hold only rows of the range that they cover, like those of a list that is read in the order of ids.
    page_ids = set(range(above + 1, above + width + 1)) if chance.random() < 0.7 else set(range(1, 9))
    return Page(
        target=chance.randint(0, 2),
        form=chance.choice(("range", "range", "filtered", "filtered", "open", "ids", "changes", "changes")),
        above=above,
        width=width,
        rows={one: (chance.randint(0, 1), chance.random() < 0.6) for one in _random_ids(chance, 5) & page_ids},
        closing=_random_ids(chance, 1) & page_ids,
        unreadable=_random_ids(chance, 1) & page_ids,
        minute=chance.randint(0, 1),
        fate=chance.choice(("stored", "stored", "stored", "lost", "repeated")),
    )


def _random_ids(chance: random.Random, most: int) -> set[int]:
    return set(chance.sample(range(1, 9), chance.randint(0, most)))


@dataclass
class Expected:
    """An organization as dictionaries: the published rows, the rows that each earlier sync showed, and the draft."""

    clinic: Clinic
    draft: Draft | None = None
    base: dict[MirrorList, State] = field(default_factory=lambda: {target: {} for target in TARGETS})
    now: dict[MirrorList, State] = field(default_factory=lambda: {target: {} for target in TARGETS})
    shown: dict[int, dict[MirrorList, State]] = field(default_factory=dict)

    async def begin(self) -> Draft:
        """The draft of the running sync, which is started if none runs."""
        if self.draft is None:
            while True:
                async with self.clinic.database.writing() as connection:
                    if not await rollback_any(connection, 2):
                        break
            self.draft = await self.clinic.begin()
            self.now = deepcopy(self.base)
        return self.draft


class Laboratory:
    """A database and an event loop for many histories."""

    def __init__(self, url: str) -> None:
        self.runner = asyncio.Runner()
        self.database = Database(url)
        self.runner.run(upgrade(self.database))

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()

    def run(self, seed: int) -> None:
        names = [f"org_{seed}_{number}" for number in range(2)]
        try:
            self.runner.run(self._run(random_history(seed), names))
        except BaseException as error:
            error.add_note(f"The history has the seed {seed}.")
            raise

    async def _run(self, history: list[tuple[int, Step]], names: list[str]) -> None:
        organizations = [Expected(Clinic(self.database, name)) for name in names]
        for number, step in history:
            expected = organizations[number]
            match step:
                case Page():
                    await _merge(expected, step)
                case Pass():
                    await _pass(expected, step)
                case End():
                    await _end(expected, step)
                case Prune():
                    await _prune(expected, step)
            if isinstance(step, Page | Pass):
                await _check_draft(expected, TARGETS[step.target])
        for expected in organizations:
            for target in TARGETS:
                await _check_draft(expected, target)
            await _check_shown(expected)


async def _merge(expected: Expected, page: Page) -> None:
    draft, target = await expected.begin(), TARGETS[page.target]
    state = expected.now[target]
    covered, is_covered = _coverage(page, target)
    rows = [_row(target, row_id, value, page.minute) for row_id, value in page.rows.items()]
    closing = dict.fromkeys(page.closing - page.rows.keys(), Closing.ARCHIVED)
    unreadable = sorted(page.unreadable - page.rows.keys() - closing.keys())
    read = ReadPage(rows, closing, unreadable, covered)
    before = dict(state)
    if page.fate == "lost":
        with pytest.raises(InterruptedError):
            async with expected.clinic.database.writing() as connection:
                await merge_page(connection, draft, target, read)
                raise InterruptedError
        return
    async with expected.clinic.database.writing() as connection:
        changes = await merge_page(connection, draft, target, read)
    present = {*page.rows, *closing, *unreadable}
    state.update({row_id: _kept(target, value) for row_id, value in page.rows.items()})
    for row_id in closing:
        state.pop(row_id, None)
    for row_id in unreadable:
        state.setdefault(row_id, expected.base[target].get(row_id, STUB))
    for row_id in [one for one, value in state.items() if one not in present and is_covered(one, value)]:
        del state[row_id]
    assert changes.ids == {one for one in {*before, *state} if before.get(one) != state.get(one)}
    if page.fate == "repeated":
        async with expected.clinic.database.writing() as connection:
            assert (await merge_page(connection, draft, target, read)).changed == 0


def _coverage(page: Page, target: MirrorList) -> tuple[Covered | None, Any]:
    above, up_to = page.above, page.above + page.width
    match page.form:
        case "range":
            return Covered(above=above, up_to=up_to), lambda one, _: above < one <= up_to
        case "open":
            return Covered(above=above), lambda one, _: one > above
        case "ids":
            ids = tuple(range(above, up_to, 2))
            return Covered(ids=ids), lambda one, _: one in ids
        case "filtered" if target is PATIENTS:
            return Covered(above=above, archived=False), lambda one, _: one > above
        case "filtered":
            covered = Covered(above=above, up_to=up_to, starts_from=HORIZON)
            return covered, lambda one, value: above < one <= up_to and (value == STUB or value[1])
    return None, lambda *_: False


def _row(target: MirrorList, row_id: int, value: Value, minute: int) -> dict[str, Any]:
    changed_at = NOW + timedelta(minutes=minute)
    if target is PATIENTS:
        return row_of(target, row_id, first_name=str(value[0]), updated_at=changed_at)
    start = INSIDE if value[1] else OUTSIDE
    return row_of(target, row_id, practitioner_id=value[0], starts_at=start, updated_at=changed_at)


def _kept(target: MirrorList, value: Value) -> Value:
    return (value[0], True) if target is PATIENTS else value


async def _pass(expected: Expected, step: Pass) -> None:
    draft, target = await expected.begin(), TARGETS[step.target]
    state = expected.now[target]
    unseen = sorted(set(state) - step.seen)
    for start in range(0, len(unseen), step.size):
        async with expected.clinic.database.writing() as connection:
            await close_ids(connection, draft, target, unseen[start : start + step.size], Closing.DELETED)
    expected.now[target] = {row_id: value for row_id, value in state.items() if row_id in step.seen}


async def _end(expected: Expected, step: End) -> None:
    if expected.draft is None:
        return
    draft, expected.draft = expected.draft, None
    if step.fate == "published":
        await expected.clinic.publish(draft)
        expected.base = deepcopy(expected.now)
        expected.shown[draft.sync] = deepcopy(expected.now)
        await _check_shown(expected)
        return
    expected.now = deepcopy(expected.base)
    await expected.clinic.end(draft)
    if step.fate == "failed":
        has_more = True
        while has_more:
            async with expected.clinic.database.writing() as connection:
                has_more = await rollback_batch(connection, draft.mirror, step.size)


async def _prune(expected: Expected, step: Prune) -> None:
    if not expected.shown:
        return
    oldest = sorted(expected.shown)[-step.kept :][0]
    organization_id = expected.clinic.organization_id
    async with expected.clinic.database.writing() as connection:
        raised = update(MIRROR).where(MIRROR.c.organization_id == organization_id)
        await connection.execute(raised.values(oldest_kept=oldest))
    has_more = True
    while has_more:
        async with expected.clinic.database.writing() as connection:
            has_more = await prune_versions(connection, 2)
    expected.shown = {key: shown for key, shown in expected.shown.items() if key >= oldest}
    await _check_shown(expected)
    for target in TARGETS:
        versions = await expected.clinic.versions(target)
        assert all(to_sync > oldest for _, _, to_sync, _ in versions)
        assert all((reason is None) is (to_sync == CURRENT) for _, _, to_sync, reason in versions)


async def _check_draft(expected: Expected, target: MirrorList) -> None:
    draft, clinic = expected.draft, expected.clinic
    if draft is None:
        return
    base, state = expected.base[target], expected.now[target]
    assert await _stored(clinic, target, draft.sync) == state
    stored = [row_id for row_id, *_ in await clinic.versions(target)]
    async with clinic.database.reading() as connection:
        assert await count_visible(connection, draft, target) == len(state)
        assert await greatest_id(connection, draft, target) == max(stored, default=0)
        stubs = sorted(one for one, value in state.items() if value == STUB)
        assert await stub_ids(connection, draft, target, 100) == stubs
        assert (await list_figures(connection, draft))[target].changes == ListChanges(
            added=len(state.keys() - base.keys()),
            updated=sum(base[one] != state[one] for one in state.keys() & base.keys()),
            removed=len(base.keys() - state.keys()),
        )


async def _check_shown(expected: Expected) -> None:
    """Compare what readers see as of every kept sync."""
    for sync, shown in expected.shown.items():
        for target in TARGETS:
            assert await _stored(expected.clinic, target, sync) == shown[target]


async def _stored(clinic: Clinic, target: MirrorList, sync: int) -> State:
    found: State = {}
    for row_id, row in (await clinic.shown(target, sync)).items():
        if row["updated_at"] is None:
            found[row_id] = STUB
        elif target is PATIENTS:
            found[row_id] = (int(row["first_name"]), True)
        else:
            found[row_id] = (row["practitioner_id"], row["starts_at"] == INSIDE)
    return found


@pytest.fixture
def laboratory(database_url: str) -> Iterator[Laboratory]:
    opened = Laboratory(database_url)
    yield opened
    opened.close()


@pytest.mark.timeout(300)
def test_any_history_keeps_the_rows_that_were_read(laboratory: Laboratory):
    """Whatever the order of pages and ends of syncs, the mirror holds the rows read, and each sync shows its rows."""
    for seed in QUICK_SEEDS:
        laboratory.run(seed)


@pytest.mark.soak
def test_any_of_hundreds_of_histories_keeps_the_rows_that_were_read(laboratory: Laboratory):
    """The same for hundreds of other histories in each run; a failure names its seed."""
    for seed in random.sample(range(10**9), LONG_SEEDS):
        laboratory.run(seed)
