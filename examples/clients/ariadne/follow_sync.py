"""Starts a sync and follows it with the client that ariadne-codegen has written into routiq_client/.

Usage: python follow_sync.py [http://localhost:8000] [ORGANIZATION_ID]
"""

import asyncio
import json
import os
import sys
from urllib.request import Request, urlopen

from routiq_client import RoutiqClient
from websockets.exceptions import WebSocketException


def credentials() -> dict[str, str]:
    """A fresh token, here from ``routiq-gql demo --auth``; an app gets it from its sign-in service."""
    url = os.environ.get("ROUTIQ_TOKEN_URL")
    if not url:
        return {}
    with urlopen(Request(url, method="POST")) as answer:
        return {"Authorization": f"Bearer {json.load(answer)['token']}"}


async def main(server: str = "http://localhost:8000", organization: str = "org_2xwHiNrj68eaRUlX10anlXGvzX7") -> None:
    async with RoutiqClient(url=f"{server}/graphql", ws_url=f"{server.replace('http', 'ws', 1)}/graphql") as client:
        started = await client.start_sync(organization_id=organization, headers=credentials())
        is_over = False
        while not is_over:
            try:
                client.ws_connection_init_payload = credentials()  # a socket ends some minutes after its token
                async for result in client.watch_sync(sync_id=started.start_sync.sync_id):
                    print(f"{result.sync_progress.progress_percentage} % {result.sync_progress.current_step}")
                is_over = True
            except (OSError, WebSocketException):  # cut: watch again, which begins with the state of that moment
                await asyncio.sleep(1)
        stats = (await client.dashboard(organization_id=organization, headers=credentials())).dashboard.patient_stats
        when = stats.last_sync_time
        print(f"{stats.active_patients} of {stats.patients_in_cliniko} patients are active, as of {when:%Y-%m-%d %H:%M}.")


asyncio.run(main(*sys.argv[1:]))
