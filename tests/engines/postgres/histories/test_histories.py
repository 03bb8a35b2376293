"""Clients of two servers record what they see while workers, servers and PostgreSQL are in trouble."""

import asyncio
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from routiq_gql.settings import Settings
from tests.conftest import ENCRYPTION_KEYS
from tests.engines.postgres.histories.chaos import FEW, MANY, Cast, Play, check, connected_clinic, ends_of, summary
from tests.engines.postgres.histories.checker import RULES
from tests.engines.postgres.histories.deployment import deployment
from tests.engines.postgres.histories.index import Index
from tests.engines.postgres.histories.trouble import Troublemaker
from tests.postgres import Cluster

pytestmark = [pytest.mark.postgres_only, pytest.mark.timeout(300)]

SHORT_SECONDS = 12
SOAK_SECONDS = float(os.environ.get("SOAK_SECONDS", "240"))
SEED = int(os.environ.get("SOAK_SEED", "0"))
REPORT_SECONDS = 20
STALE_SECONDS = 2


async def in_trouble(
    folder: Path, seed: int, seconds: float, pytestconfig: pytest.Config, cast: Cast = FEW
) -> Counter[str]:
    """Run a deployment in trouble for so long, and check the history. Returns the trouble."""
    with Cluster() as cluster:
        settings = Settings(database_url=cluster.url, encryption_keys=ENCRYPTION_KEYS, cliniko_requests_per_minute=0)
        async with connected_clinic(settings) as expected, deployment(settings, folder, seed) as running:
            play = Play(running, seed, cast)
            trouble = Troublemaker(running, cluster, settings.database_url, seed)
            async with play.clients():
                until = time.monotonic() + seconds
                causing = asyncio.create_task(trouble.run(play.is_ending))
                while (left := until - time.monotonic()) > 0:
                    await asyncio.wait([causing], timeout=min(left, REPORT_SECONDS))
                    if causing.done():
                        break
                    show(pytestconfig, f"{left:4.0f} s left, {len(play.history.operations):,} operations")
                play.is_ending.set()
                await causing
    skewed = sum(count for seconds_ahead, count in running.clocks.items() if seconds_ahead)
    caused = trouble.caused + Counter({"processes started with a wrong clock": skewed})
    show(pytestconfig, summary(play.history, caused))
    check(play.history, expected, folder, seed)
    assert any(sync.status == "COMPLETED" for sync in ends_of(play.history).values())
    return caused


def show(pytestconfig: pytest.Config, text: str) -> None:
    """Print at once, although pytest captures the output of tests."""
    capturing = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capturing.global_and_fixture_disabled():
        print(f"\n{text}", end="", flush=True)


async def test_clients_of_two_servers_see_one_truth(tmp_path: Path, pytestconfig: pytest.Config):
    """While workers, servers and the database are killed, frozen and restarted, no page shows anything wrong."""
    await in_trouble(tmp_path, SEED, SHORT_SECONDS, pytestconfig)


@pytest.mark.soak
@pytest.mark.timeout(SOAK_SECONDS + 600)
async def test_clients_of_two_servers_see_one_truth_for_minutes(tmp_path: Path, pytestconfig: pytest.Config):
    """The same for minutes, with every kind of trouble."""
    seed = SEED or int(time.time())
    show(pytestconfig, f"seed {seed}, {SOAK_SECONDS:.0f} s")
    caused = await in_trouble(tmp_path, seed, SOAK_SECONDS, pytestconfig, MANY)
    assert len(caused) == 10 or SOAK_SECONDS < 240, "a kind of trouble was not caused"


async def test_a_server_with_a_stale_cache_is_found(settings: Settings, tmp_path: Path):
    """If a server shows an old state to a page that has seen a newer state elsewhere, the checker says so."""
    rules = ("states of a sync never go back", "dashboards never go back", "no sync disappears from lists")
    async with (
        connected_clinic(settings),
        deployment(settings, tmp_path, SEED, workers=1, stale_seconds=STALE_SECONDS) as running,
    ):
        play = Play(running, SEED)
        async with play.clients(), asyncio.timeout(60):
            while missing := [one for one in rules if not list(RULES[one](Index(play.history.operations)))]:
                await asyncio.sleep(0.5)
    assert not missing
    stale = running.addresses[-1].name
    for rule in rules:
        for violation in RULES[rule](Index(play.history.operations)):
            assert any(operation.server == stale for operation in violation.operations), violation
