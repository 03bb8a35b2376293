"""Every event reaches its receiver at least once and in order, whatever the receiver does."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook as Verifier

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import WEBHOOK
from routiq_gql.database.webhook_sending import Claim, claim_webhook, due_webhooks, lock_claimed
from routiq_gql.emulator import EMULATED_API_KEY
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.webhooks import delivering, sending, waits
from routiq_gql.webhooks.model import EventType, Webhook, WebhookChanges
from tests.emulated_cliniko import Cliniko
from tests.organization import ORGANIZATION
from tests.syncs import run_sync
from tests.waiting import LIMIT_SECONDS, until
from tests.webhooks.delivery import PRIVATE, accepted_in_order, outbox, register, until_sent, write
from tests.webhooks.receiver import OK, Received, Receiver, accept, answer, hang

pytestmark = pytest.mark.both_databases
OTHER = "org_other"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_private": PRIVATE})


@pytest.fixture
async def sender(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A runtime that delivers, with waits of milliseconds."""
    monkeypatch.setattr(waits, "WAITS", (timedelta(milliseconds=20),))
    monkeypatch.setattr(delivering, "LOOK_SECONDS", 0.05)
    async with open_runtime(settings) as opened:
        yield opened


async def _webhook(runtime: Runtime, webhook_id: str, organization_id: str = ORGANIZATION) -> Webhook:
    return await runtime.webhooks.one(LOCAL_OPERATOR, organization_id, webhook_id)


async def test_a_receiver_that_fails_in_every_way_gets_every_event_in_order(
    sender: Runtime, monkeypatch: pytest.MonkeyPatch
):
    """A receiver fails, hangs, redirects, answers slowly, closes and restarts; it gets all events in their order."""
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.3)

    async def behave(request: Received) -> bytes | None:
        match request.number % 9:
            case 1:
                return answer(500)
            case 2:
                return await hang(request)
            case 3:
                return answer(301, Location="http://127.0.0.1:1/")
            case 4:
                return None
            case 5:
                await asyncio.sleep(0.05)
        return OK

    async with Receiver(behave) as receiver:
        webhook_id, secret = await register(sender, receiver)
        for start in range(0, 24, 8):
            await write(sender.database, *(f"sync_{number}" for number in range(start, start + 8)))
        await until(lambda: len(receiver.accepted) >= 5)
        await receiver.stop()
        await write(sender.database, "sync_24")
        await receiver.start()
        sent = await until_sent(sender.database, webhook_id)
        assert [one.subject for one in sent] == [f"sync_{number}" for number in range(25)]
        accepted_in_order(receiver, sent)
        assert sum(one.attempts for one in sent) > len(sent)
        for request in receiver.received:
            assert Verifier(secret).verify(request.body, request.headers) == request.content
        shown = await _webhook(sender, webhook_id)
        assert (shown.pending_count, shown.failing_since, shown.disabled_at) == (0, None, None)
        await _check_attempts(sender, webhook_id)


async def _check_attempts(sender: Runtime, webhook_id: str) -> None:
    """Each delivery has all its attempts in their order, failures with a sentence and the last one accepted."""
    page = await sender.webhooks.deliveries(LOCAL_OPERATOR, ORGANIZATION, webhook_id, first=100)
    for one in page.deliveries:
        *failed, last = one.attempt_log
        assert one.attempts == len(one.attempt_log)
        assert (last.at, last.status, last.error) == (one.last_attempt_at, 204, None)
        assert all(other.error and other.error.endswith(".") and other.seconds >= 0 for other in failed)
        assert [other.at for other in one.attempt_log] == sorted(other.at for other in one.attempt_log)
    assert {other.status for one in page.deliveries for other in one.attempt_log} == {204, 301, 500, None}


async def test_a_hanging_receiver_delays_no_other(sender: Runtime):
    """While receivers of a clinic hang, its other receivers and other clinics get their events. The server can stop."""
    async with Receiver(hang) as hanging, Receiver() as own, Receiver() as other:
        for _ in range(3):
            await register(sender, hanging)
        own_id, _ = await register(sender, own)
        other_id, _ = await register(sender, other, OTHER)
        await write(sender.database, "sync_1", "sync_2")
        await write(sender.database, "sync_3", organization_id=OTHER)
        await until(lambda: len(hanging.received) == 3)
        assert len(await until_sent(sender.database, own_id)) == 2
        assert len(await until_sent(sender.database, other_id)) == 1
        assert not hanging.accepted


async def test_a_receiver_that_is_gone_is_disabled_and_catches_up_later(
    sender: Runtime, monkeypatch: pytest.MonkeyPatch
):
    """After three days of failures a webhook is disabled, and says why. Once enabled, the failed event comes first."""

    async def fail(_request: Received) -> bytes:
        return answer(503)

    async with Receiver(fail) as receiver:
        webhook_id, _ = await register(sender, receiver)
        monkeypatch.setattr(waits, "GIVES_UP_AFTER", timedelta(0))
        await write(sender.database, "sync_1", "sync_2")

        async with asyncio.timeout(LIMIT_SECONDS):
            while (shown := await _webhook(sender, webhook_id)).disabled_at is None:
                await asyncio.sleep(0.02)
        assert shown.disabled_reason is not None
        assert shown.disabled_reason.startswith("Nothing could be delivered for three days. The last attempt: The")
        found = await outbox(sender.database, webhook_id)
        assert [one.state for one in found] == ["FAILED", "PENDING"]
        assert (
            found[0].error
            == "The receiver answered 503 Service Unavailable; a delivery needs a status from 200 to 299."
        )

        await write(sender.database, "sync_3")
        receiver.behave = accept
        await sender.webhooks.change(LOCAL_OPERATOR, ORGANIZATION, webhook_id, WebhookChanges(is_enabled=True))
        sent = await until_sent(sender.database, webhook_id)
        assert [one.subject for one in sent] == ["sync_1", "sync_2", "sync_3"]
        accepted_in_order(receiver, sent)


@pytest.mark.parametrize("ask", ["test", "enable"])
async def test_after_a_repair_nobody_waits_for_the_next_attempt(
    sender: Runtime, monkeypatch: pytest.MonkeyPatch, ask: str
):
    """A receiver is repaired hours before the next attempt. A test, or to enable it, sends what waits at once."""
    monkeypatch.setattr(waits, "WAITS", (timedelta(hours=6),))

    async def fail(_request: Received) -> bytes:
        return answer(503)

    async with Receiver(fail) as receiver:
        webhook_id, _ = await register(sender, receiver)
        await write(sender.database, "sync_1")
        async with asyncio.timeout(LIMIT_SECONDS):
            while (shown := await _webhook(sender, webhook_id)).failing_since is None:
                await asyncio.sleep(0.02)
        assert shown.next_attempt_at is not None
        assert shown.next_attempt_at > utc_now() + timedelta(hours=5)
        await write(sender.database, "sync_2")
        assert (await _webhook(sender, webhook_id)).next_attempt_at == shown.next_attempt_at, "a new event waits, too"

        receiver.behave = accept
        if ask == "test":
            await sender.webhooks.send_test(LOCAL_OPERATOR, ORGANIZATION, webhook_id)
        else:
            changes = WebhookChanges(is_enabled=True)
            asked = await sender.webhooks.change(LOCAL_OPERATOR, ORGANIZATION, webhook_id, changes)
            assert asked.next_attempt_at is not None
            assert asked.next_attempt_at <= utc_now()
        sent = await until_sent(sender.database, webhook_id)
        assert [one.subject for one in sent] == ["sync_1", "sync_2"] + [""] * (ask == "test")
        accepted_in_order(receiver, sent)
        assert (await _webhook(sender, webhook_id)).next_attempt_at is None


async def test_a_receiver_that_wants_no_more_is_disabled_at_once(sender: Runtime):
    """An answer of 410 Gone ends the deliveries without three days of attempts."""

    async def gone(_request: Received) -> bytes:
        return answer(410)

    async with Receiver(gone) as receiver:
        webhook_id, _ = await register(sender, receiver)
        await write(sender.database, "sync_1", "sync_2")
        async with asyncio.timeout(LIMIT_SECONDS):
            while (shown := await _webhook(sender, webhook_id)).disabled_at is None:
                await asyncio.sleep(0.02)
        assert shown.disabled_reason == "The receiver answered 410 Gone: it wants no more events."
        assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [500, 410])
async def test_an_attempt_at_the_earlier_address_delays_no_new_address(
    sender: Runtime, monkeypatch: pytest.MonkeyPatch, status: int
):
    """The address is corrected while the earlier one hangs. Its failure neither delays the new one nor disables it."""
    monkeypatch.setattr(waits, "WAITS", (timedelta(hours=12),))
    may_answer = asyncio.Event()

    async def fail_late(_request: Received) -> bytes:
        await may_answer.wait()
        return answer(status)

    async with Receiver(fail_late) as earlier, Receiver() as new:
        webhook_id, _ = await register(sender, earlier)
        await write(sender.database, "sync_1", "sync_2")
        await until(lambda: len(earlier.received) == 1)
        await sender.webhooks.change(LOCAL_OPERATOR, ORGANIZATION, webhook_id, WebhookChanges(url=new.url))
        may_answer.set()
        accepted_in_order(new, await until_sent(sender.database, webhook_id))
        assert len(earlier.received) == 1
        shown = await _webhook(sender, webhook_id)
        assert (shown.failing_since, shown.disabled_at) == (None, None)


async def test_changes_during_an_attempt_hold_for_the_next_event(sender: Runtime):
    """A person corrects the address and rotates the secret while an event is sent. The next event has both."""
    may_answer = asyncio.Event()

    async def accept_late(_request: Received) -> bytes:
        await may_answer.wait()
        return OK

    async with Receiver(accept_late) as earlier, Receiver() as new:
        webhook_id, _ = await register(sender, earlier)
        await write(sender.database, "sync_1", "sync_2")
        await until(lambda: len(earlier.received) == 1)
        await sender.webhooks.change(LOCAL_OPERATOR, ORGANIZATION, webhook_id, WebhookChanges(url=new.url))
        _, secret = await sender.webhooks.rotate_secret(LOCAL_OPERATOR, ORGANIZATION, webhook_id)
        may_answer.set()
        first, second = await until_sent(sender.database, webhook_id)
    assert [one.event_id for one in earlier.received] == [first.event_id]
    assert [one.event_id for one in new.received] == [second.event_id]
    Verifier(secret).verify(new.received[0].body, new.received[0].headers)


@pytest.mark.parametrize("changes", [WebhookChanges(is_enabled=True), None], ids=["enabled again", "moved"])
async def test_failures_of_before_do_not_count(sender: Runtime, changes: WebhookChanges | None):
    """After days of failures a person enables a webhook, or moves it. It has three days again, not one attempt."""

    async def fail_once(request: Received) -> bytes:
        return answer(503) if request.number == 1 else OK

    async with Receiver(hang) as earlier, Receiver(fail_once) as receiver:
        webhook_id, _ = await register(sender, earlier if changes is None else receiver)
        long_ago = utc_now() - timedelta(days=4)
        was_failing = {"failing_since": long_ago, "next_at": utc_now() + timedelta(hours=12)}
        if changes is not None:
            was_failing |= {"disabled_at": long_ago, "disabled_reason": "Nothing could be delivered.", "next_at": None}
        async with sender.database.writing() as connection:
            await connection.execute(update(WEBHOOK).values(was_failing))
        await write(sender.database, "sync_1")
        changes = changes or WebhookChanges(url=receiver.url)
        await sender.webhooks.change(LOCAL_OPERATOR, ORGANIZATION, webhook_id, changes)
        accepted_in_order(receiver, await until_sent(sender.database, webhook_id))
        assert len(receiver.received) == 2
        shown = await _webhook(sender, webhook_id)
        assert (shown.failing_since, shown.disabled_at) == (None, None)


@pytest.mark.parametrize("wish", ["test", "repeat"])
async def test_a_person_ends_a_wait_after_failures(sender: Runtime, monkeypatch: pytest.MonkeyPatch, wish: str):
    """A receiver is mended. A test, or a repeat of any delivery, sends at once what waits, and not in half a day."""
    monkeypatch.setattr(waits, "WAITS", (timedelta(hours=12),))
    async with Receiver() as receiver:
        webhook_id, _ = await register(sender, receiver)
        done = await sender.webhooks.send_test(LOCAL_OPERATOR, ORGANIZATION, webhook_id)
        await until_sent(sender.database, webhook_id)

        async def fail(_request: Received) -> bytes:
            return answer(500)

        receiver.behave = fail
        await write(sender.database, "sync_1")
        async with asyncio.timeout(LIMIT_SECONDS):
            while (await _webhook(sender, webhook_id)).failing_since is None:
                await asyncio.sleep(0.02)
        receiver.behave = accept
        if wish == "test":
            await sender.webhooks.send_test(LOCAL_OPERATOR, ORGANIZATION, webhook_id)
        else:
            await sender.webhooks.repeat(LOCAL_OPERATOR, ORGANIZATION, done.id)
        await until_sent(sender.database, webhook_id)
        assert (await _webhook(sender, webhook_id)).failing_since is None


async def test_a_test_and_a_repeat_are_sent_with_their_own_ids(sender: Runtime):
    """A person sends a test, then repeats it: the receiver sees the same event id twice, and can drop it."""
    async with Receiver() as receiver:
        webhook_id, _ = await register(sender, receiver)
        delivery = await sender.webhooks.send_test(LOCAL_OPERATOR, ORGANIZATION, webhook_id)
        await until_sent(sender.database, webhook_id)
        await sender.webhooks.repeat(LOCAL_OPERATOR, ORGANIZATION, delivery.id)
        await until(lambda: len(receiver.accepted) == 2)
        await until_sent(sender.database, webhook_id)
    assert [one.event_id for one in receiver.received] == [delivery.event_id] * 2
    assert receiver.received[0].content["type"] == "webhook.test"


async def test_names_are_sent_only_to_webhooks_that_asked_for_them(sender: Runtime, cliniko: Cliniko):
    """An event has ids and links. A patient's name comes from the current data, and is gone once erased."""
    await sender.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
    await run_sync(sender)
    clinic = cliniko.emulator.clinic
    number = clinic.patients.ids()[0]
    person = clinic.person(number)
    kind = EventType.PATIENT_BECAME_ACTIVE
    async with Receiver() as plain, Receiver() as named:
        plain_id, _ = await register(sender, plain, events=[kind])
        named_id, _ = await register(sender, named, events=[kind], includes_names=True)
        await write(sender.database, str(number), kind=kind)
        for webhook_id in (plain_id, named_id):
            await until_sent(sender.database, webhook_id)
        without, with_name = plain.received[0].content["data"], named.received[0].content["data"]
        assert with_name.pop("patientName") == f"{person.first_name} {person.last_name}"
        assert with_name == without
        assert without["patientId"] == str(number)

        await sender.erasures.erase(LOCAL_OPERATOR, ORGANIZATION, str(number))
        await write(sender.database, str(number), kind=kind)
        await until(lambda: len(named.accepted) == 2)
        assert named.received[1].content["data"] == without


async def test_the_result_of_a_lapsed_claim_is_not_recorded(settings: Settings):
    """A process that was frozen while another one took over can't change the state of a delivery any more."""
    async with open_runtime(settings, run_syncs=False) as runtime, Receiver() as receiver:
        webhook_id, _ = await register(runtime, receiver)
        await write(runtime.database, "sync_1")
        now = utc_now()
        async with runtime.database.writing() as connection:
            (due,) = await due_webhooks(connection, now, 10)
            first = await claim_webhook(connection, due, now, now + timedelta(seconds=30))
            assert await claim_webhook(connection, due, now, now + timedelta(seconds=30)) is None
            assert await due_webhooks(connection, now, 10) == []
            later = now + timedelta(seconds=31)
            (again,) = await due_webhooks(connection, later, 10)
            second = await claim_webhook(connection, again, later, later + timedelta(seconds=30))
            assert first is not None
            assert second is not None
            assert await lock_claimed(connection, Claim(webhook_id, first.epoch)) is None
            assert await lock_claimed(connection, Claim(webhook_id, second.epoch)) is not None


async def test_an_event_written_at_the_last_moment_is_sent(sender: Runtime):
    """An event that is written while the last delivery ends is not forgotten until the next one."""
    async with Receiver() as receiver:
        webhook_id, _ = await register(sender, receiver)
        for number in range(30):
            await write(sender.database, f"sync_{number}")
            await until(lambda: len(receiver.received) > number)  # noqa: B023 - awaited at once
        accepted_in_order(receiver, await until_sent(sender.database, webhook_id))


async def test_a_slow_receiver_is_called_once_while_its_sender_lives(sender: Runtime, monkeypatch: pytest.MonkeyPatch):
    """A claim is short, so that another process takes over soon. It is renewed while an attempt lasts."""
    monkeypatch.setattr(delivering, "RENEW_SECONDS", 0.0)
    may_answer = asyncio.Event()

    async def answer_late(_request: Received) -> bytes:
        await may_answer.wait()
        return OK

    async def claimed_until() -> datetime:
        async with sender.database.reading() as connection:
            found = (await connection.execute(select(WEBHOOK.c.claimed_until))).scalar_one()
        assert found is not None
        return found

    async with Receiver(answer_late) as receiver:
        webhook_id, _ = await register(sender, receiver)
        await write(sender.database, "sync_1", "sync_2")
        await until(lambda: len(receiver.received) == 1)
        first = await claimed_until()
        async with asyncio.timeout(LIMIT_SECONDS):
            while await claimed_until() == first:
                await asyncio.sleep(0.02)
        may_answer.set()
        accepted_in_order(receiver, await until_sent(sender.database, webhook_id))
        assert len(receiver.received) == 2
