"""A session in every state of its token: for how long it reads, with which rights, and why it ends."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from routiq_gql.api.auth import session as sessions
from routiq_gql.api.auth.credentials import Credentials
from routiq_gql.api.auth.session import HAS_EXPIRED, LEEWAY, WAS_REVOKED, Session
from routiq_gql.errors import Forbidden, IssuerAway, Unauthenticated
from routiq_gql.security.viewer import ALL_RIGHTS, NO_RIGHTS, Right, Viewer
from routiq_gql.supervision import SupervisedTask

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
GRACE = timedelta(minutes=10)
FEWER = frozenset({Right.START})
LOOKS = {
    "as before": ALL_RIGHTS,
    "fewer rights": FEWER,
    "no rights": NO_RIGHTS,
    "revoked": None,
    "unknown": IssuerAway("Away."),
}
"""What the authority says about the token now. It is unknown while the token file can't be read."""
AGES = {
    "never": None,
    "valid": timedelta(seconds=-30),
    "within the leeway": LEEWAY - timedelta(seconds=1),
    "lapsed": LEEWAY + timedelta(seconds=1),
    "within the grace period": GRACE - timedelta(seconds=1),
    "over": GRACE + timedelta(seconds=1),
}
"""The time since the token's expiry."""


class Authority:
    """Says the same about every token."""

    authority = "test"
    supervised: tuple[SupervisedTask, ...] = ()

    def __init__(self, look: frozenset[Right] | IssuerAway | None) -> None:
        self._look = look

    async def authenticate(self, token: str) -> Credentials:
        raise NotImplementedError

    def rights_now(self, credentials: Credentials) -> frozenset[Right] | None:
        if isinstance(self._look, IssuerAway):
            raise self._look
        return self._look

    def problem(self) -> str | None:
        return None

    async def close(self) -> None:
        """Nothing is open."""


def _outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except (Unauthenticated, Forbidden) as error:
        return type(error), error.message


@pytest.mark.parametrize(("look", "age", "grace"), [*product(LOOKS, AGES, (timedelta(0), GRACE))])
async def test_what_a_session_may_do(look: str, age: str, grace: timedelta, monkeypatch: pytest.MonkeyPatch):
    """Each state of the token, with and without a grace period: the rights, the lapse, and the end with its reason."""
    monkeypatch.setattr(sessions, "utc_now", lambda: NOW)
    since, said = AGES[age], LOOKS[look]
    viewer = Viewer("org_1", ALL_RIGHTS, "anna")
    expires_at = None if since is None else NOW - since
    session = Session(Credentials(viewer, expires_at), Authority(said), grace)

    has_lapsed = since is not None and since > LEEWAY
    rights = said if isinstance(said, frozenset) else ALL_RIGHTS  # known rights stay while the authority is away
    if said is None:
        end: str | None = WAS_REVOKED
    else:
        end = HAS_EXPIRED if since is not None and since > max(grace, LEEWAY) else None

    over = asyncio.create_task(session.until_over())
    await asyncio.sleep(0)
    assert (over.result() if over.done() else None) == end
    over.cancel()
    with suppress(asyncio.CancelledError):
        await over
    now = Viewer("org_1", rights, "anna", has_lapsed=has_lapsed)
    assert _outcome(session.current_viewer) == ((Unauthenticated, end) if end is not None else now)
    still = _outcome(lambda: session.require_still(Right.PATIENTS))
    if end is not None:
        assert still == (Unauthenticated, end)
    else:
        assert (still is None) == (Right.PATIENTS in rights)
    assert session.can_end


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("seconds", [-1, 1])
async def test_a_stream_token_ends_with_its_parent_and_never_gets_rights(
    look: str, seconds: int, monkeypatch: pytest.MonkeyPatch
):
    """It ends in the second of its expiry or with its parent token, and stays while that can't be checked."""
    monkeypatch.setattr(sessions, "utc_now", lambda: NOW)
    viewer = Viewer("org_1", NO_RIGHTS, "anna", sync_id="sync_1")
    session = Session(Credentials(viewer, NOW - timedelta(seconds=seconds)), Authority(LOOKS[look]))
    expected: object = viewer if seconds < 0 else (Unauthenticated, HAS_EXPIRED)
    if LOOKS[look] is None:
        expected = Unauthenticated, WAS_REVOKED
    assert _outcome(session.current_viewer) == expected


@pytest.mark.parametrize("subject", ["anna", "ben"])
@pytest.mark.parametrize("organization", ["org_1", "org_2"])
@pytest.mark.parametrize("age", AGES)
def test_a_session_continues_with_the_same_person_and_organization_only(
    subject: str, organization: str, age: str, monkeypatch: pytest.MonkeyPatch
):
    """A socket that was opened for a clinic never shows another one, not even to a person who works for both."""
    monkeypatch.setattr(sessions, "utc_now", lambda: NOW)
    since = AGES[age]
    expires_at = None if since is None else NOW - since
    session = Session(Credentials(Viewer("org_1", ALL_RIGHTS, "anna"), expires_at), Authority(FEWER), GRACE)
    fresh = Credentials(Viewer(organization, FEWER, subject), NOW + GRACE)
    if (subject, organization) == ("anna", "org_1"):
        session.renew(fresh)
        assert session.current_viewer() == fresh.viewer
    else:
        before = session.viewer
        with pytest.raises(Unauthenticated, match="another person or organization"):
            session.renew(fresh)
        assert session.viewer == before
