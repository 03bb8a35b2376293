"""``routiq-gql webhooks``: a webhook from its registration to its removal, in the terminal."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

from routiq_gql.cli.times import local_time
from routiq_gql.cli.webhook_rows import WEBHOOKS, webhook_row
from routiq_gql.cli.webhooks import EventName, StateName
from routiq_gql.webhooks.model import REGISTRABLE, DeliveryState, EventType, Webhook
from tests.cli.conftest import Command

ORG = "org_1"
URL = "https://example.com/hooks/routiq"


def test_the_names_of_options_are_those_of_the_service():
    """`--event` takes each event that can be registered and no other, and `--state` each state of a delivery."""
    assert [one.value for one in EventName] == [one.value for one in REGISTRABLE]
    assert [one.name for one in StateName] == [one.name for one in DeliveryState]


def test_each_state_of_a_webhook_is_in_its_row():
    """Disabled by a person or by failures, failing with or without a next attempt, or enabled: a row says which."""
    now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    then = now + timedelta(hours=1)
    hook = Webhook("hook_1", ORG, URL, (EventType.SYNC_FAILED,), False, None, now, *[None] * 6, pending_count=1_234)
    for failing, disabled, reason, attempt in product(
        (None, now), (None, now), ("No answer.", "By you."), (None, then)
    ):
        made = replace(
            hook, failing_since=failing, disabled_at=disabled, disabled_reason=reason, next_attempt_at=attempt
        )
        state = webhook_row(made)[WEBHOOKS.index("state")]
        if disabled is not None:
            assert state == f"disabled: {reason}"
        elif failing is not None:
            assert state.startswith(f"failing since {local_time(failing)}")
            assert (local_time(then, seconds=True) in state) is (attempt is not None)
        else:
            assert state == "enabled"
    assert webhook_row(hook) == (
        *("hook_1", URL, "sync.failed", "", "enabled", "1,234", local_time(now)),
        "",
    )


def test_a_webhook_is_added_changed_tested_and_removed(command: Command):
    """Each command does its work, a secret is printed once, and each list has a form for programs."""
    assert "has no webhook. Add one: routiq-gql webhooks add org_1 URL" in command("webhooks", "list", ORG).out
    events = ("--event", "sync.failed", "--event", "sync.completed")
    added = command("webhooks", "add", ORG, URL, *events, "--description", "Our CRM")
    match = re.fullmatch(r"(whsec_\S+)\nWebhook (hook_[0-9a-f]{32}) of org_1 is registered\. .*\n(.*)\n", added.out)
    assert match is not None, added
    assert match[3] == (
        "org_1 is not connected to Cliniko, so it has no events yet. Check the id, or connect it: routiq-gql connect "
        "org_1"
    )
    secret, hook, _ = match.groups()

    listed = command("webhooks", "list", ORG)
    assert listed.out.splitlines()[1].split("\t")[:5] == [hook, URL, "sync.completed, sync.failed", "", "enabled"]
    (shown,) = json.loads(command("webhooks", "list", ORG, "--json").out)
    assert (shown["id"], shown["description"], shown["includes_names"]) == (hook, "Our CRM", False)
    assert secret not in listed.out

    changed = command("webhooks", "change", ORG, hook, "--event", "sync.failed", "--with-names")
    assert changed.out == f"Webhook {hook} is changed: sync.failed to {URL}\n"
    rotated = command("webhooks", "rotate", ORG, hook).out
    assert rotated.startswith("whsec_")
    assert not rotated.startswith(secret)

    delivery = command("webhooks", "test", ORG, hook).out.split()[-1]
    (pending,) = json.loads(command("webhooks", "deliveries", ORG, hook, "--state", "pending", "--json").out)
    assert (pending["id"], pending["event"]) == (delivery, "webhook.test")
    assert command("webhooks", "deliveries", ORG, hook).out.splitlines()[1].split("\t")[:2] == [
        delivery,
        "webhook.test",
    ]
    assert command("webhooks", "deliveries", ORG, hook, "--state", "failed").out == f"{hook} has no such deliveries.\n"
    assert command("webhooks", "attempts", ORG, delivery).out == f"{delivery} was not sent yet.\n"
    assert command("webhooks", "disable", ORG, hook).out == f"Webhook {hook} is disabled, with 1 pending.\n"
    assert "disabled: " in command("webhooks", "list", ORG).out
    assert command("webhooks", "enable", ORG, hook).out == f"Webhook {hook} is enabled, with 1 pending.\n"
    assert command("webhooks", "remove", ORG, hook).out == f"Webhook {hook} of org_1 is removed.\n"
    for arguments, code, part in (
        (("remove", ORG, hook), 1, "with this id. List the organization's webhooks: routiq-gql webhooks list org_1"),
        (
            ("repeat", ORG, delivery),
            1,
            "no delivery with this id. List the deliveries of a webhook: ",
        ),
        (
            ("attempts", ORG, delivery),
            1,
            "no delivery with this id. List the deliveries of a webhook: ",
        ),
        (("add", ORG, "http://example.com", *events), 2, "must begin with https://"),
        (("add", ORG, URL, "--event", "webhook.test"), 2, "'--event': 'webhook.test' is not one of 'sync.completed', "),
        (("change", ORG, hook, "--event", "webhook.test"), 2, "'webhook.test' is not one of 'sync.completed', "),
        (("list", "org 1"), 2, "letters, digits, dashes and underscores"),
    ):
        refused = command("webhooks", *arguments)
        assert (refused.code, refused.err.count("\n")) == (code, 1)
        assert part in refused.err
