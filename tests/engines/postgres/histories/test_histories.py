"""Clients of two servers record what they see while workers, servers and PostgreSQL are in trouble."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

from routiq_gql.settings import Settings
from tests.conftest import ENCRYPTION_KEYS
from tests.engines.postgres.histories.chaos import FEW, MANY, Cast, Play, check, connected_clinic, ends_of, summary
from tests.engines.postgres.histories.checker import RULES
from tests.engines.postgres.histories.deployment import deployment
from tests.engines.postgres.histories.index import Index
from tests.engines.postgres.histories.trouble import KINDS, Troublemaker
from tests.engines.postgres.processes import LIMIT_SECONDS
from tests.postgres import Cluster

pytestmark = [pytest.mark.postgres_only, pytest.mark.timeout(300)]

SHORT_SECONDS = 8
SHORT_TROUBLE = ("worker killed", "server frozen", "connections cut", "database restarted", "server killed")
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "240"))
SEED = int(os.environ.get("SOAK_SEED", "0"))
REPORT_SECONDS = 20
STALE_SECONDS = 5
LOG_LINES = 100
"""The last lines of the processes' log, shown when syncs don't end."""


@dataclass
class Run:
    """A deployment in trouble.

    Attributes:
        pause_seconds: The shortest and the longest pause between two troubles.
        show: Receives a line of progress every ``REPORT_SECONDS``, and the figures at the end.
    """

    folder: Path
    seed: int
    seconds: float
    workers: int
    cast: Cast
    kinds: Collection[str]
    pause_seconds: tuple[float, float]
    show: Callable[[str], None] = print

    async def check(self) -> Counter[str]:
        """Cause trouble for so long, and check the history. Returns the trouble."""
        with Cluster() as cluster:
            settings = Settings(
                database_url=cluster.url, encryption_keys=ENCRYPTION_KEYS, cliniko_requests_per_minute=0
            )
            async with (
                connected_clinic(settings) as expected,
                deployment(settings, self.folder, self.seed, workers=self.workers) as running,
            ):
                play = Play(running, self.seed, self.cast)
                trouble = Troublemaker(running, cluster, settings.database_url, self.seed, self.pause_seconds)
                async with play.clients() as scene:
                    await self._disturb(play, trouble)
                    try:
                        await play.see_the_end(scene)
                    except TimeoutError:
                        self.show(summary(play.history, trouble.caused))
                        self.show("\n".join(running.log.read_text().splitlines()[-LOG_LINES:]))
                        raise
        skewed = sum(count for ahead, count in running.clocks.items() if ahead)
        caused = trouble.caused + Counter({"wrong clock": skewed})
        self.show(summary(play.history, caused))
        check(play.history, expected, self.folder, self.seed)
        assert any(sync.status == "COMPLETED" for sync in ends_of(play.history).values())
        return caused

    async def _disturb(self, play: Play, trouble: Troublemaker) -> None:
        until, enough = time.monotonic() + self.seconds, asyncio.Event()
        causing = asyncio.create_task(trouble.run(self.kinds, enough))
        while (left := until - time.monotonic()) > 0 and not causing.done():
            self.show(f"{left:4.0f} s left, {len(play.history.operations):,} operations")
            await asyncio.wait([causing], timeout=min(left, REPORT_SECONDS))
        enough.set()
        await causing


async def test_clients_of_two_servers_see_one_truth(tmp_path: Path):
    """While workers, servers and the database are killed, frozen and restarted, no page shows anything wrong."""
    caused = await Run(tmp_path, SEED, SHORT_SECONDS, 2, FEW, SHORT_TROUBLE, (0.3, 2)).check()
    assert caused.keys() >= set(SHORT_TROUBLE)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS + 600)
async def test_clients_of_two_servers_see_one_truth_for_minutes(tmp_path: Path, pytestconfig: pytest.Config):
    """The same for minutes, with a third worker, more clients, and every kind of trouble."""

    def show(text: str) -> None:
        """Print at once, although pytest captures the output of tests."""
        with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{text}", end="", flush=True)

    seed = SEED or int(time.time())
    show(f"seed {seed}, {SOAK_SECONDS:.0f} s")
    caused = await Run(tmp_path, seed, SOAK_SECONDS, 3, MANY, KINDS, (0.5, 6), show).check()
    assert caused.keys() >= KINDS or SOAK_SECONDS < 120, "a kind of trouble was not caused"


async def test_a_server_with_a_stale_cache_is_found(settings: Settings, tmp_path: Path):
    """If a server shows an old state to a page that has seen a newer state elsewhere, the checker says so."""
    rules = ("states of a sync never go back", "dashboards never go back", "no sync disappears from lists")
    async with (
        connected_clinic(settings),
        deployment(settings, tmp_path, SEED, workers=1, stale_seconds=STALE_SECONDS) as running,
    ):
        play = Play(running, SEED, FEW)
        async with play.clients(), asyncio.timeout(LIMIT_SECONDS):
            while missing := [one for one in rules if not list(RULES[one](Index(play.history.operations)))]:
                await asyncio.sleep(1)
    assert not missing
    stale = running.addresses[-1].name
    for rule in rules:
        for violation in RULES[rule](Index(play.history.operations)):
            assert any(operation.server == stale for operation in violation.operations), violation
