"""Nothing of a patient is shown before the audit log has taken the read, whichever way patients are read."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

import pytest

from routiq_gql.patients.change_cursors import Place, change_cursor
from routiq_gql.patients.change_keys import ChangeKey
from routiq_gql.patients.keys import PatientKey
from routiq_gql.patients.lists import PatientList
from routiq_gql.patients.requests import PageRequest
from routiq_gql.runtime import Runtime, open_runtime
from routiq_gql.security.audit import Audit
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.settings import Settings
from tests.patients.clinics import ListedClinic
from tests.patients.small_clinic import PEOPLE, ZOE

ORGANIZATION = "org_1"
EVERYONE = PageRequest(list=PatientList.ALL)


class NotWritten(Exception):
    """The audit log can't be written."""


@pytest.fixture
async def clinic(settings: Settings) -> AsyncIterator[tuple[Runtime, ListedClinic]]:
    """A runtime, and a clinic with two syncs, the second of which has changed a patient."""
    async with open_runtime(settings, run_syncs=False) as runtime:
        listed = ListedClinic(runtime.database, ORGANIZATION)
        await listed.sync(PEOPLE)
        await listed.sync([replace(ZOE, phone="1"), *PEOPLE[1:]])
        yield runtime, listed


async def _watched(runtime: Runtime, listed: ListedClinic) -> object:
    after = change_cursor(Place.behind(listed.keys[0]))
    async with aclosing(runtime.patient_changes.watch_changes(LOCAL_OPERATOR, ORGANIZATION, after)) as changes:
        return await anext(changes)


READS: dict[str, Callable[[Runtime, ListedClinic], Awaitable[object]]] = {
    "a page": lambda runtime, _listed: runtime.patients.page(LOCAL_OPERATOR, ORGANIZATION, EVERYONE),
    "a patient": lambda runtime, _listed: runtime.patients.patient(LOCAL_OPERATOR, PatientKey(ORGANIZATION, ZOE.id)),
    "patients by ids": lambda runtime, _listed: runtime.patients.patients_by_keys(
        LOCAL_OPERATOR, [PatientKey(ORGANIZATION, one.id) for one in PEOPLE]
    ),
    "changes": lambda runtime, listed: runtime.patient_changes.sync_changes(LOCAL_OPERATOR, listed.sync_ids[1]),
    "changes by ids": lambda runtime, listed: runtime.patient_changes.changes_by_keys(
        LOCAL_OPERATOR, [ChangeKey(listed.sync_ids[1], ZOE.id)]
    ),
    "watched changes": _watched,
    "an export": lambda runtime, _listed: runtime.patient_exports.open(LOCAL_OPERATOR, ORGANIZATION, EVERYONE),
}
"""Every way to read patients."""


@pytest.mark.parametrize("name", READS)
async def test_no_patient_is_shown_that_the_audit_log_does_not_take(
    clinic: tuple[Runtime, ListedClinic], monkeypatch: pytest.MonkeyPatch, name: str
):
    """A read ends with the error of the audit log, and returns nothing before."""
    assert await READS[name](*clinic)

    async def fail(*_arguments: object, **_options: object) -> None:
        raise NotWritten

    for method in ("read", "exported"):
        monkeypatch.setattr(Audit, method, fail)
    with pytest.raises(NotWritten):
        await READS[name](*clinic)
