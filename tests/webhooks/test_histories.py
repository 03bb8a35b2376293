"""Random histories of webhooks: whatever people and receivers do, each webhook gets its events in order."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as trials
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from routiq_gql.database.webhook_events import OF_PATIENTS
from routiq_gql.errors import WebhookNotFound
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR, Viewer
from routiq_gql.settings import Settings
from routiq_gql.webhooks import delivering, waits
from routiq_gql.webhooks.model import EventType, WebhookChanges
from tests.webhooks.delivery import PRIVATE, Sent, until_sent, write
from tests.webhooks.receiver import OK, Received, Receiver, answer

pytestmark = pytest.mark.sqlite_only

KINDS = (EventType.SYNC_COMPLETED, EventType.SYNC_FAILED, EventType.PATIENT_BECAME_ACTIVE)
ANSWERS = {"accept": OK, "fail": answer(500), "gone": answer(410), "redirect": answer(302), "close": None}

EXAMPLES = 20
CHECKS = list(HealthCheck)

numbers = st.integers(0, 5)
kinds = st.lists(st.sampled_from(KINDS), min_size=1, unique=True)
step = st.one_of(
    st.tuples(st.just("register"), st.integers(0, 1), kinds),
    st.tuples(st.just("write"), st.integers(0, 1), st.lists(st.sampled_from(KINDS), min_size=1, max_size=4)),
    st.tuples(st.just("write"), st.integers(0, 1), st.lists(st.sampled_from(KINDS), min_size=1, max_size=4)),
    st.tuples(st.just("events"), numbers, kinds),
    st.tuples(st.sampled_from(["disable", "enable", "rotate", "remove", "move", "pass"]), numbers, st.none()),
    st.tuples(st.just("answers"), numbers, st.lists(st.sampled_from(sorted(ANSWERS)), min_size=1, max_size=4)),
)
histories = st.lists(step, min_size=4, max_size=25)


@dataclass
class Registered:
    """A webhook, and the events it must get."""

    number: int
    webhook_id: str
    organization: str
    events: Sequence[EventType]
    secrets: list[str]
    expected: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    is_removed: bool = False


class World:
    """Two organizations, a receiver for all their webhooks, and a server that sends."""

    def __init__(self, runtime: Runtime, receiver: Receiver, name: int) -> None:
        self._runtime = runtime
        self._receiver = receiver
        self._subjects = count(1)
        self.organizations = (f"org_{name}_a", f"org_{name}_b")
        self.all: list[Registered] = []
        receiver.behave = self._behave

    async def _behave(self, request: Received) -> bytes | None:
        hook = self.all[int(request.target.split("/")[-1])]
        hook.received.append(request)
        return ANSWERS[hook.answers.pop(0)] if hook.answers else OK

    async def do(self, name: str, number: int, more: Sequence[object] | None) -> None:
        if name == "register":
            await self._register(self.organizations[number], [one for one in KINDS if one in (more or ())])
        elif name == "write":
            await self.write(self.organizations[number], [one for one in KINDS for other in more or () if one is other])
        elif present := [one for one in self.all if not one.is_removed]:
            await self._change(name, present[number % len(present)], more)

    async def _register(self, organization: str, events: list[EventType]) -> None:
        number, base = len(self.all), self._receiver.url
        if sum(one.organization == organization and not one.is_removed for one in self.all) == 3:
            return
        made, secret = await self._runtime.webhooks.register(
            LOCAL_OPERATOR, organization, url=f"{base}/{number}", events=events
        )
        self.all.append(Registered(number, made.id, organization, events, [secret]))

    async def write(self, organization: str, wanted: Sequence[EventType]) -> None:
        """Write these events, each with a subject of its own."""
        for kind in wanted:
            subject = str(next(self._subjects))
            await write(self._runtime.database, subject, organization_id=organization, kind=kind)
            for one in self.all:
                if one.organization == organization and not one.is_removed and kind in one.events:
                    one.expected.append(subject)

    async def _change(self, name: str, hook: Registered, more: Sequence[object] | None) -> None:
        webhooks, ids = self._runtime.webhooks, (LOCAL_OPERATOR, hook.organization, hook.webhook_id)
        match name:
            case "events":
                hook.events = [one for one in KINDS if one in (more or ())]
                await webhooks.change(*ids, WebhookChanges(events=hook.events))
            case "disable" | "enable":
                await webhooks.change(*ids, WebhookChanges(is_enabled=name == "enable"))
            case "move":
                await webhooks.change(*ids, WebhookChanges(url=f"{self._receiver.url}/moved/{hook.number}"))
            case "rotate":
                hook.secrets.append((await webhooks.rotate_secret(*ids))[1])
            case "remove":
                await webhooks.remove(*ids)
                hook.is_removed = True
            case "answers":
                hook.answers += [str(one) for one in more or ()]
            case "pass":
                await asyncio.sleep(0.02)  # the sender may send meanwhile, or not

    async def check(self) -> None:
        """Let everything be sent, and compare it with what must have been sent."""
        for one in self.all:
            one.answers.clear()
            if not one.is_removed:
                changes = WebhookChanges(events=KINDS, is_enabled=True)
                await self._runtime.webhooks.change(LOCAL_OPERATOR, one.organization, one.webhook_id, changes)
                one.events = KINDS
        for organization in self.organizations:
            await self.write(organization, KINDS[:1])
        for one in self.all:
            sent = [] if one.is_removed else await until_sent(self._runtime.database, one.webhook_id)
            self._check_requests(one, sent)
            await self._check_other_organization(one)

    def _check_requests(self, hook: Registered, sent: Sequence[Sent]) -> None:
        accepted = [_subject(one) for one in hook.received if one.is_accepted]
        firsts = list(dict.fromkeys(accepted))
        if hook.is_removed:
            assert firsts == hook.expected[: len(firsts)], "what was sent before the removal is in order"
        else:
            assert firsts == hook.expected == [one.subject for one in sent]
            ids = list(dict.fromkeys(one.event_id for one in hook.received if one.is_accepted))
            assert ids == [one.event_id for one in sent]
            newest = hook.secrets[-3:]
            signed = [_verifies(hook.received[-1], one) for one in newest]
            assert signed == [False, True, True][-len(newest) :], "the newest two secrets sign"
        for one in hook.received:
            assert one.content["data"]["organizationId"] == hook.organization
            assert any(_verifies(one, secret) for secret in hook.secrets)

    async def _check_other_organization(self, hook: Registered) -> None:
        (other,) = set(self.organizations) - {hook.organization}
        stranger, webhooks = Viewer(other), self._runtime.webhooks
        with pytest.raises(WebhookNotFound):
            await webhooks.deliveries(stranger, other, hook.webhook_id)
        assert hook.webhook_id not in {one.id for one in await webhooks.list_of(stranger, other)}


def _subject(request: Received) -> str:
    content = request.content
    of_patient = EventType(content["type"]) in OF_PATIENTS
    return str(content["data"]["patientId" if of_patient else "syncId"])


def _verifies(request: Received, secret: str) -> bool:
    try:
        Verifier(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as opened:
        yield opened


def test_each_webhook_gets_its_events_whatever_happens(
    settings: Settings, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
):
    """People register, change, disable and remove webhooks while receivers fail: all events come, in order, signed."""
    monkeypatch.setattr(waits, "WAITS", (timedelta(milliseconds=5),))
    monkeypatch.setattr(delivering, "LOOK_SECONDS", 0.02)
    names = count()

    opening = open_runtime(settings.model_copy(update={"webhook_private": PRIVATE}))
    runtime, receiver = runner.run(opening.__aenter__()), Receiver()
    runner.run(receiver.start())

    async def play(history: list[tuple[str, int, Sequence[object] | None]]) -> None:
        world = World(runtime, receiver, next(names))
        for one in history:
            await world.do(*one)
        await world.check()

    @seed(1)
    @trials(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=CHECKS)
    @given(histories)
    def check(history: list[tuple[str, int, Sequence[object] | None]]) -> None:
        runner.run(play(history))

    try:
        check()
    finally:
        runner.run(receiver.stop())
        runner.run(opening.__aexit__(None, None, None))
