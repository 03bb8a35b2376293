"""Each combination of a command's options reaches the services as given: none is lost, and none sets off another.

The services are recorded, so that all combinations take little time; their effects have tests of their own.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from routiq_gql.cli.commands import load
from routiq_gql.cliniko import Horizon
from routiq_gql.connections.service import ConnectedAccount
from routiq_gql.database.rows import ScheduleRow
from routiq_gql.organizations.stored_history import StoredHistory
from routiq_gql.patients.erasure import ErasedPerson
from routiq_gql.webhooks.model import EventType, Webhook, WebhookChanges
from tests.cli.conftest import Command

ORG = "org_1"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
Call = tuple[Any, ...]
ANSWERS: dict[str, object] = {
    "show": (ScheduleRow(ORG, 5400, NOW, NOW), NOW),
    "begin": NOW,
    "begin_at": NOW,
    "has_enabled": True,
    "connect": ConnectedAccount(SimpleNamespace(organization_id=ORG), "https://api.au1.cliniko.com", None),
    "erase": ErasedPerson(0, 0, 0, was_erased=False, is_gone=True),
    "entries": [],
    "change": Webhook(
        "hook_1", ORG, "https://a.example/", (EventType.SYNC_FAILED,), False, None, NOW, *[None] * 6, pending_count=0
    ),
}
ANSWERS["register"] = (ANSWERS["change"], "whsec_1")
ASKING = {"show", "has_enabled", "is_live", "last_look", "freshness"}
"""Calls that change nothing."""


class Recorder:
    """A service that notes its calls, without the viewer."""

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: object, **named: object) -> object:
            if name not in ASKING:
                self._calls.append((name, *(one for one in arguments if not hasattr(one, "rights")), named))
            return ANSWERS.get(name)

        return call


@pytest.fixture
def effects(monkeypatch: pytest.MonkeyPatch, command: Command) -> Callable[..., list[Call]]:
    """The calls of a command; none if it was wrong use."""
    calls: list[Call] = []
    service = Recorder(calls)
    names = ("schedules", "webhooks", "connections", "erasures", "audit")

    @asynccontextmanager
    async def reading() -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def recorded(*_: object, **__: object) -> AsyncIterator[SimpleNamespace]:
        yield SimpleNamespace(database=SimpleNamespace(reading=reading), **dict.fromkeys(names, service))

    async def history(*_: object) -> StoredHistory:
        return StoredHistory(730, Horizon(NOW, None))

    for name in ("schedule", "webhooks", "connect", "disconnect", "erase_patient", "audit"):
        monkeypatch.setattr(import_module(f"routiq_gql.cli.{name}"), "open_runtime", recorded)
    monkeypatch.setattr(import_module("routiq_gql.cli.connect"), "stored_history", history)

    def call(*arguments: str) -> list[Call]:
        calls.clear()
        ended = command(*arguments)
        assert (ended.code, bool(ended.err)) in {(0, False), (2, True)}, ended
        assert ended.code == 0 or not calls
        return list(calls)

    return call


def _each(**options: list[list[str]]) -> Iterator[tuple[list[str], dict[str, list[str]]]]:
    """The words of each combination, and those of each option. The first choice of an option is to leave it out."""
    for chosen in product(*([[], *choices] for choices in options.values())):
        yield [word for words in chosen for word in words], dict(zip(options, chosen, strict=True))


def _assert_all_options(words: tuple[str, ...], tried: set[str], others: set[str]) -> None:
    command: Any = load(words[0])
    for word in words[1:]:
        command = command.commands[word]
    names = {one.name for one in command.params if one.param_type_name == "option"} - {"help"}
    assert names == tried | others, "a new option needs a place in this test"


def test_a_schedule(effects: Callable[..., list[Call]]):
    """An interval or local times, and beside either of them whether the organization is kept live."""
    at = ["--at", "06:00", "--at", "13:00"]
    options = {
        "every": [["--every", "90m"], ["--every", "off"]],
        "at": [at],
        "weekdays": [["--weekdays", "mon-fri"]],
        "time_zone": [["--time-zone", "Australia/Sydney"]],
        "live": [["--live"], ["--no-live"]],
    }
    _assert_all_options(("schedule",), set(options), set())
    for words, given in _each(**options):
        expected: list[Call] = []
        zone = {name: given[name][1] if given[name] else None for name in ("weekdays", "time_zone")}
        is_wrong = bool(given["every"] and given["at"]) or (any(zone.values()) and not given["at"])
        if given["at"]:
            expected.append(("begin_at", ORG, at[1::2], *zone.values(), {}))
        elif given["every"]:
            off = given["every"][1] == "off"
            expected.append(("end", ORG, {}) if off else ("begin", ORG, timedelta(minutes=90), {}))
        if given["live"]:
            expected.append(("begin_live" if given["live"] == ["--live"] else "end_live", ORG, {}))
        assert effects("schedule", ORG, *words) == ([] if is_wrong else expected), words


EVENTS = [["--event", "sync.failed"], ["--event", "sync.failed", "--event", "sync.completed"]]
DESCRIPTIONS = [["--description", ""], ["--description", "Our CRM"]]


def test_a_new_webhook(effects: Callable[..., list[Call]]):
    """Names of patients are sent only if the operator says so."""
    _assert_all_options(("webhooks", "add"), {"event", "with_names", "description"}, set())
    for words, given in _each(event=EVENTS, with_names=[["--with-names"]], description=DESCRIPTIONS):
        expected = {
            "url": "https://a.example/",
            "events": [EventType(one) for one in given["event"][1::2]],
            "includes_names": bool(given["with_names"]),
            "description": given["description"][1] or None if given["description"] else None,
        }
        wanted = [("register", ORG, expected)] if given["event"] else []
        assert effects("webhooks", "add", ORG, "https://a.example/", *words) == wanted, words


def test_a_changed_webhook(effects: Callable[..., list[Call]]):
    """An option that is left out changes nothing, and an empty description removes it."""
    options = {
        "url": [["--url", "https://b.example/"]],
        "event": EVENTS,
        "with_names": [["--with-names"], ["--without-names"]],
        "description": DESCRIPTIONS,
    }
    _assert_all_options(("webhooks", "change"), set(options), set())
    for words, given in _each(**options):
        expected = WebhookChanges(
            url=given["url"][1] if given["url"] else None,
            events=[EventType(one) for one in given["event"][1::2]] or None,
            includes_names=given["with_names"] == ["--with-names"] if given["with_names"] else None,
            description=given["description"][1] if given["description"] else None,
        )
        assert effects("webhooks", "change", ORG, "hook_1", *words) == [("change", ORG, "hook_1", expected, {})], words
    for word in ("enable", "disable"):
        wanted = WebhookChanges(is_enabled=word == "enable")
        assert effects("webhooks", word, ORG, "hook_1") == [("change", ORG, "hook_1", wanted, {})]


def test_a_connection(effects: Callable[..., list[Call]]):
    """The key is checked unless the operator says otherwise, and another account is refused unless they accept it."""
    options = {
        "base_url": [["--base-url", "http://127.0.0.1:9000"]],
        "check": [["--check"], ["--no-check"]],
        "replace": [["--replace"]],
    }
    _assert_all_options(("connect",), set(options), {"api_key"})
    for words, given in _each(**options):
        named = {"check": given["check"] != ["--no-check"], "replace": bool(given["replace"])}
        base_url = given["base_url"][1] if given["base_url"] else None
        assert effects("connect", ORG, "--api-key", "k", *words) == [("connect", ORG, "k", base_url, named)], words


def test_what_is_removed(effects: Callable[..., list[Call]]):
    """Nothing is erased without a confirmation, which only erasing needs."""
    _assert_all_options(("disconnect",), {"erase", "yes"}, set())
    _assert_all_options(("erase-patient",), {"undo", "yes"}, set())
    for words, given in _each(erase=[["--erase"]], yes=[["--yes"]]):
        wanted = [] if given["erase"] and not given["yes"] else [("erase" if given["erase"] else "disconnect", ORG, {})]
        assert effects("disconnect", ORG, *words) == wanted, words
    for words, given in _each(undo=[["--undo"]], yes=[["--yes"]]):
        wanted = [("undo" if given["undo"] else "erase", ORG, "7", {})] if given["undo"] or given["yes"] else []
        assert effects("erase-patient", ORG, "7", *words) == wanted, words


def test_entries_of_the_audit_log(effects: Callable[..., list[Call]]):
    """The organization, the time and the limit choose the entries."""
    _assert_all_options(("audit",), {"since", "limit"}, {"as_json"})
    for words, given in _each(organization=[[ORG]], since=[["--since", "6h"]], limit=[["--limit", "7"]]):
        before = datetime.now(UTC)
        ((name, limit, organization, since, _),) = effects("audit", *words)
        assert (name, organization) == ("entries", ORG if given["organization"] else None)
        assert limit == (7 if given["limit"] else 100)
        if given["since"]:
            assert before <= since + timedelta(hours=6) <= datetime.now(UTC)
        else:
            assert since is None
