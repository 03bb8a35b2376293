"""An hour of a clinic that is kept live, with faults of Cliniko and edits that leave no trace.

Time is compressed: instead of a wait of 15 minutes the next comparison is made due.
"""

import random

from routiq_gql.emulator import Fault, FaultKind
from routiq_gql.runtime import Runtime
from routiq_gql.security.viewer import LOCAL_OPERATOR
from routiq_gql.sync.model import SyncMode, SyncSnapshot
from tests.emulated_cliniko import Cliniko
from tests.engines.refreshing import EDITS, looks_of
from tests.organization import ORGANIZATION
from tests.syncs import run_sync, shown_rows

QUARTERS = 4
EDITS_A_QUARTER = 4
FAULTS = (FaultKind.STATUS_500, FaultKind.STATUS_503, FaultKind.DROP_BEFORE, FaultKind.DROP_INSIDE, FaultKind.CUT_JSON)


def balance_of(sync: SyncSnapshot | None) -> int:
    """How many more patients are active, by the change log of a sync."""
    changes = sync.changes if sync is not None else None
    return changes.became_active - changes.became_inactive if changes is not None else 0


async def active_patients(runtime: Runtime) -> int:
    """The figure on the dashboard."""
    return (await runtime.syncs.dashboard(LOCAL_OPERATOR, ORGANIZATION)).patient_stats.active_patients


async def test_each_comparison_of_an_hour_leaves_nothing_to_correct(runtime: Runtime, cliniko: Cliniko):
    """Figures, lists and change log then agree exactly with a sync that reads everything."""
    await run_sync(runtime)
    looks, choice, clinic = looks_of(runtime), random.Random(24), cliniko.emulator.clinic
    for quarter in range(QUARTERS):
        before, balance = await active_patients(runtime), 0
        for name in choice.choices(list(EDITS), k=EDITS_A_QUARTER):
            EDITS[name](clinic, choice)
            cliniko.emulator.faults.add(Fault(choice.choice(FAULTS), times=choice.choice((1, 2, 8))))
            balance += balance_of(await looks.look())
            cliniko.emulator.faults.clear()
        rows = [row["id"] for row in clinic.tables["individual_appointments"].rows() if not row["deleted_at"]]
        clinic.delete("individual_appointments", str(choice.choice(rows)), trace=False)
        balance += sum(balance_of(sync) for sync in await looks.compare())
        assert await active_patients(runtime) == before + balance, quarter
        found = await shown_rows(runtime.database)
        whole = await run_sync(runtime, mode=SyncMode.FULL)
        assert whole.receipt is not None
        assert (whole.receipt.added, whole.receipt.updated, whole.receipt.removed) == (0, 0, 0), quarter
        assert await shown_rows(runtime.database) == found, quarter
        assert balance_of(whole) == 0
