"""While attempts are under way: the places of each organization, and a person's wish to stop."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.webhooks import delivering, waits
from routiq_gql.webhooks.model import WebhookChanges
from tests.organization import ORGANIZATION
from tests.waiting import until
from tests.webhooks.delivery import PRIVATE, accepted_in_order, register, until_sent, write
from tests.webhooks.receiver import OK, Received, Receiver, accept, answer

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
async def sender(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A runtime that delivers, with waits of milliseconds."""
    monkeypatch.setattr(waits, "WAITS", (timedelta(milliseconds=20),))
    monkeypatch.setattr(delivering, "LOOK_SECONDS", 0.05)
    async with open_runtime(settings.model_copy(update={"webhook_private": PRIVATE})) as opened:
        yield opened


async def test_no_organization_takes_the_places_of_others(sender: Runtime):
    """Five clinics have five slow receivers each. Whichever is first, each gets its places, and all events arrive."""
    may_answer = asyncio.Event()

    async def answer_late(_request: Received) -> bytes:
        await may_answer.wait()
        return OK

    organizations = [f"org_{number}" for number in range(5)]
    taken: list[Counter[str]] = []
    async with Receiver(answer_late) as receiver:
        ids = [(await register(sender, receiver, one))[0] for one in organizations for _ in range(5)]
        for number, one in enumerate(organizations):
            await write(sender.database, "sync_1", organization_id=one)
            if number < 4:  # then all places are taken
                await until(lambda: len(receiver.received) > sum(taken[-1].values() if taken else ()))
                taken.append(Counter(sender.deliveries._organizations.values()))
        may_answer.set()
        for webhook_id in ids:
            await until_sent(sender.database, webhook_id)
    assert [sorted(one.values()) for one in taken] == [[4], [4, 4], [4, 4, 4], [4, 4, 4, 4]]


@pytest.mark.parametrize("status", [204, 500, 410])
@pytest.mark.parametrize("wish", ["disable", "remove"])
async def test_nothing_is_sent_after_a_person_has_said_so(sender: Runtime, wish: str, status: int):
    """A webhook is disabled or removed while an event is sent. However that ends, the events behind it are not sent."""
    may_answer = asyncio.Event()

    async def answer_late(_request: Received) -> bytes:
        await may_answer.wait()
        return answer(status)

    async with Receiver(answer_late) as receiver:
        webhook_id, _ = await register(sender, receiver)
        await write(sender.database, "sync_1", "sync_2", "sync_3")
        await until(lambda: len(receiver.received) == 1)
        if wish == "disable":
            off = WebhookChanges(is_enabled=False)
            await sender.webhooks.change(LOCAL_OPERATOR, ORGANIZATION, webhook_id, off)
        else:
            await sender.webhooks.remove(LOCAL_OPERATOR, ORGANIZATION, webhook_id)
        may_answer.set()
        await until(lambda: webhook_id not in sender.deliveries._tasks)
        assert len(receiver.received) == 1
        if wish == "disable":
            shown = await sender.webhooks.one(LOCAL_OPERATOR, ORGANIZATION, webhook_id)
            assert (shown.disabled_reason, shown.next_attempt_at) == ("It was disabled on request.", None)
            receiver.behave = accept
            on = WebhookChanges(is_enabled=True)
            await sender.webhooks.change(LOCAL_OPERATOR, ORGANIZATION, webhook_id, on)
            accepted_in_order(receiver, await until_sent(sender.database, webhook_id))
