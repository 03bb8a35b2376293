"""Refusals and reads while the audit log is being written are counted, too."""

from typing import Any

import pytest

from routiq_gql.errors import Forbidden
from routiq_gql.runtime import Runtime
from routiq_gql.security import audited_reads, audited_refusals
from routiq_gql.security.audit import Action
from routiq_gql.security.viewer import Viewer

pytestmark = pytest.mark.sqlite_only
VIEWER = Viewer("org_1", subject="anna")
OTHER = Viewer("org_1", subject="ben")


@pytest.mark.parametrize("viewer", [VIEWER, OTHER], ids=["equal", "another"])
async def test_nothing_that_happens_during_a_write_is_lost(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, viewer: Viewer
):
    """Equal ones are added up, others get rows: each is in the log in the end, whenever it came."""
    audit, during = runtime.audit, 0

    async def happen(one: Viewer) -> None:
        audit.refused(Forbidden("No."), Action.START, one, "org_1")
        await audit.read(one, Action.PATIENTS, "org_1", count=3)

    for module, name in ((audited_refusals, "insert_audit"), (audited_reads, "insert_one")):
        write = getattr(module, name)

        async def write_slowly(*arguments: Any, write: Any = write) -> Any:
            nonlocal during
            if during < 2:  # once in each of both
                during += 1
                await happen(viewer)
            return await write(*arguments)

        monkeypatch.setattr(module, name, write_slowly)
    await happen(VIEWER)
    await audit._refusals._flush(True)
    await audit._reads._flush(True)
    await audit.close()
    entries = await audit.entries(100, "org_1")
    assert during == 2
    refused = sum(one.times for one in entries if one.outcome == "FORBIDDEN")
    reads = [one for one in entries if one.action is Action.PATIENTS]
    assert (refused, sum(one.times for one in reads), sum(one.count or 0 for one in reads)) == (3, 3, 9)
