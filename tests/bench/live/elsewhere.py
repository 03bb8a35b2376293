"""Measures progress that is made in another process: PostgreSQL, a worker, and a process that watches all of its syncs.

The syncs wait for Cliniko most of the time, as real ones do. ``tests.bench.scale`` measures the same with more workers.
"""

import asyncio

from routiq_gql.runtime import open_runtime
from routiq_gql.serving.server import tune_gc
from routiq_gql.settings import Settings
from tests.bench import scale
from tests.bench.children import start
from tests.bench.live.report import Report, Sizes
from tests.bench.table import milliseconds, show_progress
from tests.postgres import Cluster

ANSWER_SECONDS, QUICK_ANSWER_SECONDS = 3.0, 0.2


def measure_elsewhere(sizes: Sizes) -> Report:
    return asyncio.run(_measure(sizes))


async def _measure(sizes: Sizes) -> Report:
    show_progress(f"{sizes.running} syncs in another process, on PostgreSQL")
    latency = ANSWER_SECONDS if sizes.checks_limits else QUICK_ANSWER_SECONDS
    with Cluster(on_disk=True) as cluster:
        settings = Settings(
            database_url=cluster.url,
            encryption_keys=scale.KEYS,
            cliniko_requests_per_minute=0,
            worker_max_syncs=sizes.running,
            starts_per_minute=1000,
            log_level="WARNING",
        )
        async with (
            start("emulated_clinic", str(scale.PATIENTS_UNDER_WAY), str(latency)) as clinic,
            open_runtime(settings, run_syncs=False) as runtime,
        ):
            tune_gc()  # as processes that serve do
            address = (await clinic.receive())["base_url"]
            async with scale.workers(settings, 1, runtime):
                names = await scale.connect(runtime, address, sizes.running)
                watched = await scale.watch_all(runtime, names, scale.ANSWERS_WHILE_STARTING * latency)
    changes = max(1, len(watched.seen.changes))
    rate, cpu = changes / watched.seconds, watched.cpu_seconds / changes
    title = f"{sizes.running} syncs in another process, Cliniko takes {latency:g} s for an answer: commit to watcher"
    report = Report(title, ["", "seen/s", "p50 ms", "p99 ms", "longest ms", "CPU µs/update"])
    p50, p99, longest = (watched.seen.percentile(percent) for percent in (50, 99, 100))
    report.rows.append(
        [
            *("PostgreSQL, one worker", f"{rate:.0f}"),
            *(milliseconds(one) for one in (p50, p99, longest)),
            f"{cpu * 1e6:.0f}",
        ]
    )
    report.figures["PostgreSQL, one worker"] = {
        "updates_per_second": rate,
        "p50_seconds": p50,
        "p99_seconds": p99,
        "cpu_microseconds_per_update": cpu * 1e6,
    }
    return report
