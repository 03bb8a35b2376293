"""Limits on trying keys with Cliniko: a caller can neither guess keys nor get this server blocked."""

import asyncio
from contextlib import suppress

import pytest

from routiq_gql.connections.connect_limit import ALL_TOGETHER, ConnectLimit
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.errors import RateLimited
from routiq_gql.security.audit import Action, Audit
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.settings import Settings
from routiq_gql.supervision import Supervisor
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.server import Server
from tests.waiting import LIMIT_SECONDS

CONNECT = "mutation ($id: ID!, $key: String!) { connectCliniko(organizationId: $id, apiKey: $key) { ok message } }"
TEST = "mutation ($id: ID!) { testConnection(organizationId: $id) { ok message } }"
INVENTED = "MS0xd3Jvbmcta2V5LTAw{:03}-au1"
MOST = 3


@pytest.fixture
async def limited(settings: Settings, cliniko: Cliniko):
    changes = {"cliniko_base_url": cliniko.base_url, "connects_per_minute": MOST}
    async with Server(settings.model_copy(update=changes)) as server:
        yield server


def code_of(answer: dict) -> str:
    return answer["errors"][0]["extensions"]["code"] if "errors" in answer else "DONE"


@pytest.mark.both_databases
async def test_invented_keys_soon_reach_cliniko_no_more(limited: Server, cliniko: Cliniko):
    """Some keys are tried, further keys refused with a time to try again; Cliniko gets none of these."""
    assert code_of(await limited.ask(CONNECT, id=ORGANIZATION, key=INVENTED.format(0))) == "DONE"
    for_one_key = len(cliniko.emulator.requests)
    answers = await asyncio.gather(
        *(limited.ask(CONNECT, id=f"org_{number % 7}", key=INVENTED.format(number)) for number in range(1, 60))
    )
    codes = [code_of(answer) for answer in answers]
    assert codes.count("DONE") == MOST - 1
    assert codes.count("RATE_LIMITED") == 60 - MOST
    refused = next(answer for answer in answers if "errors" in answer)
    assert "Try again in" in refused["errors"][0]["message"]
    asked = len(cliniko.emulator.requests)
    assert asked == MOST * for_one_key
    assert code_of(await limited.ask(TEST, id=ORGANIZATION)) == "RATE_LIMITED"
    assert len(cliniko.emulator.requests) == asked
    await limited.runtime.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
    await limited.runtime.connections.test(LOCAL_OPERATOR, ORGANIZATION)

    async def is_noted() -> bool:
        entries = await limited.runtime.audit.entries(100)
        return any((one.action, one.outcome) == (Action.CONNECT, "RATE_LIMITED") for one in entries)

    async with asyncio.timeout(LIMIT_SECONDS):
        while not await is_noted():
            await asyncio.sleep(0.05)


async def test_a_malformed_key_costs_nothing(limited: Server, cliniko: Cliniko):
    """A malformed key is refused at once, without a request to Cliniko, and doesn't count."""
    for _ in range(MOST + 1):
        assert code_of(await limited.ask(CONNECT, id=ORGANIZATION, key="not a key")) == "BAD_USER_INPUT"
    assert not cliniko.emulator.requests
    assert code_of(await limited.ask(CONNECT, id=ORGANIZATION, key=EMULATED_API_KEY)) == "DONE"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


async def test_each_organization_address_person_and_the_server_have_a_limit(
    settings: Settings, bare_server: Server, monkeypatch: pytest.MonkeyPatch
):
    """Many addresses, organizations or people can't exceed the limit; after a minute it is over."""
    clock = Clock()
    monkeypatch.setattr("routiq_gql.connections.connect_limit.time", clock)
    audit = Audit(bare_server.runtime.database, Supervisor())

    def tries(limit: ConnectLimit, viewers: list[tuple[Viewer, str]]) -> int:
        allowed = 0
        for viewer, organization in viewers:
            with suppress(RateLimited):
                limit.require(viewer, organization, Action.CONNECT)
                allowed += 1
        return allowed

    numbers = range(5 * MOST)
    same_organization = [(Viewer("org_a", subject=f"s{one}", address=f"10.0.0.{one}"), "org_a") for one in numbers]
    same_address = [(Viewer(subject=f"s{one}", address="10.0.0.1"), f"org_{one}") for one in numbers]
    same_person = [(Viewer(subject="s", address=f"10.0.0.{one}"), f"org_{one}") for one in numbers]
    for viewers in (same_organization, same_address, same_person):
        limit = ConnectLimit(MOST, audit)
        assert tries(limit, viewers) == MOST
        clock.now += 59.9
        with pytest.raises(RateLimited) as refused:
            limit.require(*viewers[-1], Action.CONNECT)
        assert refused.value.retry_after_seconds == 1
        clock.now += 0.2
        assert tries(limit, viewers) == MOST

    all_differ = [
        (Viewer(subject=f"s{one}", address=f"10.0.{one // 250}.{one % 250}"), f"org_{one}") for one in range(5_000)
    ]
    limit = ConnectLimit(MOST, audit)
    assert tries(limit, all_differ) == MOST * ALL_TOGETHER
    assert len(limit._tries) == MOST * ALL_TOGETHER, "what was refused takes no memory"
    assert tries(limit, [(LOCAL_OPERATOR, "org_a")] * 100) == 100, "the command line is exempt"
    await audit.close()
