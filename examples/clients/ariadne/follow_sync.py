"""Starts a sync and follows it with the client that ariadne-codegen has written into routiq_client/.

Usage: python follow_sync.py [http://localhost:8000] [ORGANIZATION_ID]
"""

import asyncio
import sys

from routiq_client import RoutiqClient


async def main(server: str = "http://localhost:8000", organization: str = "org_2xwHiNrj68eaRUlX10anlXGvzX7") -> None:
    async with RoutiqClient(url=f"{server}/graphql", ws_url=f"{server.replace('http', 'ws', 1)}/graphql") as client:
        started = await client.start_sync(organization_id=organization)
        # Reconnecting: a cut socket raises; call watch_sync again, it begins with the state of that moment.
        async for result in client.watch_sync(sync_id=started.start_sync.sync_id):
            print(f"{result.sync_progress.progress_percentage} % {result.sync_progress.current_step}")
        stats = (await client.dashboard(organization_id=organization)).dashboard.patient_stats
        when = stats.last_sync_time
        print(f"{stats.active_patients} of {stats.patients_in_cliniko} patients are active, as of {when:%Y-%m-%d %H:%M}.")


asyncio.run(main(*sys.argv[1:]))
