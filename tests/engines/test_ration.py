"""After Cliniko's rate limit was met, looks take half of their share for a while, wherever it was met."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import update

from routiq_gql.cliniko.looking import NEWEST_ROWS
from routiq_gql.clock import utc_now
from routiq_gql.database.operation_rows import RefreshRow
from routiq_gql.database.shared_keys import KeySharer
from routiq_gql.database.tables import REFRESH
from routiq_gql.emulator import EMULATED_API_KEY, Fault, FaultKind
from routiq_gql.runtime import open_runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from routiq_gql.sync.found import read_found, to_json
from routiq_gql.sync.rationed import EASED_AFTER, ration_of
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import Looks, looks_of
from tests.organization import ORGANIZATION
from tests.syncs import run_sync

PACE = 6_000
"""Requests a minute: the tests do not wait for their turn."""
SHARE = PACE // 10
PATIENT = "9"


@pytest.fixture
async def looks(settings: Settings, cliniko: Cliniko) -> AsyncIterator[Looks]:
    """The looks of another process at an organization, with a share of a tenth of the pace."""
    async with open_runtime(settings) as unpaced:
        await unpaced.connections.connect(LOCAL_OPERATOR, ORGANIZATION, EMULATED_API_KEY, cliniko.base_url)
        await run_sync(unpaced)
    async with open_runtime(settings.model_copy(update={"cliniko_requests_per_minute": PACE})) as runtime:
        yield looks_of(runtime, is_elsewhere=True)


async def pass_time(looks: Looks, duration: timedelta = timedelta(0)) -> None:
    """Make all requests older than a minute, and the last change of the ration older by ``duration``."""
    found = read_found((await looks.stored()).found)
    if found.limited_at is not None:
        found = replace(found, limited_at=found.limited_at - duration)
    async with looks.runtime.database.writing() as connection:
        await connection.execute(update(REFRESH).values(spent=[], found=to_json(found)))


async def allowance_after_a_look(looks: Looks, duration: timedelta = timedelta(0)) -> int | None:
    """The ration after this time and another look, with its sync if there is one; ``None`` for the whole share."""
    await pass_time(looks, duration)
    await looks.look()
    return (await looks.stored()).allowance


MET_BY = ("a look", "a look with changes", "a look that fails", "a sync", "a sync that fails")


@pytest.mark.parametrize("met_by", MET_BY)
async def test_half_of_the_share_is_taken_for_some_minutes(looks: Looks, cliniko: Cliniko, met_by: str):
    """No look or sync in between ends that early, and it does end, whichever request has met the limit."""
    clinic, faults = cliniko.emulator.clinic, cliniko.emulator.faults
    await looks.look()
    for _ in range(2):  # the second time long after the first
        if met_by in {"a look with changes", "a sync", "a sync that fails"}:
            clinic.insert_patient()
        of_syncs = NEWEST_ROWS if met_by in {"a sync", "a sync that fails"} else 0
        faults.add(Fault(FaultKind.RATE_LIMIT, "patients", seconds=0, only_above_per_page=of_syncs))
        if met_by == "a look that fails":
            faults.add(Fault(FaultKind.STATUS_402, "attendees"))
        if met_by == "a sync that fails":
            faults.add(Fault(FaultKind.STATUS_402, "patients", only_above_per_page=of_syncs))
        assert await allowance_after_a_look(looks) == SHARE // 2
        faults.clear()
        assert await allowance_after_a_look(looks, EASED_AFTER * 0.6) == SHARE // 2
        clinic.insert_patient()
        assert await allowance_after_a_look(looks) == SHARE // 2, "a sync that meets no limit"
        assert await allowance_after_a_look(looks, EASED_AFTER * 0.6) is None
        await pass_time(looks, timedelta(days=1))


ALLOWANCES = (None, 4, 9, 18, 400)


@pytest.mark.parametrize("own", ALLOWANCES)
def test_the_least_that_any_organization_with_the_key_may_send_holds_for_all(own: int | None):
    """A rate limit belongs to the key: it limits each organization with it, and never raises a share."""
    refresh = RefreshRow("org_a", True, utc_now(), 1, None, [1, 2], None, own, {}, None, None)
    settings = Settings(cliniko_requests_per_minute=180)
    assert settings.refresh_share == 18
    for others in [(), *product(ALLOWANCES, repeat=2)]:
        ration = ration_of(refresh, settings, [KeySharer([3], one) for one in others])
        assert ration.per_minute == min([18, *(one for one in (own, *others) if one is not None)])
