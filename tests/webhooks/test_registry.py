"""Webhooks are registered, changed and removed by those who may, and their secrets are stored encrypted."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from routiq_gql.clock import utc_now
from routiq_gql.database.tables import WEBHOOK, WEBHOOK_DELIVERY
from routiq_gql.database.webhook_rows import WebhookRow
from routiq_gql.database.webhook_secrets import secrets_of
from routiq_gql.errors import BadInput, Forbidden, RoutiqError, StorageError, WebhookNotFound
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.audit import Action
from routiq_gql.security.viewer import ALL_RIGHTS, LOCAL_OPERATOR, Right, Viewer
from routiq_gql.settings import Settings
from routiq_gql.webhooks.model import REGISTRABLE, DeliveryState, EventType, WebhookChanges
from routiq_gql.webhooks.problems import Refusal, WebhookRefused
from tests.inline_sqlite import return_unordered_rows_in_reverse

pytestmark = pytest.mark.both_databases

ORG = "org_hooks"
URL = "https://hooks.example.com/routiq?from=1"
SYNCS = [EventType.SYNC_FAILED, EventType.SYNC_COMPLETED]


@pytest.fixture
async def runtime(settings: Settings):
    """A runtime that runs no syncs."""
    async with open_runtime(settings, run_syncs=False) as opened:
        yield opened


async def _row(runtime: Runtime, webhook_id: str) -> WebhookRow:
    async with runtime.database.reading() as connection:
        return WebhookRow(*(await connection.execute(select(WEBHOOK).where(WEBHOOK.c.id == webhook_id))).one())


async def _secrets(runtime: Runtime, webhook_id: str, later: timedelta = timedelta()) -> list[str]:
    return secrets_of(runtime.connections._keys.load(), await _row(runtime, webhook_id), utc_now() + later)


async def _set_state(runtime: Runtime, delivery_id: str, state: DeliveryState) -> None:
    """Note the end of a delivery as the sender does, with nothing left to send."""
    async with runtime.database.writing() as connection:
        ended = update(WEBHOOK_DELIVERY).where(WEBHOOK_DELIVERY.c.id == delivery_id)
        await connection.execute(ended.values(state=state.value, attempts=3))
        await connection.execute(update(WEBHOOK).values(next_at=None))


async def test_a_webhook_is_registered_shown_changed_and_removed(runtime: Runtime):
    """An admin registers an address, sees it without its secret, changes each part of it, and removes it."""
    webhooks = runtime.webhooks
    made, secret = await webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS, description=" Our CRM ")
    assert (made.url, made.description, made.includes_names, made.disabled_at) == (URL, "Our CRM", False, None)
    assert made.events == (EventType.SYNC_COMPLETED, EventType.SYNC_FAILED), "in the order of the list of events"
    assert await webhooks.list_of(LOCAL_OPERATOR, ORG) == [made] == [await webhooks.one(LOCAL_OPERATOR, ORG, made.id)]
    assert await _secrets(runtime, made.id) == [secret]
    assert secret.startswith("whsec_")
    row = await _row(runtime, made.id)
    assert secret.removeprefix("whsec_").encode() not in row.encrypted_secret

    other = "https://other.example.com/"
    changes = WebhookChanges(url=other, events=[EventType.SYNC_FAILED], includes_names=True, description="")
    changed = await webhooks.change(LOCAL_OPERATOR, ORG, made.id, changes)
    expected = {"url": other, "events": (EventType.SYNC_FAILED,), "includes_names": True, "description": None}
    assert changed == replace(made, **expected)
    assert await webhooks.change(LOCAL_OPERATOR, ORG, made.id, WebhookChanges()) == changed

    await webhooks.remove(LOCAL_OPERATOR, ORG, made.id)
    assert await webhooks.list_of(LOCAL_OPERATOR, ORG) == []
    entries = await runtime.audit.entries(10, ORG)
    actions = [Action.REMOVE_WEBHOOK, Action.CHANGE_WEBHOOK, Action.CHANGE_WEBHOOK, Action.ADD_WEBHOOK]
    assert [(one.action, one.subject) for one in entries] == [(one, "command line") for one in actions]
    assert {one.webhook_id for one in entries} == {made.id}
    assert [one.webhook_host for one in entries] == ["other.example.com"] * 3 + ["hooks.example.com"]


async def test_after_a_rotation_both_secrets_sign_for_a_day(runtime: Runtime):
    """A receiver has a day to learn the new secret, and the one before the last is gone at once."""
    webhooks = runtime.webhooks
    made, first = await webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    rotated, second = await webhooks.rotate_secret(LOCAL_OPERATOR, ORG, made.id)
    assert rotated.earlier_until is not None
    assert await _secrets(runtime, made.id) == [second, first]
    assert await _secrets(runtime, made.id, timedelta(hours=24, minutes=1)) == [second]
    _, third = await webhooks.rotate_secret(LOCAL_OPERATOR, ORG, made.id)
    assert await _secrets(runtime, made.id) == [third, second]


async def test_secrets_follow_a_rotation_of_the_installations_keys(runtime: Runtime):
    """After a rotation of the keys of the installation, both secrets of a webhook are still readable."""
    made, first = await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    _, second = await runtime.webhooks.rotate_secret(LOCAL_OPERATOR, ORG, made.id)
    before = (await _row(runtime, made.id)).encrypted_secret
    key_id, _ = await runtime.connections.rotate_keys(LOCAL_OPERATOR)
    row = await _row(runtime, made.id)
    assert row.encryption_key_id == row.earlier_key_id == key_id
    if runtime.database.path is not None:  # PostgreSQL has no key file, so the first configured key stays the first
        assert row.encrypted_secret != before
    assert await _secrets(runtime, made.id) == [second, first]
    other, _ = await runtime.webhooks.register(LOCAL_OPERATOR, "org_other", url=URL, events=SYNCS)
    with pytest.raises(StorageError, match="secret of the webhook"):
        secrets_of(runtime.connections._keys.load(), replace(row, id=other.id), utc_now())


async def test_an_address_to_which_nothing_can_be_sent_is_not_registered(runtime: Runtime):
    """A refused address leaves no webhook; see ``test_registrations`` for all kinds of them."""
    for call in (
        lambda: runtime.webhooks.register(LOCAL_OPERATOR, ORG, url="https://256.1.1.1/", events=SYNCS),
        lambda: runtime.webhooks.register(LOCAL_OPERATOR, ORG, url="http://hooks.example.com/", events=SYNCS),
    ):
        with pytest.raises(BadInput, match="The address of a webhook"):
            await call()
    assert await runtime.webhooks.list_of(LOCAL_OPERATOR, ORG) == []


async def test_other_values_are_checked(runtime: Runtime):
    """A webhook needs known events, and its description is one short line."""
    register = runtime.webhooks.register
    for events in ([], [EventType.WEBHOOK_TEST], ["sync.started"]):
        with pytest.raises(BadInput, match=r"one or more of these events: sync.completed, .*became_inactive\.$"):
            await register(LOCAL_OPERATOR, ORG, url=URL, events=events)
    for description in ("x" * 201, "two\nlines"):
        with pytest.raises(BadInput, match="one line of at most 200 characters"):
            await register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS, description=description)


@pytest.fixture
def _reversed_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    return_unordered_rows_in_reverse(monkeypatch)


@pytest.mark.usefixtures("_reversed_rows")
async def test_webhooks_are_listed_in_the_order_of_their_registration(runtime: Runtime):
    """A list of webhooks begins with the oldest, also after one of them was changed."""
    for _ in range(5):
        await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    first, *_ = await runtime.webhooks.list_of(LOCAL_OPERATOR, ORG)
    await runtime.webhooks.change(LOCAL_OPERATOR, ORG, first.id, WebhookChanges(description="changed"))
    listed = await runtime.webhooks.list_of(LOCAL_OPERATOR, ORG)
    assert [one.created_at for one in listed] == sorted(one.created_at for one in listed)
    assert listed[0].id == first.id
    assert len(listed) == 5


async def test_an_organization_has_at_most_ten_webhooks(runtime: Runtime):
    """The eleventh registration is refused with advice, and other organizations are not affected."""
    for _ in range(10):
        await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    with pytest.raises(WebhookRefused, match="at most 10") as caught:
        await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    assert caught.value.reason is Refusal.LIMIT_REACHED
    await runtime.webhooks.register(LOCAL_OPERATOR, "org_other", url=URL, events=SYNCS)


async def test_only_those_with_the_right_reach_webhooks(runtime: Runtime):
    """Every call is refused to other organizations and to members without the right; ids of others are unknown."""
    made, _ = await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    delivery = await runtime.webhooks.send_test(LOCAL_OPERATOR, ORG, made.id)

    async def calls(viewer: Viewer, organization_id: str) -> list[type[RoutiqError] | None]:
        webhooks, found = runtime.webhooks, []
        for call in (
            lambda: webhooks.one(viewer, organization_id, made.id),
            lambda: webhooks.change(viewer, organization_id, made.id, WebhookChanges(is_enabled=False)),
            lambda: webhooks.rotate_secret(viewer, organization_id, made.id),
            lambda: webhooks.deliveries(viewer, organization_id, made.id),
            lambda: webhooks.repeat(viewer, organization_id, delivery.id),
            lambda: webhooks.send_test(viewer, organization_id, made.id),
            lambda: webhooks.remove(viewer, organization_id, made.id),
        ):
            try:
                await call()
                found.append(None)
            except RoutiqError as error:
                found.append(type(error))
        return found

    stranger = Viewer("org_other")
    assert await calls(stranger, ORG) == [Forbidden] * 7
    assert await calls(stranger, "org_other") == [WebhookNotFound] * 7
    member = Viewer(ORG, rights=ALL_RIGHTS - {Right.WEBHOOKS})
    assert await calls(member, ORG) == [Forbidden] * 7
    for call in (runtime.webhooks.list_of(member, ORG), runtime.webhooks.list_of(stranger, ORG)):
        with pytest.raises(Forbidden):
            await call
    with pytest.raises(Forbidden):
        await runtime.webhooks.register(member, ORG, url=URL, events=SYNCS)
    shown = await runtime.webhooks.one(LOCAL_OPERATOR, ORG, made.id)
    assert shown == replace(made, pending_count=1, next_attempt_at=shown.next_attempt_at)


async def test_names_are_sent_only_for_those_who_may_read_patients(runtime: Runtime):
    """A member who may not read patients can't have their names sent, nor change where they are sent."""
    clerk = Viewer(ORG, rights=ALL_RIGHTS - {Right.PATIENTS}, subject="clerk")
    with pytest.raises(Forbidden, match="read patients"):
        await runtime.webhooks.register(clerk, ORG, url=URL, events=REGISTRABLE, includes_names=True)
    plain, _ = await runtime.webhooks.register(clerk, ORG, url=URL, events=REGISTRABLE)
    with pytest.raises(Forbidden):
        await runtime.webhooks.change(clerk, ORG, plain.id, WebhookChanges(includes_names=True))
    named, _ = await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=REGISTRABLE, includes_names=True)
    with pytest.raises(Forbidden):
        await runtime.webhooks.change(clerk, ORG, named.id, WebhookChanges(url="https://clerk.example.com/"))
    without = await runtime.webhooks.change(clerk, ORG, named.id, WebhookChanges(includes_names=False))
    assert (without.includes_names, without.url) == (False, URL)


async def test_a_test_event_is_delivered_like_any_other(runtime: Runtime):
    """A test makes one delivery for that webhook alone, which is due at once."""
    made, _ = await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    other, _ = await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    sent = await runtime.webhooks.send_test(LOCAL_OPERATOR, ORG, made.id)
    assert (sent.event, sent.subject, sent.state, sent.attempts) == (
        *(EventType.WEBHOOK_TEST, None, DeliveryState.PENDING),
        0,
    )
    page = await runtime.webhooks.deliveries(LOCAL_OPERATOR, ORG, made.id)
    assert page.deliveries == [sent]
    assert (await runtime.webhooks.deliveries(LOCAL_OPERATOR, ORG, other.id)).deliveries == []
    assert (await _row(runtime, made.id)).next_at is not None
    assert (await _row(runtime, other.id)).next_at is None


async def test_a_finished_delivery_is_repeated_as_the_same_event(runtime: Runtime):
    """A delivered or failed delivery can be sent again: the same event, with fresh attempts. A pending one can't."""
    made, _ = await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    sent = await runtime.webhooks.send_test(LOCAL_OPERATOR, ORG, made.id)
    with pytest.raises(WebhookRefused, match="still to be sent"):
        await runtime.webhooks.repeat(LOCAL_OPERATOR, ORG, sent.id)
    for state in (DeliveryState.DELIVERED, DeliveryState.FAILED):
        await _set_state(runtime, sent.id, state)
        again = await runtime.webhooks.repeat(LOCAL_OPERATOR, ORG, sent.id)
        assert again == replace(sent, state=DeliveryState.PENDING, attempts=0)
        assert (await _row(runtime, made.id)).next_at is not None
    assert (await runtime.webhooks.one(LOCAL_OPERATOR, ORG, made.id)).pending_count == 1


async def test_a_disabled_webhook_sends_nothing_until_it_is_enabled(runtime: Runtime):
    """Nothing is due while a webhook is disabled. Enabling it sends the failed and the pending ones."""
    made, _ = await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    failed = await runtime.webhooks.send_test(LOCAL_OPERATOR, ORG, made.id)
    await _set_state(runtime, failed.id, DeliveryState.FAILED)
    pending = await runtime.webhooks.send_test(LOCAL_OPERATOR, ORG, made.id)
    disabled = await runtime.webhooks.change(LOCAL_OPERATOR, ORG, made.id, WebhookChanges(is_enabled=False))
    assert (disabled.disabled_reason, disabled.pending_count) == ("It was disabled on request.", 1)
    assert disabled.next_attempt_at is None
    assert (await _row(runtime, made.id)).next_at is None
    for call in (
        runtime.webhooks.send_test(LOCAL_OPERATOR, ORG, made.id),
        runtime.webhooks.repeat(LOCAL_OPERATOR, ORG, failed.id),
    ):
        with pytest.raises(WebhookRefused, match="disabled"):
            await call
    enabled = await runtime.webhooks.change(LOCAL_OPERATOR, ORG, made.id, WebhookChanges(is_enabled=True))
    assert (enabled.disabled_at, enabled.disabled_reason, enabled.pending_count) == (None, None, 2)
    assert (await _row(runtime, made.id)).next_at is not None
    page = await runtime.webhooks.deliveries(LOCAL_OPERATOR, ORG, made.id, state=DeliveryState.PENDING)
    assert [one.id for one in page.deliveries] == [pending.id, failed.id], "the failed one is sent first"


async def test_deliveries_are_paged_by_cursors(runtime: Runtime):
    """Pages follow each other without a gap while new deliveries come, and a cursor is good for its webhook only."""
    made, _ = await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    other, _ = await runtime.webhooks.register(LOCAL_OPERATOR, ORG, url=URL, events=SYNCS)
    sent = [await runtime.webhooks.send_test(LOCAL_OPERATOR, ORG, made.id) for _ in range(5)]
    first = await runtime.webhooks.deliveries(LOCAL_OPERATOR, ORG, made.id, first=2)
    await runtime.webhooks.send_test(LOCAL_OPERATOR, ORG, made.id)
    second = await runtime.webhooks.deliveries(LOCAL_OPERATOR, ORG, made.id, first=3, after=first.cursors[-1])
    assert first.deliveries + second.deliveries == sent[::-1]
    assert (first.has_next, first.has_previous, second.has_next, second.has_previous) == (True, False, False, True)
    for webhook_id, after in ((other.id, first.cursors[0]), (made.id, "x")):
        with pytest.raises(BadInput, match="is not a cursor of these deliveries"):
            await runtime.webhooks.deliveries(LOCAL_OPERATOR, ORG, webhook_id, after=after)
    with pytest.raises(BadInput, match="from 1 to 100"):
        await runtime.webhooks.deliveries(LOCAL_OPERATOR, ORG, made.id, first=101)
