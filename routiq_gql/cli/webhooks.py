"""``routiq-gql webhooks``: the addresses that receive an organization's events, and their deliveries."""

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from routiq_gql.api.rest.webhook_objects import Webhook as WebhookObject
from routiq_gql.api.rest.webhook_objects import WebhookDelivery
from routiq_gql.api.webhook_messages import no_events_yet
from routiq_gql.cli.commands import CommandGroup
from routiq_gql.cli.running import run
from routiq_gql.cli.tables import print_table
from routiq_gql.cli.terminal import open_terminal, print_json
from routiq_gql.cli.times import local_time
from routiq_gql.cli.webhook_rows import ATTEMPTS, DELIVERIES, WEBHOOKS, attempt_row, delivery_row, webhook_row
from routiq_gql.errors import Kind, WebhookNotFound
from routiq_gql.logs import configure_logging
from routiq_gql.paging import LARGEST_SIZE
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, check_organization_id
from routiq_gql.settings import load_settings
from routiq_gql.webhooks.model import Delivery, DeliveryState, EventType, Webhook, WebhookChanges
from routiq_gql.webhooks.registry import Webhooks

T = TypeVar("T")

LISTINGS = {
    Kind.WEBHOOK: "List the organization's webhooks: routiq-gql webhooks list {organization}",
    Kind.DELIVERY: "List the deliveries of a webhook: routiq-gql webhooks deliveries {organization} WEBHOOK_ID",
}
"""Commands that list the ids of each kind."""

Organization = Annotated[str, typer.Argument(metavar="ORG", help="The organization's id, such as org_123.")]
WebhookId = Annotated[str, typer.Argument(metavar="ID", help="The id that `routiq-gql webhooks list` shows.")]
DeliveryId = Annotated[str, typer.Argument(metavar="ID", help="The id that `routiq-gql webhooks deliveries` shows.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON array.")]


class EventName(StrEnum):
    """An event that a webhook can be registered for."""

    SYNC_COMPLETED = "sync.completed"
    SYNC_FAILED = "sync.failed"
    CONNECTION_NEEDS_ATTENTION = "connection.needs_attention"
    PATIENT_BECAME_ACTIVE = "patient.became_active"
    PATIENT_BECAME_INACTIVE = "patient.became_inactive"


class StateName(StrEnum):
    """A state of deliveries, as REST names it."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    help="Register, change and list the addresses that receive events, and list deliveries.",
    epilog="Example: routiq-gql webhooks add org_123 https://example.com/hooks/routiq --event sync.completed",
)


@app.callback()
def _group() -> None:
    """Register, change and list the addresses that receive events, and list deliveries."""


@app.command("list", epilog="Examples: routiq-gql webhooks list org_123 · routiq-gql webhooks list org_123 --json")
def list_webhooks(organization: Organization, as_json: AsJson = False) -> None:
    """List the webhooks of an organization, the oldest first."""
    found = _call(organization, lambda registry: registry.list_of(LOCAL_OPERATOR, organization))
    terminal = open_terminal()
    if as_json:
        print_json(terminal, [WebhookObject.of(one).model_dump() for one in found])
    else:
        if_none = f"{organization} has no webhook. Add one: routiq-gql webhooks add {organization} URL --event NAME"
        print_table(terminal, WEBHOOKS, [webhook_row(one) for one in found], if_none)


@app.command(
    epilog="Example: routiq-gql webhooks add org_123 https://example.com/hooks/routiq --event sync.completed "
    "--event sync.failed"
)
def add(
    organization: Organization,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to send events: an https address.")],
    event: Annotated[
        list[EventName],
        typer.Option(metavar="NAME", help="An event, such as sync.completed. Once for each event."),
    ],
    with_names: Annotated[bool, typer.Option("--with-names", help="Send patients' names with their events.")] = False,
    description: Annotated[str, typer.Option(metavar="TEXT", help="A note for people.")] = "",
) -> None:
    """Register an address, and print the secret that signs its requests.

    This is the only time that the secret is shown. Events are sync.completed, sync.failed, connection.needs_attention,
    patient.became_active and patient.became_inactive. A server or a worker must be running to send them.
    """

    async def register(runtime: Runtime) -> tuple[Webhook, str, bool]:
        made, secret = await runtime.webhooks.register(
            LOCAL_OPERATOR,
            organization,
            url=url,
            events=_types(event),
            includes_names=with_names,
            description=description or None,
        )
        return made, secret, await runtime.connections.has_enabled(organization)

    made, secret, is_connected = _with_runtime(organization, register)
    _show_secret(secret, f"Webhook {made.id} of {organization} is registered.")
    if not is_connected:
        open_terminal().print(no_events_yet(organization))


@app.command(epilog="Example: routiq-gql webhooks change org_123 hook_3f9a0c52 --event sync.failed")
def change(
    organization: Organization,
    webhook: WebhookId,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Another address.")] = None,
    event: Annotated[
        list[EventName] | None, typer.Option(metavar="NAME", help="In place of all its events. Once for each event.")
    ] = None,
    with_names: Annotated[
        bool | None,
        typer.Option("--with-names/--without-names", help="Whether to send patients' names.", show_default=False),
    ] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="Another note for people.")] = None,
) -> None:
    """Change a webhook. Options that are left out change nothing."""
    changes = WebhookChanges(
        url=url, events=_types(event) if event else None, includes_names=with_names, description=description
    )
    changed = _call(organization, lambda registry: registry.change(LOCAL_OPERATOR, organization, webhook, changes))
    open_terminal().print(f"Webhook {changed.id} is changed: {', '.join(changed.events)} to {changed.url}")


@app.command(epilog="Example: routiq-gql webhooks enable org_123 hook_3f9a0c52")
def enable(organization: Organization, webhook: WebhookId) -> None:
    """Send to a disabled webhook again, failed deliveries first. A failing one is tried now."""
    changed = _set_enabled(organization, webhook, is_enabled=True)
    open_terminal().print(f"Webhook {webhook} is enabled, with {changed.pending_count:,} pending.")


@app.command(epilog="Example: routiq-gql webhooks disable org_123 hook_3f9a0c52")
def disable(organization: Organization, webhook: WebhookId) -> None:
    """Send nothing to a webhook until it is enabled. Its events wait."""
    changed = _set_enabled(organization, webhook, is_enabled=False)
    open_terminal().print(f"Webhook {webhook} is disabled, with {changed.pending_count:,} pending.")


@app.command(epilog="Example: routiq-gql webhooks rotate org_123 hook_3f9a0c52")
def rotate(organization: Organization, webhook: WebhookId) -> None:
    """Make a new secret for a webhook, and print it.

    Until tomorrow requests are signed with the earlier secret, too, so that the receiver can be changed meanwhile.
    """
    made, secret = _call(organization, lambda registry: registry.rotate_secret(LOCAL_OPERATOR, organization, webhook))
    until = local_time(made.earlier_until)
    _show_secret(secret, f"The earlier secret of {webhook} signs too, until {until}.")


@app.command(epilog="Example: routiq-gql webhooks remove org_123 hook_3f9a0c52")
def remove(organization: Organization, webhook: WebhookId) -> None:
    """Remove a webhook with its deliveries. Pending ones are not sent."""
    _call(organization, lambda registry: registry.remove(LOCAL_OPERATOR, organization, webhook))
    open_terminal().print(f"Webhook {webhook} of {organization} is removed.")


@app.command(epilog="Example: routiq-gql webhooks deliveries org_123 hook_3f9a0c52 --state failed")
def deliveries(
    organization: Organization,
    webhook: WebhookId,
    state: Annotated[StateName | None, typer.Option(help="Only deliveries in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many deliveries, at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the deliveries of a webhook, sent or pending, the newest first."""
    wanted = DeliveryState[state.name] if state is not None else None

    async def read(registry: Webhooks) -> list[Delivery]:
        found: list[Delivery] = []
        after: str | None = None
        while len(found) < limit:
            first = min(limit - len(found), LARGEST_SIZE)
            page = await registry.deliveries(
                LOCAL_OPERATOR, organization, webhook, first=first, after=after, state=wanted
            )
            found += page.deliveries
            if not page.has_next:
                break
            after = page.cursors[-1]
        return found

    found = _call(organization, read)
    terminal = open_terminal()
    if as_json:
        print_json(terminal, [WebhookDelivery.model_validate(one).model_dump() for one in found])
    else:
        print_table(terminal, DELIVERIES, [delivery_row(one) for one in found], f"{webhook} has no such deliveries.")


@app.command(epilog="Example: routiq-gql webhooks attempts org_123 dlv_58c1e7b0")
def attempts(organization: Organization, delivery: DeliveryId, as_json: AsJson = False) -> None:
    """List the newest 15 attempts to send a delivery, the oldest of them first."""
    found = _call(organization, lambda registry: registry.delivery(LOCAL_OPERATOR, organization, delivery))
    terminal = open_terminal()
    if as_json:
        print_json(terminal, WebhookDelivery.model_validate(found).model_dump()["attempt_log"])
    else:
        rows = [attempt_row(one) for one in found.attempt_log]
        print_table(terminal, ATTEMPTS, rows, f"{delivery} was not sent yet.")


@app.command(epilog="Example: routiq-gql webhooks repeat org_123 dlv_58c1e7b0")
def repeat(organization: Organization, delivery: DeliveryId) -> None:
    """Send a delivered or failed delivery again, as the same event."""
    _call(organization, lambda registry: registry.repeat(LOCAL_OPERATOR, organization, delivery))
    open_terminal().print(f"Delivery {delivery} is sent again.")


@app.command(epilog="Example: routiq-gql webhooks test org_123 hook_3f9a0c52")
def test(organization: Organization, webhook: WebhookId) -> None:
    """Send the event webhook.test to a webhook, and before it what is pending.

    Failed attempts are repeated now, too. A server or a worker sends it. `routiq-gql webhooks deliveries` shows the
    outcome.
    """
    made = _call(organization, lambda registry: registry.send_test(LOCAL_OPERATOR, organization, webhook))
    open_terminal().print(f"A test waits to be sent: {made.id}")


def _types(events: Sequence[EventName]) -> list[EventType]:
    return [EventType(one) for one in events]


def _set_enabled(organization: str, webhook: str, *, is_enabled: bool) -> Webhook:
    changes = WebhookChanges(is_enabled=is_enabled)
    return _call(organization, lambda registry: registry.change(LOCAL_OPERATOR, organization, webhook, changes))


def _call(organization: str, call: Callable[[Webhooks], Awaitable[T]]) -> T:
    """The result of a call of the service."""
    return _with_runtime(organization, lambda runtime: call(runtime.webhooks))


def _with_runtime(organization: str, call: Callable[[Runtime], Awaitable[T]]) -> T:
    settings = load_settings()
    configure_logging(settings, quiet=True)
    check_organization_id(organization)

    async def with_runtime() -> T:
        async with open_runtime(settings, run_syncs=False) as runtime:
            return await call(runtime)

    try:
        return run(with_runtime())
    except WebhookNotFound as error:
        error.what_to_do = LISTINGS[error.kind].format(organization=organization)
        raise


def _show_secret(secret: str, sentence: str) -> None:
    terminal = open_terminal()
    terminal.print(secret, soft_wrap=True)
    terminal.print(f"{sentence} Keep the secret like a password. It can't be shown again.")
