"""How long a page of each list takes in a clinic of 50,000 patients with 24 months of appointments, on both databases.

Everything that a page needs is measured: the statements, the rule for each patient, and its reasons. The rows are
written directly, with a second organization beside it, since a sync of so many takes minutes. The processor time is
that of this process: all of it with SQLite, and without the statements with PostgreSQL.
"""

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from routiq_gql.database.engine import Database
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.model import PatientPage, PatientSort
from routiq_gql.patients.pages import read_page, read_patients
from routiq_gql.patients.read_sync import find_sync
from routiq_gql.patients.requests import PageRequest
from routiq_gql.patients.summaries import read_summaries
from tests.bench.live.report import Report
from tests.bench.table import milliseconds, show_progress
from tests.cursor_keys import CURSOR_KEYS
from tests.machine import LEFT_OUT
from tests.patients.clinics import NOW, ListedClinic, Person, Visit
from tests.postgres import Cluster, Databases
from tests.tables import make_tables

PATIENTS, QUICK_PATIENTS = 50_000, 200
GOAL_MS = 100
ROUNDS, QUICK_ROUNDS = 5, 1
FIRST = ("Olivia", "Noah", "Isla", "Zoë", "Jack", "Mia", "Leo", "Anh", "Priya", "Björn", "Amelia", "Łukasz", "Ruby")
LAST = ("Smith", "Nguyen", "Jones", "Brown", "Müller", "Singh", "de Souza", "O'Neil", "Kim", "Ødegård", "Taylor")
SEARCHES = ("nguyen", "zoe", "example.com", "041234", "nobody-has-this", "a")


def people(count: int, seed: int = 1) -> Iterator[Person]:
    """Patients with up to 24 months of appointments: of some 12 each, most in the past."""
    pick = random.Random(seed)
    for number in range(1, count + 1):
        began, visits = pick.randint(-720, 20), []
        at, gap = began, pick.choice((7, 14, 14, 28, 60))
        stops = pick.choice((began, began + 30, began + 90, 0, 45))
        while at <= stops and len(visits) < 40:
            starts_at = NOW + timedelta(days=at, minutes=pick.randint(0, 600))
            visits.append(
                Visit(
                    number * 100 + len(visits), starts_at,
                    is_cancelled=pick.random() < 0.08,
                    is_missed=pick.random() < 0.05 if at < 0 else None,
                    is_class=pick.random() < 0.1,
                    type_id=pick.choice((601, 602)),
                    practitioner_id=pick.choice((501, 502, 503)),
                )
            )  # fmt: skip
            at += gap + pick.randint(-2, 2) if gap > 2 else gap
        yield Person(
            number,
            first_name=pick.choice(FIRST),
            last_name=f"{pick.choice(LAST)}{pick.choice(('', '-Hall', ' Lee'))}",
            email=f"patient{number}@example.com",
            phone=f"04{pick.randint(0, 99_999_999):08}",
            created_at=NOW + timedelta(days=began - pick.choice((0, 0, 400))),
            is_archived=pick.random() < 0.05,
            visits=tuple(visits),
        )


@asynccontextmanager
async def _database(kind: str, folder: Path) -> AsyncIterator[Database]:
    with Cluster(on_disk=True) if kind == "PostgreSQL" else nullcontext() as cluster:
        url = f"sqlite+aiosqlite:///{folder / 'patients.db'}" if cluster is None else Databases(cluster.url).create()
        await asyncio.to_thread(make_tables, url)
        database = Database(url)
        try:
            yield database
        finally:
            await database.close()


async def _timed(work: Callable[[], Awaitable[object]], rounds: int) -> list[tuple[float, float]]:
    """The time, and the processor time of this process, of each round after a first one."""
    await work()
    taken = []
    for _ in range(rounds):
        began, busy = time.perf_counter(), time.process_time()
        await work()
        taken.append((time.perf_counter() - began, time.process_time() - busy))
    return taken


async def _measure(kind: str, report: Report, count: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with _database(kind, Path(folder)) as database:
            show_progress(f"{kind}: writing {count:,} patients")
            for organization, size in (("org_1", count), ("org_2", count // 10)):
                await ListedClinic(database, organization).fill(people(size))
            if kind == "PostgreSQL":
                async with database.writing() as connection:
                    await connection.execute(text("ANALYZE"))
            show_progress(f"{kind}: reading pages")
            for name, works in (await _works(database)).items():
                taken = [one for work in works for one in await _timed(work, rounds)]
                half, worst = statistics.median(one for one, _ in taken), max(one for one, _ in taken)
                busy = statistics.median(one for _, one in taken)
                report.rows.append([f"{kind}: {name}", *map(milliseconds, (half, worst, busy))])
                report.figures[f"{kind}: {name}"] = {
                    "median_ms": half * 1000, "worst_ms": worst * 1000, "processor_ms": busy * 1000
                }  # fmt: skip


async def _works(database: Database) -> dict[str, list[Callable[[], Awaitable[object]]]]:
    """The measured work, by the name of its row."""

    async def page(request: PageRequest) -> PatientPage:
        async with database.reading() as connection:
            found = await read_page(connection, CURSOR_KEYS, "org_1", request)
        for patient in found.patients:
            patient.why(request.list)
        return found

    def reading(**parts: object) -> Callable[[], Awaitable[object]]:
        return lambda: page(PageRequest(**parts))  # type: ignore[arg-type]

    async def one_patient() -> object:
        async with database.reading() as connection:
            return await read_patients(connection, await find_sync(connection, "org_1"), [count_ids // 2])

    async def summaries() -> object:
        async with database.reading() as connection:
            return await read_summaries(connection, await find_sync(connection, "org_1"))

    whole = await page(PageRequest(list=PatientList.ALL))
    count_ids = whole.total_count
    works: dict[str, list[Callable[[], Awaitable[object]]]] = {}
    for which in PatientList:
        works[f"list {which.name}, every sort"] = [reading(list=which, sort=sort) for sort in PatientSort]
    middle, backward = [], []
    for sort in PatientSort:
        request = PageRequest(list=PatientList.ALL, sort=sort, first=200)
        found = await page(request)
        for _ in range(min(20, count_ids // 400)):
            found = await page(PageRequest(list=PatientList.ALL, sort=sort, first=200, after=found.cursors[-1]))
        middle.append(reading(list=PatientList.ALL, sort=sort, after=found.cursors[-1]))
        backward.append(reading(list=PatientList.ALL, sort=sort, last=50, before=found.cursors[0]))
    works["ALL, a page in the middle"] = middle
    works["ALL, backward from the middle"] = backward
    works["ALL, the last page"] = [reading(list=PatientList.ALL, sort=sort, last=50) for sort in PatientSort]
    works["ALL, 200 patients"] = [reading(list=PatientList.ALL, first=200)]
    for word in SEARCHES:
        works[f"ALL, search “{word}”"] = [reading(list=PatientList.ALL, search=word, sort=sort) for sort in PatientSort]
    works["ALL, of one practitioner"] = [
        reading(list=PatientList.ALL, practitioner_id=one, sort=sort) for sort in PatientSort for one in ("501", "999")
    ]
    works["the numbers of all lists"] = [summaries]
    works["one patient"] = [one_patient]
    return works


def measure_patients(*, quick: bool) -> Report:
    """Pages of 50 patients, with reasons, in a process of its own database."""
    count, rounds = (QUICK_PATIENTS, QUICK_ROUNDS) if quick else (PATIENTS, ROUNDS)
    report = Report(
        f"A page of 50 of {count:,} patients with 24 months of appointments, with counts and reasons, in ms",
        ["", "median", "worst", "processor"],
    )
    asyncio.run(_measure("SQLite", report, count, rounds))
    try:
        asyncio.run(_measure("PostgreSQL", report, count, rounds))
    except LEFT_OUT as reason:
        report.notes.append(f"PostgreSQL is left out: {reason}")
    slowest = max(report.figures, key=lambda name: report.figures[name]["median_ms"])
    median = report.figures[slowest]["median_ms"]
    report.notes.append(f"The goal is {GOAL_MS} ms for every page. The slowest median was {slowest}: {median:.0f} ms.")
    return report
