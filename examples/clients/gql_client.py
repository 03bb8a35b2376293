"""Starts a sync and follows it with Python's gql over a websocket.

Usage: pip install "gql[websockets]"; python gql_client.py [http://localhost:8000] [ORGANIZATION_ID]
"""

import asyncio
import json
import os
import sys
from urllib.request import Request, urlopen

from gql import Client, gql
from gql.transport.exceptions import TransportConnectionFailed
from gql.transport.websockets import WebsocketsTransport

START = gql("mutation ($id: ID!) { startSync(organizationId: $id) { syncId } }")
WATCH = gql("subscription ($id: ID!) { syncProgress(syncId: $id) { id progressPercentage currentStep } }")
DASHBOARD = gql("""
    query ($id: ID!) { dashboard(organizationId: $id) { id patientStats { activePatients patientsInCliniko } } }
""")


def credentials() -> dict[str, str]:
    """A fresh token, here from ``routiq-gql demo --auth``; an app gets it from its sign-in service."""
    url = os.environ.get("ROUTIQ_TOKEN_URL")
    if not url:
        return {}
    with urlopen(Request(url, method="POST")) as answer:
        return {"Authorization": f"Bearer {json.load(answer)['token']}"}


class Transport(WebsocketsTransport):
    """Takes a fresh token to each connection; a socket ends some minutes after its token."""

    async def connect(self) -> None:
        self.init_payload = await asyncio.to_thread(credentials)
        await super().connect()


async def main(server: str = "http://localhost:8000", organization: str = "org_2xwHiNrj68eaRUlX10anlXGvzX7") -> None:
    transport = Transport(server.replace("http", "ws", 1) + "/graphql", subprotocols=["graphql-transport-ws"])
    # Reconnecting: gql opens the socket again by itself, but a subscription that was cut raises. Subscribe again then:
    # it begins with the state of that moment and completes after the sync's end, so nothing is missed.
    session = await Client(transport=transport).connect_async(reconnecting=True)
    started = await session.execute(START, variable_values={"id": organization})
    is_over = False
    while not is_over:
        try:
            async for result in session.subscribe(WATCH, variable_values={"id": started["startSync"]["syncId"]}):
                print("{progressPercentage} % {currentStep}".format(**result["syncProgress"]))
            dashboard = await session.execute(DASHBOARD, variable_values={"id": organization})
            is_over = True
        except TransportConnectionFailed:
            await asyncio.sleep(1)
    print("{activePatients} of {patientsInCliniko} patients are active.".format(**dashboard["dashboard"]["patientStats"]))
    await session.client.close_async()


asyncio.run(main(*sys.argv[1:]))
